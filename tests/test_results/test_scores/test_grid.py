"""Where the best settings lie on the grid, worked out by hand, and its words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from results.publication.training_text import grid_lines
from results.scores.grid import GridEdges, grid_edges
from results.store.store import Store
from tests.test_results.rows import make_baseline, make_cell, make_gain_store, make_trial

RATES = (0.1, 0.2, 0.4, 0.8, 1.6)


def add(store: Store, name: str, task: str, values: list[float | None], rates: tuple[float, ...] = RATES) -> None:
    """Store a trial for each rate; None is one that diverged."""
    row = make_baseline(name) if len(name) < 16 else make_cell(name)
    store.add_cell(row)
    trials = [
        make_trial(
            row.id,
            task,
            setting=0,
            validation=0.99 if value is None else value,  # that of a trial that diverged counts for nothing
            state="diverged" if value is None else "ok",
        )
        for value in values
    ]
    keys = [json.dumps({"learning_rate": rate, "scale": 2.0, "layers": 1}) for rate in rates]
    store.record(None, [replace(trial, setting=key) for trial, key in zip(trials, keys, strict=True)])


@pytest.fixture
def run(tmp_path: Path) -> Store:
    """Return a run on arithmetic, an accuracy whose constant baseline is 0.1; the GRU's gain is 0.5."""
    store = make_gain_store(tmp_path / "run")
    add(store, "gru", "arithmetic", [0.2, 0.3, 0.6, 0.5, None])  # inside
    add(store, "lstm", "arithmetic", [0.5, 0.495, 0.4, 0.3, 0.2])  # lowest, by 0.005 of 0.5: 1 %
    add(store, "mut1", "arithmetic", [0.52, 0.5, 0.4, None, None])  # lowest, by 4 %
    add(store, "mut2", "arithmetic", [0.1, 0.2, 0.3, None, 0.5])  # highest, without a result beside it
    add(store, "mut3", "arithmetic", [None, None, 0.3, None, None])  # inside, though no other has a result
    add(store, "lstm-f", "arithmetic", [None] * 5)  # no result
    add(store, "lstm-i", "arithmetic", [0.5, 0.4, 0.3, 0.2], RATES[:4])  # too few values
    add(store, "f" * 16, "arithmetic", [0.5, 0.4, 0.3, 0.2, 0.1])  # a found cell
    return store


def test_a_cell_is_at_an_edge_if_its_best_value_is_the_smallest_or_the_largest(run: Store) -> None:
    with run:
        (row,) = grid_edges(run, ("arithmetic", "music"))
    assert row == GridEdges("arithmetic", "learning_rate", 0.1, 1.6, cells=5, lowest=2, highest=1, steep=2)
    assert row.inside == 2
    assert not row.wide_enough


def test_each_optimiser_has_a_row_of_the_cells_whose_best_setting_has_it(run: Store) -> None:
    """The GRU's best setting is one of Adam now, with the smallest of its learning rates."""
    with run:
        (gru,) = (cell.id for cell in run.cells() if cell.name == "gru")
        values = {0.001: 0.7, 0.002: 0.6, 0.005: 0.5, 0.01: 0.4, 0.02: 0.3}
        rows = [make_trial(gru, "arithmetic", setting=0, validation=value) for value in values.values()]
        keys = [json.dumps({"learning_rate": rate, "optimiser": "adam", "version": 2}) for rate in values]
        run.record(None, [replace(row, setting=key) for row, key in zip(rows, keys, strict=True)])
        adam, sgd = grid_edges(run, ("arithmetic", "music"))
    assert (adam.optimiser, adam.low, adam.high, adam.cells, adam.lowest) == ("adam", 0.001, 0.02, 1, 1)
    assert (sgd.optimiser, sgd.low, sgd.high, sgd.cells, sgd.lowest) == ("sgd", 0.1, 1.6, 4, 2)
    assert "learning rate of adam  0.001 to 0.02" in grid_lines([adam, sgd])[1]


def test_where_lower_is_better_the_smallest_metric_is_the_best(tmp_path: Path) -> None:
    with make_gain_store(tmp_path / "run") as store:
        add(store, "gru", "music", [6.0, 5.0, 4.0, 5.0, 6.0])  # a gain of 4 nats
        add(store, "lstm", "music", [4.0, 4.05, 5.0, 5.0, 6.0])
        add(store, "mut1", "music", [4.0, 4.5, 5.0, 5.0, 6.0])
        (row,) = grid_edges(store, ("arithmetic", "music"))
    assert (row.task, row.cells, row.lowest, row.highest, row.steep) == ("music", 3, 2, 0, 1)


def test_without_the_gain_of_the_gru_no_edge_is_called_steep(tmp_path: Path) -> None:
    with make_gain_store(tmp_path / "run") as store:
        add(store, "lstm", "arithmetic", [0.5, 0.4, 0.3, 0.2, 0.1])
        (row,) = grid_edges(store, ("arithmetic",))
    assert (row.lowest, row.steep) == (1, None)


def test_nine_cells_in_ten_are_enough() -> None:
    assert GridEdges("xml", "scale", 1, 4, cells=20, lowest=1, highest=1, steep=0).wide_enough
    assert not GridEdges("xml", "scale", 1, 4, cells=20, lowest=2, highest=1, steep=0).wide_enough


def test_the_words_have_all_numbers() -> None:
    rows = [
        GridEdges("xml", "learning_rate", 0.1, 2.0, cells=20, lowest=1, highest=1, steep=0),
        GridEdges("music", "scale", 1.0, 4.0, cells=10, lowest=2, highest=1, steep=None),
    ]
    _, first, second, *meaning = grid_lines(rows)
    assert " ".join(first.split()) == "xml learning rate 0.1 to 2 20 18 (90%) 1 1 0 wide enough"
    assert " ".join(second.split()) == "music scale 1 to 4 10 7 (70%) 2 1 too narrow"
    assert "at least 90%" in " ".join(meaning)
    assert grid_lines([]) == []
