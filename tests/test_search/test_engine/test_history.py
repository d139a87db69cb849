"""Resumed runs: strategy and rows are those of a run without interruption.

Trials are simulated, so that searches are long enough to meet cells again in every way.
"""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from results.store.words import ProposalKind
from search.cells.library import LIBRARY, SEEDS
from search.cells.mutation import Rule
from search.core.errors import SearchError
from search.engine.engine import Engine
from search.engine.history import History
from search.profiles.sections import HalvingSection, MutationSection, Profile
from search.profiles.training_sections import ScheduleSection
from search.training.simulation import Simulation
from search.workers.executor import Executor, LocalExecutor
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, make_store, rows
from tests.test_search.test_workers.executors import KilledError, Killing, Shuffled

SEARCH = replace(PROFILE.search, proposals=90, window=8, best=8)
LONG = replace(PROFILE, search=SEARCH, memorization=replace(PROFILE.memorization, accuracy=0.3))
GIVEN = ("lstm-tanh-o", "lstm-b", "lstm-o", "lstm-i", *SEEDS)
"""Relatives of the LSTM, so that a mutant may be one of them."""

HALVED = {
    name: replace(section, schedule=ScheduleSection(batch=4, unroll=8, epoch_steps=40, epochs=5, chance_epochs=100))
    for name, section in LONG.tasks.items()
}
"""Tasks that train long enough for rungs."""

PROFILES = {
    "paper": LONG,
    "random": replace(
        LONG,
        tasks={**LONG.tasks, "xml": replace(LONG.tasks["xml"], baseline_settings="all")},
        search=replace(SEARCH, strategy="random", baselines=GIVEN, window=1),
    ),
    "revisit": replace(
        LONG,
        search=replace(SEARCH, proposals=110, reexamine=0.3, best=2, window=20),
        memorization=replace(LONG.memorization, accuracy=0.05),
        mutation=MutationSection(Rule.ONE_TO_THREE, max_nodes=16, duplicates="revisit"),
    ),
    "halving": replace(
        LONG,
        search=replace(SEARCH, allocation="halving", proposals=70, window=8, hopeless=0.2),
        halving=HalvingSection(rungs=3, settings=(1, 2, 3), seeds=2),
        tasks=HALVED,
    ),
    "halving paired": replace(
        LONG,
        search=replace(SEARCH, allocation="halving", strategy="random", paired=True, proposals=40, window=3),
        halving=HalvingSection(eta=2, rungs=2, settings=(2, 2), seeds=0),
        tasks=HALVED,
    ),
    "barren": replace(LONG, mutation=MutationSection(max_nodes=4, attempts=2)),
}
SEED = 10  # of "random", proposal 10 is a cell that was given


def finish(folder: Path, profile: Profile, executor: Executor | None = None) -> tuple[Engine, Rows]:
    """Run or resume a simulated search in a folder to its end."""
    with make_store(folder, profile) as store:
        engine = Engine(profile, SEED, TASKS, store, executor or LocalExecutor(TASKS), simulation=Simulation())
        engine.run()
        return engine, rows(store)


def finish_interrupted(folder: Path, profile: Profile, seed: int, most: int) -> tuple[Engine, Rows, int]:
    """Do the same with repeated kills, each after at most `most` trials, and trials that finish in any order."""
    rng, kills = np.random.default_rng(seed), 0
    while True:
        try:
            engine, found = finish(folder, profile, Killing(TASKS, kills, int(rng.integers(1, most))))
            return engine, found, kills
        except KilledError:
            kills += 1


Whole = Callable[[str], tuple[Path, Engine, Rows]]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Runs each of the searches once, undisturbed, and returns its folder, which tests only read or copy."""

    @cache
    def run(name: str) -> tuple[Path, Engine, Rows]:
        folder = tmp_path_factory.mktemp("whole")
        return folder, *finish(folder, PROFILES[name])

    return run


@pytest.mark.parametrize(
    "name", [name if name == "paper" else pytest.param(name, marks=pytest.mark.exact) for name in PROFILES]
)
def test_a_resumed_run_has_the_strategy_and_the_rows_of_an_undisturbed_one(
    name: str, whole_run: Whole, tmp_path: Path
) -> None:
    profile = PROFILES[name]
    folder, whole, expected = whole_run(name)
    shutil.copytree(folder, tmp_path / "whole")
    parts, found, kills = finish_interrupted(tmp_path / "parts", profile, 1, 40 if name == "barren" else 120)
    again, _ = finish(tmp_path / "whole", profile)
    assert kills >= 2
    assert found == expected
    for engine in (parts, again):
        assert engine.strategy.best == whole.strategy.best
        assert engine.strategy.records == whole.strategy.records
        assert engine.strategy._proposed == whole.strategy._proposed
        assert engine.progress.past == whole.progress.past
        assert engine.progress.endings == whole.progress.endings
        assert engine.progress.proposals_done == profile.search.proposals
        assert (engine.progress.best_cell, engine.progress.best_score) == (
            whole.progress.best_cell,
            whole.progress.best_score,
        )
    assert again.progress.trials_run == 0
    _, reordered = finish(tmp_path / "shuffled", profile, Shuffled(TASKS, 2))
    assert reordered == expected


def test_these_searches_meet_their_cells_in_every_way(whole_run: Whole) -> None:
    *_, revisit = whole_run("revisit")
    asked = [row.cell for row in revisit["proposals"] if row.kind == ProposalKind.PROPOSE and row.cell is not None]
    assert len(set(asked)) < len(asked)
    visits = sum(row.settings for row in revisit["evaluations"])
    assert visits > len(revisit["trials"])  # some trials had two proposals in flight that asked for them
    *_, random = whole_run("random")
    given = {LIBRARY[name].graph.id for name in GIVEN}
    assert given & {row.cell for row in random["proposals"] if row.index >= 0}


def test_a_trial_belongs_to_the_first_proposal_that_asked_for_it(whole_run: Whole) -> None:
    for name in ("random", "revisit"):
        *_, found = whole_run(name)
        visited: dict[tuple[str, str], list[int]] = {}
        for row in found["evaluations"]:
            visited.setdefault((row.cell, row.task), []).append(row.proposal)
        for row in found["trials"]:
            assert row.proposal in visited[row.cell, row.task]
        own = {(row.cell, row.task, row.proposal) for row in found["trials"] if row.proposal >= 0}
        counts = {(row.proposal, row.cell, row.task): row.settings for row in found["evaluations"]}
        for cell, task, index in own:
            trials = [t for t in found["trials"] if (t.cell, t.task, t.proposal) == (cell, task, index)]
            earlier = [t for t in found["trials"] if (t.cell, t.task) == (cell, task) and t.proposal < index]
            assert len(trials) <= counts[index, cell, task] <= len(trials) + len(earlier)


def test_history_ends_before_the_first_proposal_that_did_not(whole_run: Whole, tmp_path: Path) -> None:
    shutil.copytree(whole_run("paper")[0], tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "run.sqlite") as connection:
        connection.execute('DELETE FROM proposals WHERE "index" = 70')
    with make_store(tmp_path, LONG) as store:
        engine = Engine(LONG, SEED, TASKS, store, LocalExecutor(TASKS), simulation=Simulation())
        history = History.read(store, engine.allocation, engine.rule)
        assert [past.row.index for past in history.proposals] == list(range(70))
        (trials,) = store.select("SELECT count(*) FROM trials WHERE proposal BETWEEN 0 AND 69")
        assert history.trials == trials[0] == sum(len(v.results) for p in history.proposals for v in p.visits)
        for past in history.proposals:
            expected = [(row.task, row.passed) for row in store.evaluations() if row.proposal == past.row.index]
            assert [(visit.task, visit.passed) for visit in past.visits] == expected


def test_a_store_that_this_version_would_not_have_made_is_refused_at_the_next_check(
    whole_run: Whole, tmp_path: Path
) -> None:
    shutil.copytree(whole_run("paper")[0], tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "run.sqlite") as connection:
        # Proposal 89 is the last one; what it was is put into the place of what it is.
        other = connection.execute('SELECT cell FROM proposals WHERE "index" = 3').fetchone()[0]
        connection.execute('UPDATE proposals SET cell = ? WHERE "index" = 89', (other,))
    with pytest.raises(SearchError, match=rf"^proposal 89 of the stored run is cell g{other}, but this version"):
        finish(tmp_path, LONG)
