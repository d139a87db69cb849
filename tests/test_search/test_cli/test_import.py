"""`gatesearch import`: recipes become files that every command reads, equal cells are found, nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.cells.files import read_cell
from search.cells.ids import printed_id, short_id
from search.cells.library import LIBRARY
from search.cells.notation.recipe import format_recipe
from tests.test_search.test_cli.conftest import Gatesearch

GRU = json.loads(format_recipe(LIBRARY["gru"].graph))
OWN = {
    "node_0": {"op": "linear", "input": ["x", "h_prev_0", "h_prev_1"]},
    "h_new_1": {"op": "activation_leaky_relu", "input": ["node_0"]},
    "h_new_0": {"op": "elementwise_sum", "input": ["h_new_1", "x"]},
}
RENAMED = json.loads(json.dumps(OWN).replace("node_0", "inner").replace('["x", "h_prev_0"', '["h_prev_0", "x"'))


@pytest.fixture
def logs(here: Path) -> Path:
    """Four logs of a benchmark: a named cell, a cell of its own, the same cell again, and one that is cut off."""
    folder = here / "logs"
    folder.mkdir()
    for number, recipe in enumerate((GRU, OWN, RENAMED)):
        log = {"recepie_id": 1000000 + number, "recepie": json.dumps(recipe), "test_losses": [5.1, 4.8]}
        (folder / f"log_{number}.json").write_text(json.dumps(log))
    return folder


def test_logs_become_one_file_for_each_distinct_cell(logs: Path, here: Path, gatesearch: Gatesearch) -> None:
    said = gatesearch("import", "logs", "--to", "new/cells")
    own = read_cell("new/cells/recepie-1000001.cell")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"logs/log_0.json: the named cell gru ({short_id(LIBRARY['gru'].graph.id)})",
        f"logs/log_2.json: the same cell as logs/log_1.json ({short_id(own.id)})",
        "3 cells read, 2 distinct, 1 of them named",
        "2 files written to new/cells",
    ]
    assert sorted(path.name for path in (here / "new" / "cells").iterdir()) == [
        "recepie-1000000.cell",
        "recepie-1000001.cell",
    ]
    assert own.id == read_cell("logs/log_2.json").id
    assert read_cell("new/cells/recepie-1000000.cell").id == LIBRARY["gru"].graph.id


def test_what_is_there_already_is_kept_and_other_content_is_not_overwritten(
    logs: Path, here: Path, gatesearch: Gatesearch
) -> None:
    assert gatesearch("import", "logs/log_0.json", "--to", "cells").status == 0
    said = gatesearch("import", "logs", "--to", "cells")
    assert said.out.splitlines()[-1] == "1 file written to cells (1 already there)"
    path = here / "cells" / "recepie-1000001.cell"
    path.write_text("h' = tanh(linear(x))")
    (here / "cells" / "recepie-1000000.cell").unlink()
    said = gatesearch("import", "logs", "--to", "cells")
    assert said.status == 2
    assert said.err.startswith("gatesearch: 'cells/recepie-1000001.cell' exists with other content and is not overwr")
    assert path.read_text() == "h' = tanh(linear(x))"
    assert not (here / "cells" / "recepie-1000000.cell").exists()


def test_a_cell_that_cannot_be_read_is_one_line_and_the_others_are_written(
    logs: Path, here: Path, gatesearch: Gatesearch
) -> None:
    (logs / "cut.json").write_text('{"recepie_id": 7, "recepie"')
    (here / "list.json").write_text(json.dumps([OWN, {"h_new_0": {"op": "softmax", "input": ["x"]}}]))
    said = gatesearch("import", "list.json", "logs", "--to", "cells")
    assert said.status == 1
    first, second = said.err.splitlines()
    assert first.startswith("gatesearch: list.json#1: node 'h_new_0' has the operation 'softmax'")
    assert second.startswith("gatesearch: logs/cut.json: line 1, column 28: invalid JSON")
    assert "4 cells read, 2 distinct, 1 of them named; 2 could not be read\n" in said.out
    assert sorted(path.name for path in (here / "cells").iterdir()) == ["list-0.cell", "recepie-1000000.cell"]


def test_where_nothing_can_be_read_nothing_is_made(here: Path, gatesearch: Gatesearch) -> None:
    (here / "bad.json").write_text("{")
    (here / "empty").mkdir()
    for files, lines in ((("bad.json",), 1), (("bad.json", "gone.json"), 3), (("empty",), 1)):
        said = gatesearch("import", *files, "--to", "cells")
        assert (said.status, said.out) == (2, "")
        assert len(said.err.splitlines()) == lines
        assert all(line.startswith("gatesearch: ") for line in said.err.splitlines())
    assert not (here / "cells").exists()


def test_json_has_a_record_for_each_source(logs: Path, here: Path, gatesearch: Gatesearch) -> None:
    (logs / "cut.json").write_text("{")
    said = gatesearch("import", "logs", "--to", "cells", "--json")
    records = json.loads(said.out)
    assert said.status == 1
    assert [list(record) for record in records] == [
        ["source", "recepie_id", "id", "name", "same_as", "file", "error"]
    ] * 4
    assert [tuple(record.values())[1:] for record in records[1:]] == [
        (1000000, printed_id(LIBRARY["gru"].graph.id), "gru", None, "cells/recepie-1000000.cell", None),
        (1000001, records[2]["id"], None, None, "cells/recepie-1000001.cell", None),
        (1000002, records[2]["id"], None, "logs/log_1.json", "cells/recepie-1000001.cell", None),
    ]
    assert records[0]["error"].startswith("logs/cut.json: line 1, column 2")
    assert records[0]["id"] is None


def test_one_recipe_of_a_list_is_a_cell_in_every_command(here: Path, gatesearch: Gatesearch) -> None:
    (here / "list.json").write_text(json.dumps([OWN, GRU]))
    (here / "named.json").write_text(json.dumps({"mine": OWN, "theirs": GRU}))
    said = gatesearch("show", "list.json#1")
    assert said.out.startswith(f"list-1  (id {printed_id(LIBRARY['gru'].graph.id)})\n")
    exported = gatesearch("export", "named.json#mine", "--to", "formula")
    assert exported.status == 0
    (here / "mine.cell").write_text(exported.out)
    assert read_cell("mine.cell").id == read_cell("list.json#0").id
    said = gatesearch(
        *("search", "r", "--profile", "tiny.toml", "--proposals", "1", "--workers", "0", "--simulate"),
        *("--seed-cell", "list.json#0"),
    )
    assert said.status == 0
    assert "list-0" in gatesearch("leaderboard", "r", "--csv").out
