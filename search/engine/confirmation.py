"""Confirmation of contenders: the best found cells of the first round, and cells that were named, on other seeds.

Choosing and judging use different seeds. The finalists' first round (`search.engine.finalists`) ranks the cells; its
best found cells are contenders, and so are the cells that the profile or a command names. Each contender is trained
beside the GRU and the LSTM on repeats 1001, 1002, ..., which no choice has seen, and judged on them alone
(`results.scores.confirmation`).

The declaration (contenders, tasks, settings, looks, level) is written to the run's information before the first trial.
A later call keeps it and only adds to it. What is trained next follows from the declaration and the stored trials, so
confirmation is resumed by calling it again, and is the same whatever the number of workers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results.scores.comparison import LEVEL
from results.scores.confirmation import Course, course_of, declared_tests, follow, measurements
from results.scores.estimates import GRU, LSTM, TEST, picks
from results.scores.finalists import first_round_scores
from results.scores.score import constants_of
from results.store.errors import StoreError
from results.store.graphs import graph_of
from results.store.information import FIRST_CONFIRMATION, MAX_LOOKS, MAX_REPEATS, Confirming, Plan
from results.store.queries import mean_seconds
from results.store.store import Store
from results.store.words import Origin
from search.cells.graph import GateGraph
from search.cells.library import label_of
from search.core.errors import SearchError
from search.engine.failures import FailureWatch
from search.engine.fresh_trials import FreshTrial, is_stored, train_fresh
from search.engine.progress import Progress
from search.profiles.sections import Profile
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor
from tasks.task import Task


@dataclass(frozen=True)
class Demand:
    """Cells and seeds that a command asks for, beyond the profile's.

    `cells` are names or ids; none means the contenders of the run. `tasks` are ranked tasks; none means all of them.
    `repeats` are the seeds that each of these pairs shall have, or None for the profile's looks.
    """

    cells: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    repeats: int | None = None


def choose_contenders(profile: Profile, store: Store) -> list[str]:
    """Return the ids of the profile's contenders: the best found cells of the first round, then the named cells.

    Raises:
        StoreError: the store cannot be read.
    """
    section = profile.confirmation
    found = {row.id for row in store.cells() if row.origin == Origin.FOUND}
    scores = first_round_scores(store, profile.ranked)
    ordered = sorted((cell for cell in scores if cell in found), key=lambda cell: (-scores[cell], cell))
    named = [graph.id for name in section.cells if (graph := profile.given_cell(name, store.form)) is not None]
    return list(dict.fromkeys([*ordered[: section.contenders], *named]))


def declaration(
    profile: Profile, store: Store, constants: Mapping[str, float], demand: Demand | None = None
) -> Confirming | None:
    """Return the declaration that holds from now on: the stored one, with what the profile or a command adds.

    Args:
        profile: profile of the run.
        store: store of the run.
        constants: constant baseline of each ranked task, as which a diverged trial counts.
        demand: what a command asks for, instead of the profile's contenders.

    Raises:
        SearchError: a cell or task that the demand names cannot be confirmed.
        StoreError: the store cannot be read.
    """
    before = store.confirmation
    plans = {} if before is None else {(plan.cell, plan.task): plan for plan in before.plans}
    settings = {} if before is None else {cell: dict(own) for cell, own in before.settings.items()}
    best: dict[tuple[str, str], str] = {
        (str(cell), str(task)): str(setting)
        for cell, task, setting in picks(store)[["cell", "task", "setting"]].itertuples(index=False)
    }
    looks = list(profile.confirmation.counts)
    if demand is None:
        for cell in choose_contenders(profile, store):
            for task in profile.ranked:
                if (cell, task) in best:
                    plans.setdefault((cell, task), Plan(cell=cell, task=task, looks=looks))
    else:
        for cell, task in _demanded(profile, store, demand, best, plans):
            plan = plans.get((cell, task), Plan(cell=cell, task=task, looks=looks))
            plans[cell, task] = plan if demand.repeats is None else _with_seeds(plan, demand.repeats)
    if not plans:
        return None
    for cell, task in [*plans, *((two, task) for two in (GRU, LSTM) for _, task in plans)]:
        if (cell, task) in best:
            settings.setdefault(cell, {}).setdefault(task, best[cell, task])
    stored = {} if before is None else before.constant_baseline
    return Confirming(
        level=LEVEL,
        plans=list(plans.values()),
        settings=settings,
        constant_baseline={**constants, **stored},
    )


def _demanded(
    profile: Profile,
    store: Store,
    demand: Demand,
    best: Mapping[tuple[str, str], str],
    plans: Mapping[tuple[str, str], Plan],
) -> list[tuple[str, str]]:
    """Return the pairs of cell and task that a command asks for."""
    for task in demand.tasks:
        if task not in profile.ranked:
            raise SearchError(
                f"--task {task}: run {store.name!r} has no such ranked task; they are {', '.join(profile.ranked)}"
            )
    tasks = demand.tasks or profile.ranked
    cells = [_cell_of(profile, store, cell) for cell in demand.cells]
    if not cells:
        cells = list(dict.fromkeys(cell for cell, _ in plans)) or choose_contenders(profile, store)
        if not cells:
            raise SearchError(f"run {store.name!r} has no contender yet; name one with --cell")
    for cell in cells:
        for task in tasks:
            if (cell, task) not in best:
                raise SearchError(
                    f"cell {label_of(cell)} of run {store.name!r} has no result on {task!r}, so it has no setting to "
                    "be confirmed at; name a cell that passed every stage"
                )
    return [(cell, task) for cell in cells for task in tasks]


def _cell_of(profile: Profile, store: Store, cell: str) -> str:
    """Return the id of a cell by its name in the profile or the first digits of its id."""
    graph = profile.given_cell(cell, store.form)
    try:
        found = store.cell(cell).id if graph is None else graph.id
    except StoreError as error:
        raise SearchError(f"--cell {cell}: {error}") from error
    if found == GRU:
        raise SearchError(f"--cell {cell}: contenders are compared with the GRU itself; name another cell")
    return found


def _with_seeds(plan: Plan, repeats: int) -> Plan:
    """Return the plan with at least so many seeds, whatever fewer would decide.

    A number up to the last planned look is raised to the next one: a further look would cost a part of the level. A
    larger number becomes a look.
    """
    if repeats <= plan.looks[-1]:
        return plan.model_copy(update={"least": max(plan.least, min(look for look in plan.looks if look >= repeats))})
    if repeats > MAX_REPEATS or len(plan.looks) >= MAX_LOOKS:
        raise SearchError(f"--repeats {repeats}: a cell is confirmed on at most {MAX_REPEATS} seeds; ask for fewer")
    looks = sorted({*plan.looks, repeats})
    return Plan(cell=plan.cell, task=plan.task, looks=looks, least=max(plan.least, repeats))


def wanted_trials(store: Store, declared: Confirming, course: Course | None) -> list[FreshTrial]:
    """Return the trials that the next look needs and the store does not have, whole repeats first."""
    wanted = {} if course is None else course.wanted
    graphs: dict[str, GateGraph] = {cell: graph_of(store.cell(cell)) for _, cell in wanted}
    every = [
        (graphs[cell], task, Setting.from_key(declared.settings[cell][task]), FIRST_CONFIRMATION + k)
        for k in range(max(wanted.values(), default=0))
        for (task, cell), count in wanted.items()
        if k < count
    ]
    return [trial for trial in every if not is_stored(store, trial)]


def confirmation_seconds(store: Store, declared: Confirming | None) -> tuple[float, float]:
    """Return the estimated seconds of one core that a confirmation takes at least (the next look), and at most.

    A trial is expected to take the mean time of the cell's stored trials on the task.
    """
    if declared is None:
        return 0.0, 0.0
    means = mean_seconds(store)
    tests = declared_tests(declared)
    measured = measurements(store, declared)
    course = follow(tests, measured, declared.level) if tests else None
    if course is None or not course.wanted:
        return 0.0, 0.0
    most: dict[tuple[str, str], int] = {}
    for test, p, even in zip(tests, course.adjusted, course.even_adjusted, strict=True):
        last = test.least if min(p, even) < declared.level else test.looks[-1]
        for cell in (test.cell, test.other):
            most[test.task, cell] = max(most.get((test.task, cell), 0), last)
    least, full = (
        sum(
            max(0, count - measured.count(task, cell)) * means.get((cell, task), 0.0)
            for (task, cell), count in counts.items()
        )
        for counts in (course.wanted, most)
    )
    return least, max(least, full)


def constant_baselines(profile: Profile, tasks: Mapping[str, Task], store: Store) -> dict[str, float]:
    """Return the constant baseline of each ranked task on the test set, or, in an older run, on the validation set."""
    known = constants_of(store, TEST)
    return {name: known[name] if name in known else float(tasks[name].constant_baseline()) for name in profile.ranked}


def planned_declaration(
    profile: Profile, tasks: Mapping[str, Task], store: Store, demand: Demand | None = None
) -> Confirming | None:
    """Return the declaration that `confirm` would write, as far as the first round is known, or None if there is none.

    Raises:
        SearchError: a cell or task that the demand names cannot be confirmed.
        StoreError: the store cannot be read.
    """
    return declaration(profile, store, constant_baselines(profile, tasks, store), demand)


def confirm(
    profile: Profile,
    seed: int,
    tasks: Mapping[str, Task],
    store: Store,
    executor: Executor,
    progress: Progress,
    *,
    demand: Demand | None = None,
    simulation: Simulation | None = None,
    on_change: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Declare the confirmation, and train its trials look by look until every test is decided or had its last look.

    Args:
        profile: profile of the run; its section `confirmation` says which contenders, and how many seeds.
        seed: seed of the run.
        tasks: every task of the profile, by name.
        store: store of the run, whose finalists were retrained.
        executor: trains the trials.
        progress: counts to update.
        demand: what a command asks for, instead of the profile's contenders.
        simulation: draws the results of trials instead of training them.
        on_change: called after every trial.

    Raises:
        SearchError: a cell or task that the demand names cannot be confirmed.
        StoreError: the store cannot be read or written.
    """
    declared = planned_declaration(profile, tasks, store, demand)
    if declared is None:
        return
    if declared != store.confirmation:
        store.mark(confirmation=declared.model_dump())
    known = False
    while missing := wanted_trials(store, declared, course := course_of(store)):
        assert course is not None
        wanted = sum(course.wanted.values())
        progress.confirmation, progress.confirmation_done = wanted, wanted - len(missing)
        if not known:
            progress.trials_known += wanted - len(missing)
            known = True
        on_change(progress)
        _train(profile, seed, tasks, store, executor, missing, progress, simulation, on_change)


def _train(
    profile: Profile,
    seed: int,
    tasks: Mapping[str, Task],
    store: Store,
    executor: Executor,
    missing: Sequence[FreshTrial],
    progress: Progress,
    simulation: Simulation | None,
    on_change: Callable[[Progress], None],
) -> None:
    watch = FailureWatch(store, fresh=True)

    def on_trial(task: str, result: TrialResult) -> None:
        progress.trials_run += 1
        progress.trials_failed += result.state.is_lost
        progress.confirmation_done += 1
        on_change(progress)
        watch.count(task, result)

    train_fresh(profile, seed, tasks, store, executor, missing, simulation=simulation, on_trial=on_trial)
