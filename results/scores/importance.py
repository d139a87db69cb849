"""Which settings matter: how much of the differences between trials each hyperparameter explains, and which way.

A random forest learns, from the trials of the search on one task, where a trial stands among all of them; the
importance of a hyperparameter is what the forest's R^2 on trials that it has not seen loses when that column is
shuffled (Breiman 2001; scikit-learn's permutation importance). Which trials those are decides a lot where there are a
hundred in all, so all numbers are means over several random splits. The cell itself is one of the columns, as the mean
of its other trials, so that one sees whether it matters more than, say, the learning rate.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import KFold, train_test_split

from results.scores.ratio import Floats
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.words import UNRANKED_STATES

FEWEST, MOST = 60, 2000
"""With fewer trials on a task nothing is said; of more, so many are drawn (always the same ones)."""

SPLITS, TREES, SHUFFLES = 10, 30, 3
"""Splits into trials to learn from and unseen ones; trees of a split's forest; shuffles of a column in a split."""

CELL = "cell"
"""What the cell is called among the hyperparameters."""

_FIELDS = {
    "learning_rate": "learning rate",
    "scale": "initial scale",
    "max_norm": "largest gradient norm",
    "layers": "layers",
    "parameters": "parameters",
}
_TRIALS = f"""
    SELECT cell, setting, CASE WHEN state IN {UNRANKED_STATES} THEN NULL ELSE validation END, higher_is_better
    FROM trials WHERE repeat = 0 AND task = ? ORDER BY cell, setting"""


@dataclass(frozen=True)
class Importance:
    """What the trials of one task say.

    `shares`: by hyperparameter, the loss of R^2 on held-out trials, mean and standard deviation over splits.
    `explained`: the forests' mean R^2 on held-out trials; where it is near 0, the shares say nothing. `trials`: how
    many.
    """

    task: str
    trials: int
    explained: float
    shares: dict[str, tuple[float, float]]


def standings(store: Store, task: str) -> pd.DataFrame:
    """The search's trials on a task: cell, the hyperparameters, and `standing`: the share of trials that are worse.

    Trials that diverged or failed stand below all others. Raises `StoreError`.
    """
    names = ["cell", "setting", "metric", "higher_is_better"]
    frame = pd.DataFrame(store.select(_TRIALS, (task,)), columns=names)
    settings = pd.DataFrame([fields_in(setting) for setting in frame["setting"]], index=frame.index, dtype="float64")
    known = {name: settings[key] for key, name in _FIELDS.items() if key in settings}
    metric = frame["metric"].astype("float64").where(frame["higher_is_better"] == 1, -frame["metric"].astype("float64"))
    standing = metric.fillna(-np.inf).rank(method="average") - 1
    scale = max(len(frame) - 1, 1)
    return pd.DataFrame({CELL: frame["cell"], **known, "standing": standing / scale})


def importance(store: Store, task: str) -> Importance | None:
    """What matters on a task, or None where there are too few trials or no differences. Raises `StoreError`."""
    frame = standings(store, task)
    if len(frame) > MOST:
        frame = frame.iloc[np.sort(np.random.default_rng(0).choice(len(frame), MOST, replace=False))]
    settings = [name for name in frame.columns if name not in (CELL, "standing") and frame[name].nunique() > 1]
    columns = [*settings, *([CELL] if frame[CELL].nunique() > 1 else [])]
    if len(frame) < FEWEST or frame["standing"].nunique() < 2 or not settings:
        return None
    found = [_of_split(frame, columns, split) for split in range(SPLITS)]
    losses = np.array([losses for losses, _ in found])
    shares = {
        name: (float(mean), float(deviation))
        for name, mean, deviation in zip(columns, losses.mean(axis=0), losses.std(axis=0), strict=True)
    }
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1][0]))
    return Importance(task, len(frame), float(np.mean([explained for _, explained in found])), ordered)


def _of_split(frame: pd.DataFrame, columns: list[str], seed: int) -> tuple[Floats, float]:
    """Of one random split: the loss of R^2 for each column, and R^2 itself, both on the unseen trials."""
    known, unseen = train_test_split(frame, test_size=0.3, random_state=seed)
    if CELL in columns:
        known, unseen = _with_quality(known, unseen, seed)
    forest = RandomForestRegressor(TREES, min_samples_leaf=3, random_state=seed, n_jobs=1)
    forest.fit(known[columns], known["standing"])
    found = permutation_importance(
        forest, unseen[columns], unseen["standing"], n_repeats=SHUFFLES, random_state=seed, n_jobs=1
    )
    explained = float(forest.score(unseen[columns], unseen["standing"]))
    return np.asarray(found.importances_mean, np.float64), explained


def _with_quality(known: pd.DataFrame, unseen: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cell in numbers: the mean standing of its known trials, for a known one of those in the other four fifths."""
    mean = float(known["standing"].mean())
    quality = pd.Series(mean, index=known.index)
    for rest, fold in KFold(5, shuffle=True, random_state=seed).split(known):
        means = known.iloc[rest].groupby(CELL)["standing"].mean()
        quality.iloc[fold] = known.iloc[fold][CELL].map(means).fillna(mean).to_numpy()
    means = known.groupby(CELL)["standing"].mean()
    return known.assign(cell=quality), unseen.assign(cell=unseen[CELL].map(means).fillna(mean))


def marginals(store: Store, task: str) -> pd.DataFrame:
    """For each value of each hyperparameter: trials, and the quartiles of their standing (`low`, `middle`, `high`).

    Columns: hyperparameter, value, trials, low, middle, high. Values that are the only one are left out.
    """
    frame = standings(store, task)
    parts = []
    for name in frame.columns:
        if name in (CELL, "standing") or frame[name].nunique() < 2:
            continue
        grouped = frame.groupby(name)["standing"]
        part = grouped.quantile(np.array([0.25, 0.5, 0.75])).unstack()
        part.columns = pd.Index(["low", "middle", "high"])
        part.insert(0, "trials", grouped.size())
        part.index.name = "value"
        part = part.reset_index()
        part.insert(0, "hyperparameter", name)
        parts.append(part)
    columns = ["hyperparameter", "value", "trials", "low", "middle", "high"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
