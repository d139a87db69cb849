// The page of one run, in a file: everything is set up once, and a running search's page is loaded again.
const details = (async () => {
  const place = document.getElementById("details");
  if (!place) return { cells: {}, tasks: {} };
  const bytes = Uint8Array.from(atob(place.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
})();

for (const table of document.querySelectorAll("table[data-sortable]")) {
  setUpTable(table);
  setUpDetails(table, () => details);
}
setUpNotes(document.body);
for (const place of document.querySelectorAll(".chart[data-spec]")) {
  embed(place, JSON.parse(document.getElementById(place.dataset.spec).textContent));
}

const seconds = Number(document.body.dataset.refresh);
if (seconds) {
  window.scrollTo(0, Number(recall("scroll")));
  window.setInterval(() => { keep("scroll", String(window.scrollY)); window.location.reload(); }, 1000 * seconds);
}
