"""`gatesearch leaderboard`: the table on the screen, as CSV, and in a file."""

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.test_cli.conftest import Gatesearch


@pytest.fixture
def kept(here: Path, finished: Path) -> Path:
    shutil.copytree(finished, here / "runs" / "kept")
    return here / "runs" / "kept"


def test_csv_is_the_file_of_the_run_and_top_its_first_rows(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    text = (kept / "leaderboard.csv").read_text()
    said = gatesearch("leaderboard", "kept", "--csv")
    assert (said.status, said.out, said.err) == (0, text, "")
    assert gatesearch("leaderboard", "kept", "--csv", "--top", "2").out == "".join(text.splitlines(True)[:3])
    assert gatesearch("leaderboard", str(kept), "--csv").out == text
    assert gatesearch("leaderboard", "kept", "-o", "copy.csv").out == "written to copy.csv\n"
    assert (here / "copy.csv").read_text() == text


def test_the_table_has_the_cells_in_order_and_fits_80_columns(
    gatesearch: Gatesearch, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = pd.read_csv(io.StringIO(gatesearch("leaderboard", "kept", "--csv").out))
    said = gatesearch("leaderboard", "kept")
    lines = said.out.splitlines()
    assert max(len(line) for line in lines) <= 80
    places = [said.out.index(cell) for cell in table["cell"]]
    assert places == sorted(places)
    gru = next(line for line in lines if " gru " in line)
    assert "1.0000" in gru
    shown = gatesearch("leaderboard", "kept", "--top", "1").out
    assert table["cell"][0] in shown
    assert table["cell"][1] not in shown


def test_the_stores_own_files_are_not_written_over(gatesearch: Gatesearch, kept: Path) -> None:
    before = (kept / "run.sqlite").read_bytes()
    said = gatesearch("leaderboard", "kept", "-o", str(kept / "run.sqlite"))
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert "run.sqlite" in said.err
    assert (kept / "run.sqlite").read_bytes() == before
