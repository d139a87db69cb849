"""Rows and runs for the tests of this folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from results.store.records import CellRow, EvaluationRow, ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import COMPLETE
from search.cells.library import named_cell

GRU = named_cell("gru").graph.id
LSTM = named_cell("lstm").graph.id
TASKS = ("arithmetic", "music")
"""Two ranked tasks: an accuracy, and nats per step, where lower is better."""

ENVIRONMENTS = ("0a1b2c3d", "4e5f6071")

STATES = ("ok", "stopped", "at-chance", "behind", "diverged", "failed", "paused")


CONSTANTS = {
    "arithmetic": {"validation": 0.1, "test": 0.125},
    "music": {"validation": 8.0, "test": 7.0},
}
"""Metrics of the constant baseline, for runs that are ranked by gain."""

HALVING = """
[search]
allocation = "halving"
[halving]
eta = 3
rungs = 3
settings = [1, 1, 2]
seeds = 2
[tasks.arithmetic.schedule]
epoch_steps = 9
epochs = 10
[tasks.music.schedule]
epoch_steps = 18
epochs = 10
"""
"""A profile with three rungs, and further seeds on top."""


def make_store(folder: Path, profile: str = 'name = "quick"\n', **information: object) -> Store:
    return Store.create(
        folder,
        name="test",
        seed=7,
        profile=profile,
        strategy="study",
        window=4,
        information={"version": "1"} | information,
    )


def make_gain_store(folder: Path) -> Store:
    """Return a store of a run that is ranked by gain."""
    return make_store(folder, '[search]\nscore = "gain"\n', constants=CONSTANTS)


def make_cell(cell: str, **changes: object) -> CellRow:
    row = CellRow(
        id=cell,
        formula="z = sigmoid(linear(x) + linear(h))\nh' = z * x",
        name=None,
        parent=None,
        mutations=(),
        origin="found",
        proposal=0,
        nodes=7,
        states=1,
        products=2,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def make_baseline(name: str) -> CellRow:
    return make_cell(named_cell(name).graph.id, name=name, origin="baseline", proposal=None)


def make_trial(cell: str, task: str = TASKS[0], setting: int = 0, **changes: object) -> TrialRow:
    row = TrialRow(
        cell=cell,
        task=task,
        setting=json.dumps({"learning_rate": setting, "layers": 1 + setting % 2}),
        repeat=0,
        seed=1,
        state="ok",
        reason="",
        metric="accuracy" if task != "music" else "nats_per_step",
        higher_is_better=task != "music",
        validation=0.5,
        validation_se=0.01,
        test=0.45,
        test_se=0.02,
        validation_loss=1.5,
        test_loss=1.75,
        best_step=80,
        steps=100,
        seconds=2.5,
        parameters=1000,
        units=16,
        curve=((50, 2.0, 0.25), (100, 1.5, 0.5)),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def make_evaluation(cell: str, task: str = TASKS[0], **changes: object) -> EvaluationRow:
    row = EvaluationRow(
        proposal=0,
        cell=cell,
        task=task,
        stage=1,
        settings=2,
        best=0.5,
        ratio=0.95,
        threshold=0.9,
        passed=True,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def make_halved_store(folder: Path) -> Store:
    """Return a run with four candidates: C stops at the first rung, B and D wait, A goes to the top.

    Whole trainings are 90 steps of arithmetic and 180 of music, so the marks are 10, 30 and 20, 60.
    """
    a, b, c, d = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)
    store = make_store(folder, HALVING)
    store.add_cell(make_baseline("gru"))
    for k, cell in enumerate((a, b, c, d)):
        store.add_cell(make_cell(cell, parent=GRU, proposal=k))
    for row in (
        ProposalRow(-1, "baseline", GRU, None, COMPLETE, 1.0),
        ProposalRow(0, "propose", a, GRU, "paused at rung 1", None),
        ProposalRow(1, "propose", b, GRU, "paused at rung 1", None),
        ProposalRow(2, "propose", c, GRU, "stopped at arithmetic", None),
        ProposalRow(3, "promote", a, None, "paused at rung 2", None),
        ProposalRow(4, "initial", d, None, "paused at rung 1", None),
        ProposalRow(5, "propose", None, GRU, "no valid child", None),
        ProposalRow(6, "promote", a, None, COMPLETE, 1.25),
        ProposalRow(7, "promote", a, None, COMPLETE, 1.125),
    ):
        store.add_proposal(row)
    trials = [
        make_trial(GRU, "arithmetic", 0, steps=90, parameters=100, seconds=90.0, proposal=-1),
        make_trial(GRU, "music", 0, steps=160, parameters=200, seconds=320.0, proposal=-1),
        make_trial(GRU, "memorization", 0, steps=50, parameters=100, seconds=50.0, proposal=-1),
        make_trial(GRU, "music", 0, repeat=-1, steps=180, parameters=200, seconds=360.0),
        make_trial(a, "arithmetic", 0, steps=90, parameters=100, seconds=90.0, proposal=0),
        make_trial(a, "arithmetic", 1, steps=90, parameters=100, seconds=180.0, proposal=6),
        make_trial(a, "music", 0, steps=60, parameters=200, seconds=120.0, proposal=0, state="paused"),
        make_trial(a, "music", 2, steps=180, parameters=200, seconds=360.0, proposal=3),
        make_trial(a, "music", 2, repeat=-1, steps=180, parameters=200, seconds=360.0, proposal=7),
        make_trial(a, "music", 2, repeat=1, steps=180, parameters=200, seconds=360.0),  # of a finalist
        make_trial(b, "arithmetic", 0, steps=10, parameters=100, seconds=10.0, proposal=1, state="paused"),
        make_trial(b, "music", 0, steps=20, parameters=200, seconds=40.0, proposal=1, state="paused"),
        make_trial(c, "arithmetic", 0, steps=10, parameters=100, seconds=10.0, proposal=2, state="paused"),
        make_trial(d, "arithmetic", 0, steps=10, parameters=100, seconds=10.0, proposal=4, state="paused"),
        make_trial(d, "music", 0, steps=20, parameters=200, seconds=40.0, proposal=4, state="paused"),
    ]
    store.record(None, trials)
    return store


def random_run(rng: np.random.Generator, cells: int = 40) -> tuple[list[CellRow], list[TrialRow], list[ProposalRow]]:
    """Return a run with ties, diverged trials, metrics that are not finite, and cells that stopped at every stage."""
    rows = [make_baseline("gru"), make_baseline("lstm")]
    trials: list[TrialRow] = []
    proposals: list[ProposalRow] = []
    for k in range(cells):
        parent = rows[rng.integers(len(rows))].id
        rows.append(make_cell(rng.bytes(8).hex(), parent=parent, proposal=k))
    for k, row in enumerate(rows, start=-2):
        depth = 3 if row.origin == "baseline" else int(rng.integers(4))  # 0: stopped at memorization
        for task in ("memorization", *TASKS)[: depth + 1]:
            for setting in range(rng.integers(1, 6)):
                for repeat in range(rng.integers(1, 3)):
                    good = row.id == GRU and task in TASKS and setting + repeat == 0
                    state = "ok" if good else str(rng.choice(STATES))
                    value = float(rng.choice([np.nan, np.inf, -np.inf, *rng.integers(1, 9, 9) / 8]))
                    trials.append(
                        make_trial(
                            row.id,
                            task,
                            setting,
                            repeat=repeat,
                            state=state,
                            validation=0.75 if good else value,
                            validation_se=float(rng.choice([np.nan, 0.01, 0.02])),
                            test=float(rng.random()),
                            parameters=int(rng.integers(1, 4)) * 100,
                            steps=int(rng.integers(1, 100)),
                            seconds=float(rng.random()),
                            environment=str(rng.choice(ENVIRONMENTS)) if state != "failed" else None,
                        )
                    )
        outcome = ("stopped at memorization", "stopped at arithmetic", "stopped at music", COMPLETE)[depth]
        proposals.append(ProposalRow(k, "propose" if k >= 0 else "baseline", row.id, row.parent, outcome, None, {}))
    return rows, trials, proposals


def fill(store: Store, cells: list[CellRow], trials: list[TrialRow], proposals: list[ProposalRow]) -> None:
    for cell in cells:
        store.add_cell(cell)
    for environment in ENVIRONMENTS:
        store.add_environment(environment, json.dumps({"cpu": environment}))
    store.record(None, trials)
    for proposal in proposals:
        store.add_proposal(proposal)
