// Parts of a page that renew themselves: what has changed is put in place, and what the reader did stays.
const places = [...document.querySelectorAll("[data-part]")].map((place) => ({ place, url: place.dataset.part, tag: "", texts: new Map() }));
const silent = document.getElementById("silent");

/** Write times: `data-since` is a time in seconds since 1970, `data-seconds` a duration. */
function duration(seconds) {
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
function writeTimes(part) {
  const now = Date.now() / 1000;
  for (const place of part.querySelectorAll("[data-since], [data-seconds]")) {
    // Times are in whole seconds, so that one may be a little in the future.
    const seconds = place.dataset.since === undefined ? Number(place.dataset.seconds) : Math.max(0, now - Number(place.dataset.since));
    const text = duration(seconds), cell = place.closest("td");
    if (place.textContent !== text) place.textContent = text;
    if (cell) cell.dataset.value = seconds;
  }
}

/** What is known of cells of this run, from the server. */
async function load(cells) {
  const answers = await Promise.all(cells.map((cell) => fetch(`${window.location.pathname}/cells/${cell}`, { cache: "no-store" })));
  const known = await Promise.all(answers.filter((answer) => answer.ok).map((answer) => answer.json()));
  if (!known.length) return { cells: {}, tasks: {} };
  return { ...known[0], cells: Object.assign({}, ...known.map((one) => one.cells)) };
}

/** Draw the charts of a part; a chart whose specification is the same moves over, and another replaces it when drawn. */
function drawCharts(part, before, specs) {
  const drawn = before ? [...before.querySelectorAll(".chart[data-spec]:not(.drawing-anew)")] : [];
  [...part.querySelectorAll(".chart[data-spec]")].forEach((place, k) => {
    const text = specs.get(place.dataset.spec), old = drawn[k];
    place.text = text;
    if (old?.text === text) { place.replaceWith(old); return; }
    if (!old) { embed(place, JSON.parse(text)); return; }
    place.replaceWith(old);
    old.after(place);
    place.classList.add("drawing-anew");
    place.style.width = `${old.clientWidth}px`;
    requestAnimationFrame(() => {
      place.style.width = `${old.clientWidth}px`;
      embed(place, JSON.parse(text)).then(() => { if (!place.isConnected) return; old.remove(); place.classList.remove("drawing-anew"); place.style.width = ""; });
    });
  });
}

/** Return what the reader did in a part, as a function that does it in the part that takes its place. */
function keepState(before) {
  const old = before.querySelector("table[data-sortable]"), search = before.querySelector("input[type=search]");
  const scrolled = [...before.querySelectorAll(".scroll")].concat(before.matches(".scroll") ? [before] : []).map((box) => [box.scrollLeft, box.scrollTop]);
  const open = [...before.querySelectorAll("details")].map((place) => place.open);
  const active = before.contains(document.activeElement) ? document.activeElement : null;
  const focused = active?.closest("tr[data-cell]")?.dataset.cell, heading = active?.closest("th") ? [...active.closest("tr").cells].indexOf(active.closest("th")) : -1;
  const rows = old ? [...old.querySelectorAll("tr.detail")].map((row) => [row.previousElementSibling.dataset.cell, row]) : [];
  const chosen = old?.state?.details?.chosen.map((row) => row.dataset.cell) ?? [];
  const everything = old?.state?.everything() ?? false;
  old?.state?.controller.abort();
  return (part) => {
    if (search) part.querySelector("input[type=search]")?.replaceWith(search);
    const table = part.querySelector("table[data-sortable]");
    if (table) setUp(table, everything);
    const row = (cell) => table?.querySelector(`tr[data-cell="${CSS.escape(cell)}"]`);
    for (const [cell, detail] of rows) {
      const place = row(cell);
      if (!place) continue;
      place.after(detail);
      detail.hidden = place.hidden;
      place.querySelector("button.open")?.setAttribute("aria-expanded", "true");
    }
    for (const cell of chosen) {
      const box = row(cell)?.querySelector("input");
      if (box) { box.checked = true; table.state.details.choose(row(cell), true); }
    }
    [...part.querySelectorAll("details")].forEach((place, k) => { if (open[k]) place.open = true; });
    [...part.querySelectorAll(".scroll")].concat(part.matches(".scroll") ? [part] : []).forEach((box, k) => { if (scrolled[k]) [box.scrollLeft, box.scrollTop] = scrolled[k]; });
    if (active) {
      const place = active.isConnected ? active : focused ? row(focused)?.querySelector("button, a") : heading >= 0 ? table?.tHead.rows[0].cells[heading]?.querySelector("button") : null;
      place?.focus({ preventScroll: true });
    }
  };
}

/** Let a table be sorted and searched, and its rows be opened: of cells in place, of runs as their pages. */
function setUp(table, everything = false) {
  const controller = new AbortController(), { signal } = controller;
  table.state = { controller, everything: setUpTable(table, { signal, everything }) };
  if (table.querySelector("tr.run")) {
    for (const row of table.querySelectorAll("tr.run")) row.addEventListener("click", (event) => {
      const link = row.querySelector("a");
      if (link && !event.target.closest("a") && !window.getSelection().toString()) link.click();
    });
  } else table.state.details = setUpDetails(table, load, { signal });
}

/** Put the elements of a text in the place of those before, where they differ. */
function renew(known, text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const specs = new Map([...fresh.querySelectorAll("script[type='application/json']")].map((script) => [script.id, script.textContent]));
  for (const script of fresh.querySelectorAll("script")) script.remove();
  // The sections of a page stand by themselves, so that one of them can be renewed.
  const parts = [...fresh.body.children].flatMap((part) => part.matches("main") && part.querySelector("section") ? [...part.children] : [part]);
  const kept = new Map([...known.place.children].map((part) => [part.dataset.key, part]));
  const order = [];
  parts.forEach((part, k) => {
    const key = part.id || `${part.localName}-${k}`, charts = [...part.querySelectorAll(".chart[data-spec]")].map((place) => specs.get(place.dataset.spec));
    const source = part.outerHTML.replace(/data-spec="[^"]*"/g, "") + charts.join("");
    const before = kept.get(key);
    if (before && known.texts.get(key) === source) { order.push([before, before]); return; }
    known.texts.set(key, source);
    const own = document.importNode(part, true);
    own.dataset.key = key;
    order.push([own, before]);
  });
  const wanted = new Set(order.map(([part, before]) => before ?? part));
  for (const part of [...known.place.children]) if (!wanted.has(part)) { part.querySelector("table[data-sortable]")?.state?.controller.abort(); part.remove(); }
  let last = null;
  for (const [part, before] of order) {
    if (part !== before) {
      writeTimes(part);
      const restore = before ? keepState(before) : (place) => { const table = place.querySelector("table[data-sortable]"); if (table) setUp(table); };
      if (before) before.replaceWith(part);
      else if (last) last.after(part); else known.place.prepend(part);
      drawCharts(part, before, specs);
      restore(part);
      setUpNotes(part);
    }
    last = part;
  }
}

async function ask(known) {
  const answer = await fetch(known.url, { cache: "no-store", headers: known.tag ? { "If-None-Match": known.tag } : {} });
  if (answer.status === 304) return;
  const text = await answer.text();
  if (!answer.headers.get("Content-Type")?.startsWith("text/html")) throw new TypeError(text); // another server answers
  renew(known, text);
  known.tag = answer.headers.get("ETag") ?? "";
}

let waiting = 0;
async function look() {
  window.clearTimeout(waiting);
  if (document.visibilityState === "hidden") return;
  try {
    for (const known of places) await ask(known);
    silent.hidden = true;
  } catch (error) {
    if (!(error instanceof TypeError)) console.error(error); // a TypeError: the server does not answer
    silent.hidden = false;
  }
  writeTimes(document.body);
  window.clearTimeout(waiting);
  waiting = window.setTimeout(look, 1000 * Number(document.body.dataset.every));
}
document.addEventListener("visibilitychange", look);
window.addEventListener("load", look); // after the script that draws charts
