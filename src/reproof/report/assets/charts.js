// Figures: each picture gives way to a chart that answers the pointer, in the colours of the page.
(() => {
  const holder = document.querySelector("script.specs");
  if (!holder || !window.vegaEmbed) return;
  const specs = JSON.parse(holder.textContent);
  const drawn = new Map(); // a figure, and what ends its chart
  const turns = new Map(); // a figure, and how often it was drawn

  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  function theme() {
    // Resolved by the browser, since the page's own variables hold a colour for each scheme.
    const probe = document.body.appendChild(document.createElement("i"));
    const colour = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const [page, text, quiet, line, rule] = ["--page", "--text", "--quiet", "--line", "--rule"].map(colour);
    const font = getComputedStyle(document.body).fontFamily;
    probe.remove();
    const guide = { labelColor: quiet, titleColor: quiet, labelFont: font, titleFont: font, titleFontWeight: 500 };
    return {
      background: page, // a figure that somebody saves stays readable
      font,
      axis: { ...guide, labelFontSize: 11, labelSeparation: 8, titleFontSize: 12, gridColor: line, domainColor: rule, tickColor: rule },
      legend: {
        ...guide,
        labelFontSize: 12,
        labelColor: text,
        symbolBaseFillColor: quiet,
        symbolBaseStrokeColor: quiet,
      },
      header: guide,
      title: { color: text, subtitleColor: quiet, font, fontSize: 13, fontWeight: 600, anchor: "start" },
      view: { stroke: null },
      text: { color: text, font },
      rule: { color: quiet },
      mark: { tooltip: true },
      tooltipFormat: { numberFormat: ",.6~g" },
    };
  }

  const isPlain = (part) => part !== null && typeof part === "object" && !Array.isArray(part);
  function merged(below, above) {
    const out = { ...below };
    for (const [name, part] of Object.entries(above)) {
      out[name] = isPlain(part) && isPlain(out[name]) ? merged(out[name], part) : part;
    }
    return out;
  }

  // The colours that a figure gives its axes are meant for white paper: here the page's own take their place.
  const GUIDES = new Set(["axis", "legend", "header", "title"]);
  const PAINT = /^(grid|domain|tick|label|title|subtitle)?color$/i;
  function unpainted(part, inGuide = false) {
    if (Array.isArray(part)) return part.map((item) => unpainted(item, inGuide));
    if (!isPlain(part)) return part;
    const out = {};
    for (const [name, value] of Object.entries(part)) {
      if (name === "data" || name === "datasets") out[name] = value;
      else if (!(inGuide && PAINT.test(name))) out[name] = unpainted(value, inGuide || GUIDES.has(name));
    }
    return out;
  }

  // On a dark page plain greys, such as a rule in black, turn over and colours grow lighter. Words that
  // choose their colour by what lies under them (a condition, a value) stay as they are.
  function darkened(part) {
    if (Array.isArray(part)) return part.map(darkened);
    if (!isPlain(part)) return part;
    const out = {};
    for (const [name, value] of Object.entries(part)) {
      const isRamp = name === "scale" && part.type === "quantitative"; // words over it were chosen for it
      if (isRamp || ["data", "datasets", "condition"].includes(name)) out[name] = value;
      else if (["color", "fill", "stroke"].includes(name) && typeof value === "string") out[name] = lighter(value);
      else if (name === "range" && Array.isArray(value)) out[name] = value.map(lighter);
      else out[name] = darkened(value);
    }
    return out;
  }
  function lighter(colour) {
    const long = String({ black: "#000", white: "#fff", gray: "#888", grey: "#888" }[colour] ?? colour)
      .replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
    const parts = /^#(..)(..)(..)$/.exec(long)?.slice(1).map((digits) => parseInt(digits, 16));
    if (!parts) return colour;
    const isGrey = Math.max(...parts) - Math.min(...parts) <= 24;
    const turned = parts.map((value) => Math.round(isGrey ? 232 - value * 0.8 : value + (255 - value) * 0.25));
    return `#${turned.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  }

  // A line alone tells the pointer nothing: points that show near it hold the values.
  function answering(spec) {
    const type = spec.mark?.type ?? spec.mark;
    if (type !== "line" || spec.params || !spec.encoding?.x?.field || !spec.encoding?.y?.field) return spec;
    const { mark, encoding, ...rest } = spec;
    const near = { on: "pointerover", clear: "pointerout", nearest: true, type: "point" };
    return {
      ...rest,
      encoding,
      layer: [
        { mark: { ...(typeof mark === "string" ? { type: mark } : mark), tooltip: null } },
        {
          params: [{ name: "near", select: near }],
          mark: { type: "point", filled: true, size: 60, tooltip: true },
          encoding: { opacity: { condition: { param: "near", empty: false, value: 1 }, value: 0 } },
        },
      ],
    };
  }

  // Vega-Lite 6 reads a name of what the pointer is near from the wrong place (a number, from the right one).
  function mended(part) {
    for (const mark of part.marks ?? []) {
      const tooltip = mark.name?.endsWith("_voronoi") && mark.encode?.update?.tooltip;
      if (tooltip?.signal) tooltip.signal = tooltip.signal.replace(/(?<!datum\.)\bdatum\[/g, "datum.datum[");
      mended(mark);
    }
    return part;
  }

  function prepared(figure) {
    let spec = unpainted(structuredClone(specs[figure.dataset.figure]));
    if (isDark()) spec = darkened(spec);
    if (figure.querySelector("figcaption") && !spec.title?.subtitle) delete spec.title; // the caption says it
    delete spec.background;
    spec.description = figure.querySelector("img").alt;
    spec.config = merged(spec.config ?? {}, theme());
    return answering(fitted(spec));
  }

  // A wide figure takes the width that there is. What is square, or made of several, keeps its shape, and
  // is only made smaller, by the style sheet.
  function fitted(spec) {
    const parts = ["hconcat", "vconcat", "concat", "facet", "repeat", "spec"].some((name) => name in spec);
    const split = ["row", "column", "facet"].some((name) => spec.encoding?.[name]);
    const isWide = typeof spec.width === "number" && spec.width > 1.4 * (spec.height ?? 200);
    if (parts || split || !isWide) return spec;
    return { ...spec, width: "container", autosize: { type: "fit-x", contains: "padding" } };
  }

  async function draw(figure) {
    const turn = (turns.get(figure) ?? 0) + 1; // the last one wins when the theme changes meanwhile
    turns.set(figure, turn);
    const chart = document.createElement("div");
    chart.className = "chart";
    figure.prepend(chart);
    try {
      const result = await vegaEmbed(chart, prepared(figure), {
        mode: "vega-lite",
        renderer: "svg",
        ast: true, // expressions are interpreted: the page's policy allows no eval
        patch: mended,
        actions: { export: true, source: false, compiled: false, editor: false },
        defaultStyle: false,
        forceActionsMenu: true,
        downloadFileName: figure.dataset.figure.replace(/^.*\/|\.[^.]*$/g, ""),
        i18n: { CLICK_TO_VIEW_ACTIONS: "Save this figure", PNG_ACTION: "Save as PNG", SVG_ACTION: "Save as SVG" },
        tooltip: { disableDefaultStyle: true },
      });
      const end = () => {
        result.finalize();
        chart.remove();
      };
      if (turns.get(figure) !== turn) return end();
      const below = figure.getBoundingClientRect().bottom;
      drawn.get(figure)?.();
      drawn.set(figure, end);
      chart.classList.add("drawn");
      // What the reader has before their eyes stays there when a figure above it changes its height.
      if (below < 80) scrollBy({ top: figure.getBoundingClientRect().bottom - below, behavior: "instant" });
    } catch (error) {
      chart.remove(); // the picture stays
      figure.dataset.failed = String(error);
      console.error(`${figure.dataset.figure}: ${error}`);
    }
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        draw(target);
      }
    },
    { rootMargin: "800px 0px" },
  );
  for (const figure of document.querySelectorAll("figure[data-figure]")) near.observe(figure);

  const redraw = () => [...turns.keys()].forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("themechange", redraw);
})();
