"""Figures of the report: drawings of cells with their widths, of which the winner's is the largest."""

import math
import re
from collections.abc import Sequence

from markupsafe import Markup

from results.report.described import Described
from results.report.details import drawing_of

SCALE, LARGER = 0.62, 1.2
"""Readable scale of a drawing, and how much larger the winner's drawing at least is than the others, as a factor."""

Figure = tuple[Described, Markup | None, int]
"""A cell, its drawing, and the width of the figure in pixels."""


def figure_of(cell: Described) -> Figure:
    """Return the cell, its drawing and a readable width; no drawing if this version cannot read the formula."""
    svg = drawing_of(cell)
    if svg is None:
        return cell, None, 300
    return cell, Markup(svg), round(SCALE * _size(svg)[0])


def largest_first(figures: Sequence[Figure]) -> list[Figure]:
    """Return figures with a larger width of the first one, so that no other drawing is as large."""
    (cell, svg, _), *others = figures
    if svg is None:
        return list(figures)
    areas = [math.prod(_size(other)) for _, other, _ in others if other is not None]
    wide, high = _size(svg)
    scale = max(1.0, LARGER * SCALE * math.sqrt(max(areas, default=0.0) / (wide * high)))
    return [(cell, svg, round(scale * wide)), *others]


def _size(svg: str) -> tuple[int, int]:
    """Return the width and the height of a drawing."""
    found = re.search(r'width="(\d+)"\s+height="(\d+)"', svg)
    assert found is not None
    return int(found[1]), int(found[2])
