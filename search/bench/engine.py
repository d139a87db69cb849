"""Overhead of a search beside its training: proposals, store, resuming, leaderboard, Ray, and load of a cluster.

Trials are simulated (`search.training.simulation`) and take no time, except on the cluster in virtual time
(`search.workers.virtual`), where they take their durations. Everything else is the real search.
"""

import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from results.store.store import Store
from results.tables.files import write_tables
from search.engine.engine import Engine
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.strategies.proposal import Outcome
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import LocalExecutor, RayExecutor
from search.workers.virtual import VirtualCluster
from tasks.task import Task

RAY_WORKERS = 2
"""Worker processes of the measurement with Ray."""


@dataclass(frozen=True)
class EngineFigures:
    """figures of `measure_engine`. Sizes are in MB (10^6 bytes)."""

    proposals: int  # in this process, with simulated trials that take no time
    trials: int
    cpu_seconds: float  # of this process, from the first proposal to the last
    memory_mb: float  # growth of the resident memory in that time
    second_half_mb: float  # growth over the second half of the proposals
    store_mb: float
    resume_seconds: float  # from opening the store to the first trial that could be submitted
    leaderboard_seconds: float  # time to write the tables, without the trials
    ray_trials: int  # of a shorter search with two Ray workers
    ray_ms: float  # wall-clock time per trial: drawing, sending, deciding, storing
    processors: int  # of the cluster in virtual time
    window: int  # proposals in flight, from the profile
    busy: float  # share of the cluster's processor time that trials took, from the first to the last


class _ReadyError(Exception):
    """Raised when the search waits for its first trial."""


class _Idle(LocalExecutor):
    """Executor that trains nothing."""

    def next(self) -> tuple[int, TrialResult]:
        raise _ReadyError


class _EnoughError(Exception):
    """Raised when enough proposals have ended."""


def measure_engine(
    profile: Profile, proposals: int, ray_proposals: int, cluster_proposals: int, processors: int, seed: int
) -> EngineFigures:
    """Return the figures of a profile.

    Args:
        profile: profile of the searches.
        proposals: proposals of the search in this process.
        ray_proposals: proposals of the search with Ray.
        cluster_proposals: proposals of the search on the cluster in virtual time.
        processors: processors of that cluster.
        seed: seed of the searches.

    Raises:
        SearchError: Ray cannot be started.
    """
    tasks = load_tasks(profile)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        alone = measure_alone(profile, tasks, proposals, seed, run)
        store_mb = sum(file.stat().st_size for file in run.iterdir()) / 1e6
        resume, table = measure_resume(run, tasks, seed)
        ray_trials, ray_seconds = measure_ray(profile, tasks, ray_proposals, seed, Path(folder) / "ray")
        busy = measure_cluster(profile, tasks, cluster_proposals, processors, seed, Path(folder) / "cluster")
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
        busy=busy,
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


@dataclass(frozen=True)
class Alone:
    """Cost of a search in this process."""

    seconds: float  # CPU time of the proposals
    trials: int
    memory_mb: tuple[float, float, float]  # before the proposals, halfway, at the end


def measure_alone(profile: Profile, tasks: Mapping[str, Task], proposals: int, seed: int, folder: Path) -> Alone:
    """Measure a search in this process that is abandoned when `proposals` proposals have ended."""
    profile = _with(profile, proposals + profile.search.window)
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
        return Alone(seconds, engine.progress.trials_run - known, (before, halfway, _memory_mb()))


def measure_resume(folder: Path, tasks: Mapping[str, Task], seed: int) -> tuple[float, float]:
    """Return the seconds until the run in a folder is resumed, and the seconds to write its leaderboard.

    It is resumed when it would train the next trial, or at its end if all that is left needs none.
    """
    started = time.perf_counter()
    with Store.open(folder) as store:
        profile = profile_of(store)
        with suppress(_ReadyError):
            Engine(profile, seed, tasks, store, _Idle(tasks), simulation=Simulation()).run()
        ready = time.perf_counter() - started
        started = time.perf_counter()
        write_tables(store, profile.ranked, folder, trials=False)
        return ready, time.perf_counter() - started


def measure_cluster(
    profile: Profile, tasks: Mapping[str, Task], proposals: int, processors: int, seed: int, folder: Path
) -> float:
    """Return the share of a cluster's processor time that the trials of a search take, in virtual time."""
    profile, cluster = _with(profile, proposals), VirtualCluster(tasks, processors)
    with _make(folder, profile, seed) as store:
        Engine(profile, seed, tasks, store, cluster, simulation=Simulation()).run()
    return cluster.busy


def measure_ray(
    profile: Profile, tasks: Mapping[str, Task], proposals: int, seed: int, folder: Path
) -> tuple[int, float]:
    """Return the number of trials of a search with Ray and their wall-clock seconds, after the workers have started.

    Raises:
        SearchError: Ray cannot be started.
    """
    profile = _with(profile, proposals)
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
