"""What becomes of a finished trial: its row in the store, and once the environment that it was trained in."""

from collections.abc import Mapping

from results.store.records import TrialRow
from results.store.store import Store
from search.training.settings import Setting
from search.training.trial import TrialResult
from search.workers.environment import environment_id
from tasks.task import Metric


class Recorder:
    """Stores trials, each in a transaction of its own. `metrics` has that of every task."""

    def __init__(self, store: Store, metrics: Mapping[str, Metric]) -> None:
        self.store, self.metrics = store, metrics
        self._environments: dict[str, str] = {}  # description -> id, of those that are stored

    def record(
        self,
        cell: str,
        task: str,
        setting: Setting,
        repeat: int,
        seed: int,
        result: TrialResult,
        proposal: int | None = None,
    ) -> None:
        """Store a trial of the cell with this id, which `proposal` asked for. Raises `StoreError` where that fails."""
        metric = self.metrics[task]
        row = TrialRow(
            cell=cell,
            task=task,
            setting=setting.key,
            repeat=repeat,
            seed=seed,
            state=result.state,
            reason=result.reason,
            metric=metric.name,
            higher_is_better=metric.higher_is_better,
            validation=result.validation,
            validation_se=result.validation_se,
            test=result.test,
            test_se=result.test_se,
            validation_loss=result.validation_loss,
            test_loss=result.test_loss,
            best_step=result.best_step,
            steps=result.steps,
            seconds=result.seconds,
            parameters=result.parameters,
            units=result.units,
            curve=tuple((p.step, p.loss, p.validation) for p in result.curve),
            environment=self._environment_of(result),
            proposal=proposal,
        )
        self.store.record(None, [row])

    def _environment_of(self, result: TrialResult) -> str | None:
        """The id of what the trial was trained by, which is stored once."""
        description = result.environment
        if description is None:
            return None
        if description not in self._environments:
            self._environments[description] = environment_id(description)
            self.store.add_environment(self._environments[description], description)
        return self._environments[description]
