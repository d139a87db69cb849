r"""Drawing of a cell as TikZ, for LaTeX: the elements of its SVG, one by one, at the same places.

    \usepackage{tikz}
    ...
    \input{gru.tex}

A pixel of the SVG is 0.75 pt, so that fonts have their usual size.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from search.cells.drawing.svg import PAPER

_POINTS = 0.75
"""Points of a pixel."""

_SVG = "{http://www.w3.org/2000/svg}"
_TOKEN = re.compile(r"[MHVQ]|-?[0-9.]+(?:e-?[0-9]+)?")
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}
_LETTERS = {c: f"\\{c}" for c in "#$%&_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "\N{GREEK SMALL LETTER SIGMA}": "$\\sigma$",
    "\N{MULTIPLICATION SIGN}": "$\\times$",
    "\N{MINUS SIGN}": "$-$",
    "\N{HORIZONTAL ELLIPSIS}": "\\dots{}",
}

Point = tuple[float, float]


def tikz(svg: str) -> str:
    """Return a drawing that `search.cells.drawing.svg` made as a `tikzpicture`.

    Raises:
        ValueError: the drawing has an element that no drawing of a cell has.
    """
    root = ET.fromstring(svg)
    lines = [line for element in root for line in _element(element)]
    title = " ".join((root.findtext(f"{_SVG}title") or "").split())
    head = f"% {title}; needs \\usepackage{{tikz}}\n\\begin{{tikzpicture}}[x={_POINTS:g}pt, y=-{_POINTS:g}pt]\n"
    return head + "".join(f"  {line}\n" for line in lines) + "\\end{tikzpicture}\n"


def _element(element: ET.Element) -> Iterator[str]:
    kind = element.tag.removeprefix(_SVG)
    given = element.attrib
    match kind:
        case "title":
            return
        case "rect" if "stroke" not in given and given["fill"] == PAPER:
            return  # the paper is the reader's
        case "rect":
            yield _box(given)
        case "path":
            yield f"\\draw[{_pen(given)}] {_path(given['d'])};"
        case "circle":
            at = _at(float(given["cx"]), float(given["cy"]))
            yield f"\\fill[fill={_colour(given['fill'])}] {at} circle[radius={_points(given['r'])}];"
        case "polygon":
            corners = [_at(*map(float, pair.split(","))) for pair in given["points"].split()]
            yield f"\\fill[fill={_colour(given['fill'])}] {' -- '.join(corners)} -- cycle;"
        case "text":
            yield _text(element)
        case _:
            raise ValueError(f"a drawing of a cell has no element {kind!r}")


def _box(given: dict[str, str]) -> str:
    x, y, width, height = (float(given[name]) for name in ("x", "y", "width", "height"))
    corners = f"rounded corners={_points(given['rx'])}"
    fill = f"fill={_colour(given['fill'])}"
    return f"\\draw[{_pen(given)}, {fill}, {corners}] {_at(x, y)} rectangle {_at(x + width, y + height)};"


def _text(element: ET.Element) -> str:
    given = element.attrib
    shown = [element.text or "", *(child.tail or "" for child in element)]
    slanted = given.get("font-style") == "italic"
    words = _slanted("".join(map(_escaped, shown)), slanted)
    for index in element.iter(f"{_SVG}tspan"):
        below = f"{{{_font(index.attrib['font-size'])} {_slanted(_escaped(index.text or ''), slanted)}}}"
        words += f"\\raisebox{{-{_points(index.attrib['dy'])}}}{below}"
    options = f"anchor={_ANCHORS[given['text-anchor']]}, inner sep=0pt, text={_colour(given['fill'])}"
    at = _at(float(given["x"]), float(given["y"]))
    return f"\\node[{options}] at {at} {{{_font(given['font-size'])} {words}}};"


def _slanted(words: str, slanted: bool) -> str:
    return f"\\textit{{{words}}}" if slanted else words


def _path(d: str) -> str:
    """Return a path of M, H, V and Q in TikZ; a quadratic curve as the cubic one that is the same."""
    tokens = iter(_TOKEN.findall(d))
    found: list[str] = []
    now: Point = (0.0, 0.0)

    def number() -> float:
        return float(next(tokens))

    for command in tokens:
        match command:
            case "M":
                now = number(), number()
                found.append(_at(*now))
            case "H":
                now = number(), now[1]
                found.append(f"-- {_at(*now)}")
            case "V":
                now = now[0], number()
                found.append(f"-- {_at(*now)}")
            case "Q":
                control, end = (number(), number()), (number(), number())
                one, two = _towards(now, control), _towards(end, control)
                found.append(f".. controls {_at(*one)} and {_at(*two)} .. {_at(*end)}")
                now = end
            case _:
                raise ValueError(f"a drawing of a cell has no path {d!r}")
    return " ".join(found)


def _towards(start: Point, end: Point) -> Point:
    """Return the point two thirds of the way."""
    return start[0] + 2 / 3 * (end[0] - start[0]), start[1] + 2 / 3 * (end[1] - start[1])


def _at(x: float, y: float) -> str:
    return f"({round(x, 2):g}, {round(y, 2):g})"


def _pen(given: dict[str, str]) -> str:
    return f"draw={_colour(given['stroke'])}, line width={_points(given['stroke-width'])}"


def _points(pixels: str) -> str:
    return f"{round(_POINTS * float(pixels), 3):g}pt"


def _colour(code: str) -> str:
    red, green, blue = (int(code[k : k + 2], 16) for k in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _font(pixels: str) -> str:
    size = _POINTS * float(pixels)
    return f"\\sffamily\\fontsize{{{size:g}}}{{{1.2 * size:g}}}\\selectfont"


def _escaped(text: str) -> str:
    return "".join(_LETTERS.get(c, c) for c in text)
