// Charts.
/** Draw a chart at a place; the promise resolves when it is drawn. */
function embed(place, spec) {
  // Expressions are interpreted, so that the page needs no permission to run text as code.
  // A line that ends before the pointer has no value; text of unknown origin becomes text.
  const sanitize = (value) => Number.isNaN(value) || value === "NaN" ? "" : String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const options = { ast: true, renderer: "svg", tooltip: { sanitize }, actions: { export: true, source: false, compiled: false, editor: false } };
  return window.vegaEmbed(place, spec, options).catch((error) => console.error(error));
}
