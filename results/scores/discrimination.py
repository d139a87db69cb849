"""Discrimination of a run's tasks: whether they tell cells apart, and whether they leave anything to learn.

A task discriminates if the named cells differ by far more than the noise of one cell's mean: the spread, which is the
standard deviation of their mean test metrics, is at least `ENOUGH` times the standard error of one mean. Plain
recurrent networks are left out, since they are so much worse on most tasks that they alone would make a spread; so are
cells that have learnt nothing, whose loss may be anything, and with it the error. The spread has the noise of the means
in it: cells that are all equal give a ratio of about 1.

A task is saturated if the best named cell has learnt nearly all that can be learnt: `SATURATED` of the gain of the best
possible predictor over the constant baseline. Where that ceiling is not known, this is not known either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.scores.estimates import GRU, TEST
from results.scores.finalists import Finalists, finalists_of
from results.scores.ratio import gain
from results.scores.score import ceilings_of, constants_of
from results.store.store import Store
from search.cells.library import FAMILIES, LIBRARY, ids_of

ENOUGH = 4.0
"""Spread, in standard errors of one mean, from which on a task discriminates."""

SATURATED = 0.95
"""Share of the ceiling's gain above which a task is saturated."""

UNGATED = tuple(cell.name for cell in FAMILIES["plain"])
"""Named cells without gates: those of the family of plain networks."""

LEAST_CELLS = 3
"""Fewest gated named cells whose spread says anything."""


@dataclass(frozen=True)
class Discrimination:
    """Discrimination of one task by the gated named cells that were retrained.

    Attributes:
        task: name of the task.
        cells: number of these cells, without those that are no better than the constant baseline.
        repeats: number of seeds.
        spread: standard deviation of their mean test metrics, in the metric's unit.
        error: standard error of one mean, pooled over the cells, in the metric's unit.
        best: name of the best of them.
        best_share: gain of its mean test metric as a share of the ceiling's; None if the ceiling is not known.
        gru_share: the same of the GRU; None also if the GRU was not retrained.
    """

    task: str
    cells: int
    repeats: int
    spread: float
    error: float
    best: str
    best_share: float | None
    gru_share: float | None

    @property
    def ratio(self) -> float:
        """Spread in standard errors of one mean; infinite without noise."""
        return self.spread / self.error if self.error > 0 else float("inf")

    @property
    def discriminates(self) -> bool:
        """True if the cells differ by enough."""
        return self.ratio >= ENOUGH

    @property
    def saturated(self) -> bool | None:
        """True if nearly nothing is left to learn; None if the ceiling is not known."""
        return None if self.best_share is None else self.best_share > SATURATED


def discrimination(store: Store, tasks: Sequence[str]) -> list[Discrimination]:
    """Return the discrimination of each ranked task on which enough named cells were retrained.

    Args:
        store: the run.
        tasks: its ranked tasks.

    Raises:
        StoreError: the store cannot be read.
    """
    found = finalists_of(store)
    constants, ceilings = constants_of(store, TEST), ceilings_of(store, TEST)
    rows = (_of_task(found, task, constants.get(task), ceilings.get(task)) for task in tasks)
    return [row for row in rows if row is not None]


def _of_task(found: Finalists, task: str, constant: float | None, ceiling: float | None) -> Discrimination | None:
    if found.repeats < 2 or task not in found.values:
        return None
    table, higher = found.values[task], found.higher[task]
    known = {name: next((i for i in ids_of(name) if i in table.index), None) for name in LIBRARY}
    names = [name for name, cell in known.items() if name not in UNGATED and cell is not None]
    if len(names) < LEAST_CELLS:
        return None
    values = table.loc[[known[name] for name in names]].to_numpy(np.float64)
    if constant is not None:  # without those that are no better than a constant prediction
        learnt = gain(values.mean(axis=1), constant, higher) > 0
        names, values = [name for name, has in zip(names, learnt, strict=True) if has], values[learnt]
        if len(names) < LEAST_CELLS:
            return None
    means = values.mean(axis=1)
    best = int(means.argmax() if higher else means.argmin())

    def share(mean: float) -> float | None:
        if constant is None or ceiling is None:
            return None
        whole = float(gain(ceiling, constant, higher))
        return float(gain(mean, constant, higher)) / whole if whole > 0 else None

    return Discrimination(
        task=task,
        cells=len(names),
        repeats=found.repeats,
        spread=float(means.std(ddof=1)),
        error=float(np.sqrt(values.var(axis=1, ddof=1).mean() / found.repeats)),
        best=names[best],
        best_share=share(float(means[best])),
        gru_share=share(float(found.on(task, GRU).mean())) if GRU in table.index else None,
    )
