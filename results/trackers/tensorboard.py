"""Learning curves for TensorBoard: `tensorboard --logdir FOLDER` shows them.

A folder for each run, task, cell and trial, so that TensorBoard's filter picks runs, tasks and cells:
`night/xml/gru/seed-1`. Several runs may share FOLDER; curves that were made up stand under `simulated-`.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from results.store.errors import one_line
from results.store.records import TrialRow
from results.store.store import Store
from results.trackers.exported_trials import extra_missing, logged_trials

FILE = "events.out.tfevents.*"
"""What TensorBoard writes; earlier ones in a folder are replaced."""


def write_curves(store: Store, tasks: Sequence[str], folder: Path) -> int:
    """Write the curves of the table's first cells below `folder`, in a folder with the run's name; returns how many.

    What was there of them is replaced. Tags: `validation` (the task's metric) and `training_loss` (nats per counted
    step), by training step.

    Raises:
        ResultsError: TensorBoard is not installed, or the table cannot be made.
        StoreError: the store cannot be read, or the folder not written.
    """
    require_tensorboard()
    from tensorboard.summary import Writer

    own_name = _run_folder(store)
    trials = logged_trials(store, tasks)
    for logged in trials:
        own = folder / own_name / _safe(logged.trial.task) / _safe(logged.label) / _run(logged.trial)
        with one_line(own):
            own.mkdir(parents=True, exist_ok=True)
            for old in own.glob(FILE):
                old.unlink()
            writer = Writer(str(own))
            for step, loss, metric in logged.trial.curve:
                for tag, value in (("validation", metric), ("training_loss", loss)):
                    if math.isfinite(value):
                        writer.add_scalar(tag, value, step=step)
            writer.close()
    return len(trials)


def require_tensorboard() -> None:
    """Raises `ResultsError` where TensorBoard is not installed, so that a caller may know before anything else."""
    try:
        import tensorboard.summary  # noqa: F401
    except ImportError as error:
        raise extra_missing("TensorBoard", "tensorboard") from error


def _run_folder(store: Store) -> str:
    """What the curves of a run stand under; of a simulated one, it says so."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", store.name).lstrip(".") or "-"  # two runs' names may differ in a dot
    return f"simulated-{name}" if store.simulated and not name.startswith("simulated-") else name


def _run(trial: TrialRow) -> str:
    return f"seed-{trial.repeat}" if trial.repeat else "search"


def _safe(name: str) -> str:
    """A name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name) or "-"
