"""Gradient norms for the report: the right cells and models, computed once, from a cache that may be damaged."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from results.publication.consistency import MANIFEST_FILE
from results.store.records import TrialRow
from results.store.store import Store
from search.cells.library import LIBRARY
from search.engine.engine import Engine
from search.engine.gradient_norms import GRADIENTS, norms_after_training, norms_at_initialisation
from search.training.gradients import gradient_norms
from search.workers.executor import LocalExecutor
from tests.test_search.test_engine.searches import PROFILE, TASKS, make_store

TANH = LIBRARY["tanh"].graph


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A search that has ended. Its cache of norms is shared by the tests of this module."""
    with make_store(tmp_path_factory.mktemp("run"), PROFILE) as store:
        Engine(PROFILE, 0, TASKS, store, LocalExecutor(TASKS)).run()
        yield store


def test_norms_at_initialisation_are_the_cells_own_and_are_computed_once(
    run: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, frame = norms_at_initialisation(run, PROFILE.ranked)
    assert note.startswith("At initialisation: one layer of 64 units")
    assert {LIBRARY[name].graph.id for name in ("gru", "lstm", "tanh")} <= set(frame["cell"])
    tanh = frame[frame["cell"] == TANH.id]
    expected = gradient_norms(TANH)
    np.testing.assert_array_equal(tanh["hidden"], expected.hidden)
    np.testing.assert_array_equal(tanh["states"], expected.states)
    assert tanh["k"].tolist() == list(range(101))

    def refuse(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr("search.engine.gradient_norms.gradient_norms", refuse)
    assert norms_at_initialisation(run, PROFILE.ranked)[1].equals(frame)


@pytest.mark.parametrize("text", ["", "[]", '{"a": {"b": {"hidden": [1], "states": []}}}', '{"a": 3}', "nul\0"])
def test_a_damaged_cache_is_computed_again(text: str, run: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = norms_at_initialisation(run, PROFILE.ranked)[1]
    known = before.groupby("cell")
    monkeypatch.setattr(
        "search.engine.gradient_norms.gradient_norms",
        lambda graph, probe: _Norms(known.get_group(graph.id)["hidden"], known.get_group(graph.id)["states"]),
    )
    path = run.folder / GRADIENTS
    path.write_text(text)
    assert norms_at_initialisation(run, PROFILE.ranked)[1].equals(before)
    assert len(json.loads(path.read_text())) == 1


def test_a_published_folder_gets_no_cache(run: Store) -> None:
    before = norms_at_initialisation(run, PROFILE.ranked)[1]
    path, manifest = run.folder / GRADIENTS, run.folder / MANIFEST_FILE
    path.unlink()
    manifest.touch()
    try:
        assert norms_at_initialisation(run, PROFILE.ranked)[1].equals(before)
        assert not path.exists()
    finally:
        manifest.unlink()


class _Norms:
    def __init__(self, hidden: object, states: object) -> None:
        self.hidden, self.states = hidden, states


def test_norms_after_training_are_of_the_best_trial_on_the_task(run: Store, tmp_path: Path) -> None:
    trained: list[TrialRow] = []
    note, frame = norms_after_training(run, PROFILE, "xml", dict(TASKS), trained.append)
    assert note.startswith("After training on xml: the last layer of each cell's model at its best setting")
    assert set(frame["cell"]) == {row.cell for row in trained}
    for row in trained:
        own = [t for t in run.trials(row.cell, "xml") if t.validation is not None]
        assert row.validation == max(t.validation or 0.0 for t in own)
    first = frame[frame["k"] == 0]
    assert first["hidden"].tolist() == pytest.approx([1.0] * len(trained))  # by definition
    again: list[TrialRow] = []
    assert norms_after_training(run, PROFILE, "xml", dict(TASKS), again.append)[1].equals(frame)
    assert again == []
