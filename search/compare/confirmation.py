"""Confirmation of incumbents: each is trained on fresh seeds at its best settings, beside the GRU.

A search's own score of its incumbent is the best of many trials, so it is biased upwards, and the more so the more
cells the search has tried. Incumbents of all searches are therefore trained again, on the same seeds, and scored on the
test set.
A trial is a function of cell, task, setting and seed: an incumbent that several searches have in common is trained
once. The trials are kept in a store of their own, in the folder `confirmation` of the comparison.

The GRU's setting is, on each task, the one with the best mean validation over the searches that tried it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from results.scores.estimates import GRU, TEST
from results.scores.ratio import Floats, gain
from results.scores.score import constants_of, share_of_means
from results.store.graphs import graph_of
from results.store.store import FILE, Store
from search.cells.ids import short_id
from search.compare.incumbents import Incumbent
from search.core.errors import SearchError
from search.engine.fresh_trials import FreshTrial, is_stored, train_fresh
from search.engine.ledger import given_uses
from search.engine.provenance import levels, provenance
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor
from tasks.task import Task

FOLDER = "confirmation"
"""Name of the folder of the confirmation's store."""


@dataclass(frozen=True)
class Confirmed:
    """Confirmed score of an incumbent.

    Attributes:
        score: smallest share, over the ranked tasks, of the GRU's mean test result over the seeds.
        error: standard error of that share over the seeds.
        task: task that has it.
    """

    score: float
    error: float
    task: str


@contextmanager
def confirmation_store(
    folder: Path, profile: Profile, tasks: Mapping[str, Task], simulation: dict[str, object] | None, seed: int
) -> Iterator[Store]:
    """Open the store of the confirmation, or create it with this seed, and keep other processes out.

    Trials of a confirmation have seeds of their own kind, so they are fresh for searches of any seed.

    Raises:
        StoreError: the store cannot be written, or another process writes to it.
    """
    path = folder / FOLDER
    if (path / FILE).is_file() and (path / FILE).stat().st_size:
        store = Store.open(path)
    else:
        information = provenance(tasks) | levels(tasks, simulated=simulation is not None)
        if simulation is not None:
            information["simulated"] = simulation
        store = Store.create(
            path,
            name=FOLDER,
            seed=seed,
            profile=profile.to_toml(),
            strategy=profile.search.strategy,
            window=profile.search.window,
            information=information,
        )
    with store, store.lock():
        yield store


def reference_settings(stores: Iterable[Store], tasks: Mapping[str, Task], ranked: Iterable[str]) -> dict[str, str]:
    """Return the GRU's setting on each ranked task: the best mean validation over the searches that tried it.

    Raises:
        StoreError: a store cannot be read.
    """
    values: dict[str, dict[str, dict[int, float]]] = {task: defaultdict(dict) for task in ranked}
    for store in stores:
        for use in given_uses(profile_of(store), store.seed, store):
            row = store.trial(use.cell, use.task, use.setting, use.repeat)
            if use.cell == GRU and use.task in values and row is not None and row.validation is not None:
                values[use.task][use.setting][store.seed] = row.validation  # the same in all searches of a seed
    found = {}
    for task, settings in values.items():
        sign = -1.0 if tasks[task].metric.higher_is_better else 1.0
        means = {key: sign * float(np.mean(list(seeds.values()))) for key, seeds in settings.items()}
        found[task] = min(means, key=lambda key, m=means: (m[key], Setting.from_key(key)))  # type: ignore[misc]
    return found


def confirm_incumbents(
    store: Store,
    sources: Mapping[str, Store],
    wanted: Iterable[Incumbent],
    reference: Mapping[str, str],
    profile: Profile,
    tasks: Mapping[str, Task],
    executor: Executor,
    repeats: int,
    *,
    simulation: Simulation | None = None,
    on_trial: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train the trials of all incumbents and of the GRU that the store does not have.

    Args:
        store: store of the confirmation.
        sources: for each cell, a store that has it.
        wanted: the incumbents.
        reference: the GRU's setting on each ranked task.
        profile: profile with the training schedules.
        tasks: memorization and every task, by name.
        executor: trains the trials.
        repeats: number of seeds.
        simulation: draws the results of trials instead of training them.
        on_trial: called with the number of finished trials and of all, after each trial and at the start.

    Raises:
        StoreError: a store cannot be read or written.
        TaskError: a trial failed in the code of its task.
    """
    pairs = {(GRU, task, setting) for task, setting in reference.items()}
    pairs |= {(i.cell, task, setting) for i in wanted if i.cell != GRU for task, setting in i.settings.items()}
    graphs = {}
    for cell in sorted({cell for cell, _, _ in pairs}):
        row = sources[cell].cell(cell)
        store.add_cell(replace(row, parent=None, mutations=(), proposal=None))
        graphs[cell] = graph_of(row)
    every: list[FreshTrial] = [
        (graphs[cell], task, Setting.from_key(setting), repeat)
        for repeat in range(1, repeats + 1)  # outermost, so that an interruption leaves whole repeats
        for cell, task, setting in sorted(pairs)
    ]
    missing = [trial for trial in every if not is_stored(store, trial)]
    done = len(every) - len(missing)
    on_trial(done, len(every))

    def count(task: str, result: TrialResult) -> None:
        nonlocal done
        done += 1
        on_trial(done, len(every))

    train_fresh(profile, store.seed, tasks, store, executor, missing, simulation=simulation, on_trial=count)


def constants_for(store: Store, split: str, profile: Profile) -> dict[str, float]:
    """Return the constant baselines of a confirmation on the ranked tasks.

    Raises:
        SearchError: the store lacks one; every confirmation is made with them.
    """
    known = constants_of(store, split)
    for task in profile.ranked:
        if task not in known:
            raise SearchError(f"{store.folder} lacks the constant baseline of {task!r} ({split}); the store is damaged")
    return known


class Confirmations:
    """Confirmed scores, from the trials of the confirmation's store.

    Raises:
        SearchError: a trial is missing; or the GRU has no gain over the constant baseline on a task, so nothing can be
            compared with it.
    """

    def __init__(
        self, store: Store, profile: Profile, tasks: Mapping[str, Task], reference: Mapping[str, str], repeats: int
    ) -> None:
        self.store, self.profile, self.reference, self.repeats = store, profile, reference, repeats
        self._higher = {name: tasks[name].metric.higher_is_better for name in profile.ranked}
        self._constants = constants_for(store, TEST, profile)
        self._known: dict[tuple[str, str, str], Floats] = {}
        for task in profile.ranked:
            found, constant = float(np.mean(self._reference(task))), self._constants[task]
            if not float(gain(found, constant, self._higher[task])) > 0:
                raise SearchError(
                    f"the GRU's mean test result on {task!r} over {repeats} fresh seeds is {found:.4g}, no better than "
                    f"the constant baseline's {constant:.4g}; raise epochs or epoch_steps of {task!r} in the profile"
                )

    def of(self, incumbent: Incumbent) -> Confirmed:
        """Return the confirmed score of an incumbent. Raise `SearchError` if one of its trials is missing."""
        if incumbent.cell == GRU:
            return Confirmed(1.0, 0.0, self.profile.ranked[0])  # at whichever setting: it is the reference itself
        found = []
        for task in self.profile.ranked:
            own, reference = self._values(incumbent.cell, task, incumbent.settings[task]), self._reference(task)
            share, error = share_of_means(
                self.profile.search.score, own, reference, self._constants[task], self._higher[task]
            )
            found.append((share, error, task))
        return Confirmed(*min(found))

    def _reference(self, task: str) -> Floats:
        return self._values(GRU, task, self.reference[task])

    def _values(self, cell: str, task: str, setting: str) -> Floats:
        """Return the test metrics by seed; a trial that diverged or failed counts as the constant baseline."""
        key = cell, task, setting
        if key not in self._known:
            rows = {row.repeat: row for row in self.store.repeats(cell, task, setting)}
            repeats = range(1, self.repeats + 1)
            if missing := [repeat for repeat in repeats if repeat not in rows]:
                raise SearchError(
                    f"cell {short_id(cell)} led a search, but its trial {missing[0]} on {task!r} is not stored; "
                    "continue the comparison with --resume"
                )
            tests = [rows[repeat].test for repeat in repeats]
            self._known[key] = np.array([self._constants[task] if test is None else test for test in tests])
        return self._known[key]
