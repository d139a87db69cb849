"""Motifs and edits of a run's found cells that go with a better or a worse result.

A *motif* is a structure of the cell itself (`search.cells.structures`). Its effect on a task is the mean difference of
the cells' shares of the GRU's result between cells with and without it, within the descendants of one given cell.

An *edit* is a mutation in the words of the lineage, without the numbers of nodes. Its effect is how much more a child
differs from its parent if it was made with the edit, perhaps among others, than if it was made without. Children of one
given cell are compared among themselves, as the chance in that cell's own result is in all their differences.

Cells of one family are no independent data: they share everything but a few mutations. A family is the cells that
descend from one child of a given cell. `results.scores.association` has the estimate and the interval that allow for
it. An effect is left open where families cannot tell it from chance, because one or two of them hold nearly all the
evidence. The p values are corrected over all motifs and edits on all tasks by Benjamini and Hochberg (1995): of the
effects called real, 5 % on average are not.

A result that is worse than a constant prediction counts as one, if the run knows its metric: the loss of a cell that
diverged has no bound, and would alone be the mean. As a share of the gain a constant prediction is 0. As a ratio of
metrics it is the ratio of the constant's metric, mostly far above 0.

A mean says little about the best cells. So `above_p` tells whether a motif is as frequent among the cells above the GRU
as among the others, corrected likewise. It is the larger p value of two tests, each of which fails where the other
holds: Fisher's exact test, which takes the cells as independent, and the effect on standing above the GRU (1 or 0) with
families allowed for, which is too sure where very few cells are above.

These are associations. A motif may go with another that is the cause, and the cells are those that passed the earlier
stages of the search, by its estimates, which are the best of several settings.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from results.scores.association import UNTOLD, association
from results.scores.estimates import GRU, VALIDATION, picks, shares
from results.scores.ratio import Floats
from results.scores.score import constants_of, finite_share, score_kind
from results.store.errors import StoreError
from results.store.graphs import graph_of
from results.store.records import CellRow
from results.store.store import Store
from results.store.words import Origin, ScoreKind
from search.cells.ids import printed_id
from search.cells.structures import structures

LEAST_CELLS = 5
"""Fewest cells with a motif, and without it, or with an edit, for an effect."""

REAL = 0.05
"""False discovery rate of the effects called real."""

MOTIF, EDIT = "motif", "edit"

COLUMNS = (
    *("kind", "name", "task", "cells", "of", "families", "effect", "low", "high", "p", "adjusted"),
    *("above_with", "above", "above_p"),
)
"""Columns of `motifs`."""

Bools = npt.NDArray[np.bool_]

_NUMBER = re.compile(r"#\d+")
_MATE = re.compile(r" of [0-9a-f]{16}$")


def motifs(store: Store, tasks: Sequence[str]) -> pd.DataFrame:
    """Return the effects of motifs and edits on each task, the most certain first.

    Columns:
        kind: "motif" or "edit".
        name: the motif or edit in words.
        task: the task.
        cells, of: found cells with it, and found cells in all with a result on the task, of the given cells that have
            descendants with it and without it; for edits, those whose parent has a result too.
        families: families of the cells with it.
        effect, low, high: effect as a share of the GRU's result (gain or metric, as in the run's score), positive if
            better, and its 95 % interval; NaN if families cannot tell it from chance, in the last rows.
        p, adjusted: p value, uncorrected and corrected over all rows; NaN likewise.
        above_with, above: cells above the GRU that have it, and all that are above the GRU, of these cells.
        above_p: corrected p value of the motif being as frequent above the GRU as below; NaN without a test, as for
            edits.

    Args:
        store: the run.
        tasks: its tasks.

    Raises:
        StoreError: the store cannot be read.
    """
    rows = {row.id: row for row in store.cells()}
    found = [row for row in rows.values() if row.origin == Origin.FOUND]
    roots, families = _ancestors(rows)
    best, constants, kind = picks(store), constants_of(store, VALIDATION), score_kind(store)
    trained = set(best["cell"])
    held = {row.id: structures(graph_of(row)) for row in found if row.id in trained}
    edits = {row.id: frozenset(map(edit_words, row.mutations)) for row in found}
    effects: list[dict[str, object]] = []
    for task in tasks:
        own = best[best["task"] == task].set_index("cell")
        index = pd.Index([cell for cell in own.index if cell in rows], dtype=object)
        if not len(index):
            continue
        constant = constants.get(task, np.nan)
        measured = pd.Series(shares(kind, index, own, constant)[0], index=index).dropna()
        values = measured.clip(lower=_least(kind, own, constant))
        cells = [cell for cell in values.index if cell in held]
        pairs = {cell: parent for cell in cells if (parent := rows[cell].parent) is not None and parent in values.index}
        changes = pd.Series({cell: values[cell] - values[parent] for cell, parent in pairs.items()}, dtype="float64")
        given = {cell: parent if roots[cell] == parent else "" for cell, parent in pairs.items()}
        for sort, sample in [
            *((MOTIF, sample) for sample in _samples(values[cells], held, roots, families)),
            *((EDIT, sample) for sample in _samples(changes, edits, given, families)),
        ]:
            effect = association(sample.y, sample.has, sample.group, sample.family) or UNTOLD
            has = sample.has > 0
            above = measured[sample.cells].to_numpy(np.float64) > 1.0
            effects.append(
                {
                    "kind": sort,
                    "name": sample.name,
                    "task": task,
                    "cells": int(has.sum()),
                    "of": len(has),
                    "families": len(set(np.array(sample.family)[has])),
                    "effect": effect.effect,
                    "low": effect.low,
                    "high": effect.high,
                    "p": effect.p,
                    "above_with": int(np.sum(above & has)),
                    "above": int(np.sum(above)),
                    "above_p": _enriched(above, sample) if sort == MOTIF and effect is not UNTOLD else np.nan,
                }
            )
    if not effects:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.DataFrame(effects)
    frame["adjusted"], frame["above_p"] = _corrected(frame["p"]), _corrected(frame["above_p"])
    frame = frame.sort_values(["p", "task", "kind", "name"], kind="stable")
    return frame[list(COLUMNS)].reset_index(drop=True)


@dataclass(frozen=True)
class _Sample:
    """Cells to compare, of the groups in which some have a motif or edit and others have not.

    Attributes:
        name: the motif or edit.
        cells: the cells (n).
        y: their values (n,).
        has: 1.0 for those that have it, else 0.0 (n,).
        group: what they are compared within (n).
        family: their families (n).
    """

    name: str
    cells: list[str]
    y: Floats
    has: Floats
    group: list[str]
    family: list[str]


def _least(kind: ScoreKind, own: pd.DataFrame, constant: float) -> float | None:
    """Return the constant baseline's share of the GRU's result; None if it is not known.

    Args:
        kind: kind of the shares.
        own: the picks of one task, by cell.
        constant: validation metric of the constant baseline; NaN if it is not known.
    """
    if GRU not in own.index:
        return None
    best = own.loc[[GRU], "validation"].to_numpy(np.float64)[0]
    return finite_share(kind, constant, best, constant, bool(own.loc[[GRU], "higher_is_better"].all()))


def _corrected(p: pd.Series) -> pd.Series:
    """Return p values corrected over those that are known (Benjamini and Hochberg 1995); NaN stays NaN."""
    known = p.dropna()
    return pd.Series(multipletests(known, method="fdr_bh")[1] if len(known) else [], known.index, float).reindex(
        p.index
    )


def edit_words(mutation: str) -> str:
    """Return a stored mutation without its kind, the numbers of nodes and the id of a mate: `linear removed`."""
    mutation = _MATE.sub(" of another cell", mutation)
    return _NUMBER.sub("", mutation).partition(": ")[2].replace("linear(0)", "linear") or mutation


def _samples(
    values: pd.Series, held: Mapping[str, frozenset[str]], groups: Mapping[str, str], families: Mapping[str, str]
) -> Iterator[_Sample]:
    """Yield the cells to compare for each motif or edit that enough cells have, and lack."""
    frame = pd.DataFrame({"y": values.to_numpy(np.float64)}, index=[str(cell) for cell in values.index])
    frame["group"] = [groups[cell] for cell in frame.index]
    frame["family"] = [families[cell] for cell in frame.index]
    done: set[frozenset[str]] = set()
    for name in sorted({motif for cell in frame.index for motif in held[cell]}):
        members = frozenset(cell for cell in frame.index if name in held[cell])
        if members in done:
            continue  # motifs of exactly the same cells cannot be told apart: the first by name stands for them
        done.add(members)
        has = pd.Series([float(cell in members) for cell in frame.index], index=frame.index)
        used = has.groupby(frame["group"]).transform("nunique") > 1
        rows, has = frame[used], has[used]
        if min(has.sum(), (1.0 - has).sum()) >= LEAST_CELLS:
            y, held_by = rows["y"].to_numpy(np.float64), np.asarray(has, np.float64)
            yield _Sample(name, list(rows.index), y, held_by, list(rows["group"]), list(rows["family"]))


def _enriched(above: Bools, sample: _Sample) -> float:
    """Return the larger p value of Fisher's exact test and of the effect on being `above` (n,); NaN without a test."""
    effect = association(above.astype(np.float64), sample.has, sample.group, sample.family)
    if effect is None:
        return float("nan")
    has = sample.has > 0
    table = [[np.sum(above & has), np.sum(~above & has)], [np.sum(above & ~has), np.sum(~above & ~has)]]
    return max(effect.p, float(stats.fisher_exact(np.array(table)).pvalue))


def _ancestors(rows: Mapping[str, CellRow]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the given cell that each cell descends from, and its family: the child of that cell it descends from."""
    roots: dict[str, str] = {}
    families: dict[str, str] = {}
    for cell in rows:
        line = [cell]
        while (parent := rows[line[-1]].parent) is not None and parent in rows:
            line.append(parent)
            if len(line) > len(rows):
                raise StoreError(f"cell {printed_id(cell)} is its own ancestor: the store is corrupt, restore a backup")
        roots[cell], families[cell] = line[-1], line[-2] if len(line) > 1 else cell
    return roots, families
