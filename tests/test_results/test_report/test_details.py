"""Details that a click on a row of the report shows."""

import re
from pathlib import Path

import pytest

from results.report.details import MOST_DETAILS, export_command, unpacked
from results.report.report import report
from results.scores.estimates import GRU, LSTM
from results.tables.leaderboard import displayed, leaderboard
from search.cells.library import LIBRARY
from tests.test_results.rows import make_store
from tests.test_results.truths import TASKS, make_run

TRUTH = {"gru": 0.05, "lstm": 0.04, "mut1": 0.03, "tanh": -0.3}


def test_every_ranked_cell_has_a_drawing_a_formula_curves_and_a_command(tmp_path: Path) -> None:
    with make_run(tmp_path / "run", TRUTH, noise=0.001) as store:
        page = report(store, TASKS)
        frame = leaderboard(store, TASKS)
        formulas = {str(cell): displayed(store.cell(str(cell)).formula, store.form) for cell in frame.index}
    packed = re.search(r'<script type="text/plain" id="details">([A-Za-z0-9+/=]+)</script>', page)
    assert packed is not None
    found = unpacked(packed[1])
    assert found["gru"] == GRU
    assert list(found["tasks"]) == list(TASKS)
    assert set(found["cells"]) == set(frame.index[frame["rank"].notna()][:MOST_DETAILS])
    for cell, known in found["cells"].items():
        assert known["formula"] == formulas[cell] or cell in (GRU, LSTM)  # whose made-up ones are not theirs
        assert known["drawing"].startswith("<svg")
        assert f'data-cell="{cell}"' in page
        assert set(known["curves"]) <= set(TASKS)
        for steps, values in known["curves"].values():
            assert len(steps) == len(values) > 0
    mut1 = found["cells"][LIBRARY["mut1"].graph.id]
    assert mut1["command"] == "gatesearch export mut1 -o mut1.py"
    assert "Jozefowicz" in " ".join(mut1["about"])


@pytest.mark.parametrize("name", ["run", "a run; rm -rf x"])
def test_the_command_of_a_found_cell_names_its_run(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path))
    with make_store(tmp_path / name) as store:
        quoted = name if name == "run" else f"'{name}'"
        assert export_command(store, "a" * 16) == f"gatesearch export gaaaaaaaa --run {quoted} -o gaaaaaaaa.py"
