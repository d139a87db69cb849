"""The study's four conclusions (Jozefowicz et al. 2015, sections 4 and 5), judged on a run's own data.

    for finding in findings(store, tasks):
        print(finding.claim, finding.ruling, finding.why)

Rulings rest on cells that were trained again with fresh seeds, by paired t tests with Holm's correction over the tests
of one conclusion (`results.scores.comparison`). A cell is *even* with another on a task where the difference is shown
to be smaller than `MARGIN` of the other's metric, by two one-sided tests: that nothing was found is no finding. On
search estimates alone nothing is decided. A conclusion that does not hold at a run's size is a result; the study's
sizes are larger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from results.scores.comparison import LEVEL, holm, paired
from results.scores.estimates import GRU, LSTM, picks
from results.scores.power import repeats_needed
from results.scores.ratio import Floats
from results.scores.retrained import Retrained, retrained
from results.store.store import Store
from search.cells.library import LIBRARY, name_of

MARGIN = 0.01
"""Differences below this share of the metric count as none (ours; the study gives no errors)."""

LANGUAGE = "language"
ALL_TASKS = "all tasks"

FIRST_REPEATS = 5
"""Where nothing was trained again yet, so many seeds are a beginning."""

FORMS = ("lstm", "lstm-tanh-o", "lstm-b", "lstm-ob", "gru", "gru-after")
"""The LSTM and the GRU, and forms of them that differ in a bias, an activation or an order: none of them beats them."""


class Ruling(StrEnum):
    """What the data say of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "not decided"


class Standing(StrEnum):
    """A cell beside another one. `unknown`: there are search estimates only."""

    BETTER = "better"
    WORSE = "worse"
    EVEN = "even"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"

    @property
    def behind(self) -> bool:
        """Shown not to be better."""
        return self in (Standing.WORSE, Standing.EVEN)


@dataclass(frozen=True)
class Figure:
    """Two cells, by name, on one task: what a ruling rests on.

    `value` and `reference` are the metrics of `cell` and `other`: test means, or the search's best validation metrics.
    `advantage` is the difference over `reference`, above 0 where `cell` is better, with its standard `error`; `p` of
    the paired test, and `even_p` that the two are even, both corrected for the tests of the finding. `needed` are the
    repeats that would probably decide it. On all tasks together the metrics are geometric means of the ratios to the
    LSTM.
    """

    task: str
    cell: str
    other: str
    value: float
    reference: float
    advantage: float
    error: float | None
    p: float | None
    even_p: float | None
    standing: Standing
    needed: int | None = None


class Way(StrEnum):
    """How an open question may be decided."""

    REPEAT = "more seeds for the finalists of this run"
    BASELINES = "a run of the profile baselines, which has the cells and tasks that are missing"
    LARGER = "a run of a larger profile: the cells differ too little here, more than 200 seeds would be needed"


@dataclass(frozen=True)
class Remedy:
    """What would decide an open question; for `Way.REPEAT` the repeats in all, and what they cost.

    `seconds`: of one core, for those that are missing, by the run's own times; None where cells lack some.
    """

    way: Way
    repeats: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Finding:
    """A conclusion of the study, and what the run says of it."""

    key: str
    claim: str
    ruling: Ruling
    why: str
    figures: tuple[Figure, ...]
    remedy: Remedy | None = None


Pair = tuple[str, str, str]
"""Task, cell, other."""


def findings(store: Store, tasks: Sequence[str]) -> list[Finding]:
    """The conclusions in the study's order, the one on the bias in both of its readings.

    `tasks` are the run's ranked tasks; others that the finalists were trained on count too, but for the first and the
    last conclusion. Raises `StoreError` where the store cannot be read.
    """
    evidence = _Evidence(store, tasks)
    return [
        _nothing_better(evidence),
        _gru_beats_lstm(evidence),
        _bias(evidence, "lstm-b", "forget"),
        _bias(evidence, "lstm-ob", "output"),
        _gates(evidence),
    ]


class _Evidence:
    """What is known of the cells of a run: their repeats, or the search's best."""

    def __init__(self, store: Store, tasks: Sequence[str]) -> None:
        self.ranked = tuple(tasks)
        self.found: Retrained = retrained(store)
        self.tasks = self.ranked + tuple(sorted(task for task in self.found.values if task not in self.ranked))
        cells = self.found.cells(self.ranked)
        self.finalists = cells if GRU in cells else []
        best = picks(store)
        self.estimates: dict[tuple[str, str], float] = {}
        self.higher: dict[str, bool] = {}
        for task, cell, value, higher in best[["task", "cell", "validation", "higher_is_better"]].itertuples(
            index=False
        ):
            self.estimates[str(task), str(cell)] = float(value)
            self.higher[str(task)] = bool(higher)
        sql = "SELECT sum(spent) FROM (SELECT avg(seconds) AS spent FROM trials {} GROUP BY cell, task)"
        where = (
            "WHERE repeat > 0"
            if self.found.repeats
            else ("JOIN cells ON cells.id = cell WHERE origin = 'baseline' AND task <> 'memorization'")
        )
        self.repeat_seconds = float(store.select(sql.format(where))[0][0] or 0.0)

    def sound(self, names: Iterable[str]) -> bool:
        """Whether the named cells were all trained again."""
        return all(LIBRARY[name].graph.id in self.finalists for name in names)

    def has(self, names: Iterable[str]) -> bool:
        """Whether the run has results of the named cells on its ranked tasks."""
        return all((task, LIBRARY[name].graph.id) in self.estimates for name in names for task in self.ranked)

    def figures(self, pairs: Sequence[Pair]) -> list[Figure]:
        """The figures of pairs of cell ids, corrected as one family."""
        shown = {pair: values for pair in pairs if (values := self._both(*pair)) is not None}
        relative = {pair: self._relative(pair[0], *values) for pair, values in shown.items()}
        tests = [paired(differences) for differences in relative.values()]
        adjusted = holm([p for _, _, p in tests])
        even = holm([_even_p(differences) for differences in relative.values()])
        known = {
            (task, cell, other): Figure(
                *(task, _name(cell), _name(other), float(own.mean()), float(reference.mean())),
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

    def _both(self, task: str, cell: str, other: str) -> tuple[Floats, Floats] | None:
        own, reference = self._values(task, cell), self._values(task, other)
        return None if own is None or reference is None else (own, reference)

    def _values(self, task: str, cell: str) -> Floats | None:
        """A cell's metrics over the seeds; on all tasks, how many times the LSTM's they are, in geometric mean."""
        if cell not in self.finalists:
            return None
        if task != ALL_TASKS:
            return self.found.on(task, cell) if cell in self.found.values[task].index else None
        if LSTM not in self.finalists:
            return None
        logs = [
            (1.0 if self.found.higher[t] else -1.0) * np.log(self.found.on(t, cell) / self.found.on(t, LSTM))
            for t in self.ranked
        ]
        return np.asarray(np.exp(np.mean(logs, axis=0)), np.float64)

    def _relative(self, task: str, own: Floats, other: Floats) -> Floats:
        """Differences over the seeds, as shares of the other's mean metric, above 0 where `own` is better."""
        sign = 1.0 if task == ALL_TASKS or self.found.higher[task] else -1.0
        return np.asarray(sign * (own - other) / other.mean(), np.float64)

    def _estimate(self, task: str, cell: str, other: str) -> Figure | None:
        """A figure by the search alone."""
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
            advantage = (value - reference) / reference * (1.0 if self.higher[task] else -1.0)
        unknown = Standing.UNKNOWN
        return Figure(task, _name(cell), _name(other), value, reference, advantage, None, None, None, unknown)

    def _log_ratio(self, task: str, cell: str) -> float:
        """Of the search's best metric over the LSTM's, above 0 where the cell is better."""
        log = float(np.log(self.estimates[task, cell] / self.estimates[task, LSTM]))
        return log if self.higher[task] else -log

    def training_again(self) -> Remedy:
        """Where cells were not trained again, or not all of them: that it be done."""
        if not self.found.repeats:
            return Remedy(Way.REPEAT, FIRST_REPEATS, FIRST_REPEATS * self.repeat_seconds)
        return Remedy(Way.REPEAT, self.found.repeats)

    def more(self, needed: int | None) -> Remedy:
        """So many repeats in all; None is for more than can be asked for."""
        if needed is None:
            return Remedy(Way.LARGER)
        repeats = max(self.found.repeats + 1, needed)
        return Remedy(Way.REPEAT, repeats, (repeats - self.found.repeats) * self.repeat_seconds)


_ANOTHER_RUN = Remedy(Way.BASELINES)


def _most(needed: Sequence[int | None]) -> int | None:
    """The largest number; None, which is for more than can be asked for, where there is one."""
    return None if None in needed else max((count for count in needed if count is not None), default=None)


def _open(evidence: _Evidence, key: str, claim: str, names: Sequence[str], figures: Sequence[Figure]) -> Finding | None:
    """The finding where the named cells are not there, or not trained again; else None."""
    if not evidence.has(names):
        missing = [name for name in names if not evidence.has([name])]
        why = f"the run has no results of {', '.join(missing)} on all of its tasks"
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), _ANOTHER_RUN)
    if not evidence.sound(names):
        why = "the cells were not trained again, and search estimates decide nothing: they have no error over seeds"
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), evidence.training_again())
    return None


def _undecided(figures: Iterable[Figure]) -> list[Figure]:
    return [figure for figure in figures if figure.standing is Standing.UNDECIDED]


def _first(figures: Sequence[Figure]) -> int | None:
    """The repeats until the first of these figures is decided, probably; None where no number of them is likely to."""
    return min((figure.needed for figure in figures if figure.needed is not None), default=None)


def _last(figures: Sequence[Figure]) -> int | None:
    """The repeats until all of them are."""
    return _most([figure.needed for figure in figures])


def _nothing_better(evidence: _Evidence) -> Finding:
    key, claim = "nothing-better", "GRU and LSTM are the best by hand: nothing beats both on every task without effort"
    forms = {LIBRARY[name].graph.id for name in FORMS}
    others = [cell for cell in evidence.finalists if cell not in forms]
    early = _open(evidence, key, claim, ("gru", "lstm"), ())
    if early is not None:
        return early
    if not others:
        why = "no other cell than forms of the two was trained again"
        return Finding(key, claim, Ruling.OPEN, why, (), _ANOTHER_RUN)
    pairs = [(task, cell, two) for cell in others for task in evidence.ranked for two in (GRU, LSTM)]
    every = evidence.figures(pairs)
    worst, beats, still, needed = [], [], [], []
    for cell in others:
        own = [figure for figure, pair in zip(every, pairs, strict=True) if pair[1] == cell]
        order = {Standing.WORSE: 0, Standing.EVEN: 1, Standing.UNDECIDED: 2, Standing.BETTER: 3}
        weakest = min(own, key=lambda figure: (order[figure.standing], figure.advantage))
        worst.append(weakest)
        if weakest.standing is Standing.BETTER:
            beats.append(_name(cell))
        elif not weakest.standing.behind:
            still.append(_name(cell))
            # One task on which it is shown to be behind is enough; where none looks so, it may be better on all.
            against = [figure for figure in _undecided(own) if figure.advantage < 0]
            needed.append(_first(against) if against else _last(_undecided(own)))
    if beats:
        return Finding(key, claim, Ruling.FAILS, f"better than both on every task: {', '.join(beats)}", tuple(worst))
    if still:
        why = f"for {_listed(still)} no task is known on which the cell does not beat one of the two"
        return Finding(key, claim, Ruling.OPEN, why, tuple(worst), evidence.more(_most(needed)))
    why = f"each of {len(others)} other cells is worse than, or even with, one of the two on some task"
    return Finding(key, claim, Ruling.HOLDS, why, tuple(worst))


def _gru_beats_lstm(evidence: _Evidence) -> Finding:
    key, claim = "gru-beats-lstm", "the GRU beats the LSTM on everything but language modelling"
    figures = evidence.figures([(task, GRU, LSTM) for task in evidence.tasks])
    early = _open(evidence, key, claim, ("gru", "lstm"), figures)
    if early is not None:
        return early
    others = [figure for figure in figures if figure.task != LANGUAGE]
    language = [figure for figure in figures if figure.task == LANGUAGE]
    against = [f"{f.standing} on {f.task}" for f in others if f.standing.behind]
    against += [f"better on {f.task}" for f in language if f.standing is Standing.BETTER]
    if against:
        return Finding(key, claim, Ruling.FAILS, f"the GRU is {', '.join(against)}", tuple(figures))
    undecided = _undecided(figures)
    if undecided:
        why = f"undecided on {', '.join(figure.task for figure in undecided)}"
        contrary = [f for f in undecided if (f.advantage > 0 if f.task == LANGUAGE else f.advantage < 0)]
        needed = _first(contrary) if contrary else _last(undecided)  # one task that speaks against it is enough
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), evidence.more(needed))
    if not language or not others:
        why = "the run has no language task" if others else "the run has no other task than language"
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), _ANOTHER_RUN)
    why = f"the GRU is better on {', '.join(f.task for f in others)}, and {language[0].standing} on language"
    return Finding(key, claim, Ruling.HOLDS, why, tuple(figures))


def _bias(evidence: _Evidence, name: str, gate: str) -> Finding:
    key = f"{gate}-bias"
    claim = f"an LSTM whose {gate} gate's bias starts at 1 ({name}) closes the gap to the GRU"
    cell = LIBRARY[name].graph.id
    gap = [(task, GRU, LSTM) for task in evidence.tasks]
    # Families of their own: whether there is a gap does not depend on what is asked of the variant.
    between = evidence.figures(gap)
    figures = between + evidence.figures([(task, cell, two) for task in evidence.tasks for two in (GRU, LSTM)])
    early = _open(evidence, key, claim, ("gru", "lstm", name), figures)
    if early is not None:
        return early
    gaps = {figure.task for figure in between if figure.standing is Standing.BETTER}
    beside = [figure for figure in figures if (figure.cell, figure.other) == (name, "gru") and figure.task in gaps]
    if not gaps:
        why = "there is no gap to close: on no task is the GRU shown to be better than the LSTM"
        likely = [figure for figure in _undecided(between) if figure.advantage > 0]
        remedy = evidence.more(_first(likely)) if likely else None
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), remedy)
    behind = [figure for figure in beside if figure.standing is Standing.WORSE]
    if behind:
        parts = ", ".join(f"{f.task} ({_closed(figures, f.task, name)})" for f in behind)
        why = f"{name} stays behind the GRU on {parts}"
        return Finding(key, claim, Ruling.FAILS, why, tuple(figures))
    undecided = _undecided(beside)
    if undecided:
        why = f"undecided beside the GRU on {', '.join(f.task for f in undecided)}"
        contrary = [figure for figure in undecided if figure.advantage < -MARGIN]
        needed = _first(contrary) if contrary else _last(undecided)
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), evidence.more(needed))
    why = f"{name} is {', '.join(f'{f.standing} on {f.task}' for f in beside)}, where the GRU beats the LSTM"
    return Finding(key, claim, Ruling.HOLDS, why, tuple(figures))


def _closed(figures: Sequence[Figure], task: str, name: str) -> str:
    """Which share of the gap between LSTM and GRU the variant closes, in words."""
    gap = next(f for f in figures if (f.task, f.cell, f.other) == (task, "gru", "lstm"))
    gain = next(f for f in figures if (f.task, f.cell, f.other) == (task, name, "lstm"))
    share = gain.advantage / gap.advantage
    return f"{share:.0%} of the gap closed" if share >= 0 else "further than the LSTM does"


def _gates(evidence: _Evidence) -> Finding:
    key, claim = "gates", "the LSTM's gates matter in this order: forget, then input, then output"
    names = ("lstm", "lstm-f", "lstm-i", "lstm-o")
    without = {name: LIBRARY[name].graph.id for name in names}
    order = [(ALL_TASKS, without["lstm-i"], without["lstm-f"]), (ALL_TASKS, without["lstm-o"], without["lstm-i"])]
    figures = evidence.figures(order)
    lost = [(task, without[name], LSTM) for name in names[1:] for task in (ALL_TASKS, *evidence.ranked)]
    shown = (*figures, *evidence.figures(lost))
    early = _open(evidence, key, claim, names, shown)
    if early is not None:
        return early
    wrong = [figure for figure in figures if figure.standing.behind]
    if wrong:
        why = f"over all tasks {', '.join(f'{f.cell} is {f.standing} beside {f.other}' for f in wrong)}"
        return Finding(key, claim, Ruling.FAILS, why, shown)
    undecided = _undecided(figures)
    if undecided:
        why = ", ".join(f"over all tasks {f.cell} beside {f.other} is undecided" for f in undecided)
        return Finding(key, claim, Ruling.OPEN, why, shown, evidence.more(_last(undecided)))
    why = "over all tasks most is lost without the forget gate, less without the input gate, least without the output"
    return Finding(key, claim, Ruling.HOLDS, f"{why} gate", shown)


def _standing(mean: float, p: float, even_p: float) -> Standing:
    if p < LEVEL:
        return Standing.BETTER if mean > 0 else Standing.WORSE
    return Standing.EVEN if even_p < LEVEL else Standing.UNDECIDED


def _needed(differences: Floats, p: float, even_p: float, tests: int) -> int | None:
    """Repeats for what is undecided, at the level that is left to each of so many tests."""
    decided = _standing(float(differences.mean()), p, even_p) is not Standing.UNDECIDED
    return None if decided else repeats_needed(differences, MARGIN, LEVEL / tests)


def _even_p(differences: Floats) -> float:
    """The p value of two one-sided t tests that the mean lies between -MARGIN and MARGIN."""
    mean, error, _ = paired(differences)
    if abs(mean) >= MARGIN:
        return 1.0
    if error == 0:
        return 0.0
    from scipy.special import stdtr  # slow to import

    return float(stdtr(differences.size - 1, -(MARGIN - abs(mean)) / error))


def _name(cell: str) -> str:
    return name_of(cell) or cell[:8]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
