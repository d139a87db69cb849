"""Files of the report's page: its scripts, its style sheet, and the script that draws charts (Vega).

Vega comes from the package vl-convert, so that a page needs no network.
"""

from functools import cache
from importlib import resources

import vl_convert

from results.report.colours import dark_style

SCRIPTS = ("table.js", "charts.js", "details.js", "page.js")
"""Scripts of the page, in order."""

VEGA_LITE = "6.4"
"""Version of Vega-Lite that Altair 6 writes; vl-convert has several."""


def page_file(name: str) -> str:
    """Return a file of the page: a script, or the style sheet."""
    return (resources.files("results.report") / "page" / name).read_text("utf-8")


def style() -> str:
    """Return the style sheet of the page, with that of its charts on a dark screen."""
    return f"{page_file('report.css')}\n{dark_style()}"


@cache
def vega() -> str:
    """Return the script that draws the charts, in a form that may stand within a page."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
