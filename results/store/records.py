"""The rows of a run: cells, trials, evaluations and proposals, as frozen dataclasses that survive the store unchanged.

A number that is not finite says nothing that a table could rank, and SQLite keeps no NaN: every optional number that is
NaN or infinite becomes None when a row is made, so a row is equal before it is stored and after it is read back. What
happened is in the trial's `state` and `reason`.
"""

import math
import operator
from dataclasses import dataclass, field

from results.store.errors import ResultsError
from results.store.words import LOST_STATES, RANKED_STATES

LARGEST_INTEGER = 2**63 - 1
"""SQLite's integers are signed and of 64 bits."""


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell that the run knows, and where it came from."""

    id: str  # 16 hex digits: the hash of the canonical graph
    formula: str  # canonical formula, one assignment a line
    name: str | None  # library name or file name; None for a found cell
    parent: str | None  # id of the cell it was mutated from; None for a cell that was given
    mutations: tuple[str, ...]  # the transformations that made it from its parent, in words and in order
    origin: str  # "baseline" (given) or "found" (proposed by the search)
    proposal: int | None  # index of the proposal that made it; None for a cell that was given
    nodes: int  # nodes of the canonical graph, leaves included
    states: int  # vectors carried from step to step, h included
    products: int  # linear nodes: matrices that it multiplies by at each step


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One setting of one cell, trained on one task. (cell, task, setting, repeat) is its key.

    Raises:
        ResultsError: the state is none of `RANKED_STATES` and `LOST_STATES`, or the seed is outside 0 ... 2**63 - 1.
    """

    cell: str  # id of the cell
    task: str  # name of the task
    setting: str  # the hyperparameters as canonical JSON text
    repeat: int  # 0, 1, ...: same key, other seed
    seed: int  # of the trial's random generator; 0 to 2**63 - 1
    state: str  # one of RANKED_STATES + LOST_STATES
    reason: str  # why it ended in that state, in words; may be empty
    metric: str  # what validation and test are: "accuracy" (fraction), "nats_per_step" (nats)
    higher_is_better: bool  # direction of the metric
    validation: float | None  # metric on the validation set at best_step; None if there is no finite one
    validation_se: float | None  # its standard error from the finite evaluation set, in units of the metric
    test: float | None  # metric on the test set with the weights of best_step
    test_se: float | None  # its standard error, in units of the metric
    validation_loss: float | None  # nats per counted step at best_step
    test_loss: float | None  # nats per counted step at best_step
    best_step: int  # training step whose validation metric was best; 0 if none was measured
    steps: int  # training steps done
    seconds: float  # wall-clock time of the trial: the one column that two equal runs do not share
    parameters: int  # numbers that were trained: embedding, cells and readout
    units: int  # size of the cell's vectors
    curve: tuple[tuple[int, float, float], ...]  # (step, training loss in nats per counted step, validation metric)
    environment: str | None = None  # id of what it was trained by (versions, CPU, commit); None where a worker died
    proposal: int | None = None  # the first that asked for it; negative: only baselines did; None: nobody did

    def __post_init__(self) -> None:
        if self.state not in RANKED_STATES + LOST_STATES:
            raise ResultsError(f"trial state {self.state!r} is unknown; use one of {RANKED_STATES + LOST_STATES}")
        if not 0 <= self.seed <= LARGEST_INTEGER:
            raise ResultsError(f"trial seed {self.seed} is outside 0 ... 2**63 - 1; draw it with rng.integers(2**63)")
        _keep_finite(self, "validation", "validation_se", "test", "test_se", "validation_loss", "test_loss")
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "curve", tuple(_point(*point) for point in self.curve))


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One cell's visit to one task within one proposal. (proposal, cell, task) is its key."""

    proposal: int  # index of the proposal; -1, -2, ... for the baselines
    cell: str  # id of the cell
    task: str  # name of the task
    stage: int  # 0 = memorization, 1 = the first ranked task, ...
    settings: int  # settings tried in this visit
    best: float | None  # the cell's best validation metric on the task so far
    ratio: float | None  # best over the GRU's best; > 1 is better whatever the metric's direction
    threshold: float | None  # what had to be reached: an accuracy in stage 0, a ratio later; None if nothing had to
    passed: bool  # whether the cell went on to the next stage

    def __post_init__(self) -> None:
        _keep_finite(self, "best", "ratio", "threshold")


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """One step of the search and how it ended. `index` is its key."""

    index: int  # 0, 1, ... in the order of the search; negative for baselines
    kind: str  # "propose", "re-examine" or "baseline"
    cell: str | None  # id of the cell that was evaluated; None if no valid child was found
    parent: str | None  # id of the cell that was mutated
    outcome: str  # COMPLETE, "stopped at memorization", "stopped at xml", "no valid child", "failed", ...
    score: float | None  # min over the tasks of the ratio to the GRU; None unless complete
    rejections: dict[str, int] = field(default_factory=dict)  # draws that were rejected before this one, by reason

    def __post_init__(self) -> None:
        _keep_finite(self, "score")


def _keep_finite(row: object, *names: str) -> None:
    """None in place of NaN and infinity, plain floats in place of NumPy's, in the named fields of a frozen row."""
    for name in names:
        value = getattr(row, name)
        if value is not None:
            object.__setattr__(row, name, float(value) if math.isfinite(value) else None)


def _point(step: int, loss: float, metric: float) -> tuple[int, float, float]:
    # The one object math.nan, so that equal curves compare equal: tuples compare items by identity first.
    return (
        operator.index(step),
        float(loss) if math.isfinite(loss) else math.nan,
        float(metric) if math.isfinite(metric) else math.nan,
    )
