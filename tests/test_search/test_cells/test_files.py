"""Files of cells: formulas and recipes, distinguished by suffix or first character; others are rejected in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from search.cells.errors import CellError, FormulaError
from search.cells.files import read_cell, read_source
from search.cells.library import LIBRARY
from search.cells.notation.recipe import format_recipe


def test_a_formula_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my.cell"
    path.write_text("# Größe\r\n" + LIBRARY["gru"].formula, encoding="utf-8")
    assert read_cell(path).id == LIBRARY["gru"].graph.id
    path.write_text(LIBRARY["gru"].formula, encoding="utf-8-sig")
    assert read_cell(path).id == LIBRARY["gru"].graph.id


def test_files_that_are_no_formulas_are_refused_in_one_line_with_their_path(tmp_path: Path) -> None:
    path = tmp_path / "bad.cell"
    cases = {
        b"h' = tanh(\n": f"{path}: line 1: 'tanh(' is not an expression",
        b"": f"{path}: the formula is empty",
        b"h' = \xff\xfe": f"{path}: byte 5 is not UTF-8 text; a formula or recipe file is plain text",
        b"\x7fELF\x02\x01\x01\x00\x00\xb0": f"{path}: byte 9 is not UTF-8 text",
        b"x" * 10_000_000: f"{path}: the formula has ",
        b"\x00" * 100: f"{path}: line 1: ",
    }
    for raw, message in cases.items():
        path.write_bytes(raw)
        with pytest.raises(FormulaError) as caught:
            read_cell(path)
        assert str(caught.value).startswith(message)
        assert str(caught.value).isprintable()


def test_paths_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FormulaError, match=r"a\\nb\.cell: cannot be read: No such file or directory$"):
        read_cell(tmp_path / "a\nb.cell")
    with pytest.raises(FormulaError, match=r"missing\.cell: cannot be read: No such file or directory$"):
        read_cell(tmp_path / "missing.cell")
    with pytest.raises(FormulaError, match=r": cannot be read: Is a directory$"):
        read_cell(tmp_path)
    with pytest.raises(FormulaError, match=r"a\\x00b' is not a valid file path"):
        read_cell(Path("a\0b"))
    with pytest.raises(FormulaError, match=r": cannot be read: File name too long$"):
        read_cell(tmp_path / ("a" * 5000))


def test_files_are_told_apart_by_how_they_begin(tmp_path: Path) -> None:
    formula, recipe = LIBRARY["gru"].formula, format_recipe(LIBRARY["gru"].graph)
    for name, text in (("a.cell", formula), ("b", "\ufeff\n " + recipe), ("c.json", recipe), ("d.txt", recipe)):
        (tmp_path / name).write_text(text, "utf-8")
        assert read_cell(tmp_path / name).id == LIBRARY["gru"].graph.id
    for name, text, message in (
        ("e.json", formula, "line 1, column 1: invalid JSON"),
        ("f.cell", "[" + recipe + "]", "this is a list of 1"),
    ):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(CellError, match=re.escape(f"{tmp_path / name}: {message}")):
            read_cell(tmp_path / name)
    (tmp_path / "g.json").write_bytes(b"{\xff}")
    with pytest.raises(CellError, match="byte 1 is not UTF-8 text; a recipe file is plain text"):
        read_cell(tmp_path / "g.json")
    with pytest.raises(CellError, match=r"none\.json: cannot be read: No such file"):
        read_cell(tmp_path / "none.json")


def test_the_source_of_a_formula_is_its_text_and_a_recipe_has_none(tmp_path: Path) -> None:
    text = "# mine\n" + LIBRARY["mut1"].formula
    (tmp_path / "mine.cell").write_text(text, "utf-8")
    (tmp_path / "mine.json").write_text(format_recipe(LIBRARY["mut1"].graph), "utf-8")
    graph, source = read_source(tmp_path / "mine.cell")
    assert (graph.id, source) == (LIBRARY["mut1"].graph.id, text)
    graph, source = read_source(tmp_path / "mine.json")
    assert (graph.id, source) == (LIBRARY["mut1"].graph.id, None)
