"""Runs with a known truth: test metrics drawn around given advantages of the cells."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import COMPLETE
from tests.test_results.rows import make_baseline, make_cell, make_trial

TASKS = ("arithmetic", "xml", "language", "music")
NAMES = ("tanh", "lstm", "lstm-f", "lstm-i", "lstm-o", "lstm-b", "lstm-ob", "gru", "mut1")
STUDY = {
    "tanh": -0.3,
    "lstm-f": -0.3,
    "lstm-i": -0.1,
    "lstm-o": -0.05,
    "lstm": 0.0,
    "lstm-b": 0.051,
    "lstm-ob": 0.0,
    "gru": 0.05,
    "mut1": 0.03,
}
"""Advantage of a cell over the LSTM, as a share; on language GRU, lstm-b and mut1 equal the LSTM."""


Truth = Mapping[str, float]
FOUND = "f" * 16


def make_run(
    folder: Path,
    truth: Truth,
    repeats: int = 6,
    noise: float = 0.002,
    found: float | None = None,
    seed: int = 0,
    exceptions: Mapping[str, Truth] | None = None,
    confirmed: bool = False,
) -> Store:
    """Make a run in which the cells' test metrics are those of `truth`, with noise of seeds and trials.

    `exceptions` has other truths by task. With `confirmed`, the found cell, the GRU and the LSTM have six more seeds.
    """
    store = Store.create(folder, name="x", seed=0, profile="", strategy="paper", window=1, information={})
    rng = np.random.default_rng(seed)
    later = np.random.default_rng(seed + 1000).normal(0, 0.02, (len(TASKS), 6))
    shared = np.hstack((rng.normal(0, 0.02, (len(TASKS), repeats)), later))
    rows = [make_baseline(name) for name in truth]
    if found is not None:
        rows.append(make_cell(FOUND))
    for k, row in enumerate(rows):
        store.add_cell(row)
        store.add_proposal(ProposalRow(k, "baseline", row.id, None, COMPLETE, 1.0))
        for t, task in enumerate(TASKS):
            share = found if row.name is None and found is not None else truth[row.name or ""]
            if task == "language" and row.name in ("gru", "lstm-b", "mut1"):
                share = 0.0
            share = (exceptions or {}).get(task, {}).get(row.name or "", share)
            value = 0.5 * (1 + share) if task != "music" else 8.0 / (1 + share)
            again = confirmed and (row.name in ("gru", "lstm") or row.name is None)
            places = [*range(repeats), *(range(repeats, repeats + 6) if again else ())]
            tests = value * (1 + shared[t][places] + rng.normal(0, noise, len(places)))
            search = make_trial(row.id, task, validation=value, seconds=10.0)
            store.record(None, [search])
            store.record(
                None,
                [
                    replace(search, repeat=r, seed=r, test=float(test), seconds=2.0)
                    for test, r in zip(tests, (*range(1, repeats + 1), *range(1001, 1007)), strict=False)
                ],
            )
    if repeats:
        store.mark(retrained={"repeats": repeats, "constant_guess": dict.fromkeys(TASKS, 0.1)})
    if confirmed:
        settings = {row.id: {task: make_trial(row.id, task).setting for task in TASKS} for row in rows}
        plans = [{"cell": FOUND, "task": task, "looks": [3, 6]} for task in TASKS]
        constants = dict.fromkeys(TASKS, 0.1)
        store.mark(confirmation={"level": 0.05, "plans": plans, "settings": settings, "constant_baseline": constants})
    return store
