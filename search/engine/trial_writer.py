"""Writer of finished trials: each trial in a transaction of its own, each environment once."""

import json
from collections.abc import Mapping

from results.store.store import Store
from search.engine.rows import measure_rows, trial_row
from search.training.settings import Setting
from search.training.trial import TrialResult
from search.workers.environment import environment_id
from search.workers.job import check_task_failure
from tasks.task import Metric, Task


class TrialWriter:
    """Writer of trials into a store.

    Trials on other data than those that the run began with have an environment of their own, with the checksums.

    Args:
        store: the store.
        tasks: every task, by name.
    """

    def __init__(self, store: Store, tasks: Mapping[str, Task]) -> None:
        self.store = store
        self.metrics: dict[str, Metric] = {name: task.metric for name, task in tasks.items()}
        self._other_data = {
            name: tasks[name].checksum
            for name, checksum in store.data_checksums.items()
            if name in tasks and tasks[name].checksum != checksum
        }
        self._environments: dict[str, str] = {}  # description -> id, of the environments that are stored

    def write(
        self,
        cell: str,
        task: str,
        setting: Setting,
        repeat: int,
        seed: int,
        result: TrialResult,
        proposal: int | None = None,
    ) -> None:
        """Store the trial of the cell with this id, which `proposal` asked for first.

        Raises:
            TaskError: the trial failed in the code of its task. It is not stored, because the cell is not to blame.
            StoreError: the store cannot be written.
        """
        check_task_failure(result, task)
        row = trial_row(
            cell,
            task,
            setting,
            repeat,
            seed=seed,
            result=result,
            metric=self.metrics[task],
            environment=self._environment_of(result, task),
            proposal=proposal,
        )
        self.store.record(None, [row], measure_rows(row, result))

    def _environment_of(self, result: TrialResult, task: str) -> str | None:
        """Return the id of the environment that trained the result, and store the environment if it is new."""
        description = result.environment
        if description is None:
            return None
        if task in self._other_data:
            data = {"data": {task: self._other_data[task]}}
            description = json.dumps(json.loads(description) | data, sort_keys=True, separators=(",", ":"))
        if description not in self._environments:
            self._environments[description] = environment_id(description)
            self.store.add_environment(self._environments[description], description)
        return self._environments[description]
