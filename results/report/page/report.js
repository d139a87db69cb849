"use strict";
// Sorting and searching of tables, and charts. Input survives a reload.
(() => {
  const kept = (() => { try { return window.sessionStorage; } catch { return null; } })();
  const recall = (key) => (kept && kept.getItem(key)) || "";
  const keep = (key, value) => { if (kept) kept.setItem(key, value); };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
    const section = table.closest("section");
    const search = section.querySelector("input[type=search]"), count = section.querySelector("output");
    const all = section.querySelector("button.all"), few = Number(table.dataset.few);
    const words = rows.map((row) => row.textContent.toLowerCase());
    let everything = false;

    const value = (row, column) => {
      const cell = row.cells[column], text = cell.dataset.value ?? cell.textContent.trim();
      return text === "" ? null : heads[column].classList.contains("text") ? text : Number(text);
    };
    const sort = (column, down) => {
      heads.forEach((head, k) => head.setAttribute("aria-sort", k !== column ? "none" : down ? "descending" : "ascending"));
      const order = rows.map((row, k) => [value(row, column), k]).sort(([a, i], [b, j]) => {
        if (a === null || b === null) return (a === null) - (b === null) || i - j; // empty entries come last
        const by = typeof a === "string" ? a.localeCompare(b) : a - b;
        return (down ? -by : by) || i - j;
      });
      body.append(...order.map(([, k]) => rows[k]));
      keep("sort", `${column} ${down}`);
      show();
    };
    const show = () => {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const index = new Map(rows.map((row, k) => [row, k]));
      let found = 0;
      for (const row of body.rows) {
        const hit = wanted.every((word) => words[index.get(row)].includes(word));
        found += hit;
        row.hidden = !hit || (!everything && found > few);
      }
      const shown = Math.min(found, everything ? found : few);
      count.textContent = `${shown.toLocaleString("en")} of ${found.toLocaleString("en")} rows`;
      all.hidden = everything || found <= few;
      keep("search", search.value);
    };
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, now === "ascending" || (now !== "descending" && head.dataset.first === "descending"));
    }));
    body.addEventListener("click", (event) => event.target.closest("tr").classList.toggle("open"));
    search.addEventListener("input", show);
    all.addEventListener("click", () => { everything = true; show(); });
    search.value = recall("search");
    const [column, down] = recall("sort").split(" ");
    if (column && heads[column]) sort(Number(column), down === "true"); else show();
  }

  for (const place of document.querySelectorAll(".chart")) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    const options = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };
    window.vegaEmbed(place, spec, options).catch((error) => console.error(error));
  }

  const seconds = Number(document.body.dataset.refresh);
  if (seconds) {
    window.scrollTo(0, Number(recall("scroll")));
    window.setInterval(() => { keep("scroll", String(window.scrollY)); window.location.reload(); }, 1000 * seconds);
  }
})();
