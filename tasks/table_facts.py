"""Facts of tables: what was left out, and columns that number rows or sequences instead of measuring something."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.description import Fact, Kind
from tasks.tables import Skipped, shown

ROW_INDEX = "columns left out, the row index of pandas"

_LEAST_NUMBERED = 10  # sequences, since whole values of a few may differ by chance

COUNTER = "a counter of rows is no series, and makes forecasts look good; name it in `time` or `ignore`"


def skipped_facts(skipped: Skipped) -> tuple[Fact, ...]:
    """Return the facts of what was left out of a file, for the training split; those that are 0 are not told."""
    facts = []
    if skipped.index:
        listed = ", ".join(map(shown, skipped.index[:20]))
        remedy = f"{listed} would be read if an option named them, as `time`, or after reset_index() in pandas"
        # An index without a name is nothing but numbers of rows; one with a name may be meant as data.
        limit = np.inf if all(name.startswith("__index_level_") for name in skipped.index) else 0
        facts.append(Fact(ROW_INDEX, len(skipped.index), Kind.COUNT, limit, remedy, whole=True))
    if skipped.empty:
        remedy = "no step was read there; write a row if one is missing, or remove the lines"
        facts.append(Fact("empty lines between rows, not read", skipped.empty, Kind.COUNT, 0, remedy, whole=True))
    return tuple(facts)


def rising(sequences: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    """Return which columns of sequences (L, D) rise by the same at every row of all sequences, (D,)."""
    steps = np.concatenate([np.diff(values, axis=0) for values in sequences])
    if len(steps) < 2:
        return np.zeros(steps.shape[1], np.bool_)
    even = np.isclose(steps, steps[0], rtol=1e-6, atol=0.0).all(axis=0)
    found: npt.NDArray[np.bool_] = even & (steps[0] > 0)
    return found


def numbering(sequences: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    """Return which columns of sequences (L, D) number the sequences, or the rows of all of them, (D,).

    Their values are whole and at least 0; each sequence has one value, or increasing ones; and no value is in two
    sequences. Such a column tells one sequence from all others, and labels that are sorted in the file can be read from
    it.
    """
    found = np.zeros(sequences[0].shape[1], np.bool_)
    if len(sequences) < _LEAST_NUMBERED:
        return found
    values = np.concatenate(sequences)
    owners = np.repeat(np.arange(len(sequences)), [len(each) for each in sequences])
    with np.errstate(invalid="ignore"):
        found |= ((values == np.floor(values)) & (values >= 0)).all(axis=0)
    for column in np.flatnonzero(found):
        steps = [np.diff(each[:, column]) for each in sequences]
        ordered = all((own == 0).all() for own in steps) or all((own > 0).all() for own in steps)
        pairs = np.unique(np.stack([values[:, column], owners]), axis=1) if ordered else np.zeros((2, 2))
        found[column] = ordered and len(np.unique(pairs[0])) == pairs.shape[1]
    return found
