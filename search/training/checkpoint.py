"""Checkpoint of a paused trial: all that it takes to continue it bit for bit, as the bytes of a NumPy archive.

A checkpoint is a cache. A trial gives the same result from its checkpoint as from its first step, so one that is lost,
damaged, or of another trial costs time and nothing else. The stream of training data is not part of it: a trial draws
its data again up to the step.

P parameters, M moments of the optimiser, B sequences of a batch, H units.
"""

import hashlib
import io
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from search.training.measure import Measure
from search.training.schedule import Budget, RateRule, RulesState
from search.training.settings import Setting
from search.training.stepper import Carried, Stepper
from tasks.metrics import Estimate
from tasks.task import Task

FORMAT = 1
"""Version of the archive; it increases with every change of what is stored or of how a trial continues from it."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a trial after a measurement of validation.

    Attributes:
        steps: number of training steps so far.
        seconds: time that the trial took so far.
        nats: training loss of the current epoch so far, summed over `counted` steps in the loss mask.
        counted: number of those steps.
        rules: state of the schedule and of the rules.
        curve: learning curve so far: step, loss, validation metric.
        best: validation of the best epoch; None if none has ended.
        weights: parameters (P,).
        best_weights: parameters of the best epoch (P,); empty if there is none, or if they are `weights`.
        states: states carried to the next batch (layers, states, B, H).
        moments: moments of the optimiser (M, P); no optimiser without them stores any.
    """

    steps: int
    seconds: float
    nats: float
    counted: int
    rules: RulesState
    curve: tuple[tuple[int, float, float], ...]
    best: Measure | None
    weights: Floats
    best_weights: Floats
    states: Carried
    moments: Floats

    def to_bytes(self, identity: str) -> bytes:
        """Return the archive. `identity` is that of the trial, from `trial_identity`."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if not self.moments.size:
            del arrays["moments"]
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _ARRAYS}
        values |= {"identity": identity, "best": None if self.best is None else asdict(self.best)}
        file = io.BytesIO()
        # JSON keeps every bit of a float, and NaN in Python's dialect.
        np.savez(file, values=np.frombuffer(json.dumps(values).encode(), np.uint8), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, identity: str) -> "Checkpoint | None":
        """Return the checkpoint in an archive; None if the archive is damaged, or not of the trial `identity`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:  # the zip format has checksums
                values = json.loads(archive["values"].tobytes())
                if values["identity"] != identity:
                    return None
                weights, best_weights, states = (np.asarray(archive[name], np.float32) for name in _ARRAYS[:3])
                stored = archive["moments"] if "moments" in archive else np.empty((0, weights.size))
            return cls(
                steps=values["steps"],
                seconds=values["seconds"],
                nats=values["nats"],
                counted=values["counted"],
                rules=RulesState(*values["rules"]),
                curve=tuple((step, loss, metric) for step, loss, metric in values["curve"]),
                best=_measure(values["best"]),
                weights=weights,
                best_weights=best_weights,
                states=states,
                moments=np.asarray(stored, np.float32),
            )
        except Exception:  # damage may show in any way, and a trial without its checkpoint only takes longer
            return None


_ARRAYS = ("weights", "best_weights", "states", "moments")


def _measure(values: dict[str, Any] | None) -> Measure | None:
    if values is None:
        return None
    others = {name: Estimate(*estimate) for name, estimate in values.pop("others").items()}
    return Measure(**values, others=others)


def trial_identity(stepper: Stepper, task: Task, setting: Setting, budget: Budget, seed: int, chance: float) -> str:
    """Return a hash of all that a trial is a function of: two trials that share it are equal bit for bit.

    Versions of packages and the processor are not part of it.
    """
    trial = stepper.model.graph, stepper.backend, task.name, task.checksum, setting.key, budget, seed, chance
    # A budget's text leaves its rule out, which joined later; so checkpoints of the study's rule are still read.
    rule = () if budget.rule is RateRule.STUDY else (str(budget.rule), budget.warmup)
    return hashlib.sha256(repr((FORMAT, *trial, *rule)).encode()).hexdigest()
