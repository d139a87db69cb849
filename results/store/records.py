"""Rows of a run: cells, trials, evaluations and proposals, as frozen dataclasses.

The annotation of each field documents it. The frames of `results.run` take their documentation from here (by
`documentation`), and a test holds the comments of the schema against it.

A row is equal before it is stored and after it is read back. SQLite keeps no NaN, so an optional number that is NaN or
infinite becomes None when a row is made; the trial's `state` and `reason` say what happened.
"""

import math
import operator
from dataclasses import dataclass, field
from typing import Annotated, get_type_hints

from results.store.errors import ResultsError
from results.store.words import TrialState
from search.cells.crossover import printed_mutations
from search.cells.library import label_of

LARGEST_INTEGER = 2**63 - 1
"""Largest integer in SQLite, whose integers are signed and have 64 bits."""

_STATES = tuple(state.value for state in TrialState)


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell of the run and its origin."""

    id: Annotated[str, "16 hex digits: the hash of the canonical graph"]
    formula: Annotated[str, "canonical formula, one assignment a line"]
    name: Annotated[
        str | None,
        "name of a library cell or of the file it came from; missing for a found cell and for a formula of the profile",
    ]
    parent: Annotated[str | None, "id of the cell that it was mutated from; missing where a search started"]
    mutations: Annotated[tuple[str, ...], "list of the mutations that made it from its parent, in words and in order"]
    origin: Annotated[str, "baseline (given), initial (of the initial population) or found (by the search)"]
    proposal: Annotated[int | None, "index of the proposal that made it; missing for a given cell"]
    nodes: Annotated[int, "nodes of the canonical graph, leaves included"]
    states: Annotated[int, "vectors carried from step to step, h included"]
    products: Annotated[int, "linear nodes: matrix products of each step"]

    @property
    def label(self) -> str:
        """Name of the cell, or its shortened id."""
        return label_of(self.id, self.name)

    @property
    def mutation_words(self) -> tuple[str, ...]:
        """The mutations as people see them."""
        return printed_mutations(self.mutations)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One setting of one cell, trained on one task with one seed. Its key is (cell, task, setting, repeat).

    Raises:
        ResultsError: the state is not one of `TrialState`, or the seed is outside 0 ... 2**63 - 1.
    """

    cell: Annotated[str, "id of the cell"]
    task: Annotated[str, "name of the task; memorization is the task of stage 0"]
    setting: Annotated[str, "hyperparameters as canonical JSON text; with cell, task and repeat the key of the trial"]
    repeat: Annotated[
        int,
        "0: a trial of the search; 1 to 1000: same setting, other seed, which all finalists share; "
        "from 1001 on: confirmation, on seeds that chose no cell",
    ]
    seed: Annotated[int, "random seed of the initial weights and the training data, 0 to 2**63 - 1"]
    state: Annotated[
        str,
        "ok, stopped (reached its target), at-chance (given up), behind (given up far below the reference at equal "
        "steps), diverged, failed; paused (trained for a part of its steps: no result yet)",
    ]
    reason: Annotated[str, "why it ended in that state, in words; may be empty"]
    metric: Annotated[str, "what validation and test are: accuracy (fraction) or nats_per_step"]
    higher_is_better: Annotated[bool, "direction of the metric"]
    validation: Annotated[
        float | None,
        "metric on the validation set at best_step; missing if none was finite; of a paused trial at its last step",
    ]
    validation_se: Annotated[float | None, "standard error from the finite validation set, in units of the metric"]
    test: Annotated[float | None, "metric on the test set with the weights of best_step"]
    test_se: Annotated[float | None, "standard error from the finite test set, in units of the metric"]
    validation_loss: Annotated[float | None, "validation loss at best_step, nats per step that the loss mask keeps"]
    test_loss: Annotated[float | None, "test loss at best_step, nats per step that the loss mask keeps"]
    best_step: Annotated[int, "training step with the best validation metric; 0 if none was measured"]
    steps: Annotated[int, "training steps done"]
    seconds: Annotated[float, "wall-clock time of the trial; the one field in which two equal runs differ"]
    parameters: Annotated[int, "trained parameters: embedding, cells and readout"]
    units: Annotated[int, "size of the cell's vectors"]
    curve: Annotated[
        tuple[tuple[int, float, float], ...],
        "learning curve: (step, training loss in nats per step that the loss mask keeps, validation metric)",
    ]
    environment: Annotated[
        str | None, "id of the environment (versions, CPU, commit) that it was trained in; missing if its worker died"
    ] = None
    proposal: Annotated[
        int | None, "first proposal that asked for it; negative if only baselines did; missing for a finalist's"
    ] = None

    def __post_init__(self) -> None:
        if self.state not in _STATES:
            raise ResultsError(f"trial state {self.state!r} is unknown; use one of {_STATES}")
        if not 0 <= self.seed <= LARGEST_INTEGER:
            raise ResultsError(f"trial seed {self.seed} is outside 0 ... 2**63 - 1; draw it with rng.integers(2**63)")
        _keep_finite(self, "validation", "validation_se", "test", "test_se", "validation_loss", "test_loss")
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "curve", tuple(_point(*point) for point in self.curve))


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """Metric of a trial beside the one that ranks its task. Its key is (cell, task, setting, repeat, metric)."""

    cell: Annotated[str, "id of the cell"]
    task: Annotated[str, "name of the task"]
    setting: Annotated[str, "hyperparameters of the trial, canonical JSON text"]
    repeat: Annotated[int, "repeat of the trial"]
    metric: Annotated[str, "name of the metric: accuracy (fraction), cross_entropy (nats per symbol)"]
    validation: Annotated[float | None, "its value on the validation set, at the trial's best_step"]
    validation_se: Annotated[float | None, "standard error from the finite validation set"]
    test: Annotated[float | None, "its value on the test set, at the trial's best_step"]
    test_se: Annotated[float | None, "standard error from the finite test set"]

    def __post_init__(self) -> None:
        _keep_finite(self, "validation", "validation_se", "test", "test_se")


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One cell's visit to one task within one proposal. Its key is (proposal, cell, task)."""

    proposal: Annotated[int, "index of the proposal; -1, -2, ... for the baselines"]
    cell: Annotated[str, "id of the cell"]
    task: Annotated[str, "name of the task"]
    stage: Annotated[int, "0 = memorization, 1 = the first ranked task, ..."]
    settings: Annotated[int, "number of settings tried in this visit"]
    best: Annotated[float | None, "best validation metric of the cell on the task so far"]
    ratio: Annotated[
        float | None,
        "ratio of best to the GRU's best, or of their gains over the constant baseline if the run's score is of gains; "
        "> 1 is better whatever the metric's direction",
    ]
    threshold: Annotated[
        float | None, "what had to be reached: an accuracy in stage 0, a ratio later; missing if there is no threshold"
    ]
    passed: Annotated[bool, "True if the cell passed to the next stage"]

    def __post_init__(self) -> None:
        _keep_finite(self, "best", "ratio", "threshold")


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """One proposal of the search and its outcome. Its key is `index`."""

    index: Annotated[int, "0, 1, ... in the order of the search; negative for the baselines"]
    kind: Annotated[
        str,
        "propose (a new cell), re-examine (fresh settings for a known cell), promote (a known cell is trained to the "
        "next rung), initial (a member of the initial population) or baseline",
    ]
    cell: Annotated[str | None, "id of the cell that was evaluated; missing if no valid child was found"]
    parent: Annotated[str | None, "id of the cell that was mutated"]
    outcome: Annotated[str, "complete, stopped at TASK, failed at TASK, no valid child"]
    score: Annotated[
        float | None,
        "score at that time: min over the tasks of the ratio to the GRU, as in evaluations; missing unless complete",
    ]
    rejections: Annotated[dict[str, int], "draws that were rejected before this one, by reason"] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        _keep_finite(self, "score")


def documentation(kind: type) -> dict[str, str]:
    """Return the documentation of each field of a row class, by name and in order."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: str(hint.__metadata__[0]) for name, hint in hints.items()}


def _keep_finite(row: object, *names: str) -> None:
    """Replace NaN and infinity by None, and NumPy's floats by plain ones, in the named fields of a frozen row."""
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
