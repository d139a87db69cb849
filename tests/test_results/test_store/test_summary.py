"""The funnel, counted by hand."""

from __future__ import annotations

from results.store.records import ProposalRow
from results.store.store import Store
from results.store.summary import Funnel, StageCount, funnel
from results.store.words import COMPLETE
from tests.test_results.rows import GRU, make_baseline, make_cell, make_evaluation

A, B, C = "a" * 16, "b" * 16, "c" * 16


def test_an_empty_run_has_an_empty_funnel(store: Store) -> None:
    assert funnel(store) == Funnel(0, 0, {}, {}, (), 0)


def test_cells_are_counted_once_at_each_stage_and_baselines_never(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    for cell in (A, B, C):
        store.add_cell(make_cell(cell, parent=GRU))
    visits = [
        (-1, GRU, "xml", 1, True),
        (0, A, "memorization", 0, True),
        (0, A, "xml", 1, True),
        (0, A, "ptb", 2, True),
        (1, B, "memorization", 0, False),
        (2, C, "memorization", 0, True),
        (2, C, "xml", 1, False),
        (5, A, "xml", 1, False),
    ]
    for proposal, cell, task, stage, passed in visits:
        store.record(make_evaluation(cell, task, proposal=proposal, stage=stage, passed=passed), [])
    for row in (
        ProposalRow(-1, "baseline", GRU, None, COMPLETE, 1.0),
        ProposalRow(0, "propose", A, GRU, COMPLETE, 1.1, {"duplicate": 2, "cycle": 1}),
        ProposalRow(1, "propose", B, GRU, "stopped at memorization", None, {"duplicate": 5}),
        ProposalRow(2, "propose", C, GRU, "stopped at xml", None, {"states": 9}),
        ProposalRow(3, "propose", None, GRU, "no valid child", None, {"cycle": 1}),
        ProposalRow(4, "propose", B, GRU, "stopped at memorization", None),
        ProposalRow(5, "re-examine", A, None, COMPLETE, 1.2),
    ):
        store.add_proposal(row)
    found = funnel(store)
    assert found == Funnel(
        proposals=5,
        reexaminations=1,
        rejections={"states": 9, "duplicate": 7, "cycle": 2},
        outcomes={"stopped at memorization": 2, COMPLETE: 1, "no valid child": 1, "stopped at xml": 1},
        stages=(StageCount(0, "memorization", 3, 2), StageCount(1, "xml", 2, 1), StageCount(2, "ptb", 1, 1)),
        complete=1,
    )
    assert list(found.rejections) == ["states", "duplicate", "cycle"]
    assert next(iter(found.outcomes)) == "stopped at memorization"
