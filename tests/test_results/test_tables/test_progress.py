"""Progress, failures and family trees against plain loops over the rows."""

import math

import numpy as np
import pytest

from results.store.lineage import Relative, ancestry, family_tree
from results.store.records import CellRow, ProposalRow
from results.store.store import Store
from results.store.words import COMPLETE
from results.tables.failures import stage_stops, trial_reasons, trial_states
from results.tables.progress import COLUMNS, history
from tests.test_results.rows import GRU, fill, make_baseline, make_cell, make_evaluation, make_trial, random_run


def test_an_empty_run_has_no_history_and_no_endings(store: Store) -> None:
    assert history(store).empty
    assert list(history(store).columns) == list(COLUMNS)
    assert trial_states(store).empty
    assert trial_reasons(store).empty
    assert stage_stops(store).empty


def test_costs_add_up_to_those_of_the_searchs_trials_and_the_best_is_that_of_found_cells(store: Store) -> None:
    cells = [make_baseline("gru"), *(make_cell(f"{k:016x}", proposal=k) for k in range(4))]
    scores = [0.9, None, 0.95, 0.8]
    proposals = [ProposalRow(-1, "baseline", GRU, None, COMPLETE, 1.0)]
    trials, evaluations = [], []
    for k, score in enumerate(scores):
        outcome = COMPLETE if score is not None else "stopped at arithmetic"
        proposals.append(ProposalRow(k, "propose", f"{k:016x}", GRU, outcome, score))
        trials += [make_trial(f"{k:016x}", setting=s, seconds=3600.0) for s in range(k + 1)]
        evaluations.append(make_evaluation(f"{k:016x}", proposal=k, settings=k + 1))
    # Cell 0 is examined again: of its two trials in all, one belongs to each visit. Its repeat is not the search's.
    trials += [make_trial(f"{0:016x}", setting=9, seconds=1800.0), make_trial(f"{0:016x}", repeat=1, seconds=999.0)]
    evaluations.append(make_evaluation(f"{0:016x}", proposal=4, settings=1))
    proposals.append(ProposalRow(4, "re-examine", f"{0:016x}", None, COMPLETE, 0.97))
    trials += [make_trial(GRU, seconds=360.0)]
    evaluations.append(make_evaluation(GRU, proposal=-1, settings=1))
    fill(store, cells, trials, proposals)
    for evaluation in evaluations:
        store.record(evaluation, [])
    frame = history(store)
    assert frame["proposal"].tolist() == [-1, 0, 1, 2, 3, 4]
    assert frame["trials"].tolist() == [1, 2, 4, 7, 11, 12]
    assert frame["core_hours"].tolist() == pytest.approx([0.1, 0.85, 2.85, 5.85, 9.85, 10.6])
    assert frame["best"].fillna(0).tolist() == [0, 0.9, 0.9, 0.95, 0.95, 0.97]


def test_endings_are_counted_as_a_loop_counts_them(store: Store) -> None:
    cells, trials, proposals = random_run(np.random.default_rng(3))
    fill(store, cells, trials, proposals)
    counted = {(row.task, row.state): 0 for row in trials}
    for row in trials:
        counted[row.task, row.state] += 1
    found = trial_states(store)
    assert {(row.task, row.state): row.trials for row in found.itertuples()} == counted


def test_reasons_that_differ_in_their_numbers_alone_are_one(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    reasons = ["the loss is not finite at step 7", "the loss is not finite at step 1,200", "other", "no 1.5e-3 here"]
    for k, reason in enumerate(reasons):
        store.record(None, [make_trial(GRU, setting=k, state="diverged", reason=reason)])
    store.record(None, [make_trial(GRU, setting=9, state="ok", reason="fine")])
    store.record(None, [make_trial(GRU, setting=10, state="paused", reason="paused at step 9")])
    store.record(None, [make_trial(GRU, setting=11, state="behind", reason="other")])
    found = trial_reasons(store)
    assert found["reason"].tolist() == ["the loss is not finite at step N", "no N here", "other", "other"]
    assert found["trials"].tolist() == [2, 1, 1, 1]
    assert sorted(found["state"]) == ["behind", *["diverged"] * 3]  # a paused trial did not fail


def test_a_stage_stops_a_cell_once_and_says_why(store: Store) -> None:
    names = ["a" * 16, "b" * 16, "c" * 16]
    fill(store, [make_baseline("gru"), *(make_cell(name) for name in names)], [], [])
    store.record(make_evaluation(GRU, passed=False, best=None), [])  # given cells are not counted
    store.record(make_evaluation(names[0], proposal=0, passed=False, best=0.2), [])
    store.record(make_evaluation(names[0], proposal=5, passed=True, best=0.4), [])
    store.record(make_evaluation(names[1], proposal=1, passed=False, best=0.2), [])
    store.record(make_evaluation(names[2], proposal=2, passed=False, best=None), [])
    (row,) = stage_stops(store).itertuples(index=False)
    assert tuple(row) == (1, "arithmetic", 1, 1, 1, 0.9)


def test_family_trees_hold_all_ancestors_once_and_branch_where_children_part(store: Store) -> None:
    def cell(name: str, parent: str | None, proposal: int | None) -> CellRow:
        return make_cell(name * 16, parent=parent and parent * 16, proposal=proposal, origin="found")

    # a -> b -> c -> d, c -> e, and f apart; g is nobody's ancestor.
    rows = [cell("a", None, None), cell("b", "a", 0), cell("c", "b", 1), cell("e", "c", 2), cell("d", "c", 3)]
    rows += [cell("f", None, None), cell("1", "f", 4), cell("9", "a", 5)]
    fill(store, rows, [], [])
    assert [row.id[0] for row in ancestry(store, "d" * 16)] == ["a", "b", "c", "d"]

    def plain(relative: Relative) -> tuple[str, list[object]]:
        return "".join(row.id[0] for row in relative.line), [plain(branch) for branch in relative.branches]

    trees = family_tree(store, ["d" * 16, "e" * 16, "1" * 16])
    assert [plain(tree) for tree in trees] == [("abc", [("e", []), ("d", [])]), ("f1", [])]
    assert family_tree(store, []) == []


def test_a_score_that_is_not_complete_is_none(store: Store) -> None:
    store.add_cell(make_cell("a" * 16))
    store.add_proposal(ProposalRow(0, "propose", "a" * 16, None, "stopped at music", 0.5))
    assert math.isnan(history(store)["score"].iloc[0])
