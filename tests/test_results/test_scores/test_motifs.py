"""Effects of motifs: against statsmodels, and planted effects and none are found as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from results.publication.motifs_text import difference_lines, motif_lines
from results.scores.estimates import VALIDATION
from results.scores.motifs import EDIT, MOTIF, association, edit_words, motifs
from results.store.records import ProposalRow
from results.store.words import COMPLETE, ScoreKind
from search.cells.library import LIBRARY
from search.cells.mutation import propose
from search.cells.notation.formula import format_formula
from search.cells.structures import structures
from tests.test_results.rows import CONSTANTS, GRU, make_baseline, make_cell, make_gain_store, make_store, make_trial

TASKS = ("arithmetic", "music")


def test_an_association_is_that_of_least_squares_with_clustered_errors() -> None:
    rng = np.random.default_rng(60)
    for _ in range(20):
        n = 60
        has = (rng.random(n) < 0.4).astype(float)
        root = rng.choice(["gru", "lstm"], n).tolist()
        family = [f"{r}{rng.integers(6)}" for r in root]
        y = rng.normal(size=n) + 0.5 * has + [r == "gru" for r in root]
        found = association(y, has, root, family)
        design = np.column_stack([has, pd.get_dummies(pd.Series(root)).to_numpy(float)])
        fit = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": pd.factorize(np.array(family))[0]})
        freedom = len({f for f, h in zip(family, has, strict=True) if h}) - 1
        width = stats.t.ppf(0.975, freedom) * fit.bse[0]
        assert found is not None
        assert found.effect == pytest.approx(fit.params[0])
        assert (found.low, found.high) == pytest.approx((fit.params[0] - width, fit.params[0] + width))
        assert found.p == pytest.approx(2 * stats.t.sf(abs(fit.params[0] / fit.bse[0]), freedom))


def test_an_association_that_the_data_do_not_identify_is_none() -> None:
    y, family = np.arange(4.0), ["a", "b", "c", "d"]
    assert association(y, np.array([1.0, 1.0, 0.0, 0.0]), ["r", "r", "s", "s"], family) is None
    assert association(y, np.array([1.0, 0.0, 1.0, 0.0]), ["r"] * 4, ["a"] * 4) is None
    assert association(np.zeros(4), np.array([1.0, 0.0, 1.0, 0.0]), ["r"] * 4, family) is None


def test_edits_are_said_without_kind_and_numbers() -> None:
    assert edit_words("remove-node: linear(0)#7 removed") == "linear removed"
    assert edit_words("insert-activation: linear(0.9) between h and mul#12") == "linear(0.9) between h and mul"
    assert (
        edit_words("crossover: tanh#3 replaced by mul#14 of 0123456789abcdef") == "tanh replaced by mul of another cell"
    )
    assert edit_words("by hand") == "by hand"


def run(
    folder: Path, motif: str, effect: float, seed: int = 61, cells: int = 120, diverged: float | None = None
) -> pd.DataFrame:
    """Return the motifs of a run of mutants whose accuracy is noise, plus an effect of one motif.

    With `diverged`, the run is ranked by gain, and the last of its cells has that result on arithmetic.
    """
    rng = np.random.default_rng(seed)
    with make_store(folder) if diverged is None else make_gain_store(folder) as store:
        graphs = {name: LIBRARY[name].graph for name in ("gru", "lstm")}
        for name in graphs:
            store.add_cell(make_baseline(name))
        known = list(graphs.values())
        ids = {graph.id for graph in known}
        store.record(None, [make_trial(GRU, task, validation=0.5) for task in TASKS])
        while len(known) < cells:
            parent = known[int(rng.integers(min(len(known), 30)))]
            child = propose(parent, rng, known=ids).child
            if child is None:
                continue
            graph, k = child.graph, len(known) - 2
            known.append(graph)
            ids.add(graph.id)
            words = tuple(f"{m.transformation}: {m.detail}" for m in child.mutations)
            formula = format_formula(graph)
            store.add_cell(make_cell(graph.id, formula=formula, parent=parent.id, mutations=words, proposal=k))
            value = 0.4 + 0.02 * rng.normal() + effect * (motif in structures(graph))
            if diverged is not None and len(known) == cells:
                value = diverged
            trials = [make_trial(graph.id, "arithmetic", validation=value)]
            trials.append(make_trial(graph.id, "music", validation=0.5 + 0.02 * rng.normal()))
            store.record(None, trials)
            store.add_proposal(ProposalRow(k, "propose", graph.id, parent.id, COMPLETE, value))
        frame = motifs(store, TASKS)
        assert motif_lines(frame, ScoreKind.RATIO)
        assert len(difference_lines(store, TASKS)) >= 3
    return frame


def test_a_planted_motif_is_found_on_its_task(tmp_path: Path) -> None:
    motif = "a matrix of a matrix"
    frame = run(tmp_path / "run", motif, 0.1)
    first = frame[frame["kind"] == MOTIF].iloc[0]
    assert (first["name"], first["task"]) == (motif, "arithmetic")
    assert first["adjusted"] < 0.01
    assert first["low"] < 0.1 / 0.5 < first["high"]  # as a share of the GRU's accuracy
    other = frame[(frame["name"] == motif) & (frame["task"] == "music")].iloc[0]
    assert other["adjusted"] > 0.05
    lines = motif_lines(frame, ScoreKind.RATIO)
    assert lines[0] == "motifs, in % of the GRU's result:"
    assert lines[1].startswith(f"  arithmetic: {motif}: +")
    assert set(frame["kind"]) == {MOTIF, EDIT}
    assert (frame["low"] <= frame["effect"]).all()
    assert (frame["adjusted"] >= frame["p"]).all()


def test_a_cell_that_diverged_counts_as_a_constant_prediction(tmp_path: Path) -> None:
    """Its loss has no bound, and would be the mean of all cells that share a motif with it."""
    constant = CONSTANTS["arithmetic"][VALIDATION]
    found, expected = (
        run(tmp_path / name, "a matrix of a matrix", 0.1, diverged=value)
        for name, value in (("diverged", -1e20), ("constant", constant))
    )
    pd.testing.assert_frame_equal(found, expected)
    assert found["effect"].abs().max() < 10.0


def test_noise_alone_shows_nothing(tmp_path: Path) -> None:
    frame = run(tmp_path / "run", "a matrix of a matrix", 0.0, seed=62)
    assert len(frame) > 20
    assert (frame["adjusted"] > 0.05).all()
    assert motif_lines(frame, ScoreKind.GAIN)[0] == (
        f"none of {len(frame)} motifs and edits goes with a better or worse result beyond noise"
    )


def test_a_run_without_found_cells_has_none(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(GRU, task) for task in TASKS])
        assert motifs(store, TASKS).empty
        assert motif_lines(motifs(store, TASKS), ScoreKind.RATIO) == []
        assert difference_lines(store, TASKS) == []
