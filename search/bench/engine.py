"""What a search costs beside its training: proposals, store, resuming, table, Ray, and how busy a cluster is.

Trials are simulated (`search.training.simulation`) and take no time, but on the cluster in virtual time
(`search.workers.virtual`), where they take their seconds. Everything else is what a search does.
"""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from results.store.store import Store
from results.tables.leaderboard import write_leaderboard
from search.engine.engine import Engine
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.strategies.proposal import Outcome
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor, LocalExecutor, RayExecutor
from search.workers.virtual import VirtualCluster
from tasks.task import Task

RAY_WORKERS = 2


@dataclass(frozen=True)
class EngineFigures:
    """What `measure` found. Sizes are in units of 10^6 bytes."""

    proposals: int  # with simulated trials that take no time, in this process
    trials: int
    cpu_seconds: float  # from the first proposal to the last, of this process
    memory_mb: float  # growth of its resident memory meanwhile
    second_half_mb: float  # growth over the second half of the proposals
    store_mb: float
    resume_seconds: float  # from opening the store to the first trial that could be handed out
    leaderboard_seconds: float  # to write leaderboard.csv
    ray_trials: int  # the same search through Ray with two workers, shorter
    ray_ms: float  # wall-clock time for each of its trials, all of it: drawing, sending, deciding, storing
    processors: int  # of the cluster in virtual time
    window: int  # of the profile: proposals in flight
    busy: float  # share of the cluster's time that trials took, from the first to the last


class _ReadyError(Exception):
    """The search wants to train."""


class _Idle(LocalExecutor):
    """Trains nothing."""

    def next(self) -> tuple[int, TrialResult]:
        raise _ReadyError


class _EnoughError(Exception):
    """So many proposals came to their end."""


def measure(
    profile: Profile, proposals: int, ray_proposals: int, cluster_proposals: int, processors: int, seed: int
) -> EngineFigures:
    """All figures of a profile. Raises `SearchError` where Ray cannot be started."""
    tasks = load_tasks(profile)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        alone = _run_alone(_with(profile, proposals + profile.search.window), tasks, proposals, seed, run)
        store_mb = sum(file.stat().st_size for file in run.iterdir()) / 1e6
        resume, table = _resume(run, tasks, seed)
        ray_trials, ray_seconds = _run_on_ray(_with(profile, ray_proposals), tasks, seed, Path(folder) / "ray")
        cluster = VirtualCluster(tasks, processors)
        _search(_with(profile, cluster_proposals), tasks, seed, Path(folder) / "cluster", cluster)
    return EngineFigures(
        proposals=proposals,
        trials=alone.trials,
        cpu_seconds=alone.seconds,
        memory_mb=alone.memory_mb[-1] - alone.memory_mb[0],
        second_half_mb=alone.memory_mb[-1] - alone.memory_mb[1],
        store_mb=store_mb,
        resume_seconds=resume,
        leaderboard_seconds=table,
        ray_trials=ray_trials,
        ray_ms=1000.0 * ray_seconds / ray_trials,
        processors=processors,
        window=profile.search.window,
        busy=cluster.busy,
    )


def _with(profile: Profile, proposals: int) -> Profile:
    return replace(profile, search=replace(profile.search, proposals=proposals))


def _make(folder: Path, profile: Profile, seed: int) -> Store:
    return Store.create(
        folder,
        name=folder.name,
        seed=seed,
        profile=profile.to_toml(),
        strategy=profile.search.strategy,
        window=profile.search.window,
        information={"simulated": {"delays": 0.0}},
    )


def _search(profile: Profile, tasks: Mapping[str, Task], seed: int, folder: Path, executor: Executor) -> None:
    with _make(folder, profile, seed) as store:
        Engine(profile, seed, tasks, store, executor, simulation=Simulation()).run()


@dataclass(frozen=True)
class _Alone:
    seconds: float
    trials: int
    memory_mb: tuple[float, float, float]  # before the proposals, halfway, at the end


def _run_alone(profile: Profile, tasks: Mapping[str, Task], proposals: int, seed: int, folder: Path) -> _Alone:
    """A search in this process that is left where so many proposals came to their end."""
    ended, halfway = 0, 0.0

    def count(outcome: Outcome) -> None:
        nonlocal ended, halfway
        if outcome.proposal.index < 0:
            return
        ended += 1
        if ended == (proposals + 1) // 2:
            halfway = _memory_mb()
        if ended == proposals:
            raise _EnoughError

    with _make(folder, profile, seed) as store:
        executor = LocalExecutor(tasks)
        engine = Engine(profile, seed, tasks, store, executor, simulation=Simulation(), on_outcome=count)
        engine.run_baselines()
        known, before, started = engine.progress.trials_run, _memory_mb(), time.process_time()
        try:
            engine.run_proposals()
        except _EnoughError:
            seconds = time.process_time() - started
        return _Alone(seconds, engine.progress.trials_run - known, (before, halfway, _memory_mb()))


def _resume(folder: Path, tasks: Mapping[str, Task], seed: int) -> tuple[float, float]:
    """Seconds until the run of a folder goes on, and those that its table takes."""
    started = time.perf_counter()
    with Store.open(folder) as store:
        profile = profile_of(store)
        try:
            Engine(profile, seed, tasks, store, _Idle(tasks), simulation=Simulation()).run()
        except _ReadyError:
            ready = time.perf_counter() - started
        started = time.perf_counter()
        write_leaderboard(store, profile.ranked, folder / "leaderboard.csv")
        return ready, time.perf_counter() - started


def _run_on_ray(profile: Profile, tasks: Mapping[str, Task], seed: int, folder: Path) -> tuple[int, float]:
    """Trials of a search through Ray, and the seconds that they took; the baselines before have started the workers."""
    executor = RayExecutor(tasks, workers=RAY_WORKERS)
    try:
        with _make(folder, profile, seed) as store:
            engine = Engine(profile, seed, tasks, store, executor, simulation=Simulation())
            engine.run_baselines()
            before, started = engine.progress.trials_run, time.perf_counter()
            engine.run_proposals()
            return engine.progress.trials_run - before, time.perf_counter() - started
    finally:
        executor.close()


def _memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6
