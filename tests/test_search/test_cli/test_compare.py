"""`gatesearch compare`: what it prints and leaves, and what it refuses."""

from pathlib import Path

import pandas as pd
import pytest

from tests.test_search.test_cli.conftest import Gatesearch
from tests.tiny import PLAN

COMPARE = ("compare", "plan.toml", "--workers", "0")


@pytest.fixture(autouse=True)
def plan(here: Path) -> Path:
    path = here / "plan.toml"
    path.write_text(PLAN)
    return path


def test_a_comparison_says_what_it_does_and_ends_with_the_verdict(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch(*COMPARE, "--simulate")
    assert (said.status, said.err) == (0, "")
    folder = here / "runs" / "plan"
    lines = said.out.splitlines()
    assert lines[0] == f"comparison in {folder}"
    assert lines[1].startswith("2 methods (paper, random), 2 search seeds each; ")
    assert lines[1].endswith(" multiply-adds a search, 2 trainings of the GRU on all tasks")
    assert lines[2] == "simulated trials: no evidence on cells or methods"
    assert [line.split(": ")[0] for line in lines[3:7]] == [f"{k} of 4" for k in (1, 2, 3, 4)]
    assert {line.split(": ")[1].split(",")[0] for line in lines[3:7]} == {"paper-0", "paper-1", "random-0", "random-1"}
    assert any(line.startswith("Tests: paired t-tests over 2 matched search seeds") for line in lines)
    assert lines[-1] == f"tables, comparison.svg and comparison.md are in {folder}"
    assert pd.read_csv(folder / "methods.csv")["method"].tolist() == ["paper", "random"]
    verified = gatesearch("verify", str(folder / "random-1"))
    assert verified.status == 0, verified.out

    again = gatesearch(*COMPARE, "--simulate")
    assert again.status == 2
    assert again.err == (
        f"gatesearch: there is a comparison in '{folder}'; continue it with --resume, or choose another folder with "
        "--output\n"
    )
    resumed = gatesearch(*COMPARE, "--simulate", "--resume")
    assert resumed.status == 0
    assert resumed.out.count(", had ended") == 4
    quiet = gatesearch(*COMPARE, "--simulate", "--resume", "-q")
    assert quiet.status == 0
    verdict = resumed.out.split("\n\n")[1].splitlines()
    assert quiet.out.splitlines() == [lines[2], *verdict]
    trained = gatesearch(*COMPARE, "--resume")  # what was simulated is not resumed as a real one
    assert trained.status == 2
    assert "the plan differs from that in" in trained.err


def test_a_wrong_plan_is_one_line(gatesearch: Gatesearch, plan: Path, here: Path) -> None:
    plan.write_text(PLAN.replace("trainings", "training"))
    said = gatesearch(*COMPARE)
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        "gatesearch: plan.toml: 'training' is not a field of a plan; did you mean 'trainings'? (and 0 more)\n"
    ).replace(" (and 0 more)", "")
    assert gatesearch("compare", "nothing.toml").err.startswith("gatesearch: plan 'nothing.toml' cannot be read: ")
    assert not (here / "runs").exists()
