"""A small share of the fuzzer's inputs (`python -m tests.fuzz`), and that its rules see what they are there for."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search.core.errors import SearchError
from tests.fuzz.harness import State, run_surface, shares, surfaces
from tests.fuzz.rules import BrokenRuleError, feed
from tests.fuzz.surfaces import Case, Surface

INPUTS, MANY = 200, 1500


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATESEARCH_CACHE", "GATESEARCH_RUNS", "GATESEARCH_TRACEBACK", "COLUMNS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.exact if one == "store-rows" else ()) for one in surfaces()]
)
@pytest.mark.parametrize("inputs", [INPUTS, pytest.param(MANY, marks=pytest.mark.exact)])
@pytest.mark.filterwarnings("default")
def test_inputs_break_no_rule(name: str, inputs: int, tmp_path: Path) -> None:
    count = max(10, shares(inputs, list(surfaces()))[name])
    state = State(None, seed=inputs)
    run_surface(surfaces()[name], count, state, tmp_path / "work", tmp_path / "broken")
    broken = {path.parent.name: path.read_text()[-1000:] for path in (tmp_path / "broken").glob("*/why.txt")}
    assert broken == {}
    assert state.done[name]["inputs"] == count


def _fork() -> None:
    subprocess.run([sys.executable, "--version"], check=True, capture_output=True)


def _unpickle() -> None:
    pickle.loads(b"cos\ngetcwd\n(tR.")  # noqa: S301


def _two_lines() -> None:
    raise SearchError("one\ntwo")


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: exec("1 + 1"), "exec"),  # noqa: S102
        (lambda: os.system("true"), "os.system"),
        (_fork, "subprocess.Popen"),
        (_unpickle, "pickle.find_class"),
        (lambda: Path("../elsewhere").write_text(""), "open .*elsewhere"),
        (lambda: os.environ["GATESEARCH_NOTHING"], "KeyError"),
        (_two_lines, "not one readable line"),
        (lambda: bytearray(b"x") * 600_000_000, "it took"),
    ],
)
def test_a_broken_rule_is_seen(
    use: Callable[[], object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with pytest.raises(BrokenRuleError, match=words):
        feed(use, work)


def test_a_run_goes_on_after_the_input_that_it_died_of(tmp_path: Path) -> None:
    fed: list[str] = []
    surface = Surface(
        "s", 1.0, lambda rng: Case(texts=(str(rng.random()),)), lambda case, folder: fed.append(case.texts[0])
    )
    state = State(tmp_path / "state.json", 0)
    run_surface(surface, 5, state, tmp_path / "work", tmp_path / "broken")
    state.begin("s", 5)  # and the process dies
    again = State.read(tmp_path / "state.json", 0)
    run_surface(surface, 10, again, tmp_path / "work", tmp_path / "broken")
    assert again.done["s"] | {"seconds": 0} == {"inputs": 10, "accepted": 9, "broken": 1, "seconds": 0}
    assert len(set(fed)) == 9
    assert (tmp_path / "broken" / "s-0-5" / "why.txt").read_text() == "the process died of it"
