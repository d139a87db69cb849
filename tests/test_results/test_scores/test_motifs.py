"""Effects of motifs and edits: planted effects and none are found as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from results.publication.motifs_text import difference_lines, motif_lines
from results.scores.estimates import VALIDATION
from results.scores.motifs import EDIT, MOTIF, edit_words, motifs
from results.store.records import ProposalRow
from results.store.words import COMPLETE, ScoreKind
from search.cells.library import LIBRARY
from search.cells.mutation import propose
from search.cells.notation.formula import format_formula
from search.cells.structures import structures
from tests.test_results.rows import CONSTANTS, GRU, make_baseline, make_cell, make_store, make_trial

TASKS = ("arithmetic", "music")


def test_edits_are_said_without_kind_and_numbers() -> None:
    assert edit_words("remove-node: linear(0)#7 removed") == "linear removed"
    assert edit_words("insert-activation: linear(0.9) between h and mul#12") == "linear(0.9) between h and mul"
    assert (
        edit_words("crossover: tanh#3 replaced by mul#14 of 0123456789abcdef") == "tanh replaced by mul of another cell"
    )
    assert edit_words("by hand") == "by hand"


def run(
    folder: Path,
    motif: str,
    effect: float,
    seed: int = 61,
    cells: int = 120,
    lineage: bool = False,
    kind: ScoreKind = ScoreKind.RATIO,
    diverged: float | None = None,
) -> pd.DataFrame:
    """Return the motifs of a run of mutants whose accuracy is noise, plus an effect of one motif.

    Half of the mutants are children of a given cell, so that there are many families; with `lineage`, nearly all
    descend from the first mutant. With `diverged`, the last cell
    has that result on arithmetic.
    """
    rng = np.random.default_rng(seed)
    with make_store(folder, f'[search]\nscore = "{kind}"\n', constants=CONSTANTS) as store:
        graphs = {name: LIBRARY[name].graph for name in ("gru", "lstm")}
        for name in graphs:
            store.add_cell(make_baseline(name))
        known = list(graphs.values())
        ids = {graph.id for graph in known}
        store.record(None, [make_trial(GRU, task, validation=0.5) for task in TASKS])
        while len(known) < cells:
            first, past = (0, 2) if rng.random() < 0.5 else (0, len(known))
            if lineage and len(known) > 5:
                first, past = 2, 3
            parent = known[int(rng.integers(first, past))]
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
    frame = run(tmp_path / "run", motif, 0.1, seed=63)
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
    told = frame[frame["p"].notna()]
    assert (told["low"] <= told["effect"]).all()
    assert (told["adjusted"] >= told["p"]).all()
    assert frame.loc[len(told) :, ["effect", "low", "high", "adjusted", "above_p"]].isna().all(axis=None)


@pytest.mark.parametrize("kind", [ScoreKind.GAIN, pytest.param(ScoreKind.RATIO, marks=pytest.mark.slow)])
def test_a_cell_that_diverged_counts_as_a_constant_prediction(tmp_path: Path, kind: ScoreKind) -> None:
    """Its loss has no bound, and would be the mean of all cells that share a motif with it."""
    constant = CONSTANTS["arithmetic"][VALIDATION]
    found, expected = (
        run(tmp_path / name, "a matrix of a matrix", 0.1, kind=kind, diverged=value)
        for name, value in (("diverged", -1e20), ("constant", constant))
    )
    pd.testing.assert_frame_equal(found, expected)
    assert found["effect"].abs().max() < 10.0


def test_noise_alone_shows_nothing(tmp_path: Path) -> None:
    frame = run(tmp_path / "run", "a matrix of a matrix", 0.0, seed=62)
    told = frame[frame["p"].notna()]
    assert len(told) > 20
    assert (told["adjusted"] > 0.05).all()
    assert motif_lines(told, ScoreKind.GAIN)[0] == (
        f"none of {len(told)} motifs and edits goes with a better or worse result beyond noise"
    )


def test_motifs_that_one_family_holds_are_counted_and_not_judged() -> None:
    """A lineage that is nearly all cells gave an interval of 0.4 percentage points about an effect of -87."""
    row = dict.fromkeys(("cells", "of", "above_with", "above"), 5) | {"kind": MOTIF, "task": "music", "above_p": np.nan}
    real = row | {"name": "relu", "effect": 0.1, "low": 0.05, "high": 0.15, "p": 0.001, "adjusted": 0.001}
    open_ = row | dict.fromkeys(("effect", "low", "high", "p", "adjusted"), np.nan) | {"name": "one state"}
    lines = motif_lines(pd.DataFrame([real, open_, open_ | {"name": "two states"}]), ScoreKind.GAIN)
    assert lines[:2] == ["motifs, in % of the GRU's gain:", "  music: relu: +10.0 (+5.0 to +15.0); 5 of 5 cells"]
    text = " ".join(lines)
    assert "2 more motifs and edits cannot be told from chance" in text
    assert "over 1 motifs and edits" in text


def test_a_search_that_follows_one_lineage_tells_nothing(tmp_path: Path) -> None:
    """All cells but few descend from one child of the GRU, and the motif is planted in them."""
    frame = run(tmp_path / "run", "a matrix of a matrix", 0.1, seed=64, lineage=True)
    planted = frame[(frame["name"] == "a matrix of a matrix") & (frame["task"] == "arithmetic")]
    assert len(planted) == 1
    assert planted["p"].isna().all()


def test_a_run_without_found_cells_has_none(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(GRU, task) for task in TASKS])
        assert motifs(store, TASKS).empty
        assert motif_lines(motifs(store, TASKS), ScoreKind.RATIO) == []
        assert difference_lines(store, TASKS) == []
