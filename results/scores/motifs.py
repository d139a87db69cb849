"""Motifs and edits of a run's found cells that go with a better or a worse result.

A *motif* is a structure of the cell itself (`search.cells.structures`). Its effect on a task is the coefficient of a
least-squares fit of the cells' shares of the GRU's result on the motif, with an intercept for each given cell that
they descend from: the mean difference between cells with and without it, within the descendants of one cell.

An *edit* is a mutation in the words of the lineage, without the numbers of nodes. Its effect is how much more a child
differs from its parent if it was made with the edit, perhaps among others, than if it was made without.

Cells of one family are no independent data: they share everything but a few mutations. A family is the cells that
descend from one child of a given cell. Standard errors are clustered by family (Liang and Zeger 1986, with the factor
G / (G - 1) * (n - 1) / (n - k) for G families), intervals and p values from Student's t with one degree of freedom less
than there are families with the motif. The p values are corrected over all motifs and edits on all tasks by Benjamini
and Hochberg (1995): of the effects called real, 5 % on average are not.

A result that is worse than a constant prediction counts as one: the loss of a cell that diverged has no bound, and
would alone be the mean.

A mean says little about the best cells. So `above_p` is the p value of Fisher's exact test that a motif is as frequent
among the cells above the GRU as among the others, corrected likewise. It takes the cells as independent, which they
are not.

These are associations. A motif may go with another that is the cause, and the cells are those that passed the earlier
stages of the search, by its estimates, which are the best of several settings.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from results.scores.estimates import VALIDATION, picks, shares
from results.scores.ratio import Floats
from results.scores.score import constants_of, score_kind
from results.store.errors import StoreError
from results.store.graphs import graph_of
from results.store.records import CellRow
from results.store.store import Store
from results.store.words import Origin
from search.cells.ids import printed_id
from search.cells.structures import structures

LEAST_CELLS = 5
"""Fewest cells with a motif, and without it, or with an edit, for an effect."""

LEAST_FAMILIES = 3
"""Fewest families of the cells with a motif or an edit, for an effect."""

REAL = 0.05
"""False discovery rate of the effects called real."""

MOTIF, EDIT = "motif", "edit"

COLUMNS = (
    *("kind", "name", "task", "cells", "of", "families", "effect", "low", "high", "p", "adjusted"),
    *("above_with", "above", "above_p"),
)
"""Columns of `motifs`."""

_NUMBER = re.compile(r"#\d+")
_MATE = re.compile(r" of [0-9a-f]{16}$")


@dataclass(frozen=True)
class _Effect:
    """Estimated effect with its 95 % interval and two-sided p value."""

    effect: float
    low: float
    high: float
    p: float


def motifs(store: Store, tasks: Sequence[str]) -> pd.DataFrame:
    """Return the effects of motifs and edits on each task, the most certain first.

    Columns:
        kind: "motif" or "edit".
        name: the motif or edit in words.
        task: the task.
        cells, of: found cells with it, and found cells in all with a result on the task; for edits, those whose parent
            has one too.
        families: families of the cells with it.
        effect, low, high: effect as a share of the GRU's result (gain or metric, as in the run's score), positive if
            better, and its 95 % interval.
        p, adjusted: p value, uncorrected and corrected over all rows.
        above_with, above: cells above the GRU that have it, and all cells above the GRU.
        above_p: corrected p value of the two being as related in all cells; NaN for edits.

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
        values = (
            pd.Series(shares(kind, index, own, constants.get(task, np.nan))[0], index=index).dropna().clip(lower=0.0)
        )
        cells = [cell for cell in values.index if cell in held]
        above = {cell for cell in cells if values[cell] > 1.0}
        pairs = {cell: parent for cell in cells if (parent := rows[cell].parent) is not None and parent in values.index}
        changes = pd.Series({cell: values[cell] - values[parent] for cell, parent in pairs.items()}, dtype="float64")
        for sort, name, y, has, root, family, members in [
            *((MOTIF, *sample) for sample in _samples(values[cells], held, roots, families)),
            *((EDIT, *sample) for sample in _samples(changes, edits, dict.fromkeys(changes.index, ""), families)),
        ]:
            estimate = association(y, has, root, family)
            if estimate is None:
                continue
            effects.append(
                {
                    "kind": sort,
                    "name": name,
                    "task": task,
                    "cells": len(members),
                    "of": len(y),
                    "families": len({families[cell] for cell in members}),
                    "effect": estimate.effect,
                    "low": estimate.low,
                    "high": estimate.high,
                    "p": estimate.p,
                    "above_with": len(above & members),
                    "above": len(above),
                    "above_p": _enriched(len(above & members), len(above), len(members), len(y), sort),
                }
            )
    if not effects:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.DataFrame(effects)
    frame["adjusted"] = multipletests(frame["p"], method="fdr_bh")[1]
    tested = frame["above_p"].notna()
    if tested.any():
        frame.loc[tested, "above_p"] = multipletests(frame.loc[tested, "above_p"], method="fdr_bh")[1]
    frame = frame.sort_values(["p", "task", "kind", "name"], kind="stable")
    return frame[list(COLUMNS)].reset_index(drop=True)


_Sample = tuple[str, Floats, Floats, Sequence[str], Sequence[str], set[str]]


def edit_words(mutation: str) -> str:
    """Return a stored mutation without its kind, the numbers of nodes and the id of a mate: `linear removed`."""
    mutation = _MATE.sub(" of another cell", mutation)
    return _NUMBER.sub("", mutation).partition(": ")[2].replace("linear(0)", "linear") or mutation


def _samples(
    values: pd.Series, held: Mapping[str, frozenset[str]], roots: Mapping[str, str], families: Mapping[str, str]
) -> Iterator[_Sample]:
    """Yield for each motif its name, the values, who has it (0 or 1), roots, families, and the cells that have it."""
    cells, y = [str(cell) for cell in values.index], values.to_numpy(np.float64)
    root, family = [roots[cell] for cell in cells], [families[cell] for cell in cells]
    done: set[frozenset[str]] = set()
    for name in sorted({motif for cell in cells for motif in held[cell]}):
        members = {cell for cell in cells if name in held[cell]}
        few = min(len(members), len(cells) - len(members)) < LEAST_CELLS
        if few or len({families[cell] for cell in members}) < LEAST_FAMILIES or frozenset(members) in done:
            continue  # motifs of exactly the same cells cannot be told apart: the first by name stands for them
        done.add(frozenset(members))
        yield name, y, np.array([cell in members for cell in cells], np.float64), root, family, members


def _enriched(both: int, above: int, members: int, count: int, kind: str) -> float:
    """Return the p value of Fisher's exact test of a motif against standing above the GRU; NaN for edits."""
    if kind != MOTIF or not 0 < above < count:
        return float("nan")
    table = [[both, members - both], [above - both, count - members - above + both]]
    return float(stats.fisher_exact(np.array(table)).pvalue)


def association(y: Floats, has: Floats, root: Sequence[str], family: Sequence[str]) -> _Effect | None:
    """Return the coefficient of `has` in a least-squares fit of y with an intercept for each root.

    Args:
        y: values (n,).
        has: 1.0 or 0.0 for each value.
        root: the group that has an intercept of its own, for each value.
        family: the cluster of each value.

    Returns:
        The effect, or None if it is not identified: `has` is constant within every root, or there is one family.
    """
    dummies = pd.get_dummies(pd.Series(list(root))).to_numpy(np.float64)
    design = np.column_stack([has, dummies])
    n, k = design.shape
    codes, names = pd.factorize(np.array(list(family), dtype=object))
    groups = len(names)
    if groups < 2 or n <= k or np.linalg.matrix_rank(design) < k:
        return None
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residuals = y - design @ coefficients
    sums = np.zeros((groups, k))
    np.add.at(sums, codes, design * residuals[:, None])
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    variance = float((inverse @ (sums.T @ sums) @ inverse)[0, 0]) * factor
    effect, error = float(coefficients[0]), float(np.sqrt(max(variance, 0.0)))
    if not error > 1e-12 * max(1.0, float(np.abs(y).max())):
        return None  # no variation: nothing to tell chance by
    # Few families with the motif make its error uncertain, however many are without.
    with_it = len(set(codes[has > 0]))
    freedom = max(min(groups, with_it) - 1, 1)
    width = float(stats.t.ppf(0.975, freedom)) * error
    p = 2.0 * float(stats.t.sf(abs(effect) / error, freedom))
    return _Effect(effect, effect - width, effect + width, p)


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
