"""Commands on tasks of the user's own: their errors, their prints, and searches that go on once a task is corrected."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

import gatesearch as api
from results.store.store import Store
from tasks.errors import TaskError
from tasks.registry import build_task
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch, assert_same_table

SHARDS = """
from pathlib import Path
from tasks.xml import Xml


class Shards(Xml):
    name = "shards"

    def training(self, batch, steps, rng):
        for number, window in enumerate(super().training(batch, steps, rng)):
            if number == 70 and batch != 8 and not Path("shard").exists():
                raise FileNotFoundError("no such shard: shard")
            yield window
"""
"""A task whose training lacks a file, after more windows than a check reads."""

LINE = 1 + next(number for number, line in enumerate(SHARDS.split("\n")) if "raise" in line)

PROFILE = """
[search]
proposals = 1
window = 2
baselines = ["lstm", "gru"]
[grid]
scales = [1.0]
learning_rates = [0.3]
max_norms = [2.5]
layers = [1]
[finalists]
cells = 0
[memorization]
accuracy = 0.0
parameters = [3000]
options = { length = 2, validation = 200, test = 200 }
schedule = { epoch_steps = 5, epochs = 2, halvings = 1, chance_epochs = 2 }
[tasks.shards]
task = "shards_task:Shards"
threshold = 0.0
settings = 1
baseline_settings = 1
parameters = [3000]
options = { min_letters = 1, max_letters = 2, validation = 200, test = 200 }
schedule = { epoch_steps = 36, epochs = 2, halvings = 1, chance_epochs = 4 }
"""

RAISED = f"task 'shards' raised FileNotFoundError in training, shards_task.py line {LINE}: no such shard: shard"


@pytest.fixture(autouse=True)
def files(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules and the profile of a user, in the working directory."""
    shutil.copy(ROOT / "tests" / "test_tasks" / "own_tasks.py", here)
    (here / "shards_task.py").write_text(SHARDS)
    (here / "shards.toml").write_text(PROFILE)
    for name in ("own_tasks", "shards_task"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_what_a_task_prints_is_not_in_the_json(gatesearch: Gatesearch) -> None:
    said = gatesearch("tasks", "own_tasks:Talks", "--json")
    assert (said.status, set(said.err.splitlines())) == (0, {"loading data ..."})
    (row,) = json.loads(said.out)
    assert (row["name"], row["output_size"]) == ("own_tasks:Talks", 8)


def test_a_check_says_what_was_checked(gatesearch: Gatesearch) -> None:
    said = gatesearch("tasks", "own_tasks:Sound", "--check")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("own_tasks:Sound: no rule is broken\n")
    assert (
        "  validation: 10 windows, 5,120 steps, 100.0% of them in the loss mask; the same when read again\n" in said.out
    )
    (row,) = json.loads(gatesearch("tasks", "own_tasks:KeepsFunction", "--check", "--json").out)
    assert row["sets"]["test"] == {"windows": 10, "steps": 5120, "counted": 5120}
    assert "lambda" in row["unpicklable"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FromOne", "task 'sound', validation, window 1: inputs has the symbol 8; symbols must be 0 to 7"),
        ("Surprise", "task 'surprise': metric nats_per_step does not fit Output.SYMBOLS"),
        ("Raises", "task 'sound' raised FileNotFoundError in training, own_tasks.py line "),
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        ("tasks", "PATH"),
        ("tasks", "PATH", "--check"),
        ("train", "gru", "PATH"),
        ("search", "own", "--profile", "tiny.toml", "--task", "PATH", "--workers", "0"),
    ],
    ids=lambda line: line[0] + line[-1],
)
def test_a_task_that_breaks_a_rule_is_one_line_before_anything_is_made(
    line: tuple[str, ...], name: str, message: str, gatesearch: Gatesearch, here: Path
) -> None:
    said = gatesearch(*(part.replace("PATH", f"own_tasks:{name}") for part in line))
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert message in said.err
    assert "bug" not in said.err
    assert not (here / "runs").exists()


def test_an_error_in_a_tasks_code_while_it_trains_is_one_line(gatesearch: Gatesearch) -> None:
    said = gatesearch("train", "tanh", "shards_task:Shards", "--epoch-steps", "40", "--epochs", "2")
    assert (said.status, said.err) == (2, f"gatesearch: {RAISED}; correct it there\n")
    said = gatesearch("train", "tanh", "own_tasks:EndsAfterTheCheck", "--epoch-steps", "401", "--epochs", "1")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "task 'ends-after-the-check', training: ended after 400 windows; it must be endless" in said.err


def test_the_public_api_raises_the_same_errors() -> None:
    with pytest.raises(TaskError, match=re.escape(RAISED)):
        api.train("tanh", "shards_task:Shards", epochs=2, epoch_steps=40)
    with pytest.raises(TaskError, match="'sound', validation, window 1: inputs has the symbol 8"):
        api.train("tanh", build_task("own_tasks:FromOne"), epochs=1)


def test_a_task_that_cannot_be_sent_to_workers_is_one_line_before_the_run_is_made(
    gatesearch: Gatesearch, here: Path
) -> None:
    line = ("search", "own", "--profile", "tiny.toml", "--task", "own_tasks:KeepsFunction", "--workers", "2")
    said = gatesearch(*line)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "task 'keeps-function' cannot be sent to worker processes (" in said.err
    assert said.err.endswith("or use --workers 0\n")
    assert not (here / "runs" / "own").exists()


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=[pytest.mark.ray, pytest.mark.exact])])
def test_a_search_that_a_task_ended_is_resumed_once_the_task_is_corrected(
    workers: str, gatesearch: Gatesearch, here: Path
) -> None:
    """The error ends the search and blames no cell, so that the resumed search is the one without the error."""
    search = ("--profile", "shards.toml", "--workers", workers)
    said = gatesearch("search", "broken", *search)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert said.err == (
        f"gatesearch: {RAISED}; correct it there; then rerun with --resume, which keeps the finished trials\n"
    )
    with Store.open(here / "runs" / "broken", readonly=True) as store:
        assert {row.task for row in store.trials()} == {"memorization"}
    (here / "shard").touch()
    said = gatesearch("search", "broken", "--resume", "--task", "shards_task:Shards", "--workers", workers)
    assert (said.status, said.err) == (0, "")
    assert gatesearch("search", "sound", *search[:2], "--workers", "0").status == 0
    assert_same_table(here / "runs" / "broken", here / "runs" / "sound")
