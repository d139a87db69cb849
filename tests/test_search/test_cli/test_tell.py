"""`gatesearch tell` and `gatesearch ask`: a conversation of lines with a run, which is then a run like any other."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.store.store import Store
from search.cells.errors import FormulaError
from search.cells.ids import without_letter
from search.cells.notation.formula import parse_formula
from tests.test_search.test_cli.conftest import COMMAND, Gatesearch, Said

PROPOSED = "f = sigmoid(linear(x) + linear(h))\nh' = f * h + (1 - f) * tanh(linear(x))"
ISOMORPHIC = "k = tanh(linear(x)); a = sigmoid(linear(h) + linear(x)); h' = (1 - a) * k + h * a"
NEW = ("--profile", "tiny.toml", "--simulate")
HANGS = 120.0
"""Seconds after which a process counts as hanging. They bound the test, and assert nothing."""

Tell = Callable[..., Said]


@pytest.fixture
def tell(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Runs `gatesearch tell told` over a text in this process."""

    def said(text: str, *options: str) -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return gatesearch("tell", "told", *options)

    return said


def parsed(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.out.splitlines()]


def test_each_cell_gets_a_line_in_order_and_known_ones_are_answered_from_the_store(
    tell: Tell, gatesearch: Gatesearch
) -> None:
    wrong = "z = sigmoid(x)\nh' = z * frobnicate(h)"
    with pytest.raises(FormulaError) as parsers:
        parse_formula(wrong)
    text = "\n\n".join([PROPOSED, json.dumps({"formula": wrong}), "lstm", ISOMORPHIC, '{"promote": true}', "{}"])
    first = tell(text, *NEW)
    assert (first.status, first.err) == (0, "")
    proposed, error, lstm, same, promoted, empty = parsed(first)
    assert error == {"error": str(parsers.value)}
    assert error["error"].startswith("line 2: ")
    assert promoted == {"promoted": 0}  # there are no rungs
    assert empty["error"].startswith("the object has no formula")
    assert (proposed["known"], lstm["known"], same["known"]) == (False, True, True)
    assert same == proposed | {"known": True}
    log = (Path("runs") / "told" / "run.log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in log[1:]] == first.out.splitlines()
    assert (proposed["rung"], proposed["scores"]) == (None, [])
    assert (lstm["name"], lstm["ending"]) == ("lstm", "complete")
    for answer in (proposed, lstm):
        shares = [answer["tasks"][task]["share"] for task in ("xml", "arithmetic") if task in answer["tasks"]]
        assert answer["score"] == (min(shares) if answer["ending"] == "complete" else None)
    before = gatesearch("ask", "told", "--count", "3")
    assert before.status == 0
    suggested = parsed(before)
    assert gatesearch("ask", "told", "--count", "3").out == before.out
    assert all(parse_formula(one["formula"]).canonical().id == without_letter(one["id"]) for one in suggested)
    later = parsed(tell(before.out + json.dumps({"formula": "gru", "parent": "ffff"})))
    assert [answer["id"] for answer in later[:3]] == [one["id"] for one in suggested]
    assert "has no cell 'ffff'" in later[3]["error"]
    with Store.open(Path("runs/told"), readonly=True) as store:
        assert [store.cell(one["id"]).parent for one in suggested] == [
            without_letter(one["parent"]) for one in suggested
        ]


@pytest.mark.slow
def test_the_run_is_one_for_every_command(tell: Tell, gatesearch: Gatesearch) -> None:
    (answer, child) = parsed(tell(PROPOSED + "\n\nh' = tanh(linear(x) + linear(h) * h)", *NEW[:2]))  # trained
    again = parsed(tell(json.dumps({"formula": "h' = relu(linear(x) + linear(h))", "parent": answer["id"]})))[0]
    assert gatesearch("search", "told", "--resume", "--workers", "0").status == 0
    for command in (
        ("leaderboard", "told"),
        ("findings", "told"),
        ("show", child["id"], "--run", "told"),
        ("show", again["id"], "--run", "told"),
        ("export", again["id"], "--run", "told", "-o", "cell.py"),
        ("report", "told", "--no-gradients"),
        ("publish", "told", "./published"),
        ("verify", "./published"),
        ("verify", "told", "--retrain", "3"),
    ):
        said = gatesearch(*command)
        assert said.status == 0, (command, said)
    assert "3 cells were told, 3 given; each parent came before its children" in said.out
    assert "FAILED" not in said.out
    with Store.open(Path("runs/told"), readonly=True) as store:
        assert store.strategy == "outside"
        assert store.finished is not None


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("gru", (), "there is no run 'told' in"),
        ("gru", ("--profile", "nonsense", "--simulate"), "profile 'nonsense' is unknown"),
        ("gru", (*NEW, "--window", "0"), "Invalid value for '--window'"),
        ("gru", (*NEW, "--workers", "1", "--address", "auto"), "mutually exclusive"),
    ],
)
def test_a_run_that_cannot_be_made_is_refused(text: str, options: tuple[str, ...], words: str, tell: Tell) -> None:
    said = tell(text, *options)
    assert (said.status, said.out) == (2, "")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not Path("runs/told").exists()


def test_input_that_is_not_json_ends_the_conversation_after_what_came_before(
    tell: Tell, gatesearch: Gatesearch
) -> None:
    said = tell(f'{PROPOSED}\n\n{{"formula": \n{{"formula": "gru"}}', *NEW)
    assert said.status == 2
    assert [answer["known"] for answer in parsed(said)] == [False]
    assert said.err.startswith("gatesearch: line 4 of the input is not JSON (")
    assert said.err.count("\n") == 1
    assert parsed(tell(PROPOSED))[0]["known"]


def test_asking_runs_that_are_not_told_cells_says_what_to_do(gatesearch: Gatesearch, simulated: Path) -> None:
    said = gatesearch("ask", str(simulated))
    assert said.status == 2
    assert "run 'done' proposes its cells by itself (strategy paper); choose a new name" in said.err
    assert gatesearch("ask", "none").status == 2
    assert gatesearch("search", "new", "--strategy", "outside").status == 2


@pytest.mark.slow
def test_a_program_talks_to_a_run_over_pipes_and_an_interruption_loses_no_answer(here: Path) -> None:
    def start(*options: str) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([COMMAND, "tell", "talk", *options], text=True, start_new_session=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def line(process: subprocess.Popen[str], **request: object) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(request), file=process.stdin, flush=True)
        answer = process.stdout.readline()  # nothing else is written before this is answered
        assert answer, process.communicate(timeout=HANGS)
        found: dict[str, Any] = json.loads(answer)
        return found

    with start(*NEW) as process:
        first = line(process, formula=PROPOSED)
        assert "line 1: " in line(process, formula="h' = (")["error"]
        child = line(process, formula="h' = tanh(linear(x) + h * linear(h))", parent=first["id"])
        assert (first["known"], child["known"]) == (False, False)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=HANGS)
        assert (process.returncode, out) == (130, "")
    lines = err.splitlines()
    assert "finished trials are kept. Continue with: gatesearch tell talk" in lines[0]
    assert "Traceback" not in err
    assert lines[-1] == "gatesearch: interrupted"
    with start() as process:
        assert line(process, formula=ISOMORPHIC) == first | {"known": True}
        assert line(process, formula="h' = tanh(linear(x) + h * linear(h))") == child | {"known": True}
        out, err = process.communicate(timeout=HANGS)
        assert (process.returncode, out, err) == (0, "", "")
