"""Evidence of a run on its cells: pairwise comparisons on the retrained finalists, or else on search estimates.

Paired t-tests with Holm's correction over the tests of one question (`results.scores.comparison`).

Differences have the units of `results.scores.units`: shares of the GRU's gain over the constant baseline where they
can. Over all tasks, a cell has the mean of its shares. Where a task has no such gain, it has the geometric mean of its
ratios to the LSTM; nothing if a metric may be negative.

A cell is *even* with another on a task if the difference is shown to be smaller than the unit's margin, by two
one-sided tests. A difference that is not significant does not show that there is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.scores.comparison import LEVEL, even_rows, holm, paired
from results.scores.confirmation import ConfirmationTest, confirmation_of
from results.scores.estimates import GRU, LSTM, picks
from results.scores.finalists import Finalists, finalists_of
from results.scores.finding import ALL_TASKS, Figure, Remedy, Standing, Way
from results.scores.power import repeats_needed
from results.scores.ratio import Floats, direction, gain
from results.scores.score import constants_of
from results.scores.units import GAIN, METRIC, Unit, mean_and_error, signed_units, unit_gain
from results.store.information import MAX_REPEATS
from results.store.store import Store
from results.store.words import MEMORIZATION, Origin
from search.cells.library import LIBRARY, label_of

FIRST_REPEATS = 5
"""Number of seeds to begin with, if no cell was retrained yet."""

Pair = tuple[str, str, str]
"""Task, cell, other cell."""


class RunEvidence:
    """Metrics of the cells of a run: those of the finalists' repeats, and the search's best."""

    def __init__(self, store: Store, tasks: Sequence[str]) -> None:
        """Read the evidence of a run whose ranked tasks are `tasks`. Raise `StoreError` if it cannot be read."""
        self.ranked = tuple(tasks)
        self.simulated, self.ended = store.simulated, store.finished is not None
        best = picks(store)
        self.found: Finalists = finalists_of(store, best)
        self.tasks = self.ranked + tuple(sorted(task for task in self.found.values if task not in self.ranked))
        cells = self.found.cells(self.ranked)
        self.finalists = cells if GRU in cells else []
        self.estimates: dict[tuple[str, str], float] = {}
        self.higher: dict[str, bool] = {}
        known = best[["task", "cell", "validation", "higher_is_better"]]
        for task, cell, value, higher in known.itertuples(index=False):
            self.estimates[str(task), str(cell)] = float(value)
            self.higher[str(task)] = bool(higher)
        self.signed = signed_units(store)
        self.gains = _gains(self.found, constants_of(store, "test"))
        self.estimated_gains = _estimated_gains(best, constants_of(store, "validation"))
        self.confirmation = confirmation_of(store)
        rows = store.typed("SELECT id, name, origin FROM cells", {"id": str, "name": str | None, "origin": str})
        self.labels = {cell: label_of(cell, name) for cell, name, _ in rows}
        # The seeds that chose a found cell cannot judge it: only its confirmation can.
        self.chosen = {cell for cell, _, origin in rows if origin == Origin.FOUND}
        self.repeat_seconds = _repeat_seconds(store, retrained=self.found.repeats > 0)

    def retrained(self, names: Iterable[str]) -> bool:
        """Return whether the named cells were all retrained."""
        return all(LIBRARY[name].graph.id in self.finalists for name in names)

    def has(self, names: Iterable[str]) -> bool:
        """Return whether the run has results of the named cells on its ranked tasks."""
        return all((task, LIBRARY[name].graph.id) in self.estimates for name in names for task in self.ranked)

    def measured(self, task: str, cell: str) -> bool:
        """Return whether the run has a result of a cell on a task, by the search's trials or on fresh seeds."""
        return (task, cell) in self.estimates or self._values(task, cell) is not None

    def figures(self, pairs: Sequence[Pair]) -> list[Figure]:
        """Return the figures of pairs of cell ids, corrected as one family; pairs without results are left out."""
        known = self.figures_by_pair(pairs)
        return [known[pair] for pair in pairs if pair in known]

    def figures_by_pair(self, pairs: Sequence[Pair]) -> dict[Pair, Figure]:
        """Return the figures of pairs of cell ids, corrected as one family, for each pair that has results."""
        shown = {pair: values for pair in pairs if (values := self._both(*pair)) is not None}
        relative = {pair: self._relative(pair[0], *values) for pair, values in shown.items()}
        tests = [paired(differences) for differences in relative.values()]
        units = [self._unit(task) for task, _, _ in shown]
        adjusted = holm([p for _, _, p in tests])
        even = holm(
            [
                float(even_rows(one[None], unit.margin)[0]) if unit.margin else 1.0
                for one, unit in zip(relative.values(), units, strict=True)
            ]
        )
        known = {
            (task, cell, other): Figure(
                *(task, self._label(cell), self._label(other), float(own.mean()), float(reference.mean())),
                *(mean, error, p, even_p),
                _standing(mean, p, even_p),
                _needed(differences, p, even_p, len(shown), unit.margin),
                unit,
                unit.margin,
                self.found.repeats,
            )
            for ((task, cell, other), (own, reference)), differences, (mean, error, _), p, even_p, unit in zip(
                shown.items(), relative.values(), tests, adjusted, even, units, strict=True
            )
        }
        found = {pair: known.get(pair) or self._estimate(*pair) for pair in pairs}
        return {pair: figure for pair, figure in found.items() if figure is not None}

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
        values = self.confirmation.measured.values
        own, reference = (float(values[test.task, cell][: test.repeats].mean()) for cell in (test.cell, test.other))
        share = abs(test.effect / test.difference) if test.difference else 0.0  # from metrics to shares
        return Figure(
            *(test.task, self._label(test.cell), self._label(test.other), own, reference),
            *(test.effect, test.error * share, test.adjusted, test.even_adjusted),
            standing=test.standing,
            needed=test.needed,
            unit=test.unit,
            margin=test.unit.margin,
            repeats=test.repeats,
        )

    def confirm_remedy(self, cell: str, figures: Sequence[Figure]) -> Remedy:
        """Return the remedy for a contender of which it is open whether it beats GRU and LSTM on every task.

        It is the rest of its looks, or more seeds. One test that shows it to be behind is enough: of those that look
        so, the one with the fewest seeds. If none does, it may be better everywhere, which takes every open test. If
        that is too many seeds, the remedy is a larger run.
        """
        if self.confirmation is not None and not self.confirmation.ended:
            return Remedy(Way.CONFIRM, cell=self._label(cell))
        undecided = [figure for figure in figures if figure.standing is Standing.UNDECIDED]
        behind = [(f.needed, f.task) for f in undecided if f.advantage < 0.0 and f.needed is not None]
        if behind:
            seeds, task = min(behind)
            return Remedy(Way.CONFIRM, seeds, cell=self._label(cell), task=task)
        needed = [figure.needed for figure in undecided if figure.needed is not None]
        if not undecided or len(needed) < len(undecided):
            return Remedy(Way.LARGER)
        tasks = {figure.task for figure in undecided}
        return Remedy(Way.CONFIRM, max(needed), cell=self._label(cell), task=min(tasks) if len(tasks) == 1 else None)

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
        if own is None or reference is None or self._size(task, reference) == 0.0:
            return None  # of a metric of 0, nothing is a share
        return own, reference

    def _label(self, cell: str) -> str:
        return self.labels.get(cell) or label_of(cell)

    def _of_gain(self, task: str) -> bool:
        """Return whether differences on a task are shares of the GRU's gain."""
        return all(one in self.gains for one in self.ranked) if task == ALL_TASKS else task in self.gains

    def _values(self, task: str, cell: str) -> Floats | None:
        """Return a cell's metrics over the seeds; on all tasks, the mean of its shares or of its log ratios."""
        if cell not in self.finalists:
            return None
        if task != ALL_TASKS:
            known = self.found.values.get(task)
            return self.found.on(task, cell) if known is not None and cell in known.index else None
        if self._of_gain(ALL_TASKS):
            shares = [
                gain(self.found.on(t, cell), self.gains[t].constant, self.found.higher[t]) / self.gains[t].reference
                for t in self.ranked
            ]
            return np.asarray(np.mean(shares, axis=0), np.float64)
        if LSTM not in self.finalists or self.signed.keys() & set(self.ranked):
            return None
        logs = [
            direction(self.found.higher[t]) * np.log(self.found.on(t, cell) / self.found.on(t, LSTM))
            for t in self.ranked
        ]
        return np.asarray(np.exp(np.mean(logs, axis=0)), np.float64)

    def _relative(self, task: str, own: Floats, other: Floats) -> Floats:
        """Return differences over the seeds in the unit of the task, above 0 if `own` is better."""
        sign = 1.0 if task == ALL_TASKS else direction(self.found.higher[task])
        return np.asarray(sign * (own - other) / self._size(task, other), np.float64)

    def _unit(self, task: str) -> Unit:
        """Return the unit of differences on a task."""
        return GAIN if self._of_gain(task) else self.signed.get(task, METRIC)

    def _size(self, task: str, other: Floats) -> float:
        """Return what the unit of differences on a task is in the metric's own unit."""
        if self._of_gain(task):
            return 1.0 if task == ALL_TASKS else self.gains[task].reference
        return 1.0 if task in self.signed else abs(float(other.mean()))

    def _estimate(self, task: str, cell: str, other: str) -> Figure | None:
        """Return the figure of the search estimates, or None if one is missing."""
        tasks = self.ranked if task == ALL_TASKS else (task,)
        of_gain = all(one in self.estimated_gains for one in tasks)
        if task == ALL_TASKS and self.signed.keys() & set(tasks):
            retrained = {cell, other} <= set(self.finalists)  # then a gain of the estimates is no unit, either
            if not of_gain or retrained:
                return None
        needed = (cell, other) if of_gain or task != ALL_TASKS else (cell, other, LSTM)
        unit = GAIN if of_gain else self.signed.get(task, METRIC)
        if any((t, one) not in self.estimates for t in tasks for one in needed):
            return None
        if task == ALL_TASKS:
            value, reference = (self._estimate_over_all(one, of_gain) for one in (cell, other))
            advantage = value - reference if of_gain else value / reference - 1.0
        else:
            value, reference = self.estimates[task, cell], self.estimates[task, other]
            size = self.estimated_gains[task].reference if of_gain else abs(reference) if unit is METRIC else 1.0
            if size == 0.0:
                return None
            advantage = (value - reference) / size * direction(self.higher[task])
        names = self._label(cell), self._label(other)
        nothing = (None, None, None)
        return Figure(task, *names, value, reference, advantage, *nothing, Standing.UNKNOWN, None, unit, unit.margin)

    def _estimate_over_all(self, cell: str, of_gain: bool) -> float:
        """Return the mean of a cell's shares, or the geometric mean of its ratios to the LSTM, by search estimates."""
        if not of_gain:
            return float(np.exp(np.mean([self._log_ratio(t, cell) for t in self.ranked])))
        known = {t: self.estimated_gains[t] for t in self.ranked}
        shares = [gain(self.estimates[t, cell], g.constant, self.higher[t]) / g.reference for t, g in known.items()]
        return float(np.mean(shares))

    def _log_ratio(self, task: str, cell: str) -> float:
        """Return the log ratio of the search's best metric to the LSTM's, above 0 if the cell is better."""
        log = float(np.log(self.estimates[task, cell] / self.estimates[task, LSTM]))
        return direction(self.higher[task]) * log


@dataclass(frozen=True)
class _Gain:
    """Constant baseline of a task, and the GRU's gain over it, which is a unit for differences."""

    constant: float
    reference: float


def _gains(found: Finalists, constants: Mapping[str, float]) -> dict[str, _Gain]:
    """Return the GRU's gain over its repeats, on the tasks where it is a unit."""
    metrics = {task: mean_and_error(found.on(task, GRU)) for task, own in found.values.items() if GRU in own.index}
    return _units(metrics, found.higher, constants)


def _estimated_gains(best: pd.DataFrame, constants: Mapping[str, float]) -> dict[str, _Gain]:
    """Return the GRU's gain by search estimates, on the tasks where it is a unit."""
    own = best[best["cell"] == GRU].set_index("task")
    values = zip(own["validation"], own["validation_se"], strict=True)
    metrics = {str(task): (float(value), float(error)) for task, (value, error) in zip(own.index, values, strict=True)}
    higher = {str(task): bool(one) for task, one in own["higher_is_better"].items()}
    return _units(metrics, higher, constants)


def _units(
    metrics: Mapping[str, tuple[float, float]], higher: Mapping[str, bool], constants: Mapping[str, float]
) -> dict[str, _Gain]:
    """Return the gains, from metrics with their standard errors, on the tasks where they are units."""
    known = {t: unit_gain(*metric, constants[t], higher[t]) for t, metric in metrics.items() if t in constants}
    return {task: _Gain(constants[task], reference) for task, reference in known.items() if reference is not None}


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


def _needed(differences: Floats, p: float, even_p: float, tests: int, margin: float) -> int | None:
    """Return the repeats that would decide an undecided comparison at its share of the level, one of `tests`."""
    decided = _standing(float(differences.mean()), p, even_p) is not Standing.UNDECIDED
    return None if decided else repeats_needed(differences, margin, LEVEL / tests)
