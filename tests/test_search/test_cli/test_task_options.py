"""`--option NAME=VALUE` of `tasks` and `train`."""

import json
from pathlib import Path

import pytest

from search.cli.task_options import task_options
from search.core.errors import SearchError
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch

SEA = ROOT / "examples" / "forecasting" / "sea.csv"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("24", 24),
        ("0.5", 0.5),
        ("true", True),
        ("squared-error", "squared-error"),
        ('"24"', "24"),
        ("load,price", "load,price"),
        ("2020-01-01", "2020-01-01"),
        ("[1]", "[1]"),
        ("1\nother = 2", "1\nother = 2"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_value_is_read_as_in_a_profile_or_is_a_text(text: str, value: object) -> None:
    found = task_options([f"name={text}"], None)["name"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("given", [["horizon"], ["=3"], ["a b=3"], ["x=1", "x=2"]])
def test_what_is_no_option_is_refused(given: list[str]) -> None:
    with pytest.raises(SearchError, match="--option"):
        task_options(given, None)
    with pytest.raises(SearchError, match="beside --data"):
        task_options(["data=x"], "y")


def test_a_task_is_described_and_trained_with_its_options(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("tasks", "series", "--data", str(SEA), "--option", "horizon=1", "--json")
    assert (said.status, said.err) == (0, "")
    (row,) = json.loads(said.out)
    assert row["parameters"]["horizon"] == 1
    far = json.loads(gatesearch("tasks", "series", "--data", str(SEA), "--option", "horizon=6", "--json").out)[0]
    assert row["constant_baseline"] < far["constant_baseline"]
    short = ("--epochs", "1", "--epoch-steps", "5", "--parameters", "2000")
    trained = gatesearch("train", "gru", "series", "--data", str(SEA), "--option", "output=squared-error", *short)
    assert (trained.status, trained.err) == (0, "")
    wrong = gatesearch("train", "gru", "series", "--data", str(SEA), "--option", "horizons=6", *short)
    assert wrong.status == 2
    assert "has no parameter 'horizons' (did you mean 'horizon'?)" in wrong.err
    assert gatesearch("tasks", "--option", "horizon=6").status == 2
