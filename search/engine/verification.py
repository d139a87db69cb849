"""Verification of a stored run: that it is what its seed and profile produce. Second half of `gatesearch verify`.

A replay runs the whole search again in a temporary store with the same engine; each trial is answered from the stored
run instead of being trained. Each proposal, evaluation and cell must come out as stored, and each trial must be asked
for under its seed. So every decision of the run is shown to follow from its trials.

A trial that was paused, and that another processor or version took up, began anew there, and its stored curve is that
of its second training. Where a rung had one setting and its stored evaluation has another result than that curve, the
replay takes the evaluation's result, if it is within a tenth of the curve's, and says how many there are and how far
apart. In a run of one environment nothing begins anew, and such a difference is an error.

The finalists' trials enter no
decision; their seeds and settings are compared with those that they must have. Retraining then draws trials at random
and trains them again.
"""

import heapq
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np

from results.publication.consistency import Check
from results.scores.confirmation import declared_seeds
from results.store.errors import ResultsError
from results.store.information import FIRST_CONFIRMATION, MAX_REPEATS
from results.store.queries import check_setting_keys, environment_texts
from results.store.records import CellRow, EvaluationRow, MeasureRow, ProposalRow, TrialRow
from results.store.schema import SCHEMA_VERSION
from results.store.setting_key import LaterKeyError
from results.store.store import Store
from search.cells.ids import printed_id, short_id
from search.cells.text import counted, shorten
from search.core.errors import SearchError
from search.core.keys import finalist_seed
from search.engine.outside import OutsideEngine, engine_class, told_cells
from search.engine.rows import is_enough, other_metrics, trial_result
from search.profiles.sections import Profile
from search.training.simulation import simulation_of
from search.training.trial import OtherMetric, TrialResult
from search.workers.environment import changes, own_environment
from search.workers.executor import Executor, LocalExecutor
from search.workers.job import Job, check_task_failure, run_job
from tasks.task import Task

STANDARD_ERRORS, RELATIVE = 4.0, 0.02
"""Tolerance between two metrics of one trial that was trained in different environments: a number of standard errors of
the evaluation set, plus a share of the metric. Rounding differs between environments, and training amplifies it."""

ANEW = 0.1
"""Largest relative difference between a result at a rung and that of the same trial that began anew elsewhere."""

Key: TypeAlias = tuple[str, str, str, int]
"""Identity of a trial: cell, task, setting, repeat."""


class _UnfinishedError(Exception):
    """Raised when the run has none of the trials that the replay waits for."""


class _Recalling(Executor):
    """Executor that answers jobs from the trials of a stored run, and keeps the jobs.

    `anew` counts the results at rungs that are those of the evaluations, since their trials began anew later, and
    `apart` is the largest relative difference of one of them from the trial's curve.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._environments = environment_texts(store)
        self._evaluations: dict[tuple[str, str], list[EvaluationRow]] = {}
        if len(self._environments) > 1:
            for evaluation in store.evaluations():
                self._evaluations.setdefault((evaluation.cell, evaluation.task), []).append(evaluation)
        self._paused: dict[tuple[str, str], list[int]] = {}  # steps of the rungs so far, by cell and task
        self.anew, self.apart = 0, 0.0
        self.jobs: dict[Key, Job] = {}

    def next(self) -> tuple[int, TrialResult]:
        unknown = []
        try:
            while self._queue:
                waiting = heapq.heappop(self._queue)
                row = self._row(waiting.job)
                if row is not None and is_enough(row, waiting.job.until):
                    self.jobs[_key_of(row)] = replace(waiting.job, checkpoint=None)
                    description = self._environments.get(row.environment or "")
                    result = trial_result(row)
                    if waiting.job.until is not None:
                        result = self._at_rung(waiting.job, row, result.at(waiting.job.until))
                    return waiting.number, replace(result, environment=description)
                unknown.append(waiting)
            raise _UnfinishedError
        finally:
            for waiting in unknown:
                heapq.heappush(self._queue, waiting)

    def _at_rung(self, job: Job, row: TrialRow, result: TrialResult) -> TrialResult:
        """Return the result of a job that pauses; that of the evaluation if its trial began anew after that."""
        assert job.until is not None
        key = job.graph.id, job.task
        steps = self._paused.setdefault(key, [])
        if job.until not in steps:
            steps.append(job.until)
        evaluations = self._evaluations.get(key, [])
        rung = steps.index(job.until)
        if row.steps <= job.until or rung >= len(evaluations):
            return result
        evaluation = evaluations[rung]
        if evaluation.settings != 1 or evaluation.best is None or evaluation.best == result.validation:
            return result
        apart = math.inf if result.validation is None else abs(result.validation / (evaluation.best or math.nan) - 1)
        if not apart <= ANEW:
            return result
        self.anew += 1
        self.apart = max(self.apart, apart)
        return replace(result, validation=evaluation.best)

    def _row(self, job: Job) -> TrialRow | None:
        rows = self._store.repeats(job.graph.id, job.task, job.setting.key)
        return next((row for row in rows if row.seed == job.seed), None)


@dataclass(frozen=True)
class Replay:
    """Result of a replay: the check, and the job of each trial of the run."""

    check: Check
    jobs: Mapping[Key, Job]


def replay(
    store: Store, profile: Profile, tasks: Mapping[str, Task], on_outcome: Callable[[], None] = lambda: None
) -> Replay:
    """Run the search of a stored run again over its trials, and compare every row.

    Args:
        store: store of the run.
        profile: profile of the run.
        tasks: memorization and every task of the profile, by name.
        on_outcome: called after every proposal.

    Raises:
        StoreError: the store cannot be read.
    """
    executor = _Recalling(store)
    try:
        check_setting_keys(store)
    except LaterKeyError as error:  # its proposals cannot be told from a wrong run's
        return Replay(Check("replay", None, str(error)), executor.jobs)
    except ResultsError as error:
        return Replay(Check("replay", False, str(error)), executor.jobs)
    with tempfile.TemporaryDirectory(prefix="gatesearch-") as folder:
        again = Store.create(
            Path(folder) / "replay",
            name="replay",
            seed=store.seed,
            profile=store.profile,
            strategy=store.strategy,
            window=store.window,
            information={
                "constants": store.constants,
                "chance": store.chance,
                "canonical_form": int(store.form),
                "drained": list(store.drained),
                "begun": store.begun,
            },
        )
        finished = True
        with again:
            engine = engine_class(profile)(
                profile,
                store.seed,
                tasks,
                again,
                executor,
                simulation=simulation_of(store),
                on_outcome=lambda outcome: on_outcome(),
            )
            if isinstance(engine, OutsideEngine):  # cells that were told cannot be drawn again; all else is checked
                engine.recall(told_cells(store))
            try:
                engine.run()
            except _UnfinishedError:
                finished = False
            except SearchError as error:
                return Replay(Check("replay", False, str(error)), executor.jobs)
            retrained = _finalists(store, profile, executor.jobs)
            difference = next(chain(_differences(store, again, finished), retrained), None)
            stored = again.proposals()
    if difference is not None:
        return Replay(Check("replay", False, difference), executor.jobs)
    what = "the whole search" if finished else "the unfinished search"
    finalists = sum(repeat > 0 for _, _, _, repeat in executor.jobs)
    given = sum(row.index < 0 for row in stored)
    detail = (
        f"{what}, replayed over its {len(executor.jobs) - finalists:,} trials, gives every row of "
        f"{counted(given, 'given cell')} and {counted(len(stored) - given, 'proposal')}"
    )
    detail += f"; {finalists:,} trials of finalists have their seeds and settings" if finalists else ""
    if executor.anew:
        results = counted(executor.anew, "result of a rung is", "results of rungs are")
        detail += (
            f"; {results} as evaluated, up to {executor.apart:.1%} from the curves, as where another processor or "
            "version takes up a paused trial, which then begins anew"
        )
    return Replay(Check("replay", True, detail), executor.jobs)


def retrain_sample(
    store: Store, tasks: Mapping[str, Task], jobs: Mapping[Key, Job], count: int, seed: int
) -> Iterator[Check]:
    """Retrain randomly drawn trials of a run, and yield a check for each.

    A trial of this environment (versions, processor, commit) must agree in every number but its time. A trial of
    another environment, where rounding differs, must agree within a tolerance. Trials without an environment, whose
    worker process died, are not drawn.

    Args:
        store: store of the run.
        tasks: memorization and every task of the profile, by name.
        jobs: jobs of the run's trials, from a replay.
        count: number of trials.
        seed: seed of the draw.
    """
    LocalExecutor(tasks)  # sets one thread, as for every trial
    rows = [row for row in store.trials() if row.environment is not None and _key_of(row) in jobs]
    environments = store.environments()
    rng = np.random.default_rng(seed)
    for place in rng.permutation(len(rows))[:count]:
        row = store.trial(rows[place].cell, rows[place].task, rows[place].setting, rows[place].repeat)
        assert row is not None
        job = jobs[_key_of(row)]
        result = run_job(job, tasks[job.task])
        check_task_failure(result, job.task)
        assert row.environment is not None
        changed = changes(environments[row.environment], json.loads(own_environment()))
        measures = [measure for measure in store.measures(row.cell, row.task) if _key_of(measure) == _key_of(row)]
        others = other_metrics(measures) if store.version >= SCHEMA_VERSION else None
        yield _compared(row, others, result, [f"{what} {old}" for what, (old, _) in changed.items()])


def _key_of(row: TrialRow | MeasureRow) -> Key:
    return row.cell, row.task, row.setting, row.repeat


def _compared(row: TrialRow, others: tuple[OtherMetric, ...] | None, result: TrialResult, changed: list[str]) -> Check:
    """Compare a stored trial with its repetition.

    Args:
        row: the stored trial.
        others: its other metrics; None for a run that does not store them.
        result: the repetition.
        changed: the differences between the two environments.
    """
    name = f"{short_id(row.cell)} on {row.task}"
    there = f"; trained under {', '.join(changed)}" if changed else ""
    by_name = sorted(result.others, key=lambda other: other.name)
    result = replace(result, others=() if others is None else tuple(by_name))
    stored = replace(trial_result(row), others=others or ())
    different = [
        field.name
        for field in fields(TrialResult)
        if field.name not in ("seconds", "environment", "checkpoint")
        and not _equal(getattr(stored, field.name), getattr(result, field.name))
    ]
    if not different:
        return Check(name, True, f"{row.steps:,} steps, {row.state}: equal to the last bit{there}")
    if not changed:
        old, new = (_short(getattr(which, different[0])) for which in (stored, result))
        return Check(name, False, f"{different[0]} was stored as {old}, but training gives {new}")
    if row.validation is None or result.validation is None:
        alike = (row.validation is None) == (result.validation is None)
        return Check(name, alike, f"{row.state} in the store, {result.state} now{there}")
    allowed = STANDARD_ERRORS * (row.validation_se or 0.0) + RELATIVE * abs(row.validation)
    detail = (
        f"validation {row.validation:.5g} in the store, {result.validation:.5g} now, tolerance {allowed:.2g}{there}"
    )
    return Check(name, abs(row.validation - result.validation) <= allowed, detail)


def _equal(a: object, b: object) -> bool:
    """Return whether two values are equal, where NaN, infinity and None are one value, within curves too."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "__dataclass_fields__") and type(a) is type(b):
        return all(_equal(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    return a == b or (_missing(a) and _missing(b))


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _short(value: object) -> str:
    return shorten(repr(value), 60)


def _differences(stored: Store, again: Store, finished: bool) -> Iterator[str]:
    """Yield the differences between two stores of one search: rows in only one of them, and rows with other values.

    A trial's proposal is stored after the trial, so the process may have been killed in between: it is compared only if
    the search is `finished`.
    """
    yield from _between("cell", _cells(stored), _cells(again))
    for cell in stored.cells():
        found, expected = (
            {
                f"{printed_id(row.cell)} on {row.task}, {row.setting}, repeat {row.repeat}": row
                for row in trials
                if row.repeat <= 0
            }
            for trials in (stored.trials(cell.id, curves=True), again.trials(cell.id, curves=True))
        )
        yield from _between("trial", found, expected, () if finished else ("proposal",))
    kinds: list[tuple[str, Iterable[EvaluationRow | ProposalRow], Iterable[EvaluationRow | ProposalRow]]] = [
        ("evaluation", stored.evaluations(), again.evaluations()),
        ("proposal", stored.proposals(), again.proposals()),
    ]
    for kind, rows, others in kinds:
        yield from _between(kind, {_key(row): row for row in rows}, {_key(row): row for row in others})


def _cells(store: Store) -> dict[str, CellRow]:
    return {printed_id(row.id): row for row in store.cells()}


def _finalists(store: Store, profile: Profile, jobs: dict[Key, Job]) -> Iterator[str]:
    """Yield what is wrong with the finalists' trials; add the jobs of correct trials to `jobs`.

    The user may choose which cells are retrained, and how often. But each trial must have a setting that the search
    tried, and the seed that all cells share. A trial of the confirmation must have been declared, with its setting.
    """
    declared = store.confirmation
    planned = {} if declared is None else declared_seeds(declared)
    searched = {(cell, task, setting): job for (cell, task, setting, repeat), job in jobs.items() if repeat == 0}
    for row in store.trials():
        if row.repeat <= 0:
            continue
        name = f"trial {printed_id(row.cell)} on {row.task}, {row.setting}, repeat {row.repeat}"
        job = searched.get((row.cell, row.task, row.setting))
        if job is None or row.task not in profile.tasks:
            yield f"{name} is stored, but the search never tried this setting"
        elif row.seed != (seed := finalist_seed(store.seed, row.task, row.repeat)):
            yield f"{name}: seed is stored as {row.seed}, but the search gives {seed}"
        elif row.repeat >= FIRST_CONFIRMATION + planned.get((row.cell, row.task, row.setting), MAX_REPEATS):
            yield f"{name} is stored, but the confirmation's declaration asks for fewer seeds"
        elif row.repeat >= FIRST_CONFIRMATION and (row.cell, row.task, row.setting) not in planned:
            yield f"{name} is stored, but no confirmation at this setting was declared"
        else:
            jobs[_key_of(row)] = replace(job, seed=row.seed)


def _key(row: EvaluationRow | ProposalRow) -> str:
    if isinstance(row, ProposalRow):
        return str(row.index)
    return f"of proposal {row.proposal}, {printed_id(row.cell)} on {row.task}"


def _between(
    kind: str, stored: Mapping[str, object], again: Mapping[str, object], without: tuple[str, ...] = ()
) -> Iterator[str]:
    for key in stored.keys() - again.keys():
        yield f"{kind} {key} is stored, but the search with this seed and profile does not produce it"
    for key in again.keys() - stored.keys():
        yield f"{kind} {key} is not stored, but the search with this seed and profile produces it"
    for key, row in stored.items():
        other = again[key]
        for field in row.__dataclass_fields__:  # type: ignore[attr-defined]
            old, new = getattr(row, field), getattr(other, field)
            if field not in without and not _equal(old, new):
                yield f"{kind} {key}: {field} is stored as {_short(old)}, but the search gives {_short(new)}"
