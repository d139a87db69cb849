// The page of one run, in a file: everything is set up once, and a running search's page is loaded again.
const details = (async () => {
  const place = document.getElementById("details");
  if (!place) return { cells: {}, tasks: {} };
  const bytes = Uint8Array.from(atob(place.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
})();

const seconds = Number(document.body.dataset.refresh);
const scrollBack = () => { if (seconds) window.scrollTo(0, Number(recall("scroll"))); };

for (const table of document.querySelectorAll("table[data-sortable]")) {
  setUpTable(table);
  // What was open before a reload is opened again, and then the page is where it was.
  const before = new Set(recall("open").split(" ").filter(Boolean));
  const { toggle } = setUpDetails(table, () => details, { changed: (opened) => keep("open", opened.join(" ")) });
  const again = [...table.querySelectorAll("tr.cell")].filter((row) => before.has(row.dataset.cell));
  Promise.all(again.map(toggle)).then(() => { if (again.length) scrollBack(); });
}

// So do the parts of the page that are folded.
{
  const folded = [...document.querySelectorAll("details")], name = (place) => place.querySelector("summary").textContent.replace(/[\d,]+/g, "");
  const before = new Set(recall("unfolded").split("\n"));
  for (const place of folded) {
    if (before.has(name(place))) place.open = true;
    place.addEventListener("toggle", () => {
      if (!("printed" in place.dataset)) keep("unfolded", folded.filter((other) => other.open).map(name).join("\n"));
    });
  }
}
setUpNotes(document.body);
for (const place of document.querySelectorAll(".chart[data-spec]")) {
  embed(place, JSON.parse(document.getElementById(place.dataset.spec).textContent));
}

scrollBack();
if (seconds) {
  window.setInterval(() => { keep("scroll", String(window.scrollY)); window.location.reload(); }, 1000 * seconds);
}
