"""How many candidates a core screens in an hour: what it costs to find out that most mutants are good for nothing.

Memorization is the gate that most candidates fail at, so its price decides how many proposals fit a night.
"""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from results.store.store import Store
from search.cells.library import SEEDS
from search.engine.engine import Engine
from search.profiles.sections import MEMORIZATION, Profile, ScheduleSection, TaskSection
from search.workers.executor import LocalExecutor
from tasks.registry import load_task


@dataclass(frozen=True)
class Screening:
    """What became of the children of the seeds in memorization, on one core.

    `seconds` is everything from proposals to stored verdicts, without the seeds' own trials; `trial_seconds` the
    training in it. `endings` counts trials by state, and `steps` are training steps.
    """

    candidates: int
    passed: int
    seconds: float
    trial_seconds: float
    steps: int
    endings: dict[str, int]

    @property
    def per_core_hour(self) -> float:
        """Candidates screened in an hour of one core."""
        return 3600.0 * self.candidates / self.seconds


def screen(profile: Profile, candidates: int, seed: int) -> Screening:
    """Screen random proposals of a profile in this process, with the engine of a search, up to memorization only."""
    # One trial of one step that nobody passes: the engine wants a task to rank by, and this measures none.
    last = TaskSection(
        task="xml",
        threshold=10.0,
        settings=1,
        baseline_settings=1,
        parameters=(25_000,),
        options={"validation": 100, "test": 100},
        schedule=ScheduleSection(epoch_steps=1, epochs=1),
    )
    search = replace(profile.search, strategy="random", proposals=candidates, baselines=SEEDS)
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
            found = {cell.id for cell in store.cells() if cell.origin == "found"}
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
