"""Verdict on one row of the leaderboard, in words: what the corrected tests say of a cell on each task."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from results.scores.estimates import GRU, LSTM
from results.scores.finding import Standing
from results.scores.verdict_words import all_of
from results.store.words import COMPLETE, Evidence

_WORDS = {
    Standing.BETTER: "better",
    Standing.WORSE: "worse",
    Standing.EVEN: "even",
    Standing.UNDECIDED: "undecided",
}
_REFERENCES = {"gru": ("GRU", GRU), "lstm": ("LSTM", LSTM)}


def row_verdict(row: Mapping[Any, Any], cell: str, tasks: Sequence[str]) -> str:
    """Return the verdict on a row, such as `GRU: better on xml, undecided on music; LSTM: better on all two tasks`.

    Args:
        row: a row of the leaderboard by column.
        cell: whole id of its cell.
        tasks: the ranked tasks.
    """
    if row["stage"] != COMPLETE:
        return str(row["stage"])
    if not Evidence(row["evidence"]).is_retrained:
        return "search estimate"
    parts = [
        f"{name}: {words}"
        for reference, (name, other) in _REFERENCES.items()
        if cell != other and (words := _against(row, reference, tasks))
    ]
    if cell == GRU:
        parts.insert(0, "reference")
    return "; ".join(parts) or "not tested"


def _against(row: Mapping[Any, Any], reference: str, tasks: Sequence[str]) -> str:
    """Return the verdicts against one reference, the tasks of each together; empty if there is none."""
    found = {task: verdict for task in tasks if not pd.isna(verdict := row[f"{task}_vs_{reference}"])}
    groups = {word: [task for task in found if found[task] == standing] for standing, word in _WORDS.items()}
    return ", ".join(f"{word} on {all_of(own, tasks)}" for word, own in groups.items() if own)
