"""Very small whole searches: the same rows whatever the order of trials, interruptions and failures."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.store.records import EvaluationRow, ProposalRow, TrialRow
from results.store.words import MEMORIZATION, ProposalKind, TrialState
from results.tables.leaderboard import leaderboard
from search.cells.ids import short_id
from search.cells.library import LIBRARY, SEEDS, named_cell
from search.core.errors import SearchError
from search.core.keys import trial_seed
from search.engine.budgets import budgets
from search.profiles.sections import MutationSection
from search.strategies.paper import PaperStrategy
from search.strategies.proposal import Outcome, Proposal
from search.strategies.registry import STRATEGIES
from search.training.trial import TrialResult
from search.workers.environment import own_environment
from tasks.errors import TaskError
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, make_store, rows_of, run
from tests.test_search.test_workers.executors import Counting, KilledError, Killing, Sabotaged, Shuffled


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """Folder and rows of a search without interruption. Only copy the folder."""
    executor = Counting(TASKS)
    folder = tmp_path_factory.mktemp("undisturbed")
    found, _ = run(folder, executor)
    assert set(executor.trained.values()) == {1}
    assert len(found["trials"]) == executor.trained.total()
    return folder, found


@pytest.fixture(scope="module")
def undisturbed(finished: tuple[Path, Rows]) -> Rows:
    """Rows of a search without interruption."""
    return finished[1]


def test_the_small_search_has_a_bit_of_everything(undisturbed: Rows) -> None:
    outcomes = Counter(row.outcome for row in undisturbed["proposals"] if row.kind == ProposalKind.PROPOSE)
    assert outcomes["complete"] >= 2
    assert outcomes["stopped at memorization"] >= 1
    assert any(row.kind == ProposalKind.REEXAMINE for row in undisturbed["proposals"])
    assert [row.index for row in undisturbed["proposals"]] == list(range(-3, 12))
    assert {row.name for row in undisturbed["cells"]} >= {"tanh", *SEEDS}


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(tmp_path: Path, undisturbed: Rows) -> None:
    again, progress = run(tmp_path / "again")
    assert again == undisturbed
    assert progress.trials_run == len(again["trials"])
    assert (progress.baselines_done, progress.proposals_done) == (3, 12)
    other, _ = run(tmp_path / "other", seed=1)
    assert [row.cell for row in other["proposals"]] != [row.cell for row in undisturbed["proposals"]]


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_in_which_trials_finish_changes_no_row(order: int, tmp_path: Path, undisturbed: Rows) -> None:
    executor = Shuffled(TASKS, order)
    found, _ = run(tmp_path, executor)
    assert found == undisturbed
    assert set(executor.trained.values()) == {1}


def test_killed_and_resumed_gives_the_rows_of_an_undisturbed_run_and_trains_nothing_twice(
    tmp_path: Path, undisturbed: Rows
) -> None:
    rng, trained, kills = np.random.default_rng(0), Counter[tuple[str, str, str]](), 0
    while True:
        executor = Killing(TASKS, kills, int(rng.integers(0, 25)))
        try:
            found, progress = run(tmp_path, executor)
            break
        except KilledError:
            kills += 1
        finally:
            trained += executor.trained
    assert kills >= 3
    assert found == undisturbed
    assert set(trained.values()) == {1}
    assert progress.trials_known > 0
    assert progress.trials_run + progress.trials_known >= len(found["trials"])


def test_trials_say_what_trained_them_and_cells_of_two_environments_are_marked(
    tmp_path: Path, undisturbed: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KilledError):
        run(tmp_path, Killing(TASKS, 0, 20))
    before = {(row.cell, row.task, row.setting) for row in rows_of(tmp_path)}
    monkeypatch.setattr("search.workers.job.own_environment", lambda: '{"versions":{"torch":"0"}}')
    found, _ = run(tmp_path)
    with make_store(tmp_path, PROFILE) as store:
        known = store.environments()
        table = leaderboard(store, PROFILE.ranked).set_index("cell")
    (old,), (new,) = (
        [key for key, value in known.items() if (value["versions"]["torch"] == "0") is other] for other in (False, True)
    )
    assert known[old] == json.loads(own_environment())
    trials = found["trials"]
    assert {row.environment for row in trials if (row.cell, row.task, row.setting) in before} == {old}
    assert {row.environment for row in trials if (row.cell, row.task, row.setting) not in before} == {new}
    assert [replace(row, environment=old) for row in trials] == undisturbed["trials"]
    gru = {row.environment for row in trials if row.cell == named_cell("gru").graph.id}
    for cell, count in table["environments"].items():
        own = {row.environment for row in trials if row.cell.startswith(str(cell))}
        assert count == len(own | gru)
    assert 2 in set(table["environments"])


def test_a_finished_run_resumed_trains_nothing_and_changes_nothing(finished: tuple[Path, Rows], tmp_path: Path) -> None:
    folder, first = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    executor = Counting(TASKS)
    second, progress = run(tmp_path, executor)
    assert first == second
    assert not executor.trained
    assert progress.trials_run == 0


def test_proposal_k_is_asked_for_when_exactly_those_up_to_k_minus_the_window_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int]] = []

    class Spy(PaperStrategy):
        def ask(self, index: int) -> Proposal:
            calls.append(("ask", index))
            return super().ask(index)

        def tell(self, outcome: Outcome) -> None:
            calls.append(("tell", outcome.proposal.index))
            super().tell(outcome)

    monkeypatch.setitem(STRATEGIES, "spy", Spy)
    run(tmp_path, Shuffled(TASKS, 3), replace(PROFILE, search=replace(PROFILE.search, strategy="spy", window=3)))
    for k in range(12):
        told = [index for what, index in calls[: calls.index(("ask", k))] if what == "tell"]
        assert told == list(range(k - 3 + 1))
    assert [index for what, index in calls if what == "tell"] == list(range(12))


def test_the_window_belongs_to_the_search_and_changes_it(tmp_path: Path, undisturbed: Rows) -> None:
    narrow, _ = run(tmp_path, profile=replace(PROFILE, search=replace(PROFILE.search, window=1)))
    assert narrow["proposals"] != undisturbed["proposals"]


def test_two_proposals_of_one_cell_in_flight_train_a_trial_once(tmp_path: Path) -> None:
    """Cells examined again within one window, with few settings to draw from, ask for the same trials."""
    search = replace(PROFILE.search, proposals=10, window=10, reexamine=1.0)
    executor = Shuffled(TASKS, 0)
    found, progress = run(tmp_path, executor, replace(PROFILE, search=search))
    asked = Counter((row.cell, row.task) for row in found["evaluations"] for _ in range(row.settings))
    assert asked.total() > len(found["trials"]) == executor.trained.total() == progress.trials_run
    assert set(executor.trained.values()) == {1}


def child_of(rows: Rows, outcome: str = "complete") -> str:
    """Return a new cell of the undisturbed run whose proposal had this outcome."""
    cell: str = next(
        row.cell for row in rows["proposals"] if row.kind == ProposalKind.PROPOSE and row.outcome == outcome
    )
    return cell


def by_cell(rows: list[Any], cell: str) -> list[Any]:
    return [row for row in rows if row.cell == cell]


def test_a_cell_whose_trials_fail_does_not_end_the_search(tmp_path: Path, undisturbed: Rows) -> None:
    cell = child_of(undisturbed)
    found, _ = run(tmp_path, Sabotaged(TASKS, cell, TrialResult(TrialState.FAILED, "made up")))
    (proposal,) = (row for row in by_cell(found["proposals"], cell) if row.kind == ProposalKind.PROPOSE)
    assert (proposal.outcome, proposal.score) == ("failed at memorization", None)
    assert all(
        (row.state, row.reason, row.validation) == ("failed", "made up", None) for row in by_cell(found["trials"], cell)
    )
    assert len(found["proposals"]) == 15


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.99])
def test_what_diverged_never_ranks_whatever_number_it_carries(value: float, tmp_path: Path, undisturbed: Rows) -> None:
    cell = child_of(undisturbed)
    result = TrialResult(TrialState.DIVERGED, "made up", validation=value, validation_se=value, test=value)
    found, progress = run(tmp_path, Sabotaged(TASKS, cell, result, "xml"))
    (evaluation,) = (row for row in by_cell(found["evaluations"], cell) if row.task == "xml")
    assert (evaluation.best, evaluation.ratio, evaluation.passed) == (None, None, False)
    (proposal,) = (row for row in by_cell(found["proposals"], cell) if row.kind == ProposalKind.PROPOSE)
    assert (proposal.outcome, proposal.score) == ("stopped at xml", None)
    assert progress.best_cell != short_id(cell)


def test_baselines_are_compared_and_the_gru_has_the_score_1(undisturbed: Rows) -> None:
    baselines = {row.index: row for row in undisturbed["proposals"] if row.kind == ProposalKind.BASELINE}
    best = {
        name: max(row.validation for row in by_cell(undisturbed["trials"], LIBRARY[name].graph.id) if row.task == "xml")
        for name in PROFILE.given
    }
    for k, name in enumerate(PROFILE.given):
        assert baselines[-1 - k].cell == LIBRARY[name].graph.id
        assert baselines[-1 - k].score == pytest.approx(best[name] / best["gru"])


def test_all_baselines_get_the_same_settings(tmp_path: Path) -> None:
    found, _ = run(tmp_path, profile=replace(PROFILE, search=replace(PROFILE.search, proposals=0)))
    for task, count in ((MEMORIZATION, 1), ("xml", 3), ("chords", 2)):
        trials = [row for row in found["trials"] if row.task == task]
        settings = [frozenset(row.setting for row in by_cell(trials, LIBRARY[name].graph.id)) for name in PROFILE.given]
        assert len(set(settings)) == 1
        assert len(settings[0]) == count


def test_without_a_result_of_the_gru_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    result = TrialResult(TrialState.DIVERGED, "made up")
    executor = Sabotaged(TASKS, LIBRARY["gru"].graph.id, result, "xml")
    with pytest.raises(SearchError, match=r"^no setting of the GRU has a result on 'xml', so nothing can be compared"):
        run(tmp_path, executor)


def test_where_all_trials_of_the_gru_failed_their_reason_is_told_and_they_are_trained_again(
    tmp_path: Path, undisturbed: Rows
) -> None:
    """A failure before the first proposal leaves no trace in a resumed search, whatever its cause was."""
    for cell, task in (("gru", "xml"), ("lstm", "chords")):
        folder = tmp_path / f"{cell}-{task}"
        failed = Sabotaged(TASKS, LIBRARY[cell].graph.id, TrialResult(TrialState.FAILED, "made up"), task)
        if cell == "gru":
            with pytest.raises(SearchError, match=r"^every trial of the GRU on '\w+' failed, so .*: made up; remove"):
                run(folder, failed)
        else:
            with pytest.raises(KilledError):
                run(folder, failed, on_outcome=_kill)
        assert any(row.reason == "made up" for row in rows_of(folder))
        found, _ = run(folder)
        assert found == undisturbed


def _kill(outcome: Outcome) -> None:
    if outcome.proposal.cell == LIBRARY["lstm"].graph.id:
        raise KilledError


def test_a_trial_that_fails_in_the_code_of_its_task_ends_the_search_and_blames_no_cell(
    tmp_path: Path, undisturbed: Rows
) -> None:
    cell = child_of(undisturbed)
    result = TrialResult(TrialState.FAILED, "the task failed: task 'xml' raised OSError in training: made up")
    executor = Sabotaged(TASKS, cell, result)
    with pytest.raises(TaskError, match=r"^task 'xml' raised OSError in training: made up; then rerun with --resume"):
        run(tmp_path, executor)
    assert not by_cell(rows_of(tmp_path), cell)
    found, _ = run(tmp_path)
    assert found == undisturbed


def test_every_setting_of_the_grid_is_tried_on_baselines_where_the_profile_says_all(tmp_path: Path) -> None:
    tasks = {"xml": replace(PROFILE.tasks["xml"], baseline_settings="all")}
    profile = replace(PROFILE, tasks=tasks, search=replace(PROFILE.search, proposals=0))
    found, _ = run(tmp_path, profile=profile)
    for name in profile.given:
        tried = [row.setting for row in by_cell(found["trials"], LIBRARY[name].graph.id) if row.task == "xml"]
        assert sorted(tried) == sorted(setting.key for setting in profile.grid_of(tasks["xml"]).settings)
        assert len(tried) == 2 * 2 * 1 * 2 * 2


def test_evaluations_say_what_was_found_and_what_it_was_held_against(undisturbed: Rows) -> None:
    """Recomputed from the trials of each proposal."""
    reference = {row.task: row.best for row in undisturbed["evaluations"] if row.proposal == -3}
    proposals: dict[int, ProposalRow] = {row.index: row for row in undisturbed["proposals"]}
    evaluations: list[EvaluationRow] = undisturbed["evaluations"]
    stages = {MEMORIZATION: 0, "xml": 1, "chords": 2}
    for row in evaluations:
        new = proposals[row.proposal].kind == ProposalKind.PROPOSE
        trials: list[TrialRow] = [t for t in by_cell(undisturbed["trials"], row.cell) if t.task == row.task]
        values = [t.validation for t in trials if t.validation is not None]
        assert row.stage == stages[row.task]
        assert row.best in values or (row.best is None and not values)
        assert row.settings <= len(trials)
        if row.task == MEMORIZATION:
            assert row.threshold == 0.04
            assert row.ratio is None
            assert row.passed is (row.best is not None and row.best >= 0.04)
        elif row.proposal >= 0:
            own, gru = row.best, reference[row.task]
            ratio = None if own is None else own / gru if row.task == "xml" else gru / own
            assert row.ratio == (ratio and pytest.approx(ratio))
            assert row.threshold == (0.4 if new and row.task == "xml" else None)
            assert row.passed is (row.threshold is None or (row.ratio or 0.0) > row.threshold)
    assert {row.task for row in evaluations if row.proposal == -3} == set(stages)


def test_a_score_counts_all_that_a_cell_has_shown_so_far(undisturbed: Rows) -> None:
    """Examined again, a cell keeps what it reached before: its score in the proposals never falls."""
    reference = next(row.best for row in undisturbed["evaluations"] if (row.proposal, row.task) == (-3, "xml"))
    again = [row for row in undisturbed["proposals"] if row.kind == ProposalKind.REEXAMINE]
    for row in again:
        earlier = [
            e.best
            for e in undisturbed["evaluations"]
            if e.cell == row.cell and e.task == "xml" and (e.proposal < 0 or e.proposal <= row.index - 4)
        ]
        assert row.score is not None
        assert row.score >= max(earlier) / reference - 1e-12


def test_children_have_a_lineage_that_goes_back_to_a_seed(undisturbed: Rows) -> None:
    cells = {row.id: row for row in undisturbed["cells"]}
    seeds = {LIBRARY[name].graph.id for name in SEEDS}
    for row in cells.values():
        assert (row.origin == "baseline") is (row.proposal is None) is (row.parent is None)
        steps = 0
        while row.parent is not None:
            assert row.mutations
            row = cells[row.parent]
            steps += 1
            assert steps <= 12
        assert row.id in seeds | {LIBRARY["tanh"].graph.id}


def test_a_trials_seed_is_made_of_its_name(undisturbed: Rows) -> None:
    for row in undisturbed["trials"]:
        assert row.seed == trial_seed(0, row.cell, row.task, row.setting, row.repeat)


def test_a_store_of_another_search_is_refused_in_one_line(finished: tuple[Path, Rows], tmp_path: Path) -> None:
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    with pytest.raises(SearchError, match=r"^proposal 0 of the stored run is cell \w+, but this version") as error:
        run(tmp_path, seed=1)
    assert "\n" not in str(error.value)


def test_outcomes_and_changes_are_told_as_they_come(tmp_path: Path) -> None:
    ended: list[Outcome] = []
    found, progress = run(tmp_path, Shuffled(TASKS, 5), on_outcome=ended.append)
    assert sorted(outcome.proposal.index for outcome in ended) == list(range(-3, 12))
    endings = Counter(o.ending for o in ended if o.proposal.kind is ProposalKind.PROPOSE)
    assert progress.endings == dict(endings)
    passed = Counter(row.task for row in found["evaluations"] if row.passed and row.proposal >= 0)
    again = {row.index for row in found["proposals"] if row.kind == ProposalKind.REEXAMINE}
    passed -= Counter(row.task for row in found["evaluations"] if row.passed and row.proposal in again)
    assert progress.past == dict(passed)
    best = max((row.score, row.cell) for row in found["proposals"] if row.score is not None)
    assert progress.best_score == best[0]


def test_parents_without_a_valid_child_do_not_end_the_search(tmp_path: Path) -> None:
    barren = replace(PROFILE, mutation=MutationSection(max_nodes=4, attempts=2))
    found, progress = run(tmp_path, profile=barren)
    without = [row for row in found["proposals"] if row.cell is None]
    assert without
    assert {row.outcome for row in without} == {"no valid child"}
    assert all(sum(row.rejections.values()) == 2 and row.parent is not None for row in without)
    assert progress.proposals_done == 12


def test_memorization_ends_where_the_bar_is_reached_and_tasks_have_no_target() -> None:
    found = budgets(PROFILE)
    assert found[MEMORIZATION].target == 0.04
    assert (found["xml"].target, found["chords"].target) == (None, None)
    assert found["xml"].steps == 16
