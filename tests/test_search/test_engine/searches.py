"""Very small searches that the tests of the engine share: a profile, its tasks, and the rows that a search leaves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from results.store.records import TrialRow
from results.store.store import Store
from results.store.words import MEMORIZATION
from results.tables.columns import TIME_COLUMNS
from results.tables.leaderboard import leaderboard
from search.cells.library import SEEDS
from search.cells.mutation import Rule
from search.engine.engine import Engine
from search.engine.progress import Progress
from search.profiles.sections import MemorizationSection, MutationSection, Profile, Role, SearchSection, TaskSection
from search.profiles.training_sections import GridSection, ScheduleSection
from search.strategies.proposal import Outcome
from search.workers.executor import Executor, LocalExecutor
from tasks.task import Task
from tests.test_search.small import Chords, small_task

TASKS: dict[str, Task] = {MEMORIZATION: small_task(MEMORIZATION), "xml": small_task("xml"), "chords": Chords()}
SCHEDULE = ScheduleSection(batch=4, unroll=8, epoch_steps=8, epochs=2, halvings=1, chance_epochs=100)
PROFILE = Profile(
    search=SearchSection(proposals=12, window=4, best=4, reexamine=0.3, baselines=("tanh", *SEEDS)),
    mutation=MutationSection(Rule.ONE_TO_THREE, max_nodes=32),
    grid=GridSection(scales=(0.7, 1.0), learning_rates=(0.2, 0.5), max_norms=(5.0,), layers=(1, 2)),
    # So little training teaches nothing: the thresholds are such that about half of the cells pass.
    memorization=MemorizationSection(accuracy=0.04, settings=2, parameters=(6_000,), schedule=SCHEDULE),
    tasks={
        "chords": TaskSection(role=Role.CHECK, settings=1, baseline_settings=2, parameters=(6_000,), schedule=SCHEDULE),
        "xml": TaskSection(
            settings=2, baseline_settings=3, parameters=(6_000, 9_000), threshold=0.4, schedule=SCHEDULE
        ),
    },
)
Rows = dict[str, list[Any]]


@contextmanager
def make_store(folder: Path, profile: Profile = PROFILE) -> Iterator[Store]:
    made = Store.open(folder) if (folder / "run.sqlite").exists() else None
    window = profile.search.window
    with made or Store.create(
        folder, name="x", seed=0, profile=profile.to_toml(), strategy="paper", window=window, information={}
    ) as store:
        yield store


def run(
    folder: Path,
    executor: Executor | None = None,
    profile: Profile = PROFILE,
    seed: int = 0,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    tasks: Mapping[str, Task] = TASKS,
) -> tuple[Rows, Progress]:
    """Run a search in a folder. Return the rows of its store, without seconds, and the counts."""
    with make_store(folder, profile) as store:
        engine = Engine(profile, seed, tasks, store, executor or LocalExecutor(tasks), on_outcome=on_outcome)
        engine.run()
        return rows(store), engine.progress


def rows_of(folder: Path) -> list[TrialRow]:
    """Return the trials of the run in a folder."""
    with make_store(folder, PROFILE) as store:
        return store.trials()


def rows(store: Store) -> Rows:
    table = leaderboard(store, PROFILE.ranked).drop(columns=list(TIME_COLUMNS))
    return {
        "cells": store.cells(),
        "trials": [replace(row, seconds=0.0) for row in store.trials(curves=True)],
        "evaluations": store.evaluations(),
        "proposals": store.proposals(),
        "leaderboard": [table.to_csv()],
    }
