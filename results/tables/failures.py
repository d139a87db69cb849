"""Failures: final states of trials and their reasons, and where found cells stopped."""

import re

import pandas as pd

from results.store.store import Store
from results.store.words import Origin, TrialState

_STATES = "SELECT task, state, count(*) FROM trials GROUP BY task, state ORDER BY task, state"
_NO_FAILURE = (TrialState.OK.value, TrialState.STOPPED.value, TrialState.PAUSED.value)
_REASONS = f"""
    SELECT task, state, reason, count(*) FROM trials WHERE state NOT IN {_NO_FAILURE} GROUP BY task, state, reason"""
# A cell that was evaluated twice counts once, and has passed if it ever did.
_STOPS = f"""
    SELECT stage, task, sum(passed), sum(NOT passed AND best IS NULL), sum(NOT passed AND best IS NOT NULL),
        max(threshold)
    FROM (
        SELECT stage, task, cell, max(passed) AS passed, max(best) AS best, max(threshold) AS threshold
        FROM evaluations JOIN cells ON cells.id = cell WHERE origin = '{Origin.FOUND}' GROUP BY stage, task, cell
    )
    GROUP BY stage, task ORDER BY stage"""
_NUMBER = re.compile(r"\d[\d.,]*(e[+-]?\d+)?")


def trial_states(store: Store) -> pd.DataFrame:
    """Count trials by final state, repeats of finalists included.

    Columns: task, state, trials. Raises `StoreError` if the store cannot be read, as do the functions below.
    """
    return pd.DataFrame(store.select(_STATES), columns=["task", "state", "trials"])


def trial_reasons(store: Store) -> pd.DataFrame:
    """Count the reasons of trials that diverged, failed or were given up, the most frequent first.

    Columns: task, state, reason, trials. Numbers in a reason are replaced by "N", which groups similar reasons.
    """
    frame = pd.DataFrame(store.select(_REASONS), columns=["task", "state", "reason", "trials"])
    frame["reason"] = [_NUMBER.sub("N", reason) for reason in frame["reason"]]
    totals = frame.groupby(["task", "state", "reason"])["trials"].sum().reset_index()
    return totals.sort_values(["trials", "task", "reason"], ascending=[False, True, True], ignore_index=True)


def stage_stops(store: Store) -> pd.DataFrame:
    """Count found cells at each stage by outcome.

    Columns: stage, task, passed, no_result (cells without a ranked trial), below (cells below the threshold), threshold
    (None if there is none).
    """
    return pd.DataFrame(store.select(_STOPS), columns=["stage", "task", "passed", "no_result", "below", "threshold"])
