"""Named queries, compared with plain loops over the rows of the store."""

import pytest

from results.store.errors import StoreError
from results.store.queries import (
    PastTrial,
    begin_snapshot,
    environment_texts,
    mean_seconds,
    metric_names,
    past_trials,
    past_visits,
    progress_mark,
    proposal_count,
    retrained_cells,
    totals,
    trial_count,
)
from results.store.records import ProposalRow
from results.store.store import Store
from tests.test_results.rows import GRU, make_baseline, make_cell, make_evaluation, make_trial

A, B = "a" * 16, "b" * 16


@pytest.fixture
def filled(store: Store) -> Store:
    """A GRU and two found cells; the second one's trials are claimed by proposals 0 and 4."""
    store.add_cell(make_baseline("gru"))
    for cell in (B, A):
        store.add_cell(make_cell(cell, parent=GRU))
    for proposal, cell, stage, task, passed in (
        (-1, GRU, 1, "xml", True),
        (4, B, 0, "memorization", True),
        (0, A, 1, "xml", False),
        (0, A, 0, "memorization", True),
    ):
        store.record(make_evaluation(cell, task, proposal=proposal, stage=stage, passed=passed), [])
    trials = [
        make_trial(GRU, "xml", 0, seconds=2.0, proposal=-1),
        make_trial(A, "xml", 0, seconds=1.0, proposal=0, validation=0.25),
        make_trial(A, "xml", 1, seconds=4.0, proposal=0, state="diverged", validation=None, test=None),
        make_trial(B, "xml", 0, seconds=3.0, proposal=4),
        make_trial(B, "xml", 0, repeat=2, seconds=6.0),
        make_trial(A, "xml", 0, repeat=1, seconds=7.0),
    ]
    store.record(None, trials)
    for index, cell in ((-1, GRU), (0, A), (4, B)):
        store.add_proposal(ProposalRow(index, "baseline" if index < 0 else "propose", cell, None, "complete", None))
    store.add_environment("e1", '{"cpu":"one"}')
    return store


def test_counts(filled: Store) -> None:
    assert (trial_count(filled), proposal_count(filled)) == (6, 3)
    assert totals(filled) == (6, 23.0)


def test_visits_are_ordered_by_proposal_and_stage_without_the_baselines(filled: Store) -> None:
    found = [(visit.proposal, visit.task, visit.passed) for visit in past_visits(filled)]
    assert found == [(0, "memorization", True), (0, "xml", False), (4, "memorization", True)]
    shares = {(row.proposal, row.task): row.ratio for row in filled.evaluations()}
    assert all(visit.share == shares[visit.proposal, visit.task] for visit in past_visits(filled))


def test_past_trials_are_the_search_s_own_of_the_first_proposals(filled: Store) -> None:
    for proposals in (0, 1, 4, 5):
        expected = {
            PastTrial(row.proposal, row.task, row.setting, row.state, row.validation, row.steps, row.curve)
            for row in filled.trials(curves=True)
            if row.repeat == 0 and row.proposal is not None and 0 <= row.proposal < proposals
        }
        found = past_trials(filled, proposals, curves=True)
        assert [trial._replace(curve=()) for trial in found] == past_trials(filled, proposals)
        assert len(found) == len(expected) == {0: 0, 1: 2, 4: 2, 5: 3}[proposals]
        assert set(found) == expected


def test_retrained_cells_have_a_repeat(filled: Store) -> None:
    assert retrained_cells(filled) == [A, B]


def test_mean_seconds_are_over_all_trials_of_a_cell_on_a_task(filled: Store) -> None:
    known = {(GRU, "xml"): 2.0, (A, "xml"): 4.0, (B, "xml"): 4.5}
    assert mean_seconds(filled) == known
    filled.record(None, [make_trial(A, "xml", 2, seconds=0.5, state="paused")])
    assert mean_seconds(filled) == known  # a paused trial is shorter than a whole one


def test_environments_are_the_stored_texts(filled: Store) -> None:
    assert environment_texts(filled) == {"e1": '{"cpu":"one"}'}


def test_a_value_that_no_run_writes_is_refused(filled: Store) -> None:
    filled.select("UPDATE trials SET seconds = 9e999")
    with pytest.raises(StoreError):
        mean_seconds(filled)


def test_the_mark_changes_with_every_kind_of_progress(store: Store) -> None:
    marks = [progress_mark(store)]
    store.add_cell(make_cell("0" * 16))
    store.record(None, [make_trial("0" * 16, "xml")])
    marks.append(progress_mark(store))
    store.mark(finished="2020-01-01T00:00:00Z")
    marks.append(progress_mark(store))
    assert [mark[:2] for mark in marks] == [(0, 0), (1, 0), (1, 0)]
    assert len(set(marks)) == 3
    assert progress_mark(store) == marks[-1]


def test_each_task_has_its_metric(store: Store) -> None:
    store.add_cell(make_cell("0" * 16))
    trials = [
        make_trial("0" * 16, "xml", metric="accuracy"),
        make_trial("0" * 16, "music", metric="nats_per_step", higher_is_better=False),
    ]
    store.record(None, trials)
    assert metric_names(store) == {"xml": "accuracy", "music": "nats_per_step"}


def test_a_snapshot_does_not_see_later_rows(store: Store) -> None:
    with Store.open(store.folder, readonly=True) as reader:
        begin_snapshot(reader)
        assert reader.cells() == []
        store.add_cell(make_cell("0" * 16))
        assert reader.cells() == []
    with Store.open(store.folder, readonly=True) as reader:
        assert len(reader.cells()) == 1
