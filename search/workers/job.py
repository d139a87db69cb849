"""Job: one trial to be trained, and its execution in any process."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.simulation import Simulation, simulated_seconds
from search.training.trial import TrialResult, train_trial
from search.workers.environment import environment_id, own_environment
from tasks.errors import TaskError
from tasks.task import Task

TASK_FAILED = "the task failed: "
"""Prefix of the reason of a trial that failed in the code of its task."""


@dataclass(frozen=True)
class Job:
    """Trial to be trained: a setting of a cell on a task (by name), with its budget and seed.

    With a `simulation` the outcome is drawn instead of trained. With `until` the trial pauses after so many steps, a
    mark of the budget or the end of an epoch. `checkpoint` is that of an earlier result of the same trial, to continue
    from.
    """

    graph: GateGraph
    task: str
    setting: Setting
    budget: Budget
    seed: int
    chance: float
    simulation: Simulation | None = None
    until: int | None = None
    checkpoint: bytes | None = field(default=None, repr=False)


def run_job(job: Job, task: Task, on_batch: Callable[[], None] | None = None) -> TrialResult:
    """Train a job; an exception becomes a failed trial with its reason, so that the search continues.

    A trial continues from a checkpoint of this environment only: with other versions, or on another processor, the
    whole would be the trial of neither.

    Args:
        job: the job.
        task: its task.
        on_batch: called whenever the trial reads a batch of data.
    """
    checkpoint = _of_this_environment(job.checkpoint)
    try:
        if job.simulation is not None:
            inputs = (job.graph, job.task, task, job.setting, job.budget, job.seed, job.chance)
            result = job.simulation.trial(*inputs, on_batch, until=job.until, checkpoint=checkpoint)
        else:
            result = train_trial(
                job.graph,
                task,
                job.setting,
                job.budget,
                job.seed,
                chance=job.chance,
                until=job.until,
                checkpoint=checkpoint,
                on_batch=on_batch,
            )
    except TaskError as error:
        result = TrialResult(TrialState.FAILED, TASK_FAILED + str(error))
    except Exception as error:
        result = TrialResult(TrialState.FAILED, f"{type(error).__name__}: {one_line(error)}")
    if result.checkpoint is not None:
        result = replace(result, checkpoint=_environment() + result.checkpoint)
    return replace(result, environment=own_environment())


def _environment() -> bytes:
    """Return the bytes before a checkpoint of this environment."""
    return environment_id(own_environment()).encode()


def _of_this_environment(checkpoint: bytes | None) -> bytes | None:
    """Return the checkpoint without the bytes of its environment; None if that is not this process's."""
    own = _environment()
    return checkpoint.removeprefix(own) if checkpoint is not None and checkpoint.startswith(own) else None


def seconds_before(job: Job) -> float:
    """Return the simulated seconds that a simulated job's trial took up to its checkpoint; 0 if it has none."""
    checkpoint = _of_this_environment(job.checkpoint)
    return 0.0 if job.simulation is None or checkpoint is None else simulated_seconds(checkpoint)


def check_task_failure(result: TrialResult, task: str) -> None:
    """Raise the error of a task in whose code a trial failed.

    Args:
        result: result of the trial.
        task: name of the task.

    Raises:
        TaskError: the trial failed so.
    """
    if result.state is TrialState.FAILED and result.reason.startswith(TASK_FAILED):
        reason = result.reason.removeprefix(TASK_FAILED)
        named = reason if reason.startswith("task ") else f"task {task!r}: {reason}"
        raise TaskError(f"{named}; then rerun with --resume, which keeps the finished trials")


def one_line(what: object) -> str:
    """Return the text of an object in one line, cut at 300 characters."""
    return " ".join(str(what).split())[:300]
