"""SVG elements as text, in the style of drawings of cells."""

from xml.sax.saxutils import escape, quoteattr

INK, PAPER, GROUND = "#222222", "#ffffff", "#fafafa"
PEN = 1.6
"""Width of lines in pixels."""

INDEX_SIZE = 10
"""Font size of subscripts."""

_FONT = "Helvetica, Arial, DejaVu Sans, sans-serif"


def document(width: float, height: float, title: str, elements: list[str]) -> str:
    """Return a whole SVG file with a title for screen readers; characters that XML forbids become spaces."""
    title = "".join(c if c.isprintable() else " " for c in title)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label={quoteattr(title)} font-family="{_FONT}">'
    )
    paper = f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, *elements, "</svg>"]) + "\n"


def path(d: str, colour: str, width: float = PEN, kind: str = "") -> str:
    """Return a line along a path."""
    mark = f'class="{kind}" ' if kind else ""
    return f'<path {mark}d="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def box(x: float, y: float, width: float, height: float, corner: float, fill: str, kind: str, pen: float = 1.4) -> str:
    """Return a box with rounded corners; (x, y) is its upper left corner."""
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{corner:g}" '
        f'fill="{fill}" stroke="{INK}" stroke-width="{pen:g}"/>'
    )


def dot(x: float, y: float, colour: str) -> str:
    """Return the dot that marks a branch of a line."""
    return f'<circle class="dot" cx="{x:g}" cy="{y:g}" r="3" fill="{colour}"/>'


def arrow(x: float, y: float, colour: str, *, up: bool = False) -> str:
    """Return an arrowhead with its tip at (x, y), pointing right or up."""
    other = f"{x - 4:g},{y + 8:g} {x + 4:g},{y + 8:g}" if up else f"{x - 8:g},{y - 4:g} {x - 8:g},{y + 4:g}"
    return f'<polygon points="{x:g},{y:g} {other}" fill="{colour}"/>'


def text(
    x: float, y: float, words: str, size: int, *, italic: bool = False, full: str = "", anchor: str = "middle"
) -> str:
    """Return words at x on the baseline y, centred or as `anchor` says; `full` is the whole text of shortened words."""
    style = ' font-style="italic"' if italic else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}"{style} text-anchor="{anchor}" fill="{INK}">'
        f"{_hint(words, full)}{escape(words)}</text>"
    )


def variable(x: float, y: float, name: str, when: str, anchor: str, colour: str, size: int = 15, full: str = "") -> str:
    """Return the name of a vector with its time step as a subscript; `full` is the whole name if that is shortened."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-style="italic" text-anchor="{anchor}" fill="{colour}">'
        f"{_hint(name, full)}{escape(name)}"
        f'<tspan font-size="{INDEX_SIZE}" dy="4">{escape(when)}</tspan></text>'
    )


def _hint(shown: str, full: str) -> str:
    """Return the tooltip of an element, if its text is shortened."""
    return f"<title>{escape(full)}</title>" if full not in ("", shown) else ""
