"""Confirmation: who is confirmed, what is declared, and that order and interruptions change nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from results.scores.confirmation import confirmation_of, course_of
from results.scores.finalists import finalists_of
from results.scores.finding import Standing
from results.store.records import TrialRow
from results.store.store import Store
from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.core.keys import finalist_seed
from search.engine.confirmation import (
    Demand,
    choose_contenders,
    confirm,
    confirmation_seconds,
    planned_declaration,
)
from search.engine.engine import Engine
from search.engine.finalists import retrain
from search.engine.progress import Progress
from search.profiles.sections import ConfirmationSection, FinalistsSection, Profile
from search.training.simulation import Simulation
from search.workers.executor import Executor, LocalExecutor
from tests.test_search.test_engine.searches import PROFILE as SEARCH
from tests.test_search.test_engine.searches import TASKS, make_store
from tests.test_search.test_workers.executors import KilledError, Killing, Shuffled, through_kills

PLAN = ConfirmationSection(contenders=1, cells=("tanh",), repeats=2, looks=2, max_repeats=3)
PROFILE = replace(
    SEARCH,
    finalists=FinalistsSection(cells=3, repeats=2),
    confirmation=PLAN,
    cells={"planted": "h' = relu(linear(x) + linear(h))"},
)
GRU, LSTM, TANH = (LIBRARY[name].graph.id for name in ("gru", "lstm", "tanh"))
NULL = Simulation(equal=True)


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished search whose first round is done; to be copied."""
    folder = tmp_path_factory.mktemp("retrained")
    with make_store(folder, PROFILE) as store:
        Engine(PROFILE, 0, TASKS, store, LocalExecutor(TASKS), simulation=NULL).run()
        retrain(PROFILE, 0, TASKS, store, LocalExecutor(TASKS), Progress(), simulation=NULL)
    return folder


@pytest.fixture
def store(retrained: Path, tmp_path: Path) -> Iterator[Store]:
    """Store of a copy of that search."""
    (tmp_path / "run.sqlite").write_bytes((retrained / "run.sqlite").read_bytes())
    with Store.open(tmp_path) as opened:
        yield opened


def again(
    store: Store,
    profile: Profile = PROFILE,
    executor: Executor | None = None,
    demand: Demand | None = None,
    simulation: Simulation = NULL,
) -> tuple[list[TrialRow], int]:
    """Confirm. Return the trials of the confirmation, and the number that this call trained."""
    progress = Progress()
    confirm(profile, 0, TASKS, store, executor or LocalExecutor(TASKS), progress, demand=demand, simulation=simulation)
    assert progress.confirmation_done == progress.confirmation
    return fresh(store), progress.trials_run


def fresh(store: Store) -> list[TrialRow]:
    return [replace(row, seconds=0.0) for row in store.trials(curves=True) if row.repeat > 1000]


def test_the_contenders_are_the_best_found_cells_of_the_first_round_and_the_named_ones(store: Store) -> None:
    found = {row.id for row in store.cells() if row.origin == "found"}
    means: dict[str, float] = {}
    for cell in {row.cell for row in store.trials(task="xml") if row.repeat == 1} & found:
        tests = [row.test or 0.0 for row in store.trials(cell, "xml") if row.repeat in (1, 2)]
        means[cell] = sum(tests) / len(tests)
    assert len(means) == 3
    best = sorted(means, key=lambda cell: -means[cell])
    assert choose_contenders(PROFILE, store) == [best[0], TANH]
    two = replace(PROFILE, confirmation=replace(PLAN, contenders=2, cells=()))
    assert choose_contenders(two, store) == best[:2]
    assert choose_contenders(replace(PROFILE, confirmation=replace(PLAN, contenders=0)), store) == [TANH]


def test_tests_settings_and_looks_are_declared_before_the_first_trial(store: Store) -> None:
    executor = Killing(TASKS, 0, 0)
    with pytest.raises(KilledError):
        again(store, executor=executor)
    assert fresh(store) == []
    declared = store.confirmation
    assert declared is not None
    best = choose_contenders(PROFILE, store)[0]
    assert [(plan.cell, plan.task, plan.looks) for plan in declared.plans] == [
        (cell, "xml", [2, 3]) for cell in (best, TANH)
    ]
    first = {(row.cell, row.task): row.setting for row in store.trials() if row.repeat == 1}
    for cell in (best, TANH, GRU, LSTM):
        assert declared.settings[cell]["xml"] == first[cell, "xml"]
    assert declared.constant_baseline == {"xml": TASKS["xml"].constant_baseline()}


def test_contenders_gru_and_lstm_are_trained_on_seeds_that_no_choice_has_seen(store: Store) -> None:
    before = list(store.trials(curves=True))
    found, trained = again(store)
    assert trained == len(found)
    best = choose_contenders(PROFILE, store)[0]
    assert {row.cell for row in found} == {best, TANH, GRU, LSTM}
    assert {row.task for row in found} == {"xml"}  # chords is a check: it ranks nothing
    assert {row.repeat for row in found} <= {1001, 1002, 1003}
    for row in found:
        assert row.seed == finalist_seed(0, "xml", row.repeat)
    others = {row.seed for row in store.trials() if row.repeat <= 1000}
    assert not {row.seed for row in found} & others
    assert [row for row in store.trials(curves=True) if row.repeat <= 1000] == before
    assert again(store) == (found, 0)


def test_order_and_kills_change_no_row_and_nothing_is_trained_twice(
    store: Store, retrained: Path, tmp_path: Path
) -> None:
    undisturbed, _ = again(store)
    verdicts = confirmation_of(store)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "run.sqlite").write_bytes((retrained / "run.sqlite").read_bytes())
    with Store.open(tmp_path / "killed") as other:
        (found, _), trained, kills = through_kills(TASKS, 3, lambda executor: again(other, executor=executor))
        assert kills >= 2
        assert found == undisturbed
        assert trained.total() == len(found)
        again_judged = confirmation_of(other)
        assert verdicts is not None
        assert again_judged is not None
        assert again_judged.tests == verdicts.tests
    (tmp_path / "shuffled").mkdir()
    (tmp_path / "shuffled" / "run.sqlite").write_bytes((retrained / "run.sqlite").read_bytes())
    with Store.open(tmp_path / "shuffled") as other:
        assert again(other, executor=Shuffled(TASKS, 3))[0] == undisturbed


def test_a_clear_difference_ends_after_the_first_look_and_no_difference_does_not(store: Store) -> None:
    looks = ConfirmationSection(contenders=0, cells=("planted", "tanh"), repeats=6, looks=2, max_repeats=12)
    again(store, replace(PROFILE, confirmation=looks), simulation=Simulation(equal=True, planted=0.2))
    judged = confirmation_of(store)
    assert judged is not None
    assert judged.ended
    tests = {(test.cell == TANH, test.other): test for test in judged.tests}
    for other in (GRU, LSTM):
        better, null = tests[False, other], tests[True, other]
        assert (better.standing, better.repeats) == (Standing.BETTER, 6)
        assert better.low > 0
        # Trials of equal cells differ by luck alone.
        assert null.standing in (Standing.UNDECIDED, Standing.EVEN)
        assert null.low < 0 < null.high
    counts = Counter(row.cell for row in fresh(store))
    assert counts.pop(PROFILE.given["planted"].id) == 6
    assert counts[GRU] == max(test.repeats for test in judged.tests if test.other == GRU)
    assert counts[TANH] == max(test.repeats for test in judged.tests if test.cell == TANH)


def test_a_cell_that_is_named_later_is_declared_then_and_joins_the_family(store: Store) -> None:
    first, _ = again(store)
    before = store.confirmation
    other = next(cell for cell in finalists_of(store).cells(["xml"]) if cell not in {row.cell for row in first})
    found, trained = again(store, demand=Demand(cells=(other[:8],)))
    assert trained > 0
    assert [row for row in found if row.cell != other and row in first] == first
    declared = store.confirmation
    assert before is not None
    assert declared is not None
    assert declared.plans[: len(before.plans)] == before.plans
    assert [plan.cell for plan in declared.plans[len(before.plans) :]] == [other]
    assert again(store) == (found, 0)  # a later call without it keeps the declaration
    assert store.confirmation == declared


def test_more_seeds_for_one_cell_and_task_are_one_more_look(store: Store) -> None:
    again(store)
    found, _ = again(store, demand=Demand(("tanh",), ("xml",), 5))
    counts = Counter(row.cell for row in found)
    assert counts[TANH] == counts[GRU] == counts[LSTM] == 5
    declared = store.confirmation
    assert declared is not None
    plan = next(plan for plan in declared.plans if plan.cell == TANH)
    assert (plan.looks, plan.least) == ([2, 3, 5], 5)
    judged = confirmation_of(store)
    assert judged is not None
    assert {test.repeats for test in judged.tests if test.cell == TANH} == {5}


def test_fewer_seeds_than_planned_are_no_further_look_which_would_cost_a_part_of_the_level(store: Store) -> None:
    found, _ = again(store, demand=Demand(("tanh",), ("xml",), 5))
    declared = store.confirmation
    for repeats in (2, 4, 5):
        assert again(store, demand=Demand(("tanh",), ("xml",), repeats)) == (found, 0)
        assert store.confirmation == declared


def test_a_declaration_keeps_its_settings_when_the_search_finds_better_ones(store: Store) -> None:
    found, _ = again(store)
    declared = store.confirmation
    assert declared is not None
    best = next(row for row in store.trials(TANH, "xml") if row.repeat == 0 and row.setting != found[0].setting)
    store.record(None, [replace(best, setting=best.setting.replace("0.2", "0.25"), validation=0.999, proposal=None)])
    assert again(store) == (found, 0)
    assert store.confirmation == declared


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (Demand(("gru",)), "--cell gru: contenders are compared with the GRU itself"),
        (Demand(("ffffffff",)), "--cell ffffffff: run 'RUN' has no cell 'ffffffff'"),
        (Demand(("tanh",), ("chords",), 5), "--task chords: run 'RUN' has no such ranked task; they are xml"),
        (Demand(("tanh",), (), 1001), "--repeats 1001: a cell is confirmed on at most 1000 seeds"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_in_one_line(store: Store, demand: Demand, message: str) -> None:
    with pytest.raises(SearchError) as raised:
        planned_declaration(PROFILE, TASKS, store, demand)
    assert str(raised.value).startswith(message.replace("RUN", store.name))
    assert store.confirmation is None


def test_the_seconds_to_come_are_those_of_the_missing_trials(store: Store) -> None:
    declared = planned_declaration(PROFILE, TASKS, store)
    assert declared is not None
    best = choose_contenders(PROFILE, store)[0]
    means = {}
    for cell in (best, TANH, GRU, LSTM):
        trials = store.trials(cell, "xml")
        means[cell] = sum(trial.seconds for trial in trials) / len(trials)
    assert confirmation_seconds(store, declared) == pytest.approx((2 * sum(means.values()), 3 * sum(means.values())))
    again(store)
    assert confirmation_seconds(store, store.confirmation) == (0.0, 0.0)
    course = course_of(store)
    assert course is not None
    assert not course.wanted


def test_without_contenders_nothing_is_declared(store: Store) -> None:
    none = replace(PROFILE, confirmation=ConfirmationSection(contenders=0))
    assert again(store, none) == ([], 0)
    assert store.confirmation is None
