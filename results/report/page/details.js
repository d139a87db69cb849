// What a click on a row opens, two cells side by side, and the tooltips.
/** Return what is known of the cell of a row; of a cell without details, its formula. */
function knownOf(all, row) {
  const words = (k) => row.cells[k].textContent.trim();
  const formula = row.querySelector("td.formula")?.textContent ?? "";
  return all.cells[row.dataset.cell] ?? { label: words(2) || words(1), formula, about: [], drawing: null, curves: {}, command: `gatesearch export ${words(1)}` };
}

/** Return the words of a heading without its unit. */
const wordsOf = (head) => head.querySelector("button").textContent;

/** Return the tests of a row in sentences: on the table they are tooltips, which paper and the keyboard do not reach. */
function testsOf(row) {
  const heads = [...row.closest("table").tHead.rows[0].cells];
  return [...row.cells].flatMap((cell, k) => cell.dataset.note ? [`${wordsOf(heads[k]) === "to GRU" ? wordsOf(heads[k - 1]) : wordsOf(heads[k])}: ${cell.dataset.note}.`] : []);
}

function side(cell, tests) {
  const figure = element("figure", { className: "cell" }, element("h3", { textContent: cell.label }));
  if (cell.drawing) {
    const drawing = new DOMParser().parseFromString(cell.drawing, "image/svg+xml").documentElement;
    figure.append(element("div", { className: "scroll drawing" }, document.importNode(drawing, true)));
    const svg = figure.querySelector("svg");
    svg.style.width = `${Math.round(0.72 * Number(svg.getAttribute("width")))}px`;
  }
  const caption = element("figcaption", {}, ...[...cell.about, ...tests].map((line) => element("p", { textContent: line })));
  caption.append(element("pre", { textContent: cell.formula }), element("p", {}, "Export: ", element("code", { textContent: cell.command })));
  figure.append(caption);
  return figure;
}

/** Return rows of all values by step: each line has that of its nearest step, within its ends. */
function pointed(cells, task) {
  const curves = cells.map((cell) => cell.curves[task] ?? [[], []]);
  const places = [...new Set(curves.flatMap(([steps]) => steps))].sort((a, b) => a - b);
  return places.map((step) => Object.fromEntries([["step", step], ...curves.flatMap(([steps, values], k) => {
    if (!steps.length || step < steps[0] || step > steps.at(-1)) return [];
    const nearest = steps.reduce((best, at, i) => Math.abs(at - step) < Math.abs(steps[best] - step) ? i : best, 0);
    return [[`v${k}`, values[nearest]]];
  })]));
}

/** Return a panel with the drawings, formulas, tests and learning curves of the cells of one or two rows. */
function panelOf(all, rows) {
  const cells = rows.map((row) => knownOf(all, row)), gru = all.cells[all.gru];
  const panel = element("div", { className: cells.length === 1 ? "panel one" : "panel" }, element("div", { className: "sides" }, ...cells.map((cell, k) => side(cell, testsOf(rows[k])))));
  const curves = element("div", { className: "curves" });
  for (const [task, metric] of Object.entries(all.tasks)) {
    if (!cells.some((cell) => cell.curves[task])) continue;
    const shown = [...cells.filter((cell) => cell !== gru), ...(gru ? [gru] : [])];
    const points = shown.flatMap((cell) => {
      const [steps, values] = cell.curves[task] ?? [[], []];
      return steps.map((step, k) => ({ cell: cell.label, step, validation: values[k] }));
    });
    const spec = JSON.parse(JSON.stringify(all.chart)), [lines, pointer] = all.data;
    spec.datasets = { ...spec.datasets, [lines]: points, [pointer]: pointed(shown, task) };
    const domain = shown.map((cell) => cell.label);
    const range = [...all.colours.slice(0, domain.length - (gru ? 1 : 0)), ...(gru ? [all.gruColour] : [])];
    for (const layer of spec.layer) {
      if (layer.encoding.color) layer.encoding.color.scale = { domain, range };
      // A title becomes part of an expression, so quotation marks are replaced.
      if (layer.encoding.tooltip) layer.encoding.tooltip.push(...domain.map((name, k) => ({ field: `v${k}`, type: "quantitative", format: ".4f", title: name.replace(/["`]/g, "'").replaceAll("\\", "/") })));
    }
    const place = element("div", { className: "chart" });
    curves.append(element("div", {}, element("h3", {}, task, element("span", { className: "soft", textContent: ` validation ${metric}` })), place));
    place.spec = spec;
  }
  if (curves.children.length) panel.append(curves);
  return panel;
}

/**
 * Let a click on a row of a table open the cell, and two chosen cells stand side by side.
 *
 * `load` returns a promise of what is known of cells, given their whole ids. `signal` ends the listeners outside the
 * table, when another takes its place. `changed` gets the cells whose rows are open, when one is opened or closed. Returns
 * the chosen rows, and functions: a choice of a row, and its opening or closing.
 */
function setUpDetails(table, load, { signal, changed = () => {} } = {}) {
  const box = table.closest(".scroll"), compare = document.getElementById("compare"), columns = table.tHead.rows[0].cells.length;
  const chosen = [];
  const draw = (panel) => Promise.all([...panel.querySelectorAll(".chart")].map((place) => embed(place, place.spec)));
  const fit = () => { for (const panel of table.querySelectorAll(".panel")) panel.style.width = `${box.clientWidth}px`; };
  window.addEventListener("resize", fit, { signal });

  const toggle = async (row) => {
    const button = row.querySelector("button.open"), next = row.nextElementSibling;
    if (next?.classList.contains("detail")) { next.remove(); button.setAttribute("aria-expanded", "false"); changed(opened()); return; }
    button.setAttribute("aria-expanded", "true");
    changed(opened());
    const place = element("td", { colSpan: columns });
    row.after(element("tr", { className: "detail", hidden: row.hidden }, place));
    const panel = panelOf(await load([row.dataset.cell]), [row]);
    place.append(panel);
    fit();
    await draw(panel);
  };
  const opened = () => [...table.querySelectorAll("tr.cell button.open[aria-expanded=true]")].map((button) => button.closest("tr").dataset.cell);

  const sideBySide = async () => {
    compare.hidden = chosen.length < 2;
    compare.replaceChildren();
    if (chosen.length < 2) return;
    const all = await load(chosen.map((row) => row.dataset.cell)), cells = chosen.map((row) => knownOf(all, row));
    const panel = panelOf(all, chosen);
    const heads = [...table.tHead.rows[0].cells];
    const numbers = heads.flatMap((head, k) => {
      if (k < 3 || chosen.every((row) => !row.cells[k].textContent.trim()) || chosen[0].cells[k].classList.contains("formula")) return [];
      const before = wordsOf(head) === "to GRU" ? `${wordsOf(heads[k - 1])} to GRU` : wordsOf(head);
      const unit = head.querySelector("small")?.textContent;
      return [element("tr", {}, element("th", { className: "text", scope: "row" }, before, ...(unit ? [element("small", { textContent: ` ${unit}` })] : [])),
        ...chosen.map((row) => element("td", { className: row.cells[k].className.replace("screen", ""), innerHTML: row.cells[k].innerHTML })))];
    });
    const title = element("tr", {}, element("th"), ...cells.map((cell) => element("th", { scope: "col", textContent: cell.label })));
    const list = element("table", {}, element("thead", {}, title), element("tbody", {}, ...numbers));
    panel.prepend(element("div", { className: "controls" }, element("button", { type: "button", textContent: "Close the comparison", onclick: clear })));
    panel.append(element("div", { className: "scroll" }, list));
    compare.append(panel);
    draw(panel);
  };
  const clear = () => { for (const row of chosen.splice(0)) row.querySelector("input").checked = false; sideBySide(); };
  const choose = (row, on) => {
    if (!on) chosen.splice(chosen.indexOf(row), 1);
    else { chosen.push(row); if (chosen.length > 2) chosen.shift().querySelector("input").checked = false; }
    sideBySide();
  };

  for (const row of table.querySelectorAll("tr.cell")) {
    const label = `${row.cells[1].textContent} ${row.cells[2].textContent}`.trim();
    const box = element("input", { type: "checkbox", ariaLabel: `Compare ${label}` });
    box.addEventListener("change", () => choose(row, box.checked));
    row.cells[0].prepend(box);
    const button = element("button", { type: "button", className: "open", textContent: row.cells[1].textContent });
    button.setAttribute("aria-expanded", "false");
    row.cells[1].replaceChildren(button);
    row.addEventListener("click", (event) => {
      if (event.target !== box && !window.getSelection().toString()) toggle(row);
    });
  }
  return { chosen, choose, toggle };
}

/** Make titles into tooltips that also a finger and the keyboard reach. */
function setUpNotes(part) {
  for (const titled of part.querySelectorAll("[title]")) {
    titled.dataset.note = titled.title;
    titled.removeAttribute("title");
  }
}
{
  const tip = element("div", { className: "tip", role: "tooltip", id: "tip", hidden: true });
  document.body.append(tip);
  let shown = null;
  const place = () => {
    const at = shown.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const below = at.bottom + 6 + own.height < window.innerHeight;
    tip.style.left = `${Math.max(8, Math.min(at.left, window.innerWidth - own.width - 8))}px`;
    tip.style.top = `${below ? at.bottom + 6 : Math.max(4, at.top - own.height - 6)}px`;
  };
  const showTip = (event) => {
    const next = event.target.closest?.("[data-note]");
    // Scrolling to what the keyboard reached moves other things under a pointer that rests.
    if (!next && !tip.hidden && shown.contains(document.querySelector(":focus-visible"))) return;
    shown = next;
    tip.hidden = !shown?.dataset.note;
    if (tip.hidden) return;
    tip.textContent = shown.dataset.note;
    event.target.setAttribute("aria-describedby", "tip");
    place();
  };
  document.addEventListener("pointerover", showTip);
  document.addEventListener("focusin", showTip);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
  document.addEventListener("scroll", () => { // the keyboard scrolls to what it reaches
    if (!tip.hidden && shown.contains(document.activeElement)) place(); else tip.hidden = true;
  }, true);
}
