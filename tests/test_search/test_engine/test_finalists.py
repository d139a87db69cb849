"""Finalists: which cells, with which settings and seeds; order and interruptions change nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.store.records import CellRow, TrialRow
from results.store.store import Store
from results.store.words import TrialState
from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.core.keys import finalist_seed
from search.engine.engine import Engine
from search.engine.finalists import choose_finalists, finalists_seconds, retrain
from search.engine.progress import Progress
from search.profiles.sections import FinalistsSection, Profile
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor, LocalExecutor
from tests.test_search.test_engine.searches import PROFILE as SEARCH
from tests.test_search.test_engine.searches import TASKS, make_store
from tests.test_search.test_workers.executors import KilledError, Killing, Sabotaged, Shuffled, through_kills

PROFILE = replace(SEARCH, finalists=FinalistsSection(cells=1, repeats=2))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished search without finalists; to be copied."""
    folder = tmp_path_factory.mktemp("searched")
    with make_store(folder, PROFILE) as store:
        Engine(PROFILE, 0, TASKS, store, LocalExecutor(TASKS)).run()
    return folder


@pytest.fixture
def store(searched: Path, tmp_path: Path) -> Iterator[Store]:
    """Store of a copy of the finished search."""
    (tmp_path / "run.sqlite").write_bytes((searched / "run.sqlite").read_bytes())
    with Store.open(tmp_path) as opened:
        yield opened


def again(store: Store, profile: Profile = PROFILE, executor: Executor | None = None) -> tuple[list[TrialRow], int]:
    """Retrain the finalists. Return their trials without seconds, and the number that this call trained."""
    progress = Progress()
    retrain(profile, 0, TASKS, store, executor or LocalExecutor(TASKS), progress)
    assert progress.finalists_done == progress.finalists
    return repeats(store), progress.trials_run


def repeats(store: Store) -> list[TrialRow]:
    return [replace(row, seconds=0.0) for row in store.trials(curves=True) if row.repeat > 0]


def best_by_loop(store: Store, cell: str, task: str) -> TrialRow | None:
    """Return the search's best trial by validation, found by a plain loop."""
    trials = [t for t in store.trials(cell, task) if t.repeat == 0 and t.validation is not None]
    sign = -1 if task == "xml" else 1
    ranked = sorted((sign * (t.validation or 0.0), t.parameters, t.setting) for t in trials)
    return next((t for t in trials if t.setting == ranked[0][2]), None) if ranked else None


def test_finalists_are_the_given_cells_and_the_best_found_at_their_best_settings(store: Store) -> None:
    chosen = choose_finalists(PROFILE, store)
    assert [f.graph.id for f in chosen[:3]] == [graph.id for graph in PROFILE.given.values()]
    # The scores that the search itself told of, re-examinations included.
    scores: dict[str, float] = {}
    origin = {cell.id: cell.origin for cell in store.cells()}
    for row in store.proposals():
        if row.score is not None and row.cell is not None and origin[row.cell] == "found":
            scores[row.cell] = max(row.score, scores.get(row.cell, 0.0))
    assert [scores[f.graph.id] for f in chosen[3:]] == sorted(scores.values(), reverse=True)[:1]  # two may be equal
    everyone = choose_finalists(replace(PROFILE, finalists=FinalistsSection(cells=1000)), store)
    assert {f.graph.id for f in everyone[3:]} == set(scores)
    for finalist in everyone:
        for task in ("xml", "chords"):
            best = best_by_loop(store, finalist.graph.id, task)
            assert (finalist.settings[task].key if task in finalist.settings else None) == (best and best.setting)
        assert not finalist.settings.keys() - {"xml", "chords"}


def test_every_finalist_has_every_repeat_with_the_seed_of_task_and_repeat_alone(store: Store) -> None:
    before = list(store.trials(curves=True))
    found, trained = again(store)
    assert trained == len(found) == 4 * 2 * 2
    assert Counter((row.task, row.repeat) for row in found) == {(t, r): 4 for t in ("xml", "chords") for r in (1, 2)}
    for row in found:
        assert row.seed == finalist_seed(0, row.task, row.repeat)
    assert len({row.seed for row in found}) == 4
    assert [row for row in store.trials(curves=True) if row.repeat == 0] == before
    assert store.information["retrained"]["repeats"] == 2
    assert store.information["retrained"]["constant_guess"]["xml"] == TASKS["xml"].constant_baseline()


def test_the_seed_alone_decides_on_the_data() -> None:
    """Cells of different shapes read the same windows: what differs is paired."""
    seed = finalist_seed(0, "xml", 1)
    first, second = (TASKS["xml"].training(4, 8, np.random.default_rng(seed)) for _ in range(2))
    for _ in range(5):
        np.testing.assert_array_equal(next(first).inputs, next(second).inputs)


def test_order_and_kills_change_no_row_and_nothing_is_trained_twice(
    store: Store, searched: Path, tmp_path: Path
) -> None:
    undisturbed, _ = again(store)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "run.sqlite").write_bytes((searched / "run.sqlite").read_bytes())
    with Store.open(tmp_path / "killed") as other:
        (found, _), trained, kills = through_kills(TASKS, 6, lambda executor: again(other, executor=executor))
    assert kills == 2
    assert found == undisturbed
    assert trained.total() == len(found)


def test_more_repeats_are_added_to_those_there_are_and_count_when_all_are_done(store: Store) -> None:
    first, _ = again(store)
    more = replace(PROFILE, finalists=FinalistsSection(cells=1, repeats=3))
    executor = Killing(TASKS, 0, 3)
    with pytest.raises(KilledError):
        again(store, more, executor)
    assert store.information["retrained"]["repeats"] == 2
    found, trained = again(store, more, Shuffled(TASKS, 1))
    assert trained == 4 * 2 - 3
    assert [row for row in found if row.repeat <= 2] == first
    assert store.information["retrained"]["repeats"] == 3
    assert again(store) == (found, 0)  # fewer are asked for: nothing to do, nothing lost
    assert store.information["retrained"]["repeats"] == 3


def test_no_cells_are_no_finalists_and_no_trials(store: Store) -> None:
    assert again(store, replace(PROFILE, finalists=FinalistsSection(cells=0))) == ([], 0)
    assert "retrained" not in store.information


def test_a_finalist_whose_trials_fail_does_not_end_it(store: Store) -> None:
    result = TrialResult(TrialState.FAILED, "made up")
    found, _ = again(store, executor=Sabotaged(TASKS, LIBRARY["lstm"].graph.id, result))
    states = Counter((row.cell == LIBRARY["lstm"].graph.id, row.state == "failed") for row in found)
    assert states == {(True, True): 4, (False, False): 12}


class Failing(LocalExecutor):
    """Fails every trial, as where a disk is full."""

    def next(self) -> tuple[int, TrialResult]:
        return super().next()[0], TrialResult(TrialState.FAILED, "no space left")


def test_fresh_trials_that_mostly_fail_stop_it_with_the_reason_since_each_counts_as_a_lost_seed(store: Store) -> None:
    profile, progress = replace(PROFILE, finalists=FinalistsSection(cells=1, repeats=30)), Progress()
    with pytest.raises(SearchError, match=r"20 of the last 20 trials on '\w+' failed.*same `finalists` command again"):
        retrain(profile, 0, TASKS, store, Failing(TASKS), progress, simulation=Simulation())
    assert progress.trials_failed == progress.trials_run == len(repeats(store))
    assert progress.trials_run < progress.finalists


def test_the_seconds_to_come_are_those_of_the_search_s_trials(store: Store) -> None:
    chosen = choose_finalists(PROFILE, store)
    expected = 0.0
    for finalist in chosen:
        for task in finalist.settings:
            trials = store.trials(finalist.graph.id, task)
            expected += 2 * sum(t.seconds for t in trials) / len(trials)
    assert finalists_seconds(PROFILE, store, chosen) == pytest.approx(expected)
    again(store)
    assert finalists_seconds(PROFILE, store, chosen) == 0.0


def test_without_a_result_of_the_gru_there_is_nobody_to_choose(tmp_path: Path) -> None:
    with make_store(tmp_path, PROFILE) as empty:
        gru = LIBRARY["gru"].graph
        empty.add_cell(CellRow(gru.id, "h' = h", "gru", None, (), "baseline", None, 1, 1, 1))
        with pytest.raises(SearchError, match=r"^run '.*' has no result of the GRU on 'xml' yet, so nothing can"):
            choose_finalists(PROFILE, empty)
