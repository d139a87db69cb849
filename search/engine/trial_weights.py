"""Weights of a stored trial for export: the trial is retrained under its own seed, since a run stores no weights."""

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from results.scores.estimates import picks
from results.scores.score import chance_of
from results.store.records import TrialRow
from results.store.sanitize import printable
from results.store.setting_key import setting_words
from results.store.store import Store
from search.cells.export.module import export_module
from search.core.errors import SearchError
from search.engine.budgets import stored_budget
from search.engine.cell_lookup import FoundCell
from search.engine.cell_origin import describe_origin
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_task_of
from search.training.model import SequenceModel
from search.training.settings import Setting
from search.training.trial import TrialResult
from search.training.weights import is_same, module_weights, network_of, retrain_trial, write_weights


@dataclass(frozen=True)
class StoredTrial:
    """Trial of a run, with all that is needed to retrain it."""

    cell: FoundCell
    task: str
    row: TrialRow
    run: str  # name of the run, printable; not its path, since exported files are passed on
    profile: Profile
    chance: float | None  # that the run's trials must exceed to go on; None if it stores none


@dataclass(frozen=True)
class RetrainedTrial:
    """Trial retrained under its own seed, with its model at the best epoch."""

    stored: StoredTrial
    result: TrialResult
    model: SequenceModel

    @cached_property
    def as_stored(self) -> bool:
        """True if the learning curve and the metric equal the stored ones, bit for bit."""
        return is_same(self.result, self.stored.row.curve, self.stored.row.validation)


def stored_trial(store: Store, cell: FoundCell, task: str, repeat: int) -> StoredTrial:
    """Return the best trial of a cell on a task by validation, or its trial of a later repeat at the same setting.

    Args:
        store: the store of the run.
        cell: the cell, whose graph is looked up by its id.
        task: name of a task of the run.
        repeat: 0 for the trial of the search; 1, 2, ... for those of a finalist.

    Raises:
        SearchError: the run is simulated, or has no such trial with a result.
    """
    if store.simulated:
        raise SearchError(f"run {store.name!r} is simulated: it trained no cell, so there are no weights to export")
    best = picks(store)
    own = best[(best["cell"] == cell.graph.id) & (best["task"] == task)]
    known = sorted(set(best["task"][best["cell"] == cell.graph.id]))
    if own.empty:
        hint = f"choose one of {', '.join(known)}" if known else "it has none at all"
        raise SearchError(f"cell {cell.label} has no result on {task!r} in run {store.name!r}; {hint}")
    row = store.trial(cell.graph.id, task, str(own["setting"].iloc[0]), repeat)
    if row is None or row.validation is None:
        raise SearchError(
            f"cell {cell.label} has no result of repeat {repeat} on {task!r} in run {store.name!r}; give 0"
        )
    return StoredTrial(cell, task, row, printable(store.name), profile_of(store), chance_of(store).get(task))


def retrain_stored(trial: StoredTrial) -> RetrainedTrial:
    """Retrain a stored trial; takes about as long as the trial did.

    Leaves PyTorch with one thread in this process, as every trial has.

    Raises:
        SearchError: the trial has no result this time.
        TaskError: its task cannot be built.
    """
    task = load_task_of(trial.profile, trial.task)
    setting, budget = Setting.from_key(trial.row.setting), stored_budget(trial.profile, trial.row)
    trained = retrain_trial(trial.cell.graph, task, setting, budget, trial.row.seed, trial.chance)
    if trained.model is None:
        raise SearchError(
            f"the retrained trial ended as {trained.result.state} ({trained.result.reason}), but the stored one had a "
            "result; use the versions of PyTorch and gatesearch that the run was made with"
        )
    return RetrainedTrial(trial, trained.result, trained.model)


def export_network(trained: RetrainedTrial, weights: Path, name: str | None = None) -> str:
    """Write the weights of a trial into a safetensors file, and return the module that loads them.

    The module's class has the given name, or one that derives from the cell's label.

    Raises:
        CellError: the cell cannot be exported.
        ResultsError: the file cannot be written, or the store of the cell's run is damaged.
    """
    stored, row, result = trained.stored, trained.stored.row, trained.result
    metric = row.metric.replace("_", " ")
    summary = (
        f"Trained on {stored.task} in run {stored.run}: {setting_words(row.setting)}, {row.units} units, "
        f"seed {row.seed}; {metric} {result.validation:.6g} on validation, {result.test:.6g} on test."
    )
    exported = export_module(
        stored.cell.formula,
        stored.cell.label,
        (*describe_origin(stored.cell), summary),
        network_of(trained.model, weights),
        name=name,
    )
    metadata = {
        "cell": stored.cell.graph.id,
        "run": stored.run,
        "task": stored.task,
        "setting": row.setting,
        "seed": str(row.seed),
        "repeat": str(row.repeat),
        "metric": row.metric,
        "validation": repr(result.validation),
        "test": repr(result.test),
        "as_stored": str(trained.as_stored).lower(),
        "gatesearch": version("gatesearch"),
    }
    write_weights(weights, module_weights(trained.model, exported.parameters), metadata)
    return exported.text
