"""Further figures of the test trials behind a leaderboard: error of the test set, accuracy, perplexity."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.scores.estimates import PICKS
from results.store.information import FIRST_CONFIRMATION
from results.store.schema import SCHEMA_VERSION
from results.store.store import Store
from results.store.words import RANKED_STATES

ACCURACY, CROSS_ENTROPY, BITS = "accuracy", "cross_entropy", "bits_per_symbol"
"""Names of the metrics of outputs that are symbols; a trial has one as the ranking metric and the other beside it."""

LARGEST_NATS = 700.0
"""Largest loss whose perplexity is a floating-point number."""

_TRIALS = f"""
    SELECT trials.cell, trials.task, trials.repeat, trials.metric, trials.test, trials.test_se, trials.test_loss
    FROM ({PICKS}) AS picked JOIN trials USING (cell, task, setting)
    WHERE (trials.repeat BETWEEN 0 AND ? OR trials.repeat >= {FIRST_CONFIRMATION}) AND trials.state IN {RANKED_STATES}
    ORDER BY trials.cell, trials.task, trials.repeat"""
_TRIAL_KINDS = {
    **{"cell": str, "task": str, "repeat": int, "metric": str},
    **{"test": float | None, "test_se": float | None, "test_loss": float | None},
}
_OTHERS = f"""
    SELECT measures.cell, measures.task, measures.repeat, measures.metric, measures.test
    FROM ({PICKS}) AS picked JOIN measures USING (cell, task, setting)
    WHERE measures.repeat BETWEEN 0 AND ? OR measures.repeat >= {FIRST_CONFIRMATION}"""
_OTHER_KINDS = {"cell": str, "task": str, "repeat": int, "metric": str, "value": float | None}
_KEY = ["cell", "task", "repeat"]


@dataclass(frozen=True)
class TrialFigures:
    """Figures of the test trials at the best settings of the search, up to a number of repeats.

    `frame` has a row for each trial that did not diverge or fail: cell (whole id), task, repeat (0: the search's own),
    test_set_se, accuracy, nats (loss in nats per symbol). The last two are NaN for outputs other than symbols.
    """

    frame: pd.DataFrame
    repeats: int

    def of_search(self, task: str, cells: pd.Index) -> pd.DataFrame:
        """Return test_set_se, accuracy and perplexity of the search's own trials on a task, a row for each cell."""
        own = self.frame[(self.frame["task"] == task) & (self.frame["repeat"] == 0)].set_index("cell")
        return _shown(own.reindex(cells))

    def of_repeats(self, task: str, cells: pd.Index) -> pd.DataFrame:
        """Return the same as means over the repeats.

        Accuracy and perplexity are NaN if a repeat diverged or failed: a mean over the others would favour the cell.
        The error is the mean over the others, since it depends little on the cell.
        """
        own = self.frame[(self.frame["task"] == task) & self.frame["repeat"].between(1, self.repeats)]
        return self._means(own, cells, self.repeats)

    def of_confirmation(self, task: str, cell: str, seeds: int) -> pd.DataFrame:
        """Return the same as means over the first `seeds` seeds of the confirmation, one row."""
        last = FIRST_CONFIRMATION + seeds - 1
        own = self.frame[
            (self.frame["task"] == task)
            & (self.frame["cell"] == cell)
            & self.frame["repeat"].between(FIRST_CONFIRMATION, last)
        ]
        return self._means(own, pd.Index([cell]), seeds)

    @staticmethod
    def _means(own: pd.DataFrame, cells: pd.Index, repeats: int) -> pd.DataFrame:
        grouped = own.groupby("cell")[["test_set_se", "accuracy", "nats"]]
        means = grouped.agg(_mean)
        counts = grouped.count()
        for name in ("accuracy", "nats"):
            means[name] = means[name].where(counts[name] == repeats)
        return _shown(means.reindex(cells))


def _mean(values: pd.Series) -> float:
    """Return the mean of the known values, rounded once: pandas' own differs between its versions in the last bit."""
    known = values.dropna().to_list()
    return math.fsum(known) / len(known) if known else math.nan


def trial_figures(store: Store, repeats: int) -> TrialFigures:
    """Read the figures of a run's test trials: of the search, of the repeats 1 to `repeats`, and of the confirmation.

    Raises:
        StoreError: the store cannot be read.
    """
    rows = pd.DataFrame(store.typed(_TRIALS, _TRIAL_KINDS, (repeats,)), columns=list(_TRIAL_KINDS))
    others = store.typed(_OTHERS, _OTHER_KINDS, (repeats,)) if store.version >= SCHEMA_VERSION else []
    rows = rows.astype(dict.fromkeys(("test", "test_se", "test_loss"), "float64"))
    accuracies = pd.DataFrame(others, columns=list(_OTHER_KINDS))
    accuracies = accuracies[accuracies["metric"] == ACCURACY].astype({"value": "float64"})
    rows = rows.merge(accuracies[[*_KEY, "value"]], on=_KEY, how="left")
    frame = rows[_KEY].copy()
    frame["test_set_se"] = rows["test_se"]
    frame["accuracy"] = rows["test"].where(rows["metric"] == ACCURACY, rows["value"])
    # Of these metrics, the loss that is trained is the cross entropy.
    frame["nats"] = rows["test_loss"].where(rows["metric"].isin((ACCURACY, CROSS_ENTROPY, BITS)))
    return TrialFigures(frame, repeats)


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    # Python's function, because NumPy's differs with the width of vectors: the table is the same on any processor.
    nats = rows["nats"].to_numpy(np.float64)
    perplexity = [math.exp(min(value, LARGEST_NATS)) if math.isfinite(value) else math.nan for value in nats]
    return rows[["test_set_se", "accuracy"]].assign(perplexity=perplexity)
