"""Learning curves of the report: those behind a cell's result, their means, and their differences from the GRU's."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.scores.comparison import LEVEL
from results.scores.estimates import GRU
from results.store.store import Store
from results.store.words import TrialState

COLUMNS = ("cell", "repeat", "step", "validation")


def curves_of(store: Store, picks: pd.DataFrame, cells: Sequence[str], task: str) -> tuple[pd.DataFrame, str]:
    """Return the learning curves of cells on a task at their best settings, and the name of their metric.

    Args:
        store: the run.
        picks: best setting of each cell and task, as `results.scores.estimates.picks` returns it.
        cells: whole ids.
        task: the task.

    Returns:
        A frame with `COLUMNS`: cell (whole id), repeat, step and validation. Retrained cells have their repeats on
        fresh seeds, from 1 on; other cells have the search's own trial, repeat 0.
    """
    rows: list[tuple[str, int, int, float]] = []
    metric = ""
    chosen = picks[(picks["task"] == task) & picks["cell"].isin(list(cells))]
    for cell, setting in zip(chosen["cell"], chosen["setting"], strict=True):
        stored = store.repeats(str(cell), task, str(setting))
        trials = [trial for trial in stored if trial.state != TrialState.PAUSED]
        for trial in [trial for trial in trials if trial.repeat > 0] or trials:
            metric = trial.metric
            rows += [(str(cell), trial.repeat, step, value) for step, _, value in trial.curve]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["validation"] = frame["validation"].astype("float64")
    return frame[np.isfinite(frame["validation"])].reset_index(drop=True), metric


def mean_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over the runs of each cell up to the shortest of them: cell, step, validation, runs."""
    runs = curves.groupby("cell")["repeat"].nunique()
    means = curves.groupby(["cell", "step"])["validation"].agg(["mean", "count"]).reset_index()
    means["runs"] = means["cell"].map(runs)
    whole = means[means["count"] == means["runs"]]
    return whole.rename(columns={"mean": "validation"})[["cell", "step", "validation", "runs"]].reset_index(drop=True)


def difference_curves(curves: pd.DataFrame, *, higher: bool) -> pd.DataFrame:
    """Return the mean difference of each cell from the GRU, paired by seed, along training.

    The GRU's curve of the same repeat is interpolated where it was measured at other steps.

    Args:
        curves: as `curves_of` returns them.
        higher: whether a higher metric is better.

    Returns:
        A frame with the columns cell, step, difference (above 0 if the cell is better), low and high (95 % interval of
        the mean; NaN for a single pair) and pairs. Empty without the GRU.
    """
    from scipy.special import stdtrit  # slow to import

    references = {
        int(str(repeat)): part.sort_values("step") for repeat, part in curves[curves["cell"] == GRU].groupby("repeat")
    }
    parts = []
    for (cell, repeat), part in curves[curves["cell"] != GRU].groupby(["cell", "repeat"], sort=False):
        gru = references.get(int(str(repeat)))
        if gru is not None:
            inside = part["step"].between(gru["step"].min(), gru["step"].max())
            own = part[inside]
            gap = own["validation"] - np.interp(own["step"], gru["step"], gru["validation"])
            parts.append(pd.DataFrame({"cell": cell, "step": own["step"], "gap": gap if higher else -gap}))
    if not parts:
        return pd.DataFrame(columns=["cell", "step", "difference", "low", "high", "pairs"])
    found = pd.concat(parts, ignore_index=True).groupby(["cell", "step"])["gap"].agg(["mean", "std", "count"])
    pairs = found["count"].to_numpy(np.float64)
    most = found["count"].groupby("cell").transform("max").to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        reach = stdtrit(pairs - 1, 1.0 - LEVEL / 2.0) * found["std"].to_numpy(np.float64) / np.sqrt(pairs)
    mean = found["mean"].to_numpy(np.float64)
    frame: pd.DataFrame = found.index.to_frame(index=False)
    frame = frame.assign(difference=mean, low=mean - reach, high=mean + reach, pairs=found["count"].to_numpy())
    whole: pd.DataFrame = frame[pairs == most].reset_index(drop=True)
    return whole
