"""Drawings as TikZ: every element of the SVG, at its place, and texts that LaTeX reads."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from search.cells.drawing.svg import INK, box, document, path, text
from search.cells.drawing.tikz import tikz
from tests.test_search.test_cells.test_drawing.drawings import CELLS, SVG, drawing, elements


def numbers(words: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", words)]


@pytest.mark.parametrize("name", CELLS)
def test_every_element_is_there_at_its_place(name: str) -> None:
    svg = drawing(name)
    found = tikz(svg)
    lines = found.splitlines()
    assert lines[1].startswith("\\begin{tikzpicture}[")
    assert lines[-1] == "\\end{tikzpicture}"
    assert found.isascii()
    assert found.count("{") == found.count("}")
    assert all(line.endswith(";") for line in lines[2:-1])
    # TikZ takes the braces off a key without a value, and then a colour for several keys.
    assert all(re.match(r"  \\\w+\[(draw|fill|anchor)=\{?", line) for line in lines[2:-1])
    root = elements(svg)
    nodes = [line for line in lines if line.startswith("  \\node")]
    texts = list(root.iter(f"{SVG}text"))
    for node, element in zip(nodes, texts, strict=True):
        at = re.search(r"at \(([^)]*)\)", node)
        assert at is not None
        assert numbers(at[1]) == pytest.approx([float(element.attrib["x"]), float(element.attrib["y"])], abs=0.006)
    rectangles = [re.findall(r"\(([^)]*)\)", line) for line in lines if " rectangle " in line]
    boxes = [e.attrib for e in root.iter(f"{SVG}rect") if "stroke" in e.attrib]
    for (start, end), given in zip(rectangles, boxes, strict=True):
        x, y, width, height = (float(given[key]) for key in ("x", "y", "width", "height"))
        assert [*numbers(start), *numbers(end)] == pytest.approx([x, y, x + width, y + height], abs=0.006)
    drawn = sum(line.startswith("  \\draw") and " rectangle " not in line for line in lines)
    assert drawn == len(list(root.iter(f"{SVG}path")))
    filled = sum(line.startswith("  \\fill") for line in lines)
    assert filled == len([*root.iter(f"{SVG}circle"), *root.iter(f"{SVG}polygon")])


def test_a_curve_is_the_same_curve() -> None:
    line = tikz(document(9, 9, "a", [path("M1 2H4Q7 2 7 5V9", INK)])).splitlines()[2]
    assert "(1, 2) -- (4, 2) .. controls (6, 2) and (7, 3) .. (7, 5) -- (7, 9);" in line


def test_words_are_escaped_for_latex() -> None:
    line = tikz(document(9, 9, "a", [text(1, 2, r"a_b\c{d}%#&$^~", 12)])).splitlines()[2]
    assert r"a\_b\textbackslash{}c\{d\}\%\#\&\$\textasciicircum{}\textasciitilde{}" in line


def test_an_index_is_below_its_letter_and_as_slanted() -> None:
    line = next(line for line in tikz(drawing("lstm")).splitlines() if "$-$1" in line)
    assert re.search(r"\\textit\{c\}\\raisebox\{-3pt\}\{.*\\selectfont \\textit\{t\$-\$1\}\}\};$", line)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
@pytest.mark.slow
def test_latex_takes_every_drawing(tmp_path: Path) -> None:
    for k, name in enumerate(CELLS):
        (tmp_path / f"c{k}.tex").write_text(tikz(drawing(name)), "utf-8")
    pages = [f"\\input{{c{k}}}\\newpage" for k in range(len(CELLS))]
    whole = ["\\documentclass{article}", "\\usepackage{tikz}", "\\begin{document}", *pages, "\\end{document}"]
    (tmp_path / "all.tex").write_text("\n".join(whole), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace")
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "undefined" not in ran.stdout


def test_a_title_stays_a_comment() -> None:
    found = tikz(document(9, 9, "a\n\\input{b}\r\x85c", [box(1, 1, 2, 2, 1, INK, "x")]))
    assert [line[:2] for line in found.splitlines()] == ["% ", "\\b", "  ", "\\e"]


def test_an_element_that_no_drawing_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no element 'line'"):
        tikz(document(9, 9, "a", ["<line/>"]))
    with pytest.raises(ValueError, match="no path"):
        tikz(document(9, 9, "a", [path("1 2", INK)]))
