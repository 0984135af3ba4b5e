"use strict";
// Tables that sort by a press on a heading: up, down, and as they were.
(() => {
  const FACTOR = {
    ns: 1e-9, "µs": 1e-6, "μs": 1e-6, us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400,
    B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40,
  };
  const NUMBER = /^[~≈≤≥<>±]?\s*([+\-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:e[+\-−]?\d+)?)\s*([a-zA-Zµμ]+\b)?(?=$|[\s%(;,/·–±×])/i;
  const SPAN = /^(\d+) (d|h|min) (\d+(?:\.\d+)?) (h|min|s)$/;
  const DATE = /^\d{4}-\d\d-\d\d/;
  const MISSING = new Set(["", "–", "—", "-", "−", "n/a", "null"]);
  const words = new Intl.Collator("en", { numeric: true });

  // What a cell is sorted by: [0, number], [1, words] or [2], the missing ones.
  function key(cell) {
    const text = (cell?.textContent ?? "").trim().replace(/\s+/g, " ");
    if (MISSING.has(text)) return [2];
    const span = SPAN.exec(text);
    if (span) return [0, span[1] * FACTOR[span[2]] + span[3] * FACTOR[span[4]]];
    const found = DATE.test(text) ? null : NUMBER.exec(text);
    if (!found) return [1, text];
    const value = Number(found[1].replaceAll(",", "").replaceAll("−", "-"));
    return Number.isNaN(value) ? [1, text] : [0, value * (FACTOR[found[2]] ?? 1)];
  }

  function compare(a, b, sign) {
    if (a[0] !== b[0]) return a[0] === 2 ? 1 : b[0] === 2 ? -1 : a[0] - b[0];
    if (a[0] === 2) return 0;
    return sign * (a[0] === 0 ? a[1] - b[1] : words.compare(a[1], b[1]));
  }

  function sort(table, head, column, original) {
    const now = head.getAttribute("aria-sort");
    const next = now === "none" ? "ascending" : now === "ascending" ? "descending" : "none";
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    const rows = original.map((row) => [key(row.cells[column]), row]);
    if (next !== "none") rows.sort(([a], [b]) => compare(a, b, sign)); // a stable sort, by the language
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("main table")) {
    const original = [...(table.tBodies[0]?.rows ?? [])];
    if (!table.tHead || original.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, head, column, original));
    });
  }

  // A box that scrolls is reached by the keyboard; one that does not is no stop on the way.
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) {
        target.tabIndex = 0;
        target.setAttribute("role", "region");
        target.setAttribute("aria-label", "Table, scrolls sideways");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
      }
    }
  });
  for (const box of document.querySelectorAll(".table, main pre")) boxes.observe(box);
})();
