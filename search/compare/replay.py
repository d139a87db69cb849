"""Replay of a stored run: allocations compared on recorded trials, in seconds and without training.

A replayed search tries the recorded cells one after the other, in an order drawn from its seed, and gives each the
training that the allocation decides: the whole recorded trials of the study's stages, or prefixes of them, cut from
their learning curves, as halving pauses them. It is the allocation's own code that decides (`search.allocations`); only
the trials are read instead of trained, and there is one proposal in flight. So a replay compares methods with the
strategy `sample`: what another strategy proposes is not recorded.

Rungs pause at the first recorded step at or after theirs. Trials of a stored run were not given up at `hopeless`, and
are charged in full. The score of a cell is that of the run: of its trials on fresh seeds if all cells have them, else
of its best recorded trials by validation. The GRU is the reference and no candidate. Until the first candidate is
complete, a search has the median score of all candidates, that of a cell drawn without any search.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from results.scores.anytime import Course
from results.scores.estimates import GRU, VALIDATION
from results.scores.finalists import first_round_scores
from results.scores.score import constants_of
from results.store.graphs import graph_of
from results.store.records import TrialRow
from results.store.store import Store
from results.store.words import ProposalKind, TrialState
from results.tables.methods import Compared, MethodFigures, SearchFigures
from search.allocations.base import Allocation, TrialKey, best_setting, paused_value
from search.allocations.registry import ALLOCATIONS
from search.cells.graph import GateGraph
from search.cells.library import label_of
from search.cells.text import shorten
from search.compare.comparison import compute_of, pairs_of, words_of
from search.compare.incumbents import Leaders
from search.compare.plan import Plan, method_profile
from search.core.errors import SearchError
from search.core.keys import generator_of
from search.engine.baselines import reference_of
from search.engine.budgets import budgets
from search.engine.ledger import Ledger
from search.engine.rows import trial_result
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks, task_names
from search.strategies.proposal import Proposal, Visit
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from search.training.trial import TrialResult
from tasks.task import Task

STRATEGY = "sample"
"""Strategy that a replay has: recorded cells in random order."""

_RECORDED = ("schedule", "parameters", "grid", "options", "task", "role")
"""Fields of a task's section that recorded trials depend on."""


@dataclass(frozen=True)
class _Recorded:
    """Recorded trial: its row with its curve, its result, and the multiply-adds of a prefix of it."""

    row: TrialRow
    result: TrialResult
    cost: Callable[[int | None], float]


class Recording:
    """Trials of a stored run that a replay can ask for.

    Args:
        store: store of the run.
        tasks: memorization and every task of the run's profile, by name.

    Raises:
        SearchError: the run has not at least two cells beside the GRU with trials on all ranked tasks.
        StoreError: the store cannot be read.
    """

    def __init__(self, store: Store, tasks: Mapping[str, Task]) -> None:
        self.name, self.store, self.profile = store.name, store, profile_of(store)
        self.tasks = tasks
        metrics = {name: task.metric for name, task in tasks.items()}
        self.rule = ScoreRule(self.profile.search.score, self.profile.ranked, metrics, constants_of(store, VALIDATION))
        ledger = Ledger(self.profile, tasks, store)
        self.trials: dict[tuple[str, str], dict[Setting, _Recorded]] = {}
        for row in store.trials(curves=True):
            if row.repeat == 0 and row.task in self.profile.visited and row.state != TrialState.PAUSED:
                setting = Setting.from_key(row.setting)
                recorded = _Recorded(row, trial_result(row), lambda until, row=row: ledger.cost(row, until))  # type: ignore[misc]
                self.trials.setdefault((row.cell, row.task), {})[setting] = recorded
        self.graphs: dict[str, GateGraph] = {
            row.id: graph_of(row).in_form(store.form)
            for row in store.cells()
            if all((row.id, task) in self.trials for task in self.profile.visited)
        }
        self.rule = self.rule.against(self._bests(GRU))
        self.scores = self._scores()
        self.candidates = sorted(cell for cell in self.graphs if cell in self.scores and cell != GRU)
        if GRU not in self.scores or len(self.candidates) < 2:
            raise SearchError(
                f"run {store.name!r} has {len(self.candidates)} cells beside the GRU with results on all ranked tasks; "
                "a replay needs at least 2, so name a larger run"
            )

    def _bests(self, cell: str) -> dict[str, float]:
        """Return the best validation metric of a cell on each ranked task."""
        return self.rule.bests(
            {
                task: [paused_value(one.result) for one in self.trials.get((cell, task), {}).values()]
                for task in self.profile.ranked
            }
        )

    def _scores(self) -> dict[str, float]:
        fresh = first_round_scores(self.store, self.profile.ranked)
        if set(self.graphs) <= set(fresh):
            return {cell: fresh[cell] for cell in self.graphs}
        found = {cell: self.rule.score(self._bests(cell)) for cell in self.graphs}
        return {cell: score for cell, score in found.items() if score is not None}

    def steps(self, task: str) -> list[int]:
        """Return the steps at which the curves of whole schedules have points."""
        return sorted(
            {
                p.step
                for (_, own), rows in self.trials.items()
                if own == task
                for r in rows.values()
                for p in r.result.curve
            }
        )

    def trial(self, method: str, cell: str, task: str, key: TrialKey) -> _Recorded:
        """Return a recorded trial.

        Raises:
            SearchError: the run does not have it.
        """
        found = self.trials.get((cell, task), {}).get(key.setting)
        if key.repeat or found is None:
            seed = f"further seed {-key.repeat} of " if key.repeat else ""
            remedy = "set halving.seeds = 0" if key.repeat else "give it fewer settings, or a run that tried all"
            raise SearchError(
                f"method {method} asks for {seed}cell {label_of(cell)} on {task!r} at {shorten(key.setting.key, 120)}, "
                f"which run {self.name!r} has not recorded; {remedy}"
            )
        return found


def replay_plan(plan: Plan, store: Store, load: Callable[[Profile], Mapping[str, Task]] = load_tasks) -> Compared:
    """Compare the methods of a plan on the recorded trials of a run.

    Args:
        plan: the plan, with the run's profile.
        store: store of the run.
        load: loads the tasks of a profile, for the sizes of their data.

    Raises:
        SearchError: a method asks for trials that the run has not recorded.
        StoreError: the store cannot be read.
        TaskError: the data of a task cannot be loaded.
    """
    profile = profile_of(store)
    profiles = {name: _method(plan, name, profile, store.name) for name in plan.methods}
    tasks = load(profile)
    recording = Recording(store, tasks)
    compute, training = compute_of(plan, profile, tasks)
    methods = []
    for name, own in profiles.items():
        searches = tuple(_search(recording, name, own, seed, compute) for seed in plan.seeds)
        methods.append(MethodFigures(name, STRATEGY, words_of(plan, name)[1], searches))
    return Compared(
        tuple(methods),
        compute,
        training,
        plan.standard,
        pairs_of(plan),
        confirm=0,
        simulated=store.simulated,
        description=plan.description or f"Replay of the recorded trials of run {store.name}.",
    )


def _method(plan: Plan, name: str, profile: Profile, run: str) -> Profile:
    """Return the profile of a method; raise `SearchError` if it asks for what no recorded trial can answer."""
    changes = {key: dict(value) if isinstance(value, dict) else value for key, value in plan.methods[name].items()}
    search = changes.get("search", {})
    strategy = search.pop("strategy", STRATEGY) if isinstance(search, dict) else STRATEGY
    if strategy != STRATEGY:
        raise SearchError(
            f"method {name} has the strategy {strategy!r}, which proposes cells that run {run!r} has not recorded; "
            f"a replay compares methods with the strategy {STRATEGY!r}, which tries the recorded cells"
        )
    own = method_profile(replace(plan, methods={**plan.methods, name: changes}), name)
    for task in task_names(profile):
        sections = (own.tasks.get(task, own.memorization), profile.tasks.get(task, profile.memorization))
        for field in _RECORDED:
            new, old = (getattr(section, field, None) for section in sections)
            if new != old:
                raise SearchError(
                    f"method {name} changes {field} of {task!r}, for which run {run!r} has recorded no trials; "
                    "leave it as it is"
                )
    return own


def _snapped(recording: Recording, method: str, allocation: Allocation) -> dict[str, tuple[int, ...]]:
    """Return the steps at which the rungs pause: for each, the first recorded step at or after its own."""
    found = {}
    for task in recording.profile.ranked:
        recorded = recording.steps(task)
        marks = tuple(next((step for step in recorded if step >= mark), mark) for mark in allocation.marks(task))
        last = allocation.budgets[task].steps
        if len({*marks, last}) <= len(marks):
            raise SearchError(
                f"method {method} pauses trials on {task!r} after {', '.join(map(str, allocation.marks(task)))} of "
                f"{last} steps, but run {recording.name!r} has recorded them after "
                f"{', '.join(map(str, recorded[:4]))}, ... alone; set fewer halving.rungs"
            )
        found[task] = marks
    return found


def _started(recording: Recording, method: str, profile: Profile, seed: int) -> Allocation:
    """Return the allocation of a method, which knows the GRU's recorded results."""
    kind = ALLOCATIONS[profile.search.allocation]
    snapped = _snapped(recording, method, kind(profile, seed, budgets(profile)))

    class Snapped(kind):  # type: ignore[valid-type, misc]
        def marks(self, task: str) -> tuple[int, ...]:
            return snapped.get(task, ())

    allocation: Allocation = Snapped(profile, seed, budgets(profile))
    settings = {}
    for task in profile.visited:
        values = {setting: paused_value(one.result) for setting, one in recording.trials[GRU, task].items()}
        found = best_setting(recording.rule, Visit(task, values, True))
        if found is not None:
            settings[task] = found
    if allocation.reference_repeats:
        first = TrialKey(settings[profile.ranked[0]], allocation.reference_repeats[0])
        recording.trial(method, GRU, profile.ranked[0], first)
    allocation.start(reference_of(recording.store, GRU, recording.rule, allocation, settings, profile.ranked))
    return allocation


def _search(recording: Recording, method: str, profile: Profile, seed: int, budget: float) -> SearchFigures:
    """Return the figures of one replayed search."""
    allocation = _started(recording, method, profile, seed)
    order = [recording.candidates[k] for k in generator_of(seed, "replay").permutation(len(recording.candidates))]
    paid: dict[tuple[str, str, TrialKey], float] = {}
    leaders = Leaders(allocation.whole)
    computes, scores = [0.0], [float(np.median([recording.scores[cell] for cell in recording.candidates]))]
    spent = total = 0.0
    index = proposals = complete = 0
    while total < budget:
        promotion = allocation.promotion(index)
        if promotion is not None:
            cell, kind, settings = promotion.cell, ProposalKind.PROMOTE, promotion.settings
        elif order:
            cell, kind = order.pop(0), ProposalKind.PROPOSE
            settings = _first_settings(recording, method, cell, profile, seed)
        else:
            break
        proposal = Proposal(index, kind, recording.graphs[cell], settings=settings, memorized=True)
        course = allocation.course(proposal, recording.rule)
        while (step := course.step()) is not None:
            results = {}
            for key in step.trials:
                recorded = recording.trial(method, cell, step.task, key)
                cost, trial = recorded.cost(step.until), (cell, step.task, key)
                total += max(0.0, cost - paid.get(trial, 0.0))
                paid[trial] = max(cost, paid.get(trial, 0.0))
                results[key] = recorded.result if step.until is None else recorded.result.at(step.until)
            course.tell(results)
        outcome = course.outcome()
        rung, standing = allocation.learn(index, kind, cell, outcome.visits, outcome.ending)
        index += 1
        if total > budget:
            break
        proposals, spent = proposals + 1, total
        if not outcome.is_complete:
            continue
        complete += 1
        if standing is None:
            bests = {visit.task: [*visit.results.values()] for visit in outcome.visits}
            standing = recording.rule.score(recording.rule.bests(bests))
        if standing is None:
            continue
        leaders.rank(cell, rung, standing)
        assert leaders.leader is not None
        score = recording.scores[leaders.leader]
        if score != scores[-1]:
            computes.append(spent)
            scores.append(score)
    return SearchFigures(seed, Course(tuple(computes), tuple(scores)), proposals, complete, spent, total, 0.0, 0.0)


def _first_settings(
    recording: Recording, method: str, cell: str, profile: Profile, seed: int
) -> Mapping[str, tuple[Setting, ...]]:
    """Draw the settings of a new candidate from those that were recorded."""
    halving = profile.search.allocation == "halving"
    settings = {}
    for task in profile.visited:
        recorded = sorted(recording.trials[cell, task])
        count = profile.halving.settings[0] if halving else profile.tasks[task].settings
        if count > len(recorded):
            raise SearchError(
                f"method {method} asks for {count} settings of cell {label_of(cell)} on {task!r}, of which run "
                f"{recording.name!r} has recorded {len(recorded)}; give it fewer settings"
            )
        chosen = generator_of(seed, "replay", cell, task).permutation(len(recorded))[:count]
        settings[task] = tuple(recorded[int(k)] for k in np.sort(chosen))
    return settings
