"""Comparison of search methods at equal compute, from a plan to tables, a figure and a page in one folder.

    FOLDER/plan.toml           the plan with its profile written out
    FOLDER/METHOD-SEED/        one ordinary run for each method and seed
    FOLDER/confirmation/       trials of the incumbents on fresh seeds
    FOLDER/incumbents.csv      each incumbent of each search, with its confirmed score
    FOLDER/comparison.csv      one row for each method and checkpoint of compute
    FOLDER/methods.csv         one row for each method
    FOLDER/pairs.csv           one row for each pair and measure
    FOLDER/comparison.svg      the curves
    FOLDER/comparison.md       the page

All of it is a function of the plan, but for durations. Whatever was finished is kept if the process is killed, and
calling `compare` again with `resume` continues.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from results.report.methods_page import FIGURE_FILE, figure, page
from results.scores.anytime import Course
from results.store.errors import one_line
from results.store.files import write_atomically
from results.store.sanitize import csv_text
from results.store.store import Store
from results.tables.methods import (
    Compared,
    MethodFigures,
    SearchFigures,
    curve_table,
    method_table,
    pair_table,
)
from search.cells.ids import printed_id, short_id, without_letter
from search.cells.library import LIBRARY, REFERENCE, label_of
from search.compare.confirmation import FOLDER as CONFIRMATION
from search.compare.confirmation import (
    Confirmations,
    confirm_incumbents,
    confirmation_store,
    reference_settings,
)
from search.compare.incumbents import Measured, Trajectory, trajectory
from search.compare.observer import CompareObserver
from search.compare.plan import Plan, base_profile, parse_plan
from search.compare.runs import SearchRun, run_searches, searches_of
from search.core.errors import BudgetError, SearchError
from search.core.processors import usable_processors
from search.core.ranges import MAX_WORKERS, check_whole
from search.engine.budgets import budgets
from search.engine.progress import Progress
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.training.compute import data_size, matrix_groups, model_products, trial_compute
from search.training.model import units_for
from search.workers.executor import Executor, make_executor
from tasks.task import Task

PLAN_FILE = "plan.toml"
PAGE_FILE = "comparison.md"


@dataclass(frozen=True)
class _Searched:
    run: SearchRun
    trajectory: Trajectory


def training_compute(profile: Profile, tasks: Mapping[str, Task]) -> float:
    """Return the multiply-adds of one training of the GRU on every ranked task.

    It is a whole schedule at the middle setting of the task's grid: the unit of a plan's `trainings`.

    Raises:
        SearchError: no size of the GRU fits the middle setting of a task.
        TaskError: the data of a task cannot be read.
    """
    graph, total = LIBRARY[REFERENCE].graph, 0.0
    for name in profile.ranked:
        task, budget = tasks[name], budgets(profile)[name]
        setting = profile.grid_of(profile.tasks[name]).middle
        try:
            units = units_for(graph, setting, task.interface)
        except BudgetError as error:
            raise SearchError(f"task {name!r}: {error}; give its section more parameters") from error
        model = model_products(matrix_groups(graph), units, setting.layers, task.interface)
        data = data_size(task, budget.batch, budget.unroll)
        total += trial_compute(model, data, budget.steps, budget.epochs, True)
    return total


def compute_of(plan: Plan, profile: Profile, tasks: Mapping[str, Task]) -> tuple[float, float]:
    """Return the multiply-adds of each search of a plan, and those of one training. Raises as `training_compute`."""
    training = training_compute(profile, tasks)
    return plan.compute or plan.trainings * training, training


def compare(
    folder: Path,
    plan: Plan,
    *,
    resume: bool = False,
    load: Callable[[Profile], Mapping[str, Task]] = load_tasks,
    executor: Executor | None = None,
    workers: int | None = None,
    address: str | None = None,
    command: Sequence[str] = (),
    observer: CompareObserver | None = None,
) -> Compared:
    """Run a comparison to its end, and write its tables, figure and page.

    Args:
        folder: folder of the comparison, which is created.
        plan: the plan, as `read_plan` returns it.
        resume: continue the comparison in the folder; the plan may have gained methods and seeds.
        load: loads the tasks of a profile.
        executor: trains all trials; it is not closed. Without it, `workers` and `address` say what is started.
        workers: worker processes on this machine, 0 for this process; as many as usable processors if None.
        address: address of a Ray cluster, which takes precedence over `workers`.
        command: arguments of the command line, for the record.
        observer: sees the progress.

    Returns:
        The figures of the comparison.

    Raises:
        SearchError: the folder has another comparison, a search cannot be run, or the GRU has no gain on a task.
        StoreError: a store cannot be read or written.
        TaskError: the data of a task cannot be loaded.
        KeyboardInterrupt: the comparison was interrupted; calling this again with `resume` continues.
    """
    observer = observer or CompareObserver()
    _check_folder(folder, plan, resume)
    profile = base_profile(plan)
    tasks = load(profile)
    compute, training = compute_of(plan, profile, tasks)
    with ExitStack() as stack:
        if executor is None:
            count = usable_processors() if workers is None else check_whole("workers", workers, 0, MAX_WORKERS)
            executor = stack.enter_context(closing(make_executor(tasks, count, address, profile.limits.of_trials())))
        with one_line(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / PLAN_FILE, plan.to_toml())
        observer.on_start(plan, compute, training, tasks)
        runs = searches_of(folder, plan, compute)
        ended = itertools.count(1)

        def on_end(run: SearchRun, progress: Progress | None) -> None:
            observer.on_search(run, progress, next(ended), len(runs))

        run_searches(runs, plan, tasks, executor, on_end, command)
        compared, incumbents = _confirmed(folder, plan, profile, tasks, runs, executor, compute, training, observer)
    write_comparison(folder, compared, incumbents)
    return compared


def _check_folder(folder: Path, plan: Plan, resume: bool) -> None:
    """Raise `SearchError` unless the folder is free, or has the comparison to resume."""
    path = folder / PLAN_FILE
    if not path.is_file():
        if resume:
            raise SearchError(f"there is no comparison in {str(folder)!r} to resume; start it without --resume")
        if folder.exists() and any(folder.iterdir()):
            raise SearchError(
                f"{str(folder)!r} has other files, but no comparison; choose another folder with --output"
            )
        return
    if not resume:
        raise SearchError(
            f"there is a comparison in {str(folder)!r}; "
            "continue it with --resume, or choose another folder with --output"
        )
    with one_line(path):
        before = parse_plan(path.read_text("utf-8"), str(path))
    if not before.same_but_more(plan):
        raise SearchError(
            f"the plan differs from that in {str(path)!r} in more than added methods and seeds; "
            "choose another folder with --output"
        )


def _confirmed(
    folder: Path,
    plan: Plan,
    profile: Profile,
    tasks: Mapping[str, Task],
    runs: Sequence[SearchRun],
    executor: Executor,
    compute: float,
    training: float,
    observer: CompareObserver,
) -> tuple[Compared, pd.DataFrame]:
    """Confirm the incumbents of finished searches; return all figures, and the table of incumbents."""
    simulation = None if plan.simulation is None else plan.simulation.simulation()
    with ExitStack() as stack:
        opened = [stack.enter_context(Store.open(run.folder, readonly=True)) for run in runs]
        searched = _trajectories(runs, opened, tasks, compute, plan.measured)
        sources: dict[str, Store] = {}
        for own in opened:
            sources |= {row.id: own for row in own.cells() if row.id not in sources}
        simulated = None if simulation is None else asdict(simulation)
        store = stack.enter_context(confirmation_store(folder, profile, tasks, simulated, plan.confirmation_seed))
        reference = reference_settings(opened, tasks, profile.ranked)
        confirm_incumbents(
            store,
            sources,
            [incumbent for one in searched for incumbent in one.trajectory.incumbents],
            reference,
            profile,
            tasks,
            executor,
            plan.confirm,
            simulation=simulation,
            on_trial=observer.on_confirmation,
        )
        confirmations = Confirmations(store, profile, tasks, reference, plan.confirm)
        return _figures(plan, searched, confirmations, compute, training)


def recomputed(folder: Path, plan: Plan, tasks: Mapping[str, Task]) -> tuple[Compared, pd.DataFrame]:
    """Return the figures of a comparison that has ended, and its table of incumbents, from its stores alone.

    Args:
        folder: folder of the comparison.
        plan: its plan.
        tasks: memorization and every task, by name.

    Raises:
        SearchError: a search or a trial of an incumbent is missing, or the GRU has no gain on a task.
        StoreError: a store cannot be read.
    """
    profile = base_profile(plan)
    compute, training = compute_of(plan, profile, tasks)
    runs = searches_of(folder, plan, compute)
    with ExitStack() as stack:
        opened = [stack.enter_context(Store.open(run.folder, readonly=True)) for run in runs]
        for run, own in zip(runs, opened, strict=True):
            if own.finished is None:
                raise SearchError(f"search {run.name!r} has not ended; continue the comparison with --resume")
        searched = _trajectories(runs, opened, tasks, compute, plan.measured)
        store = stack.enter_context(Store.open(folder / CONFIRMATION, readonly=True))
        reference = reference_settings(opened, tasks, profile.ranked)
        confirmations = Confirmations(store, profile, tasks, reference, plan.confirm)
        return _figures(plan, searched, confirmations, compute, training)


def _trajectories(
    runs: Sequence[SearchRun], stores: Sequence[Store], tasks: Mapping[str, Task], compute: float, measured: Measured
) -> list[_Searched]:
    return [_Searched(run, trajectory(own, tasks, compute, measured)) for run, own in zip(runs, stores, strict=True)]


def _course(path: Trajectory, scores: Sequence[float]) -> Course:
    """Return the course of the confirmed scores; 0, that of a constant prediction, before there is an incumbent."""
    compute = tuple(incumbent.compute for incumbent in path.incumbents)
    if not compute or compute[0] > 0:
        return Course((0.0, *compute), (0.0, *scores))
    return Course(compute, tuple(scores))


def _figures(
    plan: Plan, searched: Sequence[_Searched], confirmations: Confirmations, compute: float, training: float
) -> tuple[Compared, pd.DataFrame]:
    """Return all figures of searches whose incumbents are confirmed, and the table of incumbents."""
    names = {row.id: row.name for row in confirmations.store.cells()}
    rows, figures = [], {}
    for run, path in ((one.run, one.trajectory) for one in searched):
        own = [confirmations.of(incumbent) for incumbent in path.incumbents]
        figures[run.method, run.seed] = SearchFigures(
            run.seed,
            _course(path, [confirmed.score for confirmed in own]),
            path.proposals,
            path.complete,
            path.compute,
            path.total,
            path.given,
            path.seconds,
        )
        for incumbent, confirmed in zip(path.incumbents, own, strict=True):
            label = label_of(incumbent.cell, names.get(incumbent.cell))
            head = (run.method, run.seed, incumbent.proposal, incumbent.compute, incumbent.compute / training)
            rows.append(
                (
                    *head,
                    incumbent.cell,
                    label,
                    incumbent.score,
                    confirmed.score,
                    confirmed.error,
                    confirmed.task,
                )
            )
    compared = Compared(
        tuple(
            MethodFigures(name, *words_of(plan, name), tuple(figures[name, seed] for seed in plan.seeds))
            for name in plan.methods
        ),
        compute,
        training,
        plan.standard,
        pairs_of(plan),
        plan.confirm,
        sum(row.seconds for row in confirmations.store.trials()),
        plan.simulation is not None,
        plan.description,
        plan.measured is Measured.FOUND,
    )
    return compared, pd.DataFrame(rows, columns=list(INCUMBENT_COLUMNS))


INCUMBENT_COLUMNS = {
    "method": "name of the method",
    "seed": "seed of the search",
    "proposal": "proposal from whose outcome on the cell leads; -1: from the start",
    "compute": "multiply-adds of the proposals up to that one",
    "trainings": "the same in trainings of the GRU on every ranked task",
    "cell": "whole id of the cell",
    "name": "its name, or its shortened id",
    "search_score": "its score by validation in the search",
    "confirmed": "its score on fresh seeds",
    "confirmed_se": "standard error of that score over the seeds",
    "task": "task that has the smallest share, which is the score",
}
"""Columns of `incumbents.csv`; without the letter of ids in the frame."""

INCUMBENTS_FILE = "incumbents.csv"


def words_of(plan: Plan, name: str) -> tuple[str, str]:
    """Return the strategy and the allocation of a method."""
    assert isinstance(plan.profile, dict)
    own = plan.methods[name].get("search", {})
    search = plan.profile.get("search", {}) | (own if isinstance(own, dict) else {})
    return str(search.get("strategy", "paper")), str(search.get("allocation", "stages"))


def pairs_of(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return the pairs that a plan tests; a pair with the baseline has it second."""
    names = [name for name in plan.methods if name != plan.standard]
    against = [(name, plan.standard) for name in names]
    return tuple(against if plan.pairs == "baseline" else against + list(itertools.combinations(names, 2)))


def write_replay(folder: Path, compared: Compared) -> None:
    """Write the tables, the figure and the page of a replay into a folder that is new, empty, or has just these files.

    Raises:
        SearchError: the folder has other files.
        StoreError: a file cannot be written.
    """
    files = {f"{name}.csv" for name in ("comparison", "methods", "pairs")} | {FIGURE_FILE, PAGE_FILE}
    if folder.exists() and not (folder.is_dir() and {path.name for path in folder.iterdir()} in (set(), files)):
        raise SearchError(f"{str(folder)!r} has not just the files of a replay; choose another folder with --output")
    with one_line(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_comparison(folder, compared)


def write_comparison(folder: Path, compared: Compared, incumbents: pd.DataFrame | None = None) -> None:
    """Write the tables, the figure and the page of a comparison.

    Raises:
        StoreError: a file cannot be written.
    """
    for name, text in comparison_files(compared, incumbents, folder.name).items():
        write_atomically(folder / name, text)


def comparison_files(compared: Compared, incumbents: pd.DataFrame | None, name: str) -> dict[str, str]:
    """Return the tables, the figure and the page of a comparison as text, by file name; `name` is the page's title."""
    page_text = page(compared, f"Comparison {name}")
    return tables_of(compared, incumbents) | {FIGURE_FILE: figure(compared), PAGE_FILE: page_text}


def tables_of(compared: Compared, incumbents: pd.DataFrame | None) -> dict[str, str]:
    """Return the tables of a comparison as CSV, by file name; a replay has no table of incumbents."""
    tables = {"comparison": curve_table(compared), "methods": method_table(compared), "pairs": pair_table(compared)}
    if incumbents is not None:
        tables["incumbents"] = incumbents.assign(cell=incumbents["cell"].map(printed_id))
    return {f"{table}.csv": csv_text(frame) for table, frame in tables.items()}


def earlier_incumbents(incumbents: pd.DataFrame) -> str:
    """Return the table of incumbents as earlier versions wrote it: ids had no letter."""
    shown = incumbents["name"] == incumbents["cell"].map(short_id)
    return csv_text(incumbents.assign(name=incumbents["name"].where(~shown, incumbents["name"].map(without_letter))))
