"""Breakdown of a trial's time: the parts add up to the whole, and measuring changes no result."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from search.bench.breakdown import Breakdown, _timed, break_down
from search.cells.library import LIBRARY
from search.cli.commands.bench import bench
from search.kernels.runtime.commands import Watch, watched
from search.profiles.loading import load_profile
from search.profiles.sections import Profile
from search.profiles.training_sections import ScheduleSection
from search.training.model import SequenceModel
from search.training.schedule import RateRule
from search.training.stepper import stepper_for
from tasks.interface import Interface
from tasks.task import Output, Split
from tests.test_search.interfaces import assert_same_scores, draw_batch
from tests.test_search.small import small_task


def small_profile() -> Profile:
    """Return the quick profile with two small tasks and little training."""
    quick = load_profile("quick")
    schedule = ScheduleSection(epoch_steps=4, epochs=2, halvings=0)
    options: dict[str, bool | int | float | str] = {"validation": 200, "test": 300}
    xml = replace(quick.tasks["xml"], schedule=schedule, options=options, parameters=(4_000,))
    gate = replace(quick.memorization, schedule=schedule, options=options, parameters=(4_000,))
    return replace(quick, memorization=gate, tasks={"xml": xml})


def test_the_parts_of_a_trial_add_up_to_it() -> None:
    rows = list(break_down(LIBRARY["gru"].graph, small_profile(), 2))
    assert [row.task for row in rows] == ["memorization", "xml"]
    for row in rows:
        parts = [getattr(row, field.name) for field in fields(Breakdown) if field.name.endswith("_ms")]
        *shown, total, compiling = parts
        assert min(shown) >= 0.0 < min(total, compiling)
        assert sum(shown) >= total * 0.999  # more only where the timed trials were slower than the others
        assert row.steps == 8
        assert row.backend == "native"
        arithmetic = row.layers_ms + row.readout_ms + row.update_ms + row.evaluation_ms
        assert row.arithmetic == pytest.approx(arithmetic / total)


def test_a_warm_up_that_is_longer_than_the_timed_trial_is_cut() -> None:
    profile = small_profile()
    schedule = ScheduleSection(epoch_steps=1500, epochs=2, rule=RateRule.COSINE, warmup=2000)
    xml = replace(profile.tasks["xml"], schedule=schedule)
    rows = list(break_down(LIBRARY["tanh"].graph, replace(profile, tasks={"xml": xml}), 1))
    assert [row.steps for row in rows] == [8, 1500]


@pytest.mark.parametrize("output", Output)
def test_a_watched_step_is_the_same_step(output: Output) -> None:
    def model() -> SequenceModel:
        found = SequenceModel(LIBRARY["lstm"].graph, 16, 2, Interface.same(output, 5))
        found.initialise(1.0, torch.Generator().manual_seed(0))
        return found

    rng = np.random.default_rng(0)
    batch = draw_batch(rng, Interface.same(output, 5), 4, 3)
    plain, seen = (stepper_for(model()) for _ in range(2))
    with watched() as watch:
        step, score = seen.train(batch, 0.1, 1.0), seen.score(batch)
    assert step == plain.train(batch, 0.1, 1.0)
    assert_same_scores(score, plain.score(batch))
    assert torch.equal(seen.model.flat, plain.model.flat)
    assert set(watch.seconds) == {"mask", "layers", "readout", "update", "evaluation"}


def test_a_timed_task_reads_the_same_batches() -> None:
    task, watch = small_task("memorization"), Watch()
    timed = _timed(task, watch)
    for found, expected in zip(timed.evaluation(Split.TEST, 7, 9), task.evaluation(Split.TEST, 7, 9), strict=True):
        np.testing.assert_array_equal(found.inputs, expected.inputs)
    assert set(watch.seconds) == {"data"}


def test_bench_prints_the_parts_as_a_table_and_as_json(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text(small_profile().to_toml())
    arguments = ["tanh", "--trial", "--profile", str(file), "--repeats", "1"]
    result = CliRunner().invoke(bench, arguments)
    assert result.exit_code == 0, result.output
    title, heading, *rows, last = (line for line in result.output.splitlines() if not line.startswith("not shown"))
    assert title == "Trials of tanh: CPU milliseconds per training step, fastest of 1; one thread."
    assert heading.split()[0] == "task"
    assert [row.split()[0] for row in rows] == ["memorization", "xml"]
    assert last.startswith("Backend: native. Compiling the cell took up to ")
    assert "…" not in result.output
    assert max(map(len, result.output.splitlines())) <= 80
    rows = json.loads(CliRunner().invoke(bench, [*arguments, "--json"]).output)
    assert [set(row) for row in rows] == [{field.name for field in fields(Breakdown)}] * 2
