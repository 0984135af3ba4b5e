// The frame of the page: contents that follow the reader, light and dark, and everything open on paper.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const contents = document.querySelector(".contents");
  const wide = matchMedia("(min-width: 62.01rem)");
  const fit = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fit);
  fit();
  contents.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("a")) contents.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !wide.matches) contents.open = false;
  });

  // Kept in memory alone: a file that somebody opens leaves nothing behind.
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme";
  button.setAttribute("aria-label", "Light or dark");
  button.title = "Light or dark";
  button.addEventListener("click", () => {
    const dark = getComputedStyle(document.body).colorScheme === "dark" || (root.dataset.theme !== "light"
      && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
    document.dispatchEvent(new Event("themechange"));
  });
  document.querySelector(".side").append(button);

  // The place of the reader, shown in the contents.
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const places = [...document.querySelectorAll("article, article h2, article h3")].filter((place) => links.has(place.id));
  let current = null;
  function follow() {
    const line = parseFloat(getComputedStyle(root).scrollPaddingTop) + 8;
    const passed = places.filter((place) => place.getBoundingClientRect().top < line);
    const atEnd = scrollY > 0 && innerHeight + scrollY >= document.body.scrollHeight - 2;
    const place = atEnd ? places.at(-1) : passed.at(-1) ?? places[0];
    if (!place || place === current) return;
    current = place;
    for (const link of links.values()) link.removeAttribute("aria-current");
    for (const part of contents.querySelectorAll(".near")) part.classList.remove("near");
    const link = links.get(place.id);
    link.setAttribute("aria-current", "location");
    link.closest("section").classList.add("near");
    const all = [...link.closest("section").querySelectorAll("li")];
    let head = all.indexOf(link.closest("li"));
    while (head > 0 && !all[head].classList.contains("level2")) head -= 1;
    for (let i = head + 1; head >= 0 && i < all.length && all[i].classList.contains("level3"); i += 1) {
      all[i].classList.add("near");
    }
    if (wide.matches) keepInSight(link);
  }
  // Of the side alone: scrollIntoView would move the page too.
  function keepInSight(link) {
    const side = document.querySelector(".side");
    const { top, bottom } = link.getBoundingClientRect();
    if (top < 60) side.scrollTop += top - 60;
    else if (bottom > innerHeight - 60) side.scrollTop += bottom - innerHeight + 60;
  }
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
  follow();

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not([open])")].filter((part) => !part.closest(".chart"));
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
})();
