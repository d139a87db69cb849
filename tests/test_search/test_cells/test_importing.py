"""An import reads each cell of all files once, finds equal cells by id, and gives each distinct one a file name."""

from __future__ import annotations

import json
import re
from pathlib import Path

from search.cells.files import read_cell
from search.cells.ids import printed_id
from search.cells.importing import LONGEST_NAME, ImportedCell, files_of_import, read_for_import
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.notation.recipe import format_recipe
from search.profiles.sections import NAME

OWN = "h' = tanh(linear(x) + linear(tanh(h)))"


def test_files_and_folders_are_read_in_order_and_mistakes_are_kept_apart(tmp_path: Path) -> None:
    gru, lstm = (json.loads(format_recipe(LIBRARY[name].graph)) for name in ("gru", "lstm-tanh-o"))
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "inner").mkdir()
    (folder / "b.json").write_text(json.dumps({"recepie_id": 12, "recepie": json.dumps(lstm)}))
    (folder / "a.cell").write_text(OWN)
    (folder / "notes.txt").write_text("no cell")
    (tmp_path / "list.json").write_text(json.dumps([gru, {"f": 3}, gru]))
    paths = [tmp_path / "list.json", folder, tmp_path / "gone.json", tmp_path / "list.json#0"]
    read = list(read_for_import(paths))
    expected = [
        ("list.json#0", LIBRARY["gru"].graph.id, None),
        ("list.json#1", None, None),
        ("list.json#2", LIBRARY["gru"].graph.id, None),
        ("logs/a.cell", parse_formula(OWN).id, None),
        ("logs/b.json", LIBRARY["lstm-tanh-o"].graph.id, 12),
        ("gone.json", None, None),
        ("list.json#0", LIBRARY["gru"].graph.id, None),
    ]
    assert [
        (str(Path(cell.source).relative_to(tmp_path)), cell.graph and cell.graph.id, cell.number) for cell in read
    ] == expected
    errors = [str(cell.error) for cell in read if cell.error is not None]
    assert len(errors) == 2
    assert errors[0].startswith(f"{tmp_path}/list.json#1: node 'f' is 3; it must be of the form")
    assert errors[1].startswith(f"{tmp_path}/gone.json: cannot be read: No such file")


def test_each_distinct_cell_has_one_file_that_is_read_as_that_cell(tmp_path: Path) -> None:
    gru = json.loads(format_recipe(LIBRARY["gru"].graph))
    (tmp_path / "own.cell").write_text(f"# a comment\n{OWN}\n")
    (tmp_path / "two.json").write_text(json.dumps([gru, {"recepie_id": 7, "recepie": gru}]))
    (tmp_path / "log.json").write_text(json.dumps({"recepie_id": 8, "recepie": json.dumps(gru)}))
    files = files_of_import(read_for_import([tmp_path / "own.cell", tmp_path / "log.json", tmp_path / "two.json"]))
    assert list(files) == [parse_formula(OWN).id, LIBRARY["gru"].graph.id]
    own, named = files.values()
    assert (own.name, named.name) == ("own.cell", "recepie-8.cell")
    assert own.text.splitlines()[:2] == ["# from own.cell", f"# id {printed_id(parse_formula(OWN).id)}"]
    gru_id = LIBRARY["gru"].graph.id
    origin = f"# from log.json, recepie_id 8\n# id {printed_id(gru_id)}, the named cell gru\n"
    assert named.text == f"{origin}{LIBRARY['gru'].formula}\n"
    for cell_id, file in files.items():
        (tmp_path / file.name).write_text(file.text)
        assert read_cell(tmp_path / file.name).id == cell_id


def test_names_of_files_are_names_of_cells_in_a_profile_and_all_different() -> None:
    labels = [
        "gru",
        "GRU",
        "gru",
        "../../etc/passwd",
        "a b",
        "a-b",
        "7",
        "",
        "\u00e4\n\x00",
        "...",
        "n" * 300,
        "n" * 299,
    ]
    graphs = []
    formula = "h' = linear(x)"
    for _ in labels:
        formula += " + linear(h)"
        graphs.append(parse_formula(formula).canonical())
    files = files_of_import(
        ImportedCell(f"{label}.json", label, None, graph) for label, graph in zip(labels, graphs, strict=True)
    )
    names = [file.name.removesuffix(".cell") for file in files.values()]
    assert len({name.lower() for name in names}) == len(labels)
    assert all(NAME.fullmatch(name) for name in names)
    assert names[:6] == ["gru", "GRU-2", "gru-3", "etc-passwd", "a-b", "a-b-2"]
    assert names[10:] == ["n" * LONGEST_NAME, "n" * (LONGEST_NAME - 2) + "-2"]
    for file in files.values():
        assert re.fullmatch(r"# from [ -~]+", file.text.splitlines()[0])
