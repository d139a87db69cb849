// Charts, and the reload of the page of a running search.
function embed(place, spec) {
  // A line that ends before the pointer has no value; text of unknown origin becomes text.
  const sanitize = (value) => Number.isNaN(value) || value === "NaN" ? "" : String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const options = { renderer: "svg", tooltip: { sanitize }, actions: { export: true, source: false, compiled: false, editor: false } };
  return window.vegaEmbed(place, spec, options).catch((error) => console.error(error));
}
for (const place of document.querySelectorAll(".chart[data-spec]")) {
  embed(place, JSON.parse(document.getElementById(place.dataset.spec).textContent));
}

const seconds = Number(document.body.dataset.refresh);
const scrollBack = () => { if (seconds) window.scrollTo(0, Number(recall("scroll"))); };
scrollBack();
if (seconds) {
  window.setInterval(() => { keep("scroll", String(window.scrollY)); window.location.reload(); }, 1000 * seconds);
}
