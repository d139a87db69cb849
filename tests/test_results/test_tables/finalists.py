"""Finalists of a run as rows of its store, and what plain loops need to check them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from results.store.records import ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import COMPLETE
from tests.test_results.rows import (
    TASKS,
    make_baseline,
    make_cell,
    make_trial,
)


def pick(trials: list[TrialRow], cell: str, task: str) -> TrialRow | None:
    """Return the best trial of a cell on a task, by a plain loop."""
    best, lowest = None, (math.inf, 0, "", 0)
    for trial in trials:
        if trial.cell != cell or trial.task != task or trial.state in ("diverged", "failed", "paused"):
            continue
        if trial.repeat > 0:  # a finalist's trial, not the search's
            continue
        if trial.validation is None or not math.isfinite(trial.validation):
            continue
        sign = -1 if trial.higher_is_better else 1
        key = (sign * trial.validation, trial.parameters, trial.setting, trial.repeat)
        if key < lowest:
            best, lowest = trial, key
    return best


def make_finalists(store: Store, rng: np.random.Generator, repeats: int = 4) -> dict[str, dict[str, list[TrialRow]]]:
    """Make a run with five finalists, of which one was found, and another cell; return the repeats by task and cell."""
    cells = [
        *(make_baseline(name) for name in ("gru", "lstm")),
        *(make_cell(digit * 16, origin="found" if digit == "c" else "baseline") for digit in "abc"),
    ]
    found: dict[str, dict[str, list[TrialRow]]] = {task: {} for task in TASKS}
    noise = {task: rng.normal(0, 0.02, repeats) for task in TASKS}  # of the seed: shared by all cells
    for k, cell in enumerate([*cells, make_cell("d" * 16)]):
        store.add_cell(cell)
        store.add_proposal(ProposalRow(k, "propose", cell.id, None, COMPLETE, 1.0))
        for task in TASKS:
            search = [make_trial(cell.id, task, s, validation=float(rng.random()), units=32) for s in range(3)]
            store.record(None, search)
            if cell.id.startswith("d"):
                continue
            best = pick(search, cell.id, task)
            assert best is not None
            tests = 0.5 + (k - 2) * 0.05 + noise[task] + rng.normal(0, 0.001, repeats)
            found[task][cell.id] = [
                replace(best, repeat=r, seed=r, test=float(test), validation=0.1) for r, test in enumerate(tests, 1)
            ]
    lost = found["arithmetic"]["b" * 16]
    lost[1] = replace(lost[1], state="diverged", test=None)
    for task in TASKS:
        for trials in found[task].values():
            store.record(None, trials)
    store.mark(retrained={"repeats": repeats, "constant_guess": {"arithmetic": 0.2, "music": 9.0}})
    return found


def named(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows by name or, for found cells, by the first digits of the id."""
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return {row["cell"] if pd.isna(row["name"]) else row["name"]: row for row in rows}


def holm_by_loop(values: list[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda k: values[k])
    corrected, largest = [0.0] * len(values), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, values[k] * (len(values) - place)))
        corrected[k] = largest
    return corrected
