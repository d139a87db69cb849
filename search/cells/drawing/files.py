"""Files of a drawing, by the end of their name: SVG, PNG, PDF and TikZ."""

from collections.abc import Callable
from pathlib import Path

from search.cells.drawing.tikz import tikz

PNG_SCALE = 3.0
"""Pixels of a PNG for each pixel of the drawing."""


def _png(svg: str) -> bytes:
    import vl_convert

    return vl_convert.svg_to_png(svg, scale=PNG_SCALE, ppi=72)


def _pdf(svg: str) -> bytes:
    import vl_convert

    return vl_convert.svg_to_pdf(svg)


FORMATS: dict[str, Callable[[str], str | bytes]] = {
    ".svg": lambda svg: svg,
    ".png": _png,
    ".pdf": _pdf,
    ".tex": tikz,
    ".tikz": tikz,
}
"""Function that makes the content of a file from an SVG, by the ending of the file's name."""


def file_content(svg: str, path: Path) -> str | bytes:
    """Return the content of a file with a drawing. `path` ends in one of `FORMATS`, in letters of any size."""
    return FORMATS[path.suffix.lower()](svg)
