"""Error and power of a whole search, measured over simulated runs whose truth is known.

In a *null* run every cell is equally able (`Simulation.equal`): whatever it confirms is wrong. In a *planted* run the
cells with a planted structure learn more than all others, by a known amount. Everything but the training is real: the
proposals, the stages, the choice of finalists and contenders, the looks and the tests.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from results.scores.confirmation import confirmation_of
from results.scores.estimates import GRU
from results.scores.finding import Standing
from results.store.graphs import graph_of
from results.store.queries import retrained_cells
from results.store.store import Store
from results.store.words import Origin
from search.engine.run import run_search
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.training.simulation import Simulation, has_planted
from search.workers.executor import LocalExecutor
from tasks.task import Task


@dataclass(frozen=True)
class ConfirmationFigures:
    """Figures of `measure_confirmation`: numbers of runs, and means over the runs."""

    runs: int  # of each kind
    planted: float  # what cells with the planted structure learn more, as a share of what can be learnt
    null_wrong: int  # null runs in which any declared test calls a contender better or worse
    null_better: int  # null runs that call a contender better than the GRU or the LSTM on some task
    null_seeds: float  # seeds of the furthest look in a null run
    proposed: int  # planted runs that proposed a cell with the structure
    finalist: int  # of these, runs in which such a cell was among the finalists
    contender: int  # runs in which one was a contender
    confirmed: int  # runs in which one was confirmed as better than the GRU on some task
    confirmed_on_all: int  # runs in which one was confirmed as better than the GRU on every ranked task
    planted_wrong: int  # planted runs that call a contender without the structure better, or one with it worse
    planted_seeds: float  # seeds of the furthest look in a planted run


@dataclass(frozen=True)
class _Ending:
    """Outcome of a run: planted cells that were proposed, retrained and contenders, and the verdicts of the tests."""

    proposed: bool
    finalist: bool
    contender: bool
    better_tasks: int
    any_decided: bool
    any_better: bool
    wrong: bool
    seeds: int


def measure_confirmation(profile: Profile, runs: int, planted: float, seed: int) -> ConfirmationFigures:
    """Run simulated searches in this process, half of them null and half planted, and count what they confirm.

    Args:
        profile: profile of the searches.
        runs: number of runs of each kind.
        planted: what cells with the planted structure learn more, as a share of what can be learnt.
        seed: seed of the first run of each kind; the others follow.
    """
    tasks = load_tasks(profile)
    null = [_ending(profile, tasks, Simulation(equal=True), seed + k) for k in range(runs)]
    better = [_ending(profile, tasks, Simulation(equal=True, planted=planted), seed + k) for k in range(runs)]
    ranked = len(profile.ranked)
    return ConfirmationFigures(
        runs=runs,
        planted=planted,
        null_wrong=sum(run.any_decided for run in null),
        null_better=sum(run.any_better for run in null),
        null_seeds=sum(run.seeds for run in null) / runs,
        proposed=sum(run.proposed for run in better),
        finalist=sum(run.finalist for run in better),
        contender=sum(run.contender for run in better),
        confirmed=sum(run.better_tasks > 0 for run in better),
        confirmed_on_all=sum(run.better_tasks == ranked for run in better),
        planted_wrong=sum(run.wrong for run in better),
        planted_seeds=sum(run.seeds for run in better) / runs,
    )


def _ending(profile: Profile, tasks: Mapping[str, Task], simulation: Simulation, seed: int) -> _Ending:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        executor = LocalExecutor(tasks)
        run_search(run, profile, seed=seed, simulation=simulation, load=lambda profile: tasks, executor=executor)
        with Store.open(run, readonly=True) as store:
            return _judge(store)


def _judge(store: Store) -> _Ending:
    found = confirmation_of(store)
    planted = {row.id for row in store.cells() if row.origin == Origin.FOUND and has_planted(graph_of(row))}
    tests = () if found is None else found.tests
    better = {
        (test.cell, test.task)
        for test in tests
        if test.standing is Standing.BETTER and test.other == GRU and test.cell in planted
    }
    return _Ending(
        proposed=bool(planted),
        finalist=bool(planted & set(retrained_cells(store))),
        contender=found is not None and bool(planted & set(found.contenders)),
        better_tasks=max((sum(cell == one for cell, _ in better) for one in planted), default=0),
        any_decided=any(test.standing in (Standing.BETTER, Standing.WORSE) for test in tests),
        any_better=any(test.standing is Standing.BETTER for test in tests),
        wrong=any(test.standing is (Standing.WORSE if test.cell in planted else Standing.BETTER) for test in tests),
        seeds=0 if found is None else found.repeats,
    )


def with_confirmation(profile: Profile) -> Profile:
    """Return the profile, with one contender if it has none, so that there is something to measure."""
    section = profile.confirmation
    if section.contenders or section.cells:
        return profile
    return replace(profile, confirmation=replace(section, contenders=1))
