"""Legend of a drawing: what its colours, labels and shapes mean, of only those that occur in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.cells.drawing import svg
from search.cells.drawing.diagram import MINUS, SIGMA, TIMES, Kind, Part
from search.cells.drawing.shapes import (
    ENDS,
    LABEL_HEIGHT,
    RADIUS,
    end_colour,
    fill_of,
    label_width,
    labels,
    short,
)

SIZE = 11
"""Font size of the words."""

_LINE, _BESIDE, _BETWEEN = 24.0, 6.0, 18.0  # height of a row, and widths between symbol and words and between entries
_STROKE, _FRAME = 22.0, 20.0  # lengths of samples of a line and of the frame
_LETTER = 0.56  # width of a letter over its font size, in words without many capitals
_MOST_STATES = 6  # names that are listed
_MATRIX = re.compile(r"[^WU]*[WU]")

_PARTS = tuple(
    (symbol, re.compile(pattern), meaning)
    for symbol, pattern, meaning in (
        ("/k", "/", "k blocks on the diagonal"),
        ("kU", r"^[\d.]+(e.*)?[WU]", "random start times k"),
        ("+kI", r"^[^ =]*\+[\d.]*I", "k times the identity is added at the start"),
        (f"{MINUS}kI", rf"^[^ =]*[WU/\d]{MINUS}[\d.]*I", "k times the identity is subtracted at the start"),
        ("=", r"^[^ ]*=", "its start, which is not random"),
        ("orth", " orth", "random and orthogonal at the start"),
        ("no b", " no b", "without a bias"),
        ("b+k", r" b\+", "k is added to the bias at the start"),
        (f"b{MINUS}k", f" b{MINUS}", "k is subtracted from the bias at the start"),
        ("b=", " b=", "start of the bias"),
    )
)
"""Parts of the label of a matrix: symbol, pattern and meaning."""


@dataclass(frozen=True)
class Entry:
    """A symbol of a legend and its meaning. The kind is that of a part, "line", "label", "words" or "frame"."""

    kind: str
    symbol: str
    meaning: str
    colour: str = svg.INK

    @property
    def symbol_width(self) -> float:
        """Width of the symbol."""
        match self.kind:
            case "line":
                return _STROKE
            case "frame":
                return _FRAME
            case "circle":
                return 2 * RADIUS * 0.8
            case "words":
                return 0.0
            case _:
                return label_width(self.symbol)

    @property
    def width(self) -> float:
        """Width of the entry."""
        beside = _BESIDE if self.symbol_width else 0.0
        return self.symbol_width + beside + _LETTER * SIZE * len(self.meaning)


def entries(parts: Sequence[Part]) -> list[Entry]:
    """Return the entries of a legend for the parts of a diagram."""
    found = list(_ends(parts))
    written = [label for part in parts for port in part.ports for label in labels(port)]
    written += [part.label for part in parts if part.kind is Kind.MATRIX]
    matrices = [label for label in written if _MATRIX.match(label) and label[-1:] != MINUS]
    if any(_letter(label) == "W" for label in matrices):
        found.append(Entry("label", "W", "matrix, of the input"))
    if any(_letter(label) == "U" for label in matrices):
        found.append(Entry("label", "U", "matrix, of a state or another value"))
    for symbol, pattern, meaning in _PARTS:
        if any(pattern.search(label) for label in matrices):
            found.append(Entry("label", symbol, meaning))
    vectors = [label for label in written if label not in matrices and not re.match(rf"[{MINUS}\d]", label)]
    vectors += [part.label for part in parts if part.kind is Kind.VECTOR]
    if vectors:
        start = "; = its start" if any("=" in label for label in vectors) else ""
        found.append(Entry("label", vectors[0].partition("=")[0], f"learned vector, unit by unit{start}"))
    kinds = {part.kind for part in parts}
    if any(part.label == SIGMA and part.kind is Kind.ACTIVATION for part in parts):
        found.append(Entry(Kind.ACTIVATION, SIGMA, "sigmoid", fill_of(SIGMA)))
    circles = [(Kind.PRODUCT, TIMES, "product"), (Kind.SUM, "+", "sum"), (Kind.COMPLEMENT, f"1{MINUS}", "one minus")]
    found += [Entry("circle", symbol, meaning) for kind, symbol, meaning in circles if kind in kinds]
    if MINUS in written:
        found.append(Entry("label", MINUS, "is subtracted"))
    found.append(Entry("frame", "", "one time step"))
    if any(part.kind is Kind.ACTIVATION and len(part.ports) > 1 for part in parts):
        found.append(Entry("words", "", "lines into one box are added"))
    return found


def rows(found: Sequence[Entry], room: float) -> list[list[Entry]]:
    """Return the entries in rows of at most this width; an entry that is wider has a row of its own."""
    lines: list[list[Entry]] = []
    used = 0.0
    for entry in found:
        if not lines or used + _BETWEEN + entry.width > room:
            lines.append([])
            used = -_BETWEEN
        lines[-1].append(entry)
        used += _BETWEEN + entry.width
    return lines


def drawn(lines: Sequence[Sequence[Entry]], x: float, y: float) -> tuple[list[str], float, float]:
    """Return the elements of rows whose upper left corner is (x, y), and where they end on the right and below."""
    out: list[str] = []
    right = x
    for k, line in enumerate(lines):
        at, middle = x, y + (k + 0.5) * _LINE
        for entry in line:
            out += _symbol(entry, at, middle)
            words = at + entry.symbol_width + (_BESIDE if entry.symbol_width else 0.0)
            out.append(svg.text(words, middle + 4, entry.meaning, SIZE, anchor="start"))
            at += entry.width + _BETWEEN
        right = max(right, at - _BETWEEN)
    return out, right, y + len(lines) * _LINE


def _symbol(entry: Entry, x: float, y: float) -> list[str]:
    wide, kind = entry.symbol_width, "legend"
    match entry.kind:
        case "line":
            return [svg.path(f"M{x:g} {y:g}H{x + wide:g}", entry.colour)]
        case "frame":
            return [svg.box(x, y - 7, wide, 14, 5, svg.GROUND, kind, 0.7)]
        case "circle":
            half = wide / 2
            body = svg.box(x, y - half, wide, wide, half, svg.PAPER, kind, 1.2)
            return [body, svg.text(x + half, y + 4.2, entry.symbol, 12)]
        case "words":
            return []
        case _:
            corner = 8.0 if entry.symbol == MINUS else 2.0
            fill = entry.colour if entry.kind == Kind.ACTIVATION else svg.PAPER
            body = svg.box(x, y - LABEL_HEIGHT / 2, wide, LABEL_HEIGHT, corner, fill, kind, 1)
            return [body, svg.text(x + wide / 2, y + 4.2, entry.symbol, 12)]


def _ends(parts: Sequence[Part]) -> Iterator[Entry]:
    """Yield an entry for each colour: the input, the state that is the output, and other states."""
    names: dict[tuple[str, str], list[str]] = {}
    of_h = "state and output" if any(part.kind is Kind.STATE and not part.state for part in parts) else "output"
    for part in sorted(parts, key=lambda part: (part.kind is not Kind.INPUT, part.state)):
        if part.kind in ENDS:
            kind = "input" if part.kind is Kind.INPUT else "state" if part.state else of_h
            names.setdefault((kind, end_colour(part)), []).append(short(part.label))
    for (kind, colour), found in names.items():
        different = list(dict.fromkeys(found))
        listed = ", ".join(different[:_MOST_STATES]) + (", ..." if len(different) > _MOST_STATES else "")
        yield Entry("line", "", f"{listed}: {kind}{'s' if len(different) > 1 else ''}", colour)


def _letter(label: str) -> str:
    """Return the letter of a matrix."""
    return next(letter for letter in label if letter in "WU")
