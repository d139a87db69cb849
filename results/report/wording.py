"""Words of the report for what stores keep as short terms: states of trials and the reasons of lost ones."""

import re
from collections.abc import Iterable, Sequence

from results.scores.finding import Standing
from results.scores.match import Match
from results.scores.verdict import Kind, RunVerdict
from results.store.words import TrialState
from search.cells.draft import Rejection

STATES = {
    TrialState.OK: "trained to the end of its schedule",
    TrialState.STOPPED: "ended early because it had reached the target of the task",
    TrialState.AT_CHANCE: "given up, because it was no better than the best prediction that ignores the input; it "
    "counts with that result",
    TrialState.DIVERGED: "its loss or its gradient was no longer finite; it has no result",
    TrialState.FAILED: "ended by an error, or with its process; it has no result",
    TrialState.PAUSED: "trained up to a rung and not yet further; it has no result and no rank",
    TrialState.BEHIND: "given up, because it was too far behind the GRU at equal steps; it counts with that result",
}
"""Meanings of the states of trials."""

REJECTIONS = {
    Rejection.CYCLE: "a node would have read its own result of the same step",
    Rejection.UNCHANGED: "the child is the same cell as its parent",
    Rejection.IGNORES_INPUT: "the output does not depend on the input",
    Rejection.STATELESS: "no state is read, so that nothing is remembered",
    Rejection.NO_OPERATION: "nothing is computed between input, state and output",
    Rejection.TOO_LARGE: "more nodes or states than are allowed",
    Rejection.LOOP_PRODUCTS: "more matrix products in loops than the profile allows",
    Rejection.TOO_SYMMETRIC: "too many interchangeable parts to tell the cell from others",
    Rejection.DUPLICATE: "the cell was proposed before",
}
"""Meanings of the reasons for which draws are rejected."""

# What differs from trial to trial; `N` is what `results.tables.failures` puts in the place of numbers.
_LEFT_OUT = (
    (re.compile(r",\s*N\b,?(?=\s|$)"), ""),  # an amount between commas
    (re.compile(r",?\s*\b(?:at|after|in) (?:step|epoch) N\b"), ""),
    (re.compile(r",?\s*\bby more than N standard errors\b"), " beyond the noise"),
    (re.compile(r"[,:]?\s*\bN\b$"), ""),
    (re.compile(r"\bN\b"), "\N{HORIZONTAL ELLIPSIS}"),
)


def reason_words(reason: str) -> str:
    """Return a reason that stands for many trials, without the numbers that differ between them."""
    text = reason
    for pattern, words in _LEFT_OUT:
        text = pattern.sub(words, text)
    return text.strip() or reason


def worse_tasks(verdict: RunVerdict, matches: Iterable[Match]) -> tuple[str, ...]:
    """Return the tasks on which the cell of a verdict is worse than the GRU or the LSTM."""
    tasks = (m.task for m in matches if m.cell == verdict.cell and m.standing is Standing.WORSE)
    return tuple(dict.fromkeys(tasks))


def verdict_words(verdict: RunVerdict, worse: Sequence[str], *, searched: bool) -> tuple[str, str]:
    """Return the verdict of a run in few words for a tile, and a note; the sentences are beside it.

    `worse` are the tasks of `worse_tasks`. `searched`: whether the run proposed cells; other runs judge given ones.
    """
    cell = verdict.cell or ""
    match verdict.kind:
        case Kind.BETTER:
            but = f"; worse than one of them on {', '.join(worse)}" if worse else ""
            on = "on some tasks" if worse else ""
            return f"{cell} is better {on}".strip(), f"than GRU and LSTM on {', '.join(verdict.better)}{but}"
        case Kind.NEAR:
            return "none shown to be better", f"than GRU and LSTM; the nearest undecided one is {cell}"
        case Kind.NOT_BETTER:
            return "none is better", "than GRU and LSTM on any task, by the tests"
        case Kind.UNTESTED:
            return "not tested", "no found cell was confirmed on fresh seeds"
        case Kind.NOTHING:
            return "nothing to judge", "no found cell passed all tasks" if searched else "no cell was tested"
