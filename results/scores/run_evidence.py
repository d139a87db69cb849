"""Evidence of a run on its cells: pairwise comparisons on the retrained finalists, or else on search estimates.

Paired t-tests with Holm's correction over the tests of one question (`results.scores.comparison`). A cell is *even*
with another on a task if the difference is shown to be smaller than `MARGIN` of the other's metric, by two one-sided
tests: a difference that is not significant does not show that there is none.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from results.scores.comparison import LEVEL, even_rows, holm, paired
from results.scores.confirmation import ConfirmationTest, confirmation_of
from results.scores.estimates import GRU, LSTM, picks
from results.scores.finalists import Finalists, finalists_of
from results.scores.finding import ALL_TASKS, Figure, Remedy, Standing, Way
from results.scores.power import repeats_needed
from results.scores.ratio import Floats, direction
from results.store.information import MAX_REPEATS
from results.store.store import Store
from results.store.words import MEMORIZATION, Origin
from search.cells.library import LIBRARY, label_of

MARGIN = 0.01
"""Largest difference, as a share of the metric, of cells that are even. (The paper gives no errors.)"""

FIRST_REPEATS = 5
"""Number of seeds to begin with, if no cell was retrained yet."""

Pair = tuple[str, str, str]
"""Task, cell, other cell."""


class RunEvidence:
    """Metrics of the cells of a run: those of the finalists' repeats, and the search's best."""

    def __init__(self, store: Store, tasks: Sequence[str]) -> None:
        """Read the evidence of a run whose ranked tasks are `tasks`. Raise `StoreError` if it cannot be read."""
        self.ranked = tuple(tasks)
        self.found: Finalists = finalists_of(store)
        self.tasks = self.ranked + tuple(sorted(task for task in self.found.values if task not in self.ranked))
        cells = self.found.cells(self.ranked)
        self.finalists = cells if GRU in cells else []
        self.estimates: dict[tuple[str, str], float] = {}
        self.higher: dict[str, bool] = {}
        best = picks(store)[["task", "cell", "validation", "higher_is_better"]]
        for task, cell, value, higher in best.itertuples(index=False):
            self.estimates[str(task), str(cell)] = float(value)
            self.higher[str(task)] = bool(higher)
        # The seeds that chose a found cell cannot judge it: only its confirmation can.
        self.chosen = {row.id for row in store.cells() if row.origin == Origin.FOUND}
        self.confirmation = confirmation_of(store)
        self.repeat_seconds = _repeat_seconds(store, retrained=self.found.repeats > 0)

    def retrained(self, names: Iterable[str]) -> bool:
        """Return whether the named cells were all retrained."""
        return all(LIBRARY[name].graph.id in self.finalists for name in names)

    def has(self, names: Iterable[str]) -> bool:
        """Return whether the run has results of the named cells on its ranked tasks."""
        return all((task, LIBRARY[name].graph.id) in self.estimates for name in names for task in self.ranked)

    def figures(self, pairs: Sequence[Pair]) -> list[Figure]:
        """Return the figures of pairs of cell ids, corrected as one family; pairs without results are left out."""
        shown = {pair: values for pair in pairs if (values := self._both(*pair)) is not None}
        relative = {pair: self._relative(pair[0], *values) for pair, values in shown.items()}
        tests = [paired(differences) for differences in relative.values()]
        adjusted = holm([p for _, _, p in tests])
        even = holm([_even_p(differences) for differences in relative.values()])
        known = {
            (task, cell, other): Figure(
                *(task, label_of(cell), label_of(other), float(own.mean()), float(reference.mean())),
                *(mean, error, p, even_p),
                _standing(mean, p, even_p),
                _needed(differences, p, even_p, len(shown)),
            )
            for ((task, cell, other), (own, reference)), differences, (mean, error, _), p, even_p in zip(
                shown.items(), relative.values(), tests, adjusted, even, strict=True
            )
        }
        found = (known.get(pair) or self._estimate(*pair) for pair in pairs)
        return [figure for figure in found if figure is not None]

    def contenders(self) -> dict[str, list[Figure]]:
        """Return the figures of each contender that had a look on every ranked task, by its id."""
        if self.confirmation is None:
            return {}
        found = {
            cell: [test for test in self.confirmation.of(cell) if test.repeats] for cell in self.confirmation.contenders
        }
        return {
            cell: [self._confirmed(test) for test in tests]
            for cell, tests in found.items()
            if {test.task for test in tests} >= set(self.ranked)
        }

    def _confirmed(self, test: ConfirmationTest) -> Figure:
        """Return a declared test as a figure: means over its seeds, its verdict, and its corrected p values."""
        assert self.confirmation is not None
        names = test.task, label_of(test.cell), label_of(test.other)
        values = self.confirmation.measured.values
        own, reference = (float(values[test.task, cell][: test.repeats].mean()) for cell in (test.cell, test.other))
        unit = abs(reference) if reference else float("nan")
        return Figure(
            *(*names, own, reference, test.difference / unit, test.error / unit),
            *(test.adjusted, test.even_adjusted, test.standing, test.needed),
        )

    def confirm_remedy(self, cell: str, figures: Sequence[Figure]) -> Remedy:
        """Return the remedy for a contender whose figures leave a question open: the rest of its looks, or more seeds.

        One task with the fewest seeds to decide it is named; a larger run if every task needs too many.
        """
        if self.confirmation is not None and not self.confirmation.ended:
            return Remedy(Way.CONFIRM, cell=label_of(cell))
        likely = [(f.needed, f.task) for f in figures if f.standing is Standing.UNDECIDED and f.needed is not None]
        if not likely:
            return Remedy(Way.LARGER)
        seeds, task = min(likely)
        return Remedy(Way.CONFIRM, seeds, cell=label_of(cell), task=task)

    def retrain_remedy(self) -> Remedy:
        """Return the remedy for missing repeats: retrain the finalists that lack some."""
        if not self.found.repeats:
            return Remedy(Way.REPEAT, FIRST_REPEATS, FIRST_REPEATS * self.repeat_seconds)
        return Remedy(Way.REPEAT, self.found.repeats)

    def repeats_remedy(self, needed: int | None) -> Remedy:
        """Return the remedy of `needed` repeats in total; a larger run if `needed` is None (too many)."""
        if needed is None:
            return Remedy(Way.LARGER)
        repeats = max(self.found.repeats + 1, needed)
        return Remedy(Way.REPEAT, repeats, (repeats - self.found.repeats) * self.repeat_seconds)

    def _both(self, task: str, cell: str, other: str) -> tuple[Floats, Floats] | None:
        own, reference = self._values(task, cell), self._values(task, other)
        return None if own is None or reference is None else (own, reference)

    def _values(self, task: str, cell: str) -> Floats | None:
        """Return a cell's metrics over the seeds; on all tasks, the geometric mean of its ratios to the LSTM's."""
        if cell not in self.finalists:
            return None
        if task != ALL_TASKS:
            return self.found.on(task, cell) if cell in self.found.values[task].index else None
        if LSTM not in self.finalists:
            return None
        logs = [
            direction(self.found.higher[t]) * np.log(self.found.on(t, cell) / self.found.on(t, LSTM))
            for t in self.ranked
        ]
        return np.asarray(np.exp(np.mean(logs, axis=0)), np.float64)

    def _relative(self, task: str, own: Floats, other: Floats) -> Floats:
        """Return differences over the seeds as shares of the other's mean metric, above 0 if `own` is better."""
        sign = 1.0 if task == ALL_TASKS else direction(self.found.higher[task])
        return np.asarray(sign * (own - other) / other.mean(), np.float64)

    def _estimate(self, task: str, cell: str, other: str) -> Figure | None:
        """Return the figure of the search estimates, or None if one is missing."""
        if task == ALL_TASKS:
            if any((t, one) not in self.estimates for t in self.ranked for one in (cell, other, LSTM)):
                return None
            value, reference = (
                float(np.exp(np.mean([self._log_ratio(t, one) for t in self.ranked]))) for one in (cell, other)
            )
            advantage = value / reference - 1.0
        else:
            if (task, cell) not in self.estimates or (task, other) not in self.estimates:
                return None
            value, reference = self.estimates[task, cell], self.estimates[task, other]
            advantage = (value - reference) / reference * direction(self.higher[task])
        names = label_of(cell), label_of(other)
        return Figure(task, *names, value, reference, advantage, None, None, None, Standing.UNKNOWN)

    def _log_ratio(self, task: str, cell: str) -> float:
        """Return the log ratio of the search's best metric to the LSTM's, above 0 if the cell is better."""
        log = float(np.log(self.estimates[task, cell] / self.estimates[task, LSTM]))
        return direction(self.higher[task]) * log


def _repeat_seconds(store: Store, retrained: bool) -> float:
    """Return the seconds of one core that a repeat of all finalists takes, by the times of the run."""
    where = f"WHERE repeat BETWEEN 1 AND {MAX_REPEATS}"
    if not retrained:
        where = f"JOIN cells ON cells.id = cell WHERE origin = '{Origin.BASELINE}' AND task <> '{MEMORIZATION}'"
    sql = f"SELECT sum(spent) FROM (SELECT avg(seconds) AS spent FROM trials {where} GROUP BY cell, task)"
    return float(store.select(sql)[0][0] or 0.0)


def _standing(mean: float, p: float, even_p: float) -> Standing:
    if p < LEVEL:
        return Standing.BETTER if mean > 0 else Standing.WORSE
    return Standing.EVEN if even_p < LEVEL else Standing.UNDECIDED


def _needed(differences: Floats, p: float, even_p: float, tests: int) -> int | None:
    """Return the repeats that would decide an undecided comparison at its share of the level, one of `tests`."""
    decided = _standing(float(differences.mean()), p, even_p) is not Standing.UNDECIDED
    return None if decided else repeats_needed(differences, MARGIN, LEVEL / tests)


def _even_p(differences: Floats) -> float:
    """Return the p value of two one-sided t-tests that the mean is between -MARGIN and MARGIN."""
    return float(even_rows(differences[None], MARGIN)[0])
