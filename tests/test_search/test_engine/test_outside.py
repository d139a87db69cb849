"""Runs that are told cells: answers, what they depend on, what the store keeps, and what verification finds."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from results.publication.consistency import consistency
from results.store.endings import paused_at
from results.store.errors import ResultsError, StoreError
from results.store.records import TrialRow
from results.store.store import FILE, Store
from results.store.words import COMPLETE, Origin, ProposalKind
from search.cells.errors import CellError, FormulaError
from search.cells.ids import without_letter
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.core.errors import SearchError
from search.engine.answers import Answer
from search.engine.outside_run import OutsideRun, open_outside, suggestions
from search.engine.run import resume_search, run_search
from search.engine.verification import replay
from search.profiles.loading import profile_of
from search.profiles.sections import FinalistsSection, HalvingSection, Profile
from search.profiles.training_sections import ScheduleSection
from search.training.simulation import Simulation
from search.workers.executor import Executor
from tests.test_search.test_engine.searches import PROFILE, TASKS
from tests.test_search.test_workers.executors import Counting, KilledError, Killing, Shuffled

SCHEDULE = ScheduleSection(batch=4, unroll=8, epoch_steps=400, epochs=8, halvings=2, chance_epochs=100)
SECTIONS = {name: replace(section, schedule=SCHEDULE) for name, section in PROFILE.tasks.items()}
PROFILES: dict[str, Profile] = {
    allocation: replace(
        PROFILE,
        search=replace(PROFILE.search, allocation=allocation, window=3),
        halving=HalvingSection(rungs=3, settings=(1, 1, 2)),
        tasks=SECTIONS,
        finalists=FinalistsSection(cells=2, repeats=2),
    )
    for allocation in ("stages", "halving")
}
CELLS = [
    "h' = tanh(linear(x) + h * linear(h, bias=False))",
    "f = sigmoid(linear(x) + linear(h)); h' = f * h + (1 - f) * tanh(linear(x))",
    "h' = tanh(linear(x) + linear(h) * h)",
    "ugrnn",
    "c' = sigmoid(linear(x)) * c + tanh(linear(x) + linear(h)); h' = tanh(c')",
    "h' = relu(linear(x) + h)",
    "r = sigmoid(linear(x) + linear(h)); h' = tanh(linear(x) + r * linear(h))",
    "h' = sigmoid(linear(h)) * tanh(linear(x) + linear(h))",
    "z = sigmoid(linear(x)); h' = z * h + (1 - z) * tanh(linear(x) + linear(h) * z)",
    "mgu",
    "h' = tanh(linear(x) * linear(h) + linear(h))",
    "i = sigmoid(linear(h)); h' = h + i * tanh(linear(x) + linear(h))",
]
each = pytest.mark.parametrize("allocation", ["halving", pytest.param("stages", marks=pytest.mark.slow)])


@contextmanager
def opened(
    folder: Path, allocation: str | None, executor: Executor | None = None, window: int | None = None
) -> Iterator[OutsideRun]:
    profile = None if allocation is None else PROFILES[allocation]
    executor = executor or Counting(TASKS)
    new = None if folder.exists() else Simulation()
    with open_outside(
        folder, profile, window=window, simulation=new, load=lambda profile: TASKS, executor=executor
    ) as run:
        yield run


def tell(run: OutsideRun, cells: Sequence[str], parent: str | None = None) -> list[Answer]:
    tickets = [run.submit(run.check(cell, parent)) for cell in cells]
    return [run.answer(ticket) for ticket in tickets]


def rows(folder: Path) -> dict[str, list[object]]:
    with Store.open(folder, readonly=True) as store:
        return {
            "cells": [*store.cells()],
            "trials": [replace(row, seconds=0.0) for row in store.trials(curves=True)],
            "evaluations": [*store.evaluations()],
            "proposals": [*store.proposals()],
        }


Wholes = Callable[[str], tuple[Path, list[Answer]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """Tells all cells at once, with a promotion after the first eight; returns the run, the answers and standings."""

    @cache
    def told(allocation: str) -> tuple[Path, list[Answer]]:
        folder = tmp_path_factory.mktemp("whole") / "run"
        with opened(folder, allocation) as run:
            answers = tell(run, CELLS[:8])
            run.promote()
            answers += tell(run, CELLS[8:])
            return folder, answers + run.results()

    return told


@each
def test_answers_depend_on_the_sequence_alone_not_on_calls_the_order_of_results_or_reopening(
    allocation: str, whole: Wholes, tmp_path: Path
) -> None:
    folder, expected = whole(allocation)
    answers: list[Answer] = []
    for number, cell in enumerate(CELLS):
        with opened(tmp_path / "parts", allocation, Shuffled(TASKS, number)) as run:
            if number == 8:
                run.promote()
            answers += tell(run, [cell])
    with opened(tmp_path / "parts", None) as run:
        answers += run.results()
    assert answers == expected
    assert rows(tmp_path / "parts") == rows(folder)
    assert len({answer.id for answer in expected}) == len(expected) - len(CELLS)


@each
def test_a_run_that_is_killed_again_and_again_trains_no_trial_twice_and_gives_the_same(
    allocation: str, whole: Wholes, tmp_path: Path
) -> None:
    folder, expected = whole(allocation)
    kills = 0
    while True:
        executor = Killing(TASKS, kills, 7)
        try:
            with opened(tmp_path / "killed", allocation, executor) as run:
                tell(run, CELLS[:8])
                if not run.engine.knows(run.check(CELLS[8]).graph.id):  # else it was promoted before that
                    run.promote()
                tell(run, CELLS[8:])
                found = run.results()
            break
        except KilledError:
            kills += 1
    assert kills >= 5
    assert found == expected[len(CELLS) :]
    assert rows(tmp_path / "killed") == rows(folder)


@each
def test_a_cell_in_training_when_the_process_died_is_finished_when_the_run_is_opened(
    allocation: str, tmp_path: Path
) -> None:
    with opened(tmp_path / "whole", allocation) as run:
        (expected,) = tell(run, CELLS[:1])
    with opened(tmp_path / "run", allocation) as run:
        run.submit(run.check(CELLS[0]))  # and no answer is waited for
    with opened(tmp_path / "run", None) as run:
        (answer,) = tell(run, CELLS[:1])
    assert answer == replace(expected, known=True)


@each
def test_isomorphic_and_given_cells_are_answered_from_the_store(allocation: str, tmp_path: Path) -> None:
    executor = Counting(TASKS)
    with opened(tmp_path / "run", allocation, executor) as run:
        first, ugrnn = tell(run, [CELLS[1], "ugrnn"])
        trained = executor.trained.total()
        flipped = "z = sigmoid(linear(x, bias=-1) + linear(h, bias=False)); c = tanh(linear(x) + linear(h, bias=False))"
        flipped += "; h' = (1 - z) * h + z * c"
        again, same, gru = tell(
            run, ["k = tanh(linear(x)); a = sigmoid(linear(h) + linear(x)); h' = (1 - a) * k + h * a", flipped, "gru"]
        )
        assert executor.trained.total() == trained
        assert not first.known
        assert again == replace(first, known=True)
        assert (same.id, same.name, ugrnn.name, ugrnn.remark) == (ugrnn.id, "ugrnn", "ugrnn", "")
        assert same.known
        assert same.remark == "with its gate g flipped"
        assert (gru.known, gru.name, gru.score, gru.ending) == (True, "gru", 1.0, COMPLETE)
        assert gru.tasks["xml"].share == 1.0
        assert run.engine.index == 2 + run.engine.progress.promotions
    with Store.open(tmp_path / "run", readonly=True) as store:
        assert sum(row.origin == Origin.FOUND for row in store.cells()) == 2


def test_the_first_rungs_metric_and_share_are_those_of_the_curves_at_that_step(tmp_path: Path) -> None:
    with opened(tmp_path / "run", "halving") as run:
        answers = tell(run, CELLS)
    step = round(SCHEDULE.epoch_steps * SCHEDULE.epochs / 9)
    with Store.open(tmp_path / "run", readonly=True) as store:

        def at_step(trial: TrialRow) -> float:
            return max(value for at, _, value in trial.curve if at <= step)

        gru = [row for row in store.trials(LIBRARY["gru"].graph.id, "xml", curves=True) if row.repeat == 0]
        reference = at_step(max(gru, key=lambda row: row.validation or 0.0))
        compared = 0
        for answer in answers:
            found = answer.tasks["xml"]
            if found.metric is not None and answer.rung == 1:
                trials = store.trials(without_letter(answer.id), "xml", curves=True)
                told = store.cell(answer.id).proposal  # later promotions try other settings
                own = [row for row in trials if row.proposal == told]
                assert found.metric == max(map(at_step, own))
                assert found.share == pytest.approx(found.metric / reference, rel=1e-12)  # the score is of ratios
                assert found.setting is not None
                compared += answer.ending == paused_at(0)
                assert answer.score == (found.share if answer.ending == paused_at(0) else None)
    assert compared >= 5


def test_promotions_are_those_of_asynchronous_halving_and_are_made_between_tells(tmp_path: Path) -> None:
    with opened(tmp_path / "run", "halving", window=1) as run:
        scores: dict[str, float] = {}
        promoted: set[str] = set()
        for cell in CELLS:
            before = run.engine.progress.promotions
            (answer,) = tell(run, [cell])
            # ASHA at the first rung: promote the best third that was told before this cell, each once.
            best = sorted(scores, key=lambda cell: (-scores[cell], cell))[: len(scores) // 3]
            new = [cell for cell in best if cell not in promoted]
            assert run.engine.progress.promotions - before >= len(new)
            promoted.update(new)
            assert answer.rung == 1
            scores[answer.id] = -1.0 if answer.score is None else answer.score
        run.promote()
        best = sorted(scores, key=lambda cell: (-scores[cell], cell))[: len(scores) // 3]
        promoted.update(cell for cell in best if scores[cell] >= 0)
        standing = {answer.id: answer for answer in run.results() if answer.id in scores}
        assert {cell for cell, answer in standing.items() if answer.rung is not None and answer.rung >= 2} == promoted
        assert all(
            answer.scores[0] == (scores[cell] if scores[cell] >= 0 else None) for cell, answer in standing.items()
        )
        assert run.promote() == 0
        best_of_all = run.best(50)
    ranks = [(-(answer.rung or 0), -(answer.score or 0.0)) for answer in best_of_all]
    assert ranks == sorted(ranks)
    assert {"gru", "lstm", "tanh"} <= {answer.name for answer in best_of_all if answer.rung == 3}


@each
def test_what_cannot_be_told_has_the_parsers_message_and_changes_nothing(allocation: str, tmp_path: Path) -> None:
    with opened(tmp_path / "run", allocation) as run:
        before = rows(tmp_path / "run")
        for formula in ("h' = tanh(linear(x) + frobnicate(h))", "z = sigmoid(x)\nh' = z * (", "h' = 3 +"):
            with pytest.raises(FormulaError) as parsers:
                parse_formula(formula)
            with pytest.raises(FormulaError) as told:
                run.check(formula)
            assert str(told.value) == str(parsers.value)
        with pytest.raises(CellError, match="is not a named cell; did you mean"):
            run.check("ugrn")
        with pytest.raises(StoreError, match="has no cell 'abcdef'"):
            run.check(CELLS[0], "abcdef")
        assert rows(tmp_path / "run") == before
        assert tell(run, CELLS[2:3])[0].known is False


@each
def test_a_told_cells_first_settings_come_from_the_parent_that_was_named(allocation: str, tmp_path: Path) -> None:
    with opened(tmp_path / "run", allocation, window=1) as run:
        (parent,) = tell(run, CELLS[8:9])
        (child,) = tell(run, CELLS[10:11], parent=parent.id[:6])
    with Store.open(tmp_path / "run", readonly=True) as store:
        assert store.cell(child.id).parent == without_letter(parent.id)
        if allocation == "halving":  # one setting at the first rung: the parent's best
            best = parent.tasks["xml"].setting
            assert best is not None
            assert [row.setting for row in store.trials(without_letter(child.id), "xml")] == [best.key]
        assert [
            row.parent
            for row in store.proposals()
            if row.cell == without_letter(child.id) and row.kind == ProposalKind.PROPOSE
        ] == [without_letter(parent.id)]


@each
def test_suggestions_are_new_children_of_known_cells_and_the_same_until_something_is_told(
    allocation: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with opened(folder, allocation, window=1) as run:
        tell(run, CELLS[:4])
        before = rows(folder)
        found = run.suggest(6)
        assert run.suggest(6) == found
        assert run.suggest(2) == found[:2]
        assert rows(folder) == before
        known = set(run.engine.cells())
        assert {one.parent for one in found} <= known
        assert len({one.graph.id for one in found} - known) == 6
        # Another process asks meanwhile.
        assert suggestions(folder, 6, load=lambda profile: TASKS) == found
        tell(run, [CELLS[5]])
        assert run.suggest(6) != found
    assert suggestions(folder, 3, load=lambda profile: TASKS) != found[:3]


def test_suggestions_while_a_cell_is_in_training_are_drawn_from_the_results_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with opened(folder, "halving", window=4) as run:
        tell(run, CELLS[:3])
        run.submit(run.check(CELLS[3]))
        found = suggestions(folder, 4, load=lambda profile: TASKS)
        assert found == run.suggest(4)


def test_suggestions_of_a_run_whose_given_cells_are_not_trained_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KilledError), opened(tmp_path / "run", "stages", Killing(TASKS, 0, 3)):
        pass
    with pytest.raises(SearchError, match="given cells of run 'run' are not trained yet; 'gatesearch tell run'"):
        suggestions(tmp_path / "run", 1, load=lambda profile: TASKS)


@each
def test_a_finished_run_verifies_and_may_be_told_more(allocation: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with opened(folder, allocation) as run:
        answers = tell(run, CELLS[:6])
        tell(run, [CELLS[6]], parent=answers[0].id)
        run.finish()
    verified(folder, "the whole search, replayed over its")
    with Store.open(folder, readonly=True) as store:
        assert store.finished is not None
        assert any(0 < row.repeat < 1000 for row in store.trials())
    with opened(folder, None) as run:
        tell(run, CELLS[8:])
    with Store.open(folder, readonly=True) as store:
        assert store.finished is None
    verified(folder, "the whole search, replayed over its")
    resume_search(folder, load=lambda profile: TASKS, executor=Counting(TASKS))
    verified(folder, "the whole search, replayed over its")
    with Store.open(folder, readonly=True) as store:
        assert store.finished is not None
        told = [row for row in store.cells() if row.origin == Origin.FOUND]
        assert [row.parent for row in told].count(None) == len(told) - 1
        assert not any(row.mutations for row in told)


def verified(folder: Path, words: str) -> None:
    with Store.open(folder, readonly=True) as store:
        profile = PROFILES["halving" if 'allocation = "halving"' in store.profile else "stages"]
        checks = list(consistency(store, profile.ranked, finished=True))
        assert all(check.ok for check in checks), checks
        found = replay(store, profile_of(store), TASKS).check
        assert found.ok, found
        assert words in found.detail


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a run that was told four cells, once for each allocation. Only copy its folder."""

    @cache
    def run_of(allocation: str) -> Path:
        folder = tmp_path_factory.mktemp("told") / "run"
        with opened(folder, allocation) as run:
            tell(run, CELLS[:4])
            run.promote()
        return folder

    return run_of


@each
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE evaluations SET ratio = ratio + 1e-12 WHERE proposal >= 0", "ratio is stored as"),
        ("UPDATE proposals SET outcome = 'complete', score = 2.0 WHERE \"index\" = 1", "is stored as"),
        ("UPDATE trials SET seed = seed + 1 WHERE repeat = 0", "is stored, but the search"),
        ("UPDATE cells SET proposal = proposal + 1 WHERE proposal IS NOT NULL", "of the stored run, but this version"),
        ("UPDATE cells SET mutations = '[\"by hand\"]' WHERE proposal = 2", "mutations is stored as"),
    ],
)
def test_a_replay_finds_what_does_not_follow_from_the_told_cells(
    allocation: str, statement: str, words: str, told: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(told(allocation), folder)
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.executescript(statement)
    with Store.open(folder, readonly=True) as store:
        found = replay(store, profile_of(store), TASKS).check
    assert found.ok is False
    assert words in found.detail


def test_a_killed_run_verifies_as_far_as_it_came(tmp_path: Path) -> None:
    for jobs in (3, 20, 23, 26, 29, 32, 34):
        folder = tmp_path / str(jobs)
        with pytest.raises(KilledError), opened(folder, "halving", Killing(TASKS, 1, jobs)) as run:
            tell(run, CELLS)
        verified(folder, "the unfinished search, replayed over its")


def test_parents_and_mutations_are_demanded_of_cells_that_were_not_told(tmp_path: Path) -> None:
    with opened(tmp_path / "run", "stages") as run:
        tell(run, CELLS[:2])
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    with closing(sqlite3.connect(tmp_path / "other" / FILE)) as connection:
        connection.executescript("UPDATE run SET strategy = 'paper'")
    for name, ok in (("run", True), ("other", False)):
        with Store.open(tmp_path / name, readonly=True) as store:
            lineage = next(check for check in consistency(store, ("xml",), True) if check.name == "lineage")
            assert lineage.ok is ok, lineage


def test_after_an_interruption_the_open_run_refuses_to_go_on(tmp_path: Path) -> None:
    with opened(tmp_path / "run", "stages", Killing(TASKS, 0, 25)) as run:
        with pytest.raises(KilledError):
            tell(run, CELLS)
        for call in (run.results, run.promote, run.finish, lambda: tell(run, CELLS[:1])):
            with pytest.raises(SearchError, match="interrupted; close it and open it again"):
                call()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outside") / "run"
    with opened(folder, "stages"):
        return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": 1}, "run 'run' has the seed 0, not 1"),
        ({"window": 7}, "has the window 3, not 7"),
        ({"simulation": Simulation(2.0)}, "has the simulation"),
        ({"profile": PROFILES["halving"]}, "was made with another profile"),
    ],
)
def test_a_run_that_exists_keeps_what_it_was_made_with(arguments: dict[str, object], words: str, made: Path) -> None:
    opening: Callable[..., object] = open_outside
    with pytest.raises(SearchError, match=words):
        opening(made, load=lambda profile: TASKS, executor=Counting(TASKS), **arguments).__enter__()  # type: ignore[attr-defined]
    with open_outside(made, PROFILES["stages"], seed=0, load=lambda profile: TASKS, executor=Counting(TASKS)):
        pass


def test_runs_and_strategies_that_do_not_fit_say_what_to_do(tmp_path: Path, made: Path) -> None:
    with pytest.raises(ResultsError, match=r"there is no run in '.*none': .*, or name a profile to start it$"):
        open_outside(tmp_path / "none").__enter__()
    outside = replace(PROFILE, search=replace(PROFILE.search, strategy="outside"))
    with pytest.raises(SearchError, match="'outside' proposes nothing by itself; tell it cells with 'gatesearch tell'"):
        run_search(tmp_path / "new", outside)
    with pytest.raises(SearchError, match="--proposals 9: run 'run' proposes nothing by itself"):
        resume_search(made, proposals=9)
    shorter = replace(PROFILE, search=replace(PROFILE.search, proposals=1))
    run_search(tmp_path / "own", shorter, simulation=Simulation(), load=lambda p: TASKS, executor=Counting(TASKS))
    with pytest.raises(
        SearchError, match=r"run 'own' proposes its cells by itself \(strategy paper\); choose a new name"
    ):
        open_outside(tmp_path / "own").__enter__()
