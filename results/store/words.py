"""Vocabulary of rows and tables: states of trials, kinds of proposals, origins of cells, scores and their evidence."""

from enum import StrEnum


class TrialState(StrEnum):
    """State of a trial: how it ended, or that it is paused."""

    OK = "ok"  # its schedule ran out
    STOPPED = "stopped"  # it reached its target before that
    AT_CHANCE = "at-chance"  # it was given up at the level of a constant prediction
    DIVERGED = "diverged"  # its loss or gradient was not finite
    FAILED = "failed"  # it raised an error, or its process ended
    PAUSED = "paused"  # it was trained up to a rung and may go on
    BEHIND = "behind"  # it was given up too far behind the reference at equal steps

    @property
    def is_ranked(self) -> bool:
        """True if the trial's metric may represent its cell."""
        return self is not TrialState.PAUSED and not self.is_lost

    @property
    def is_lost(self) -> bool:
        """True if the trial ended without a metric."""
        return self in (TrialState.DIVERGED, TrialState.FAILED)


RANKED_STATES = tuple(state.value for state in TrialState if state.is_ranked)
LOST_STATES = tuple(state.value for state in TrialState if state.is_lost)


class ProposalKind(StrEnum):
    """Kind of a proposal.

    A given cell, a member of the initial population, fresh settings for a known cell, a new cell, or further training
    of a known cell, to the next rung.
    """

    BASELINE = "baseline"
    INITIAL = "initial"
    REEXAMINE = "re-examine"
    PROPOSE = "propose"
    PROMOTE = "promote"


class Origin(StrEnum):
    """Origin of a cell: given by the profile, member of the initial population, or found by the search."""

    BASELINE = "baseline"
    INITIAL = "initial"
    FOUND = "found"


class Evidence(StrEnum):
    """Evidence for a score: trials on fresh seeds, or the search's own trials."""

    CONFIRMED = "confirmed"  # retrained, and then confirmed on seeds that took no part in choosing the cell
    RETRAINED = "retrained"
    SEARCH = "search"

    @property
    def is_retrained(self) -> bool:
        """True if the numbers are means over fresh seeds, without the bias of choosing the best of many trials."""
        return self is not Evidence.SEARCH


class ScoreKind(StrEnum):
    """Share of the GRU's result whose smallest value over the ranked tasks is the score of a cell."""

    GAIN = "gain"  # improvement of the metric over the constant baseline, as a share of the GRU's
    RATIO = "ratio"  # ratio of the metric to the GRU's (Jozefowicz et al. 2015, section 3.1)


MEMORIZATION = "memorization"
"""Name of the task that a new cell passes first."""

COMPLETE = "complete"
"""Outcome of a proposal that passed every stage, and the stage of its cell."""

RUNNING = "running"
"""Stage of a cell whose first proposal has not ended."""

OUTSIDE = "outside"
"""Strategy of a run whose cells a caller tells: its found cells need neither a parent nor mutations."""

SIMULATED = "SIMULATED: every number is made up, no cell was trained"
"""Warning wherever results of a simulated run are shown."""
