"""Verdict of a run: its answer in one or two sentences, made from its tests alone.

    found = verdict(known)
    print(found.text)

Three questions are answered. Is a found cell better than the GRU and the LSTM, on what tasks and by how much? If none
is, which comes nearest, and what would decide it? Which cell is as good as the GRU at less cost? A cell is *better* or
*worse* only if a corrected test says so, and *as good* only if a test shows that the difference is within a margin
(`results.scores.confirmation`). Point estimates and scores decide nothing here.

A run without found cells is judged by its named cells. `results.tables.run_verdict` reads what is known from the
store.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from results.scores.finding import Standing
from results.scores.match import Costs, Course, Match, by_cell, closest, tasks_with, winners_of
from results.scores.power import MOST
from results.scores.verdict_words import (
    account,
    all_of,
    better_words,
    distance,
    joined,
    opponents,
    worse_words,
)
from results.store.sanitize import printable
from results.store.words import SIMULATED
from search.cells.wrapping import wrapped

MOST_ACCOUNTS = 2
"""Cells whose standings are told in full, where none is better."""


class Kind(StrEnum):
    """Kind of a verdict."""

    BETTER = "better"  # a cell is better than GRU and LSTM on a task
    NEAR = "near"  # none is, and on some task it is undecided
    NOT_BETTER = "not better"  # none is, and everything is decided
    UNTESTED = "untested"  # found cells were not confirmed
    NOTHING = "nothing"  # there is no cell to judge


@dataclass(frozen=True)
class BestFound:
    """Best found cell of the table, which no test has judged: its label, score, standard error and evidence."""

    label: str
    score: float
    error: float | None
    retrained: bool


@dataclass(frozen=True)
class Known:
    """Evidence of a run, on which its verdict rests.

    Attributes:
        run: the run, as a command names it.
        tasks: the ranked tasks.
        confirmed: tests of the contenders, on seeds that chose no cell.
        named: tests of the named cells on the first round's seeds, a family of their own.
        found: labels of the contenders that the search found.
        best: the best found cell; None if no found cell passed every stage.
        searched: whether the search proposed cells.
        costs: costs by label.
        simulated: whether the results are made up.
        finished: whether the run has ended.
        running: whether a process drives it, so that no command is needed to continue it.
        confirming: whether a confirmation was declared that has not ended.
    """

    run: str
    tasks: tuple[str, ...]
    confirmed: tuple[Match, ...] = ()
    named: tuple[Match, ...] = ()
    found: frozenset[str] = frozenset()
    best: BestFound | None = None
    searched: bool = True
    costs: Mapping[str, Costs] = field(default_factory=dict)
    simulated: bool = False
    finished: bool = True
    running: bool = False
    confirming: bool = False


@dataclass(frozen=True)
class RunVerdict:
    """Verdict of a run.

    Attributes:
        kind: what it says.
        sentences: the sentences, in order.
        cell: label of the cell that it is about: the best one, or the nearest; None if there is none.
        better: tasks on which that cell is better than GRU and LSTM.
        command: command that would decide what is open; None if nothing is.
    """

    kind: Kind
    sentences: tuple[str, ...]
    cell: str | None = None
    better: tuple[str, ...] = ()
    command: str | None = None

    @property
    def text(self) -> str:
        """The verdict as one line; commands are in backticks."""
        return " ".join(self.sentences)

    def as_json(self) -> dict[str, Any]:
        """Return the verdict for JSON."""
        return {
            "text": self.text,
            "kind": self.kind,
            "cell": self.cell,
            "better": self.better,
            "to_decide_it": self.command,
        }

    def lines(self, width: int) -> list[str]:
        """Return the verdict broken into lines of at most `width` characters.

        A command stays on one line, and a number beside its percent sign.
        """
        return wrapped(printable(self.text), width)


def verdict(known: Known) -> RunVerdict:
    """Return the verdict of a run. The same evidence gives the same sentences."""
    found = _judged(known)
    before = []
    if known.simulated:
        before.append(f"{SIMULATED}.")
    if not known.finished:
        before.append(f"The run {'is in progress' if known.running else 'has not ended'}, so this may change.")
    return replace(found, sentences=(*before, *found.sentences))


def _judged(known: Known) -> RunVerdict:
    """Return the verdict without what is said of the run as a whole."""
    found = by_cell(match for match in known.confirmed if match.cell in known.found)
    given = by_cell(match for match in known.confirmed if match.cell not in known.found)
    # Confirmed tests of a named cell replace those of the first round.
    given |= {cell: own for cell, own in by_cell(known.named).items() if cell not in given}
    cheaper = _cheaper(found | given, known)
    if found or known.best is not None:
        first = _contest(found, "found cell", known) if found else _untested(known)
        winners = winners_of(given)
        beside = [f"Of the named cells, {better_words(given, winners, known.tasks)}."] if winners else []
        return replace(first, sentences=(*first.sentences, *beside, *cheaper))
    before = ("No found cell passed every stage of the search.",) if known.searched else ()
    if not given:
        return _nothing(known, before)
    first = _contest(given, "named cell", known)
    worse = worse_words(given, known.tasks)
    beside = [f"Worse than the GRU: {worse}."] if worse and first.kind is not Kind.NOT_BETTER else []
    return replace(first, sentences=(*before, *first.sentences, *beside, *cheaper))


def _nothing(known: Known, before: tuple[str, ...]) -> RunVerdict:
    run = shlex.quote(known.run)
    if known.running:
        return RunVerdict(Kind.NOTHING, (*before, "Nothing is decided: no cell was retrained on fresh seeds yet."))
    if known.finished:
        command, what = f"gatesearch finalists {run}", "retrains the best cells"
    else:
        command, what = f"gatesearch search {run} --resume", "continues the run"
    said = f"Nothing is decided: no cell was retrained on fresh seeds; `{command}` {what}."
    return RunVerdict(Kind.NOTHING, (*before, said), command=command)


def _untested(known: Known) -> RunVerdict:
    """Return the verdict on a run whose found cells were not confirmed."""
    best = known.best
    assert best is not None
    run = shlex.quote(known.run)
    error = "" if best.error is None else f" ± {best.error:.3f}"
    if best.retrained:
        why = "The best of the first round, whose seeds also chose it and so favour it, is"
    else:
        why = "The best by search estimates, which are biased in its favour, is"
    command: str | None = None
    advice = ""
    if not known.running:
        if not known.finished:
            command, what = f"gatesearch search {run} --resume", "continues the run"
        elif known.confirming:
            command, what = f"gatesearch finalists {run}", "continues its confirmation"
        else:
            command, what = f"gatesearch finalists {run} --cell {shlex.quote(best.label)}", "confirms it"
        advice = f"; `{command}` {what}"
    return RunVerdict(
        Kind.UNTESTED,
        (
            "Nothing is decided about the found cells: none was confirmed on fresh seeds.",
            f"{why} {best.label} with a score of {best.score:.3f}{error}{advice}.",
        ),
        best.label,
        (),
        command,
    )


def _contest(cells: Mapping[str, Course], what: str, known: Known) -> RunVerdict:
    """Return the verdict on these cells, without what is cheaper."""
    winners = winners_of(cells)
    if winners:
        best = max(winners, key=lambda cell: (len(winners[cell]), _total(cells[cell], winners[cell])))
        sentence = f"The {what} {best} {account(cells[best], known.tasks)}."
        rest = {cell: tasks for cell, tasks in winners.items() if cell != best}
        also = [f"Also {better_words(cells, rest, known.tasks)}."] if rest else []
        return RunVerdict(Kind.BETTER, (sentence, *also), best, tuple(winners[best]))
    against = opponents([match for course in cells.values() for own in course.values() for match in own])
    undecided = [
        (cell, task, course[task]) for cell, course in cells.items() for task in tasks_with(course, Standing.UNDECIDED)
    ]
    if undecided:
        cell, task, matches = max(undecided, key=lambda pair: min(match.low for match in pair[2]))
        # What is decided against one opponent is said, and the numbers are those of the other, which is open.
        nearest = closest([match for match in matches if match.standing is Standing.UNDECIDED])
        ahead = [match for match in matches if match.standing is Standing.BETTER]
        known_better = f"better than {opponents(ahead)}, but undecided at " if ahead else ""
        left_open = (
            " after the correction over all tests"
            if ahead
            else ", which the correction over all tests leaves undecided"
        )
        caution = left_open if nearest.low > 0.0 or nearest.high < 0.0 else ""
        sentence = (
            f"No {what} is shown to be better than {against} on any task; the nearest undecided one is {cell} on "
            f"{task}, {known_better}{distance(nearest)}{caution}."
        )
        advice, command = _advice(known, cell, task, matches)
        return RunVerdict(Kind.NEAR, (sentence, advice), cell, (), command)
    accounts = [f"{cell} {account(course, known.tasks)}" for cell, course in cells.items()]
    more = [f"and {len(accounts) - MOST_ACCOUNTS} more"] if len(accounts) > MOST_ACCOUNTS else []
    shown = "; ".join([*accounts[:MOST_ACCOUNTS], *more])
    sentence = f"No {what} is better than {against} on any task: {shown}."
    return RunVerdict(Kind.NOT_BETTER, (sentence,), next(iter(cells)))


def _total(course: Course, tasks: Sequence[str]) -> float:
    return sum(closest(course[task]).effect for task in tasks)


def _advice(known: Known, cell: str, task: str, matches: Sequence[Match]) -> tuple[str, str | None]:
    """Return the sentence on what would decide it, and its command."""
    run = shlex.quote(known.run)
    if known.confirming and known.running:
        return "The planned seeds are not all trained yet.", None
    if known.confirming:
        command = f"gatesearch finalists {run}" if known.finished else f"gatesearch search {run} --resume"
        return f"The planned seeds are not all trained: `{command}` continues.", command
    needed = [match.needed for match in matches if match.standing is Standing.UNDECIDED]
    if None in needed:
        return f"More than {MOST} seeds would be needed to decide it; a larger profile tells cells apart.", None
    count = max(one for one in needed if one is not None)
    command = f"gatesearch finalists {run} --cell {shlex.quote(cell)} --task {shlex.quote(task)} --repeats {count}"
    return f"About {count} seeds would decide it: `{command}`.", command


def _cheaper(cells: Mapping[str, Course], known: Known) -> list[str]:
    """Return a sentence on the cell that is as good as the GRU on every task at the least cost, if there is one."""
    found: list[tuple[float, str, bool]] = []
    for cell, course in cells.items():
        standings = {task: match.standing for task, own in course.items() for match in own if match.other == "gru"}
        equal = set(standings) >= set(known.tasks) and set(standings.values()) <= {Standing.EVEN, Standing.BETTER}
        costs = known.costs.get(cell, Costs())
        if equal and costs.savings():
            found.append((costs.largest_saving, cell, Standing.BETTER in standings.values()))
    if not found:
        return []
    _, cell, better = max(found)
    good = "at least as good as" if better else "as good as"
    # The unit is the metric on a task whose gain is too small to be one.
    matches = [match for own in cells[cell].values() for match in own if match.other == "gru"]
    units = dict.fromkeys(f"{100 * m.margin:.0f} % of its {m.unit}" for m in matches if m.unit.is_share)
    margin = f" (within {' or '.join(units)})" if units else ""
    tasks, savings = all_of(known.tasks, known.tasks), joined(known.costs[cell].savings())
    return [f"{cell} is {good} the GRU on {tasks}{margin} with {savings}."]
