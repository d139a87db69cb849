"""Two runs side by side: the cells that both have, and the trials that both trained.

A trial is in both runs if its cell, task, setting and random seed are the same. If schedules, data and versions are the
same as well, its numbers are too; what they differ by otherwise is what those changed. A trial that is paused at a rung
in one of the runs is compared with nothing: it may have been trained further in the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.scores.ratio import Floats
from results.store.store import Store
from results.store.words import ScoreKind, TrialState
from results.tables.frame import has_rank, is_retrained

_TRIALS = "SELECT cell, task, setting, seed, state, steps, seconds, validation, test FROM trials"
_KINDS = {
    **{"cell": str, "task": str, "setting": str, "seed": int, "state": str, "steps": int, "seconds": float},
    **{"validation": float | None, "test": float | None},
}
_KEY = ["cell", "task", "setting", "seed"]
_NUMBERS = ["validation", "test"]


@dataclass(frozen=True)
class SharedTrials:
    """Trials of two runs with the same cell, task, setting and random seed.

    Attributes:
        shared: number of those that ended in both runs.
        paused: number of those that are paused in one of them.
        equal: those whose state, steps, validation and test metrics are equal to the last bit.
        largest: largest difference of a validation or test metric, as a share of the larger of the two; 0 if there is
            none.
        state_differs: those that ended in another state, such as ok and diverged.
        slowdown: median of the second run's seconds to the first's; None if no trial took measurable time.
    """

    shared: int
    paused: int
    equal: int
    largest: float
    state_differs: int
    slowdown: float | None


def shared_trials(first: Store, second: Store) -> SharedTrials:
    """Return what the trials that two runs share have in common.

    Raises:
        StoreError: a store cannot be read.
    """
    frames = [pd.DataFrame(store.typed(_TRIALS, _KINDS), columns=list(_KINDS)) for store in (first, second)]
    both = frames[0].merge(frames[1], on=_KEY, suffixes=("_a", "_b"))
    paused = (both["state_a"] == TrialState.PAUSED) | (both["state_b"] == TrialState.PAUSED)
    both = both[~paused]
    if both.empty:
        return SharedTrials(0, int(paused.sum()), 0, 0.0, 0, None)
    own, other = (both[[f"{name}_{side}" for name in _NUMBERS]].to_numpy(np.float64) for side in "ab")
    numbers = ((own == other) | (np.isnan(own) & np.isnan(other))).all(axis=1)
    states = (both["state_a"] == both["state_b"]).to_numpy()
    equal = numbers & states & (both["steps_a"] == both["steps_b"]).to_numpy()
    timed = both[(both["seconds_a"] > 0) & (both["seconds_b"] > 0)]
    return SharedTrials(
        shared=len(both),
        paused=int(paused.sum()),
        equal=int(equal.sum()),
        largest=_largest_share(own, other),
        state_differs=int((~states).sum()),
        slowdown=None if timed.empty else float((timed["seconds_b"] / timed["seconds_a"]).median()),
    )


def _largest_share(own: Floats, other: Floats) -> float:
    """Return the largest difference as a share of the larger of two numbers; pairs that lack one are left out."""
    known = np.isfinite(own) & np.isfinite(other) & (own != other)
    if not known.any():
        return 0.0
    a, b = own[known], other[known]
    return float((np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))).max())


def shared_cells(
    first: pd.DataFrame,
    second: pd.DataFrame,
    tasks: Sequence[str],
    kind: ScoreKind,
    task: str | None = None,
    *,
    higher: bool = True,
) -> pd.DataFrame:
    """Return the cells that stand in both of two leaderboards, best in the first one first.

    The index is the cell's whole id, which must be one of the same canonical form in both. The columns are cell, name,
    and for each of the runs a and b its rank, evidence (`Evidence`), value and standard error of the value (retrained
    cells only); then `difference`, b less a, and `difference_se`, its standard error if the errors of the two runs are
    independent. Missing values are NaN.

    Args:
        first: leaderboard of run a.
        second: leaderboard of run b.
        tasks: tasks that both runs rank.
        kind: kind of score. The value is the smallest share over `tasks`: the score, if these are all tasks of a run.
        task: one of `tasks`, whose test metric is the value instead.
        higher: whether higher values of that metric are better.
    """
    cells = first.index[first.index.isin(second.index)]
    found = first.loc[cells, ["cell", "name"]].copy()
    found["name"] = found["name"].where(found["name"].notna(), second.loc[cells, "name"])
    for side, frame in (("a", first.loc[cells]), ("b", second.loc[cells])):
        retrained = is_retrained(frame)
        found[f"rank_{side}"] = frame["rank"].where(has_rank(frame)).astype("Int64")
        found[f"evidence_{side}"] = frame["evidence"]
        value, error = _values(frame, tasks, kind, task)
        found[f"value_{side}"] = value
        found[f"value_{side}_se"] = error.where(retrained)
    found["difference"] = found["value_b"] - found["value_a"]
    found["difference_se"] = np.hypot(found["value_a_se"], found["value_b_se"])
    if task is None:
        return found
    return found.sort_values("value_a", ascending=not higher, kind="stable", na_position="last")


def _values(
    frame: pd.DataFrame, tasks: Sequence[str], kind: ScoreKind, task: str | None
) -> tuple[pd.Series, pd.Series]:
    """Return the values of some rows of a leaderboard and their errors; NaN where there is none."""
    if task is not None:
        return frame[f"{task}_test"].astype("float64"), frame[f"{task}_test_se"].astype("float64")
    shares = frame[[f"{name}_{kind}" for name in tasks]].to_numpy(np.float64)
    value = pd.Series(shares.min(axis=1), frame.index)  # NaN if a task has none
    known = value.to_numpy() == frame["score"].to_numpy(np.float64)
    return value, frame["score_se"].astype("float64").where(known)  # the error is the score's own


def rank_correlation(cells: pd.DataFrame) -> float | None:
    """Return Spearman's rank correlation of the two runs' values over the cells that they share.

    It is None for fewer than 3 cells, and where all values of a run are equal.
    """
    both = cells[["value_a", "value_b"]].dropna()
    if len(both) < 3 or (both.nunique() < 2).any():
        return None
    found = both["value_a"].rank().corr(both["value_b"].rank())  # Pearson's, of average ranks
    return None if math.isnan(found) else float(found)
