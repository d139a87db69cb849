"use strict";
// The ranked table: sorting, searching, and what a page keeps over a reload.
const storage = (() => { try { return window.sessionStorage; } catch { return null; } })();
const placed = (key) => `${window.location.pathname} ${key}`; // pages of several runs may share a storage
const recall = (key) => (storage && storage.getItem(placed(key))) || "";
const keep = (key, value) => { if (storage) storage.setItem(placed(key), value); };
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

// What was typed: phrases in quotation marks, conditions such as score > 0.97, and words. All must hold.
const CONDITION = /"([^"]*)"?|([^\s"<>=]+)\s*(<=|>=|<|>|=)\s*([-+\u2212]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(\s?%)?(?=\s|$)|(\S+)/gi;
const COMPARE = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };

/** Return tests of a row from a text, and what is wrong in it: names that are no columns, and signs that compare nothing. */
function conditions(text, columns) {
  const tests = [], unknown = [], odd = [];
  text = text.replace(/\u2264/g, "<=").replace(/\u2265/g, ">=");
  text = text.replace(/(^|\s)([-+\u2212]?\d*\.?\d+\s?%?)\s*(<=|>=|<|>)\s*([A-Za-z][^\s"<>=]*)/g, (_, before, number, sign, name) =>
    `${before}${name} ${sign.replace(/[<>]/, (one) => one === "<" ? ">" : "<")} ${number}`); // 0.97 < score
  text = text.replace(/[^\s"<>=]+\s*[<>]=?\s*[-+\u2212.]?$/, ""); // a condition that is still being typed
  const compares = /[<>]/.test(text.replace(/"[^"]*"?/g, ""));
  for (const [whole, phrase, name, sign, number, percent, word] of text.matchAll(CONDITION)) {
    const column = name === undefined ? undefined : columns.get(name.toLowerCase());
    if (phrase !== undefined) {
      const wanted = phrase.toLowerCase().replace(/\s+/g, " ");
      tests.push((row) => row.text.includes(wanted));
    } else if (column !== undefined) {
      const limit = Number(number.replace("\u2212", "-")) / (percent ? 100 : 1);
      // "=" means: equal as shown, since shown numbers are rounded.
      const places = (number.split(".")[1] || "").length + (percent ? 2 : 0);
      const round = (value) => sign === "=" ? Number(value.toFixed(places)) : value;
      tests.push((row) => row.values[column] !== null && COMPARE[sign](round(row.values[column]), limit));
    } else if (name !== undefined && sign !== "=") {
      unknown.push(name);
    } else if (/[<>]/.test(word ?? "")) {
      odd.push(word);
    } else if (compares && word?.toLowerCase() === "and") {
      continue; // all must hold anyway
    } else {
      const wanted = (word ?? whole).toLowerCase();
      tests.push((row) => row.text.includes(wanted));
    }
  }
  return [tests, unknown, odd];
}

/**
 * Make a table sortable and searchable, in the order and with the search that its page had before.
 *
 * `signal` ends the listeners outside the table, when another takes its place. Returns a function: whether all rows are shown.
 */
function setUpTable(table, { signal, everything = false } = {}) {
  const section = table.closest("section"), heads = [...table.tHead.rows[0].cells];
  const search = section.querySelector("input[type=search]"), count = section.querySelector("output");
  const all = section.querySelector("button.all"), few = Number(table.dataset.few);
  const numeric = heads.map((head) => !head.classList.contains("text"));
  const columns = new Map();
  heads.forEach((head, k) => { if (numeric[k]) for (const name of head.dataset.names.split(" ")) columns.set(name.toLowerCase(), k); });
  const groups = [...table.tBodies].map((body) => ({
    body, divider: body.querySelector(".divider"),
    rows: [...body.querySelectorAll("tr.cell")].map((element, order) => ({
      element, order, text: element.textContent.toLowerCase().replace(/\s+/g, " "),
      words: [...element.cells].map((cell) => cell.textContent.trim()),
      values: [...element.cells].map((cell) => cell.dataset.value === undefined ? null : Number(cell.dataset.value)),
    })),
  }));

  const show = () => {
    const [tests, unknown, odd] = conditions(search.value, columns);
    let found = 0, shown = 0;
    for (const { body, divider, rows } of groups) {
      let here = 0;
      const known = new Map(rows.map((row) => [row.element, row]));
      for (const element of body.querySelectorAll("tr.cell")) {
        const hit = !unknown.length && !odd.length && tests.every((test) => test(known.get(element)));
        found += hit;
        here += hit;
        element.hidden = !hit || (!everything && found > few);
        shown += !element.hidden;
        element.classList.toggle("later", hit && element.hidden); // paper has these rows, too
        const detail = element.nextElementSibling;
        if (detail?.classList.contains("detail")) detail.hidden = element.hidden;
      }
      divider.hidden = !here || ![...body.querySelectorAll("tr.cell")].some((row) => !row.hidden);
      divider.classList.toggle("later", here > 0 && divider.hidden);
    }
    const numbers = [...columns.keys()].filter((name, k, names) => names.indexOf(name) === k).join(", ");
    count.textContent = unknown.length
      ? `${unknown.map((name) => `'${name}'`).join(", ")} is no column with numbers; these are: ${numbers}`
      : odd.length ? `'${odd[0]}': a condition is a column, a sign and a number: score > 0.97`
      : found ? `${shown.toLocaleString("en")} of ${found.toLocaleString("en")} rows` : "no row is found";
    all.hidden = everything || found <= few;
    keep("search", search.value);
  };
  // Each part is sorted by itself: an estimate never stands among the means over fresh seeds.
  const sort = (column, down) => {
    heads.forEach((head, k) => head.setAttribute("aria-sort", k !== column ? "none" : down ? "descending" : "ascending"));
    const value = (row) => numeric[column] ? row.values[column] : row.words[column] || null;
    for (const { body, rows } of groups) {
      const order = rows.toSorted((one, other) => {
        const [a, b] = [value(one), value(other)];
        if (a === null || b === null) return (a === null) - (b === null) || one.order - other.order; // empty: last
        const by = typeof a === "string" ? a.localeCompare(b) : a - b;
        return (down ? -by : by) || one.order - other.order;
      });
      for (const { element } of order) {
        const detail = element.nextElementSibling;
        body.append(element);
        if (detail?.classList.contains("detail")) body.append(detail);
      }
    }
    keep("sort", `${column} ${down}`);
    show();
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const now = head.getAttribute("aria-sort");
    sort(column, now === "ascending" || (now !== "descending" && head.dataset.first === "descending"));
  }));
  search.addEventListener("input", show, { signal });
  all.addEventListener("click", () => { everything = true; show(); }, { signal });
  search.value = recall("search");
  const [column, down] = recall("sort").split(" ");
  if (column && heads[column]) sort(Number(column), down === "true"); else show();

  // Paper has every formula below its row.
  window.addEventListener("beforeprint", () => {
    for (const place of document.querySelectorAll("details:not(.vega-embed details)")) if (!place.open) { place.open = true; place.dataset.printed = ""; }
    for (const { body } of groups) for (const row of body.querySelectorAll("tr.cell")) {
      if (row.hidden && !row.classList.contains("later")) continue;
      const formula = row.querySelector("td.formula")?.textContent.replace(/\n/g, ";  ");
      if (formula) row.after(element("tr", { className: "paper" }, element("td", { className: "text formula", colSpan: heads.length, textContent: formula })));
    }
  }, { signal });
  window.addEventListener("afterprint", () => {
    for (const row of document.querySelectorAll("tr.paper")) row.remove();
    for (const place of document.querySelectorAll("details[data-printed]")) { place.open = false; delete place.dataset.printed; }
  }, { signal });
  return () => everything;
}
