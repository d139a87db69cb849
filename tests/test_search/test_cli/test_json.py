"""`--json` of the leaderboard and of `verify`: the same facts as in the other forms, for programs."""

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.test_search.test_cli.conftest import Gatesearch


def strict(text: str) -> object:
    """Parse JSON as other languages do, which know neither NaN nor Infinity."""

    def refuse(name: str) -> object:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def run(here: Path, simulated: Path) -> str:
    shutil.copytree(simulated, here / "runs" / "done")
    return "done"


def test_the_leaderboard_has_the_rows_of_the_csv_and_the_verdict(gatesearch: Gatesearch, run: str) -> None:
    found = strict(gatesearch("leaderboard", run, "--json").out)
    assert isinstance(found, dict)
    table = pd.read_csv(io.StringIO(gatesearch("leaderboard", run, "--csv").out), float_precision="round_trip")
    rows = pd.DataFrame(found["rows"])
    assert list(rows.columns) == list(table.columns)
    for name in ("id", "score", "xml_test", "xml_test_se", "arithmetic_vs_gru"):
        assert [None if pd.isna(value) else value for value in rows[name]] == [
            None if pd.isna(value) else value for value in table[name]
        ]
    printed = " ".join(gatesearch("leaderboard", run).out.split())
    assert printed.startswith(found["verdict"]["text"])


def test_rows_that_are_chosen_and_families_are_json_too(gatesearch: Gatesearch, run: str) -> None:
    found = strict(gatesearch("leaderboard", run, "--json", "--baselines", "--top", "2").out)
    assert isinstance(found, dict)
    assert [row["origin"] for row in found["rows"]] == ["baseline", "baseline"]
    families = strict(gatesearch("leaderboard", run, "--format", "json", "--families").out)
    assert isinstance(families, dict)
    assert families["rows"][0]["family"]
    said = gatesearch("leaderboard", run, "--json", "--csv")
    assert (said.status, said.err) == (2, "gatesearch: --json and --csv are mutually exclusive; leave one out\n")


def test_the_checks_of_verify_are_those_that_are_printed(gatesearch: Gatesearch, run: str) -> None:
    said = gatesearch("verify", run, "--json")
    found = strict(said.out)
    assert (said.status, said.err) == (0, "")
    assert isinstance(found, list)
    printed = gatesearch("verify", run).out.splitlines()
    names = [check["name"] for check in found]
    assert [line[: len(name)] for line, name in zip(printed, names, strict=True)] == names
    assert {check["ok"] for check in found} <= {True, None}


def test_a_failed_check_is_false_and_the_status_is_1(gatesearch: Gatesearch, here: Path, run: str) -> None:
    path = here / "runs" / run / "leaderboard.csv"
    path.write_text(path.read_text().replace("gru", "grv"))
    said = gatesearch("verify", run, "--json")
    found = strict(said.out)
    assert isinstance(found, list)
    assert said.status == 1
    assert [check["name"] for check in found if check["ok"] is False] == ["table"]
