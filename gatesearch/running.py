"""Runs of the public API: load one, search, and train one cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gatesearch.library import Cell, cell
from results.run import Run
from results.run import load as load_run
from results.store.runs import existing_run, new_run_folder
from search.core.errors import SearchError
from search.engine.observer import ProgressObserver
from search.engine.progress import Progress
from search.engine.run import resume_search, run_search
from search.engine.single import Overrides, plan_trial
from search.profiles.changes import changed_profile
from search.profiles.loading import load_profile
from search.training.simulation import Simulation
from search.training.trial import Point, TrialResult
from tasks.task import Task


def load(run: str | Path) -> Run:
    """Read a run into pandas frames: `cells`, `trials`, `proposals`, `evaluations`, `curves`, and `leaderboard()`.

    The run may still be in progress; all frames are of one moment.

    Args:
        run: path of the run's folder, or its name in the folder of runs (`GATESEARCH_RUNS`, or `results/runs`).

    Raises:
        ResultsError (a ValueError): there is no such run, or its store cannot be read.

    >>> import gatesearch
    >>> made = gatesearch.search("loaded", proposals=8, simulate=True)
    >>> run = gatesearch.load("loaded")
    >>> len(run.proposals) == 8 + 13  # proposals and named cells
    True
    >>> run.leaderboard().loc[lambda table: table["name"] == "gru", "score"].item()
    1.0
    """
    return load_run(run)


def search(
    name: str,
    *,
    profile: str | Path = "quick",
    seed: int = 0,
    proposals: int | None = None,
    strategy: str | None = None,
    tasks: Sequence[str] | None = None,
    own_tasks: Sequence[str] = (),
    data: Mapping[str, str | Path] | None = None,
    seed_cells: Mapping[str, Cell | str | Path] | None = None,
    workers: int = 0,
    address: str | None = None,
    simulate: bool = False,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run a search to its end, and return what `load` returns. It is the same as the command `gatesearch search`.

    Ctrl-C stops the search and keeps its trials; `search(name, resume=True)` continues it. The table of a search is a
    function of profile and seed, whatever the number of workers.

    Args:
        name: name of the run in the folder of runs, or a path with a slash.
        profile: name of a shipped profile (quick, evening, overnight, discover, paper, baselines), or a TOML file.
        seed: seed of the search, 0 to 2**63 - 1.
        proposals: number of proposals; the profile's if None.
        strategy: name of the strategy; the profile's if None.
        tasks: tasks of the profile to keep, in the order of the stages; all if None.
        own_tasks: tasks to add, each as `package.module:Class`; only these are imported.
        data: files or folders that tasks read, by task.
        seed_cells: cells to add to those that the search starts from, by name; each as `cell` takes it.
        workers: worker processes on this machine; 0 trains in this process.
        address: address of a Ray cluster, HOST:PORT or auto; takes precedence over `workers`.
        simulate: draw the results of trials instead of training them, to test a profile.
        resume: continue the run `name`; it keeps its profile, seed and cells, so of the other arguments only
            `proposals`, `own_tasks` (those that may be imported), `data` (files that were moved), `workers`, `address`
            and `on_progress` are used.
        on_progress: called after each trial with the counts so far.

    Raises:
        SearchError, TaskError, CellError, ResultsError (all ValueErrors): an argument is invalid, the run exists, or
            it cannot be written. The message is one line with the remedy.

    >>> import gatesearch
    >>> run = gatesearch.search("first", tasks=["xml", "music"], proposals=20, seed=1, simulate=True)
    >>> run.tasks
    ('xml', 'music')
    """
    for label, names in (("tasks", tasks), ("own_tasks", own_tasks)):
        if isinstance(names, str):  # a sequence of letters
            raise SearchError(f"{label} is the text {names!r}; give a list of names, as [{names!r}]")
    folder = existing_run(name) if resume else new_run_folder(name)
    observer = ProgressObserver(on_progress)
    if resume:
        resume_search(
            folder,
            proposals=proposals,
            trusted=own_tasks,
            data=data,
            workers=workers,
            address=address,
            observer=observer,
        )
        return load_run(folder)
    chosen = changed_profile(
        str(profile),
        strategy=strategy,
        proposals=proposals,
        tasks=tasks,
        own_tasks=own_tasks,
        data=data,
        seed_cells={label: cell(source).graph for label, source in (seed_cells or {}).items()},
    )
    simulation = Simulation() if simulate else None
    run_search(folder, chosen, seed=seed, simulation=simulation, workers=workers, address=address, observer=observer)
    return load_run(folder)


def train(
    source: Cell | str | Path,
    task: Task | str,
    *,
    profile: str | Path = "quick",
    seed: int = 0,
    scale: float | None = None,
    learning_rate: float | None = None,
    max_norm: float | None = None,
    layers: int | None = None,
    parameter_budget: int | None = None,
    optimiser: str | None = None,
    weight_decay: float | None = None,
    dropout: float | None = None,
    variational: bool | None = None,
    tied: bool | None = None,
    epochs: int | None = None,
    epoch_steps: int | None = None,
    on_epoch: Callable[[Point], None] | None = None,
) -> TrialResult:
    """Train a cell on a task once, and return the result. It is the same as the command `gatesearch train`.

    Values that are None come from the profile: the middle value of each list of its grid.

    Args:
        source: the cell, as `cell` takes it.
        task: a task, or the name of one, or `package.module:Class`.
        profile: name of a shipped profile, or a TOML file.
        seed: seed of the initial weights and of the training data.
        scale: weights are drawn from U[-s, s] with s = scale / sqrt(units).
        learning_rate: for a loss averaged over the batch and summed over time.
        max_norm: longest gradient; longer ones are scaled down to it.
        layers: number of layers.
        parameter_budget: number of parameters that the number of units is derived from.
        optimiser: "sgd", "adam" or "adamw"; each has learning rates of its own in the profile.
        weight_decay: of "adamw".
        dropout: share of the inputs of layers, and of the outputs, that each training step leaves out.
        variational: whether dropout is the same at every step of a window, and leaves out recurrent units too.
        tied: whether the readout has the matrix of the embedding, in a task of symbols.
        epochs: most epochs.
        epoch_steps: training steps per epoch.
        on_epoch: called after each epoch with the new point of the learning curve.

    Returns:
        The result: `state`, `validation` and `test` (in the task's metric), their standard errors, `curve`, `units`
        and more. The metrics are None if the trial diverged or failed; `reason` says why.

    Raises:
        SearchError, TaskError, CellError (all ValueErrors): an argument is invalid.

    >>> import gatesearch
    >>> result = gatesearch.train("gru", "arithmetic", epochs=1, epoch_steps=5)
    >>> len(result.curve), result.steps
    (1, 5)
    """
    overrides = Overrides(
        scale,
        learning_rate,
        max_norm,
        layers,
        parameter_budget,
        epochs,
        epoch_steps,
        optimiser,
        weight_decay,
        dropout,
        variational,
        tied,
    )
    plan = plan_trial(load_profile(str(profile)), task, overrides)
    return plan.train(cell(source).graph, seed, on_epoch)
