"""Importance of hyperparameters: how much of the variation between trials each of them explains.

A random forest learns the rank percentile of a trial among the search's trials on one task. The importance of a
hyperparameter is the loss of the forest's R^2 on held-out trials when that column is shuffled (Breiman 2001;
scikit-learn's permutation importance). The choice of held-out trials matters when there are a hundred in all, so all
numbers are means over several random splits. The cell is one of the columns, as the mean of its other trials, so that
its importance can be compared with that of, say, the learning rate.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import KFold, train_test_split

from results.scores.ratio import Floats
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.words import LOST_STATES, TrialState

FEWEST, MOST = 60, 2000
"""Fewest trials on a task for an importance; most trials that are used, drawn with a fixed seed."""

SPLITS, TREES, SHUFFLES = 10, 30, 3
"""Splits into training and held-out trials; trees of a split's forest; shuffles of a column in a split."""

CELL = "cell"
"""Column of the cell beside the hyperparameters."""

PERCENTILE = "percentile"
"""Column of the rank percentile, 0 (worst) to 1 (best)."""

_FIELDS = {
    "learning_rate": "learning rate",
    "scale": "initial scale",
    "max_norm": "largest gradient norm",
    "layers": "layers",
    "parameters": "parameters",
    "weight_decay": "weight decay",
    "dropout": "dropout",
}
OPTIMISER = "optimiser"
"""Column of the optimiser, the only hyperparameter that is no number."""

_TRIALS = f"""
    SELECT cell, setting, CASE WHEN state IN {LOST_STATES} THEN NULL ELSE validation END, higher_is_better
    FROM trials WHERE repeat = 0 AND task = ? AND state <> '{TrialState.PAUSED}' ORDER BY cell, setting"""


@dataclass(frozen=True)
class Importance:
    """Importance of hyperparameters on one task, from `trials` trials.

    `shares`: by hyperparameter, the loss of R^2 on held-out trials, mean and standard deviation over splits.
    `explained`: the forests' mean R^2 on held-out trials; if it is near 0, the shares are meaningless.
    """

    task: str
    trials: int
    explained: float
    shares: dict[str, tuple[float, float]]


def rank_percentiles(store: Store, task: str) -> pd.DataFrame:
    """Return the search's trials on a task: cell, hyperparameters and `percentile`, the share of trials that are worse.

    Trials that diverged or failed rank below all others. Paused trials are left out.

    Raises:
        StoreError: the store cannot be read.
    """
    names = ["cell", "setting", "metric", "higher_is_better"]
    frame = pd.DataFrame(store.select(_TRIALS, (task,)), columns=names)
    settings = pd.DataFrame([fields_in(setting) for setting in frame["setting"]], index=frame.index)
    known: dict[str, Any] = {name: settings[key].astype("float64") for key, name in _FIELDS.items() if key in settings}
    known |= {OPTIMISER: settings[OPTIMISER].astype(str)} if OPTIMISER in settings else {}
    metric = frame["metric"].astype("float64").where(frame["higher_is_better"] == 1, -frame["metric"].astype("float64"))
    worse = metric.fillna(-np.inf).rank(method="average") - 1
    scale = max(len(frame) - 1, 1)
    return pd.DataFrame({CELL: frame["cell"], **known, PERCENTILE: worse / scale})


def importance(store: Store, task: str) -> Importance | None:
    """Return the importance of the hyperparameters on a task, or None if trials are too few or all equal.

    Raises:
        StoreError: the store cannot be read.
    """
    frame = rank_percentiles(store, task)
    if len(frame) > MOST:
        frame = frame.iloc[np.sort(np.random.default_rng(0).choice(len(frame), MOST, replace=False))]
    settings = [name for name in frame.columns if name not in (CELL, PERCENTILE) and frame[name].nunique() > 1]
    columns = [*settings, *([CELL] if frame[CELL].nunique() > 1 else [])]
    if len(frame) < FEWEST or frame[PERCENTILE].nunique() < 2 or not settings:
        return None
    numbers = frame.assign(**{name: pd.factorize(frame[name], sort=True)[0] for name in settings if name == OPTIMISER})
    found = [_of_split(numbers, columns, split) for split in range(SPLITS)]
    losses = np.array([losses for losses, _ in found])
    shares = {
        name: (float(mean), float(deviation))
        for name, mean, deviation in zip(columns, losses.mean(axis=0), losses.std(axis=0), strict=True)
    }
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1][0]))
    return Importance(task, len(frame), float(np.mean([explained for _, explained in found])), ordered)


def _of_split(frame: pd.DataFrame, columns: list[str], seed: int) -> tuple[Floats, float]:
    """Return the loss of R^2 for each column, and R^2 itself, on the held-out trials of one random split."""
    known, held_out = train_test_split(frame, test_size=0.3, random_state=seed)
    if CELL in columns:
        known, held_out = _with_quality(known, held_out, seed)
    forest = RandomForestRegressor(TREES, min_samples_leaf=3, random_state=seed, n_jobs=1)
    forest.fit(known[columns], known[PERCENTILE])
    found = permutation_importance(
        forest, held_out[columns], held_out[PERCENTILE], n_repeats=SHUFFLES, random_state=seed, n_jobs=1
    )
    explained = float(forest.score(held_out[columns], held_out[PERCENTILE]))
    return np.asarray(found.importances_mean, np.float64), explained


def _with_quality(known: pd.DataFrame, held_out: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replace the cell by the mean percentile of its known trials; for a known trial, of those in the other folds."""
    mean = float(known[PERCENTILE].mean())
    quality = pd.Series(mean, index=known.index)
    for rest, fold in KFold(5, shuffle=True, random_state=seed).split(known):
        means = known.iloc[rest].groupby(CELL)[PERCENTILE].mean()
        quality.iloc[fold] = known.iloc[fold][CELL].map(means).fillna(mean).to_numpy()
    means = known.groupby(CELL)[PERCENTILE].mean()
    return known.assign(cell=quality), held_out.assign(cell=held_out[CELL].map(means).fillna(mean))


def marginals(store: Store, task: str) -> pd.DataFrame:
    """Return the quartiles of the rank percentile (`low`, `middle`, `high`) by value of each hyperparameter.

    Columns: hyperparameter, value, trials, low, middle, high. Hyperparameters with one value are left out.
    """
    frame = rank_percentiles(store, task)
    parts = []
    for name in frame.columns:
        if name in (CELL, PERCENTILE) or frame[name].nunique() < 2:
            continue
        grouped = frame.groupby(name)[PERCENTILE]
        part = grouped.quantile(np.array([0.25, 0.5, 0.75])).unstack()
        part.columns = pd.Index(["low", "middle", "high"])
        part.insert(0, "trials", grouped.size())
        part.index.name = "value"
        part = part.reset_index()
        part.insert(0, "hyperparameter", name)
        parts.append(part)
    columns = ["hyperparameter", "value", "trials", "low", "middle", "high"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
