"""Words of the report for what stores keep as short terms: states of trials and the reasons of lost ones."""

import re

from results.scores.verdict import Kind, RunVerdict
from results.store.words import TrialState

STATES = {
    TrialState.OK: "trained to the end of its schedule",
    TrialState.STOPPED: "ended early because it had reached the target of the task",
    TrialState.AT_CHANCE: "given up, because it was no better than the constant baseline, the best prediction that "
    "ignores the input; it counts with that result",
    TrialState.DIVERGED: "its loss or its gradient was no longer finite; it has no result",
    TrialState.FAILED: "ended by an error, or with its process; it has no result",
    TrialState.PAUSED: "trained up to a rung and not yet further; it has no result and no rank",
    TrialState.BEHIND: "given up, because it was too far behind the GRU at equal steps; it counts with that result",
}
"""Meanings of the states of trials."""

# Places and amounts that differ from trial to trial: `N` is what `results.tables.failures` groups reasons by.
_PLACE = re.compile(r",?\s*(?:\bN(?: nats| bits)?\s+)?\b(?:at|after|in) (?:step|epoch) N\b")
_LAST = re.compile(r"[,:]?\s*\bN\b$")
_NUMBER = re.compile(r"\bN\b")


def reason_words(reason: str) -> str:
    """Return a reason that stands for many trials, without the numbers that differ between them."""
    text = _LAST.sub("", _PLACE.sub("", reason))
    return _NUMBER.sub("\N{HORIZONTAL ELLIPSIS}", text).strip() or reason


def verdict_words(verdict: RunVerdict, *, searched: bool) -> tuple[str, str]:
    """Return the verdict of a run in few words for a tile, and a note; the sentences are beside it.

    `searched`: whether the run proposed cells; other runs judge given ones.
    """
    cell = verdict.cell or ""
    match verdict.kind:
        case Kind.BETTER:
            return f"{cell} is better", f"than GRU and LSTM on {', '.join(verdict.better)}"
        case Kind.NEAR:
            return "none shown to be better", f"than GRU and LSTM; the nearest is {cell}, undecided"
        case Kind.NOT_BETTER:
            return "none is better", "than GRU and LSTM on any task, by the tests"
        case Kind.UNTESTED:
            return "not tested", "no found cell was confirmed on fresh seeds"
        case Kind.NOTHING:
            return "nothing to judge", "no found cell passed all tasks" if searched else "no cell was tested"
