"""Files of cells: formulas and recipes, distinguished by suffix or first character; others are rejected in one line."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from search.cells.errors import CellError, FormulaError
from search.cells.files import cell_of_file, cells_of_file, is_file_name, is_formula, read_cell, split_member
from search.cells.library import LIBRARY
from search.cells.notation import formula, recipe_file
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
    for name, source in (("mine.cell", text), ("mine.json", None)):
        cell = cell_of_file(tmp_path / name)
        assert (cell.label, cell.number) == ("mine", None)
        graph, found = cell.read()
        assert (graph.id, found) == (LIBRARY["mut1"].graph.id, source)


def ids(path: Path) -> list[str]:
    return [cell.read()[0].id for cell in cells_of_file(path)]


def test_one_of_several_recipes_is_named_by_its_index_or_name(tmp_path: Path) -> None:
    recipes = {name: json.loads(format_recipe(LIBRARY[name].graph)) for name in ("gru", "mut1", "tanh")}
    known = [LIBRARY[name].graph.id for name in recipes]
    log = {"recepie_id": 1000051, "recepie": json.dumps(recipes["mut1"]), "test_losses": [4.9, math.nan]}
    (tmp_path / "list.json").write_text(json.dumps([recipes["gru"], log, recipes["tanh"]]))
    (tmp_path / "named").write_text(json.dumps(recipes | {"mut1": log}))
    (tmp_path / "log.json").write_text(json.dumps(log))
    assert ids(tmp_path / "list.json") == ids(tmp_path / "named") == known
    for member, number in (("0", 0), ("2", 2), ("00", 0)):
        assert read_cell(f"{tmp_path}/list.json#{member}").id == known[number]
    for name in recipes:
        assert read_cell(Path(f"{tmp_path}/named#{name}")).id == LIBRARY[name].graph.id
    assert read_cell(tmp_path / "log.json").id == known[1]
    labels = [[cell.label for cell in cells_of_file(tmp_path / name)] for name in ("list.json", "named", "log.json")]
    assert labels == [
        ["list-0", "recepie-1000051", "list-2"],
        ["named-gru", "recepie-1000051", "named-tanh"],
        ["recepie-1000051"],
    ]
    assert [cell.name for cell in cells_of_file(tmp_path / "list.json#1")] == [f"{tmp_path}/list.json#1"]
    assert [cell.number for cell in cells_of_file(tmp_path / "list.json")] == [None, 1000051, None]


def test_a_recipe_that_is_not_in_the_file_is_refused_in_one_line(tmp_path: Path) -> None:
    recipe = json.loads(format_recipe(LIBRARY["gru"].graph))
    (tmp_path / "list.json").write_text(json.dumps([recipe] * 3))
    (tmp_path / "named.json").write_text(json.dumps({"my cell": recipe, "other": recipe}))
    (tmp_path / "one.json").write_text(json.dumps(recipe))
    (tmp_path / "one.cell").write_text(LIBRARY["gru"].formula)
    for name, message in {
        "list.json": "this is a list of 3, not one recipe; name one of them as in 'FILE#0', or import all of them",
        "list.json#3": "this is a list of 3, without number 3; give 0 to 2",
        "list.json#" + "9" * 5000: "this is a list of 3, without number 99999999999999999...; give 0 to 2",
        "list.json#-1": "this is a list of 3; after '#' give an index from 0 to 2, not '-1'",
        "list.json#\u0663": "this is a list of 3; after '#' give an index from 0 to 2, not '\u0663'",
        "list.json#": "this is a list of 3; after '#' give an index from 0 to 2, not ''",
        "named.json": "this is an object of 2 recipes, not one recipe; name one of them as in 'FILE#my cell'",
        "named.json#my-cell": "this is an object of 2 recipes, without 'my-cell'; did you mean 'my cell'?",
        "named.json#0": "this is an object of 2 recipes, without '0'; name one of them as in 'FILE#my cell'",
        "one.json#0": "the file has one recipe, and no list in which to find '0'; leave '#' out",
        "one.cell#0": "a file with a formula has one cell; leave out '#0'",
    }.items():
        with pytest.raises(CellError, match=re.escape(f"{tmp_path / name}: {message}")) as caught:
            read_cell(f"{tmp_path}/{name}")
        assert "\n" not in str(caught.value)
    with pytest.raises(CellError, match=r"gone\.json: cannot be read: No such file"):
        read_cell(tmp_path / "gone.json#7")


def test_a_mark_in_the_path_of_a_file_separates_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run#1"
    folder.mkdir()
    recipes = [json.loads(format_recipe(LIBRARY[name].graph)) for name in ("gru", "mut1")]
    (folder / "a#0.json").write_text(json.dumps(recipes))
    assert split_member(f"{folder}/a#0.json") == (f"{folder}/a#0.json", None)
    assert split_member(f"{folder}/a#0.json#1") == (f"{folder}/a#0.json", "1")
    assert read_cell(folder / "a#0.json#1").id == LIBRARY["mut1"].graph.id
    assert split_member(f"{folder}/gone.cell") == (f"{folder}/gone.cell", None)
    assert split_member("gone.json#a#b") == ("gone.json", "a#b")


def test_names_of_files_are_told_from_names_of_cells() -> None:
    assert all(map(is_file_name, ("a.cell", "a.json", "./gru", "a.json#7", "a.json#my cell")))
    assert not any(map(is_file_name, ("gru", "gru#7", "lstm-b", "3fa2", "h' = x", "h' = x / h  # no file")))
    assert all(map(is_formula, ("h' = x", "h' = x / h", "z=x; h'=z", "h = tanh(x) / 2", "h'=x/h")))
    paths = ("runs/lr=0.1/best", "lr=0.1/best", "runs/my search (lr=0.1)/best", "./a=b", "~/a=1/b")
    assert all(map(is_file_name, paths))
    assert not any(map(is_formula, paths))
    assert not any(map(is_formula, ("gru", "lr=3/my.cell", "a=b.json#7", "a.json")))


def test_a_long_list_is_read_and_one_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    recipe = format_recipe(LIBRARY["lstm"].graph)
    many = formula.MAX_CHARACTERS * 8 // len(recipe)
    (tmp_path / "many").write_text("[" + ",\n".join([recipe] * many) + "]")
    assert read_cell(f"{tmp_path}/many#{many - 1}").id == LIBRARY["lstm"].graph.id
    (tmp_path / "more").write_text("[" + " " * recipe_file.MAX_CHARACTERS + "]")
    with pytest.raises(CellError, match=r"more: the JSON has 16777218 characters; at most 16777216 are allowed"):
        read_cell(tmp_path / "more")
    (tmp_path / "cut").write_text("\u00e4" * formula.MAX_CHARACTERS * 3)  # cut within a character
    with pytest.raises(CellError, match="cut: the formula has 65536 characters; at most 32768"):
        read_cell(tmp_path / "cut")
