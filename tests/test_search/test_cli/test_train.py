"""`gatesearch train` and `gatesearch tasks`: one trial and its curve; what the tasks are."""

import json
import math
import re
from pathlib import Path

import pytest

from results.store.words import TrialState
from search.cells.library import LIBRARY
from search.cli.commands.train import other_numbers
from search.core.keys import trial_seed
from search.profiles.loading import load_profile
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import OtherMetric, TrialResult, train_trial
from tasks.metrics import ACCURACY, CROSS_ENTROPY
from tasks.registry import TASKS, load_task
from tests.test_search.test_cli.conftest import Gatesearch


def test_training_prints_every_epoch_the_curve_and_the_result_that_the_trial_has(gatesearch: Gatesearch) -> None:
    options = ("--epochs", "3", "--epoch-steps", "4", "--seed", "5", "--learning-rate", "0.5", "--layers", "2")
    said = gatesearch("train", "lstm", "xml", "--profile", "tiny.toml", *options)
    assert (said.status, said.err) == (0, "")
    section = load_profile("tiny.toml").tasks["xml"]
    task, graph = load_task("xml", **section.options), LIBRARY["lstm"].graph
    setting = Setting(1.0, 0.5, 2.5, 2, 8000)
    budget = Budget(epoch_steps=4, epochs=3, halvings=1, chance_epochs=4)
    result = train_trial(graph, task, setting, budget, trial_seed(5, graph.id, "xml", setting.key, 0))
    assert result.validation is not None
    assert result.test is not None
    epochs = re.findall(r"^step +(\d+)  training loss ([\d.]+) nats  validation accuracy ([\d.]+)$", said.out, re.M)
    assert epochs == [(str(p.step), f"{p.loss:.4f}", f"{p.validation:.4f}") for p in result.curve]
    assert "validation accuracy" in said.out.split(epochs[-1][2])[-1] or "training steps" in said.out
    assert f"{result.units} units, {result.parameters:,} parameters" in said.out
    assert f"validation {result.validation:.4f} ± " in said.out
    assert f"test {result.test:.4f} ± " in said.out
    (other,) = result.others
    assert f"test cross_entropy {other.test:.4f} ± {other.test_se:.4f}" in said.out
    assert "\x1b" not in said.out
    quiet = gatesearch("train", "lstm", "xml", "--profile", "tiny.toml", *options, "-q")
    assert (quiet.status, quiet.err) == (0, "")
    without_time = [re.sub(r"steps in .*?, ", "", text).splitlines() for text in (quiet.out, said.out)]
    assert without_time[0] == without_time[1][-3:]


def test_a_cross_entropy_is_shown_in_its_other_units() -> None:
    result = TrialResult(TrialState.OK, "", test=math.log(8.0), others=(OtherMetric("accuracy", 0.5, 0.1, 0.25, 0.02),))
    assert other_numbers(result, CROSS_ENTROPY) == [
        "test bits 3.0000 (bits per symbol)",
        "test perplexity 8.0000 (effective number of symbols)",
        "test accuracy 0.2500 ± 0.0200",
    ]
    assert other_numbers(TrialResult(TrialState.OK, "", test=0.5), ACCURACY) == []


def test_a_trial_without_a_result_says_why_and_what_to_do(gatesearch: Gatesearch) -> None:
    said = gatesearch("train", "gru", "xml", "--profile", "tiny.toml", "--parameters", "10")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert "failed" in said.out


def test_a_formula_file_is_trained_on_the_gate_and_on_a_task_that_the_profile_lacks(
    gatesearch: Gatesearch, here: Path
) -> None:
    (here / "mine.cell").write_text(LIBRARY["mut3"].formula)
    short = ("--profile", "tiny.toml", "--epochs", "1", "--epoch-steps", "2")
    assert "on memorization, accuracy" in gatesearch("train", "mine.cell", "memorization", *short).out
    (here / "copytask.py").write_text(
        "from tasks.memorization import Memorization\n\n\nclass Copy(Memorization):\n"
        '    name = "copy"\n\n    def __init__(self) -> None:\n'
        "        super().__init__(length=2, validation=300, test=300)\n"
    )
    said = gatesearch("train", "mine.cell", "copytask:Copy", *short)
    assert said.status == 0
    assert "on copy, accuracy" in said.out


def test_tasks_are_listed_with_what_needs_no_memory(gatesearch: Gatesearch) -> None:
    for name in ("memorization", "xml", "arithmetic"):
        said = gatesearch("tasks", name, "--profile", "tiny.toml", "--json")
        (row,) = json.loads(said.out)
        assert row["name"] == name
        assert row["higher_is_better"] is True
        assert row["uniform_loss_nats"] == pytest.approx(math.log(row["output_size"]))
        assert 1 / row["output_size"] < row["constant_baseline"] < 1
        # The parameters make the same task: same data, same checksum.
        assert load_task(name, **row["parameters"]).checksum == row["checksum"]
    assert set(TASKS) >= {"memorization", "xml", "arithmetic", "language", "music"}


def test_samples_are_of_the_task(gatesearch: Gatesearch) -> None:
    said = gatesearch("tasks", "arithmetic", "--profile", "tiny.toml", "--samples", "3")
    samples = said.out.split("\n\n")[-3:]
    assert len(samples) == 3
    for sample in samples:
        text, marks = sample.rstrip("\n").split("\n")[:2]
        for problem in re.finditer(r"(\S*?)=(-?\d+)\.", text):
            if problem.start() == 0:
                continue  # cut off at its beginning
            a, sign, b = re.fullmatch(r"(-?\d)([+-])(-?\d)", re.sub("[a-z]", "", problem[1])).groups()  # type: ignore[union-attr]
            assert int(problem[2]) == (int(a) - int(b) if sign == "-" else int(a) + int(b))
            assert marks[problem.start(2) : problem.end()] == "^" * (problem.end() - problem.start(2))
