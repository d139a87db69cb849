"""Why things ended: how the trials of each task ended and why, and why found cells stopped at each stage."""

import re

import pandas as pd

from results.store.store import Store
from results.store.words import RANKED_STATES

_STATES = "SELECT task, state, count(*) FROM trials GROUP BY task, state ORDER BY task, state"
_REASONS = f"""
    SELECT task, state, reason, count(*) FROM trials WHERE state NOT IN {RANKED_STATES[:2]}
    GROUP BY task, state, reason"""
# A cell that was seen twice counts once, and has passed where it ever did.
_STOPS = """
    SELECT stage, task, sum(passed), sum(NOT passed AND best IS NULL), sum(NOT passed AND best IS NOT NULL),
        max(threshold)
    FROM (
        SELECT stage, task, cell, max(passed) AS passed, max(best) AS best, max(threshold) AS threshold
        FROM evaluations JOIN cells ON cells.id = cell WHERE origin = 'found' GROUP BY stage, task, cell
    )
    GROUP BY stage, task ORDER BY stage"""
_NUMBER = re.compile(r"\d[\d.,]*(e[+-]?\d+)?")


def trial_states(store: Store) -> pd.DataFrame:
    """Trials by how they ended, repeats of finalists included: task, state, trials. Raises `StoreError`."""
    return pd.DataFrame(store.select(_STATES), columns=["task", "state", "trials"])


def trial_reasons(store: Store) -> pd.DataFrame:
    """Why trials were lost or given up: task, state, reason, trials; most frequent first.

    Numbers in a reason are replaced by "N", so that trials which ended alike stand together. Raises `StoreError`.
    """
    frame = pd.DataFrame(store.select(_REASONS), columns=["task", "state", "reason", "trials"])
    frame["reason"] = [_NUMBER.sub("N", reason) for reason in frame["reason"]]
    totals = frame.groupby(["task", "state", "reason"])["trials"].sum().reset_index()
    return totals.sort_values(["trials", "task", "reason"], ascending=[False, True, True], ignore_index=True)


def stage_stops(store: Store) -> pd.DataFrame:
    """Found cells at each stage: stage, task, passed, no_result (no trial of it counted), below (the threshold),
    threshold (None where nothing has to be reached). Raises `StoreError`."""
    return pd.DataFrame(store.select(_STOPS), columns=["stage", "task", "passed", "no_result", "below", "threshold"])
