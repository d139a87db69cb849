"""Runs with a known truth: test metrics drawn around given advantages of the cells."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import COMPLETE
from search.cells.library import LIBRARY
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
    profile: str = "",
) -> Store:
    """Make a run in which the cells' test metrics are those of `truth`, with noise of seeds and trials.

    `exceptions` has other truths by task.
    """
    store = Store.create(folder, name="x", seed=0, profile=profile, strategy="paper", window=1, information={})
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.02, (len(TASKS), repeats))
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
            tests = value * (1 + shared[t] + rng.normal(0, noise, repeats))
            search = make_trial(row.id, task, validation=value, seconds=10.0)
            store.record(None, [search])
            store.record(
                None,
                [
                    replace(search, repeat=r, seed=r, test=float(test), seconds=2.0)
                    for r, test in enumerate(tests, start=1)
                ],
            )
    if repeats:
        store.mark(retrained={"repeats": repeats, "constant_guess": dict.fromkeys(TASKS, 0.1)})
    return store


def confirm(store: Store, truth: Truth, seeds: int = 6, noise: float = 0.002) -> None:
    """Declare the found cell as a contender with one look, and store its trials beside the GRU's and the LSTM's."""
    rng = np.random.default_rng(1)
    ids = {FOUND: FOUND, "gru": LIBRARY["gru"].graph.id, "lstm": LIBRARY["lstm"].graph.id}
    settings: dict[str, dict[str, str]] = {}
    for task in TASKS:
        shared = rng.normal(0, 0.02, seeds)
        for name, cell in ids.items():
            search = store.trials(cell, task)[0]
            settings.setdefault(cell, {})[task] = search.setting
            value = 0.5 * (1 + truth[name]) if task != "music" else 8.0 / (1 + truth[name])
            tests = value * (1 + shared + rng.normal(0, noise, seeds))
            store.record(None, [replace(search, repeat=1001 + r, test=float(test)) for r, test in enumerate(tests)])
    plans = [{"cell": FOUND, "task": task, "looks": [seeds]} for task in TASKS]
    constants = {task: 0.1 if task != "music" else 20.0 for task in TASKS}
    store.mark(
        constants={task: {"test": value} for task, value in constants.items()},
        confirmation={"level": 0.05, "plans": plans, "settings": settings, "constant_baseline": constants},
    )
