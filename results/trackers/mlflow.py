"""Export of a run to MLflow: the search as a run, the trials behind its table as nested runs, its files as artifacts.

Logging again adds new trials and keeps the others: the tag `gatesearch.key` identifies them.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results.store.database import PROFILE_FILE
from results.store.errors import ResultsError
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.summary import funnel
from results.store.words import TrialState
from results.tables.file_names import TEXT_FILES, TRIALS_FILE
from results.trackers.addresses import checked_address, without_password
from results.trackers.exported_trials import ExportedTrial, exported_trials, extra_missing
from search.cells.ids import printed_id

KEY = "gatesearch.key"
"""Tag that identifies a run."""

_PARENT = "mlflow.parentRunId"
_ARTIFACTS = (*TEXT_FILES, TRIALS_FILE, PROFILE_FILE, "report.html")
_MOST_METRICS = 1000  # in one call of MLflow


def log_run(store: Store, tasks: Sequence[str], uri: str, experiment: str = "gatesearch") -> int:
    """Log a run to the tracking store at `uri`, and return the number of trials added.

    Args:
        store: the run.
        tasks: its ranked tasks.
        uri: address of a server; or of a database, if the whole package mlflow is installed; or a folder, if the
            environment has MLFLOW_ALLOW_FILE_STORE=true.
        experiment: name of the experiment in MLflow.

    Raises:
        ResultsError: MLflow is not installed or reports an error, or the table cannot be made.
        StoreError: the run's store cannot be read.
    """
    require_mlflow()
    uri = checked_address(uri)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        return _log(MlflowClient(tracking_uri=uri), store, tasks, experiment)
    except (MlflowException, ImportError, OSError) as error:  # a database needs packages that mlflow-skinny lacks
        reason = without_password(" ".join(str(error).split()))[:700].rstrip(".; ")
        remedy = (
            "install the whole package mlflow, or give a server's address"
            if isinstance(error, ImportError)
            else "check the address and that an MLflow server runs there, then repeat --mlflow"
        )
        raise ResultsError(f"MLflow at {without_password(uri)!r} refuses: {reason}; {remedy}") from None


def require_mlflow() -> None:
    """Raise `ResultsError` if MLflow is not installed, so that a caller can fail early."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # fail fast if there is no server
    try:
        import mlflow.exceptions
        import mlflow.tracking  # noqa: F401
    except ImportError as error:
        raise extra_missing("MLflow", "mlflow") from error


def _log(client: Any, store: Store, tasks: Sequence[str], experiment: str) -> int:
    found = client.get_experiment_by_name(experiment)
    if found is not None and found.lifecycle_stage != "active":
        raise ResultsError(
            f"MLflow's experiment {experiment!r} is deleted there; restore it (mlflow experiments restore "
            f"--experiment-id {found.experiment_id}), or remove it for good (mlflow gc), then repeat --mlflow"
        )
    place = found.experiment_id if found is not None else client.create_experiment(experiment)
    parent = _run(client, place, f"{store.first_name}/{store.seed}/{store.identity}", store.name, {})
    if parent.data.params == {}:
        for name in ("name", "seed", "strategy", "window"):
            client.log_param(parent.info.run_id, name, getattr(store, name))
        client.log_param(parent.info.run_id, "simulated", store.simulated)
    counts = funnel(store)
    for name, value in (("proposals", counts.proposals), ("complete", counts.complete)):
        client.log_metric(parent.info.run_id, name, value)
    below = {_PARENT: parent.info.run_id}
    known = _known(client, place, parent.info.run_id)
    trials = [exported for exported in exported_trials(store, tasks) if _key(store, exported) not in known]
    for exported in trials:
        _log_trial(client, place, _key(store, exported), exported, below)
    for name in _ARTIFACTS:
        path: Path = store.folder / name
        if path.exists():
            client.log_artifact(parent.info.run_id, str(path))
    client.set_terminated(parent.info.run_id)
    return len(trials)


def _log_trial(client: Any, place: str, key: str, exported: ExportedTrial, tags: dict[str, str]) -> None:
    from mlflow.entities import Metric, Param

    label, trial = exported.label, exported.trial
    run = client.create_run(place, run_name=f"{label} {trial.task} {trial.repeat}", tags=tags | {KEY: key}).info
    given = {
        "cell": label,
        "id": printed_id(trial.cell),
        "task": trial.task,
        "repeat": trial.repeat,
        "seed": trial.seed,
    }
    given |= fields_in(trial.setting) | {"state": trial.state, "metric": trial.metric}
    values = [("test", trial.test, 0), ("test_loss", trial.test_loss, 0), ("best_validation", trial.validation, 0)]
    values += [("seconds", trial.seconds, 0), ("parameters", float(trial.parameters), 0)]
    for step, loss, metric in trial.curve:
        values += [("training_loss", loss, step), ("validation", metric, step)]
    metrics = [Metric(n, v, run.start_time, s) for n, v, s in values if v is not None and math.isfinite(v)]
    client.log_batch(run.run_id, params=[Param(name, str(value)) for name, value in given.items()])
    for start in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(run.run_id, metrics=metrics[start : start + _MOST_METRICS])
    client.set_terminated(run.run_id, "FINISHED" if trial.state != TrialState.FAILED else "FAILED")


def _key(store: Store, exported: ExportedTrial) -> str:
    trial = exported.trial
    return "/".join(
        [store.first_name, str(store.seed), store.identity, trial.cell, trial.task, trial.setting, str(trial.repeat)]
    )


def _run(client: Any, place: str, key: str, name: str, tags: dict[str, str]) -> Any:
    """Return the run with this key, created if there is none."""
    wanted = key.replace("'", "")
    found = client.search_runs([place], f"tags.`{KEY}` = '{wanted}'", max_results=1)
    return found[0] if found else client.create_run(place, run_name=name, tags=tags | {KEY: wanted})


def _known(client: Any, place: str, parent: str) -> set[str]:
    """Return the keys of the trials that are logged below a run."""
    keys: set[str] = set()
    token = None
    while True:
        page = client.search_runs([place], f"tags.`{_PARENT}` = '{parent}'", max_results=1000, page_token=token)
        keys.update(run.data.tags.get(KEY, "") for run in page)
        token = page.token
        if not token:
            return keys
