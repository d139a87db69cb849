"""Screening rate: the number of new cells that one core evaluates on memorization in an hour.

Most new cells fail memorization, so its cost decides how many proposals fit into a night.
"""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from results.store.store import Store
from results.store.words import MEMORIZATION, Origin
from search.cells.library import SEEDS
from search.engine.engine import Engine
from search.profiles.sections import Profile, TaskSection
from search.profiles.training_sections import ScheduleSection
from search.workers.executor import LocalExecutor
from tasks.registry import load_task


@dataclass(frozen=True)
class Screening:
    """Result of screening children of the seeds on memorization, on one core."""

    candidates: int  # new cells
    passed: int  # of these
    seconds: float  # wall-clock time from proposals to stored judgements, without the seeds' own trials
    trial_seconds: float  # training within it
    steps: int  # training steps
    endings: dict[str, int]  # trials by final state

    @property
    def per_core_hour(self) -> float:
        """New cells screened per hour of one core."""
        return 3600.0 * self.candidates / self.seconds


def screen(profile: Profile, candidates: int, seed: int) -> Screening:
    """Screen mutants of the seeds in this process, with the engine of a search, on memorization only.

    Args:
        profile: profile whose memorization section and mutation rules are used.
        candidates: number of proposals.
        seed: seed of the search.
    """
    # The engine needs a ranked task: one trial of one step, with a threshold that no cell exceeds.
    last = TaskSection(
        task="xml",
        threshold=10.0,
        settings=1,
        baseline_settings=1,
        parameters=(25_000,),
        options={"validation": 100, "test": 100},
        schedule=ScheduleSection(epoch_steps=1, epochs=1),
    )
    # From the seeds alone, so that every candidate is a mutant: a population would be proposed first.
    search = replace(profile.search, strategy="random", proposals=candidates, baselines=SEEDS, population=SEEDS)
    profile = replace(profile, search=search, tasks={"last": last})
    tasks = {MEMORIZATION: load_task(MEMORIZATION, **profile.memorization.options)}
    tasks["last"] = load_task("xml", **last.options)
    with tempfile.TemporaryDirectory() as folder:
        name, window = "screening", profile.search.window
        with Store.create(
            Path(folder) / name,
            name=name,
            seed=seed,
            profile=profile.to_toml(),
            strategy="random",
            window=window,
            information={},
        ) as store:
            engine = Engine(profile, seed, tasks, store, LocalExecutor(tasks))
            engine.run_baselines()
            started = time.perf_counter()
            engine.run_proposals()
            seconds = time.perf_counter() - started
            found = {cell.id for cell in store.cells() if cell.origin == Origin.FOUND}
            trials = [trial for trial in store.trials(task=MEMORIZATION) if trial.cell in found]
            verdicts = [row.passed for row in store.evaluations(task=MEMORIZATION) if row.proposal >= 0]
    return Screening(
        candidates,
        sum(verdicts),
        seconds,
        sum(trial.seconds for trial in trials),
        sum(trial.steps for trial in trials),
        dict(Counter(trial.state for trial in trials)),
    )
