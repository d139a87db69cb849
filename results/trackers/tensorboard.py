"""Export of learning curves to TensorBoard: `tensorboard --logdir FOLDER` shows them.

Each trial has a folder `RUN/TASK/CELL/TRIAL`, such as `night/xml/gru/seed-1`, so that TensorBoard's filter selects
runs, tasks and cells. Several runs may share FOLDER. Folders of simulated runs begin with `simulated-`.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from results.store.errors import one_line
from results.store.records import TrialRow
from results.store.store import Store
from results.trackers.exported_trials import exported_trials, extra_missing

FILE = "events.out.tfevents.*"
"""Names of TensorBoard's files; earlier ones in a folder are replaced."""


def write_curves(store: Store, tasks: Sequence[str], folder: Path) -> int:
    """Write the learning curves of the table's first cells into `folder`/RUN, and return their number.

    Earlier curves of the same trials are replaced. Tags, by training step: `validation` (the task's metric) and
    `training_loss` (nats per step that the loss mask keeps).

    Raises:
        ResultsError: TensorBoard is not installed, or the table cannot be made.
        StoreError: the store cannot be read, or the folder cannot be written.
    """
    require_tensorboard()
    from tensorboard.summary import Writer

    own_name = _run_folder(store)
    trials = exported_trials(store, tasks)
    for exported in trials:
        trial = exported.trial
        own = folder / own_name / _safe(trial.task) / _safe(exported.label) / _run(trial)
        with one_line(own):
            own.mkdir(parents=True, exist_ok=True)
            for old in own.glob(FILE):
                old.unlink()
            writer = Writer(str(own))
            for step, loss, metric in trial.curve:
                for tag, value in (("validation", metric), ("training_loss", loss)):
                    if math.isfinite(value):
                        writer.add_scalar(tag, value, step=step)
            writer.close()
    return len(trials)


def require_tensorboard() -> None:
    """Raise `ResultsError` if TensorBoard is not installed, so that a caller can fail early."""
    try:
        import tensorboard.summary  # noqa: F401
    except ImportError as error:
        raise extra_missing("TensorBoard", "tensorboard") from error


def _run_folder(store: Store) -> str:
    """Return the name of a run's folder, which tells simulated runs apart."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", store.name).lstrip(".") or "-"  # two runs' names may differ in a dot
    return f"simulated-{name}" if store.simulated and not name.startswith("simulated-") else name


def _run(trial: TrialRow) -> str:
    return f"seed-{trial.repeat}" if trial.repeat else "search"


def _safe(name: str) -> str:
    """Return a name with characters that every file system allows."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name) or "-"
