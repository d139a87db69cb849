"""Repetition of a run's trial: the same setting, seed, budget and data, but for what the user changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import torch

from results.scores.estimates import picks
from results.scores.score import chance_of
from results.store.records import TrialRow
from results.store.store import Store
from search.cells.graph import GateGraph
from search.core.ranges import MAX_SEED, check_whole
from search.engine.budgets import stored_budget
from search.engine.single import Overrides, SingleTrial, check_overrides, overridden, trained_for
from search.profiles.fields import Scalar
from search.profiles.sections import Profile
from search.profiles.tasks import load_named_task, section_of
from search.training.settings import Setting
from search.training.trial import Point, TrialResult, train_trial
from search.training.weights import is_same


@dataclass(frozen=True)
class Repetition:
    """Trial of a run, ready to be trained again.

    Attributes:
        trial: its task, setting and budget, changes included.
        row: the stored trial.
        seed: seed of the trial itself, changes included.
        chance: metric that the run's trials must exceed to go on; None if it stores none.
        changed: what is not the run's, in words; empty if the stored numbers are to be expected again.
    """

    trial: SingleTrial
    row: TrialRow
    seed: int
    chance: float | None
    changed: tuple[str, ...]

    def train(self, graph: GateGraph, on_epoch: Callable[[Point], None] | None = None) -> TrialResult:
        """Train the trial, as `SingleTrial.train` does."""
        torch.set_num_threads(1)
        return train_trial(
            graph,
            self.trial.task,
            self.trial.setting,
            self.trial.budget,
            self.seed,
            chance=self.chance,
            on_epoch=on_epoch,
        )

    def is_repeated(self, result: TrialResult) -> bool:
        """Return whether a result has the stored learning curve and metric, bit for bit."""
        return is_same(result, self.row.curve, self.row.validation)


def repetition_of(
    store: Store,
    profile: Profile,
    cell: str,
    task: str,
    *,
    overrides: Overrides,
    options: Mapping[str, Scalar],
    seed: int | None,
) -> Repetition | None:
    """Return the trial of the search that the table shows of a cell on a task; None if the run has trained none.

    Args:
        store: store of the run.
        profile: profile of the run.
        cell: whole id of the cell.
        task: name of a task of the profile.
        overrides: values to use instead of the trial's.
        options: arguments of the task's constructor, on top of the profile's.
        seed: seed to derive the trial's from, as `train` does; None for the stored one.

    Raises:
        SearchError: a value is out of range.
        TaskError: the task cannot be built.
        StoreError: the store cannot be read.
    """
    check_overrides(overrides)
    best = picks(store)
    own = best[(best["cell"] == cell) & (best["task"] == task)]
    if own.empty or store.simulated:
        return None
    row = store.trial(cell, task, str(own["setting"].iloc[0]), 0)
    if row is None:
        return None
    setting, section = Setting.from_key(row.setting), section_of(profile, task)
    chosen = overridden(setting, profile.grid_of(section), overrides)
    budget = stored_budget(profile, row)
    trial = trained_for(load_named_task(profile, task, options), chosen, budget, overrides)
    changed = [field.name.replace("_", " ") for field in fields(Setting) if _differ(setting, chosen, field.name)]
    changed += [name.replace("_", " ") for name in ("epochs", "epoch_steps") if _differ(budget, trial.budget, name)]
    if store.data_checksums.get(task, trial.task.checksum) != trial.task.checksum:
        changed.append("data")
    used = row.seed
    if seed is not None:
        used = trial.seed_of(cell, check_whole("seed", seed, 0, MAX_SEED))
        changed += ["seed"] if used != row.seed else []
    return Repetition(trial, row, used, chance_of(store).get(task), tuple(changed))


def _differ(one: object, other: object, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))
