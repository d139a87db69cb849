"""The search itself: from the named cells through the proposals to the end, a function of its seed.

Three rules make a run repeatable, whatever the number of workers, the order in which they finish, or how often the run
was killed and resumed:

- whatever is drawn is drawn by key (`search.core.keys`);
- proposal k sees the outcomes of exactly the proposals up to k - W, told in order of k; W belongs to the run;
- a trial is known by cell, task, setting and repeat. It is stored as soon as it is finished, and a stored one is not
  trained again. Resuming is running the same search over the same store: what ended before is told to the strategy
  without drawing it again (`search.engine.history`), but for a sample, which shows that this version would draw the
  same.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from results.scores.score import finite_ratio, score
from results.store.records import CellRow, EvaluationRow, ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import COMPLETE, Origin, ProposalKind, TrialState
from search.cells.graph import GateGraph, Op
from search.cells.notation.formula import format_formula, parse_formula
from search.core.errors import SearchError
from search.core.keys import generator_of, trial_seed
from search.engine.history import History, Past
from search.engine.stages import Judgement, Path
from search.engine.trial_writer import Recorder
from search.profiles.sections import MEMORIZATION, Profile
from search.strategies.base import Outcome, Proposal, Strategy
from search.strategies.registry import strategy_class
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.training.trial import Point, TrialResult
from search.workers.executor import Executor
from search.workers.job import Job
from tasks.task import Metric, Task

REFERENCE = "gru"
"""The cell that scores are ratios to."""

CHECKS = 50
"""Of the proposals that ended before a run is resumed, about so many are drawn again and compared."""

GRAPHS = 512
"""Graphs kept of those that were read from the store: more than the cells that a strategy draws from at a time."""


@dataclass
class Progress:
    """What a display shows; the engine keeps it up to date."""

    baselines: int = 0
    baselines_done: int = 0
    proposals: int = 0
    proposals_done: int = 0
    trials_run: int = 0
    trials_known: int = 0
    past: dict[str, int] = field(default_factory=dict)  # new cells that passed each stage
    endings: dict[str, int] = field(default_factory=dict)  # how proposals of new cells ended
    best_cell: str | None = None
    best_score: float | None = None
    finalists: int = 0  # trials of the finalists, 0 until they are known
    finalists_done: int = 0
    started: float = field(default_factory=time.monotonic)


@dataclass
class _Running:
    path: Path
    waiting: dict[int, Setting] = field(default_factory=dict)
    results: dict[Setting, TrialResult] = field(default_factory=dict)


class Engine:
    """Runs a search over a store, an executor and the tasks.

    `tasks` has an object for memorization and for every task of the profile. `on_change` is called after every trial,
    `on_outcome` after each proposal that came to its end since the run was started or resumed. With a `simulation`
    no trial is trained.
    """

    def __init__(
        self,
        profile: Profile,
        seed: int,
        tasks: Mapping[str, Task],
        store: Store,
        executor: Executor,
        *,
        simulation: Simulation | None = None,
        on_change: Callable[[Progress], None] = lambda progress: None,
        on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self.profile, self.seed, self.tasks, self.store, self.executor = profile, seed, tasks, store, executor
        self.simulation, self.on_change, self.on_outcome = simulation, on_change, on_outcome
        self.metrics: dict[str, Metric] = {name: task.metric for name, task in tasks.items()}
        self.strategy: Strategy = strategy_class(profile.search.strategy)(
            profile, seed, self.metrics, lru_cache(GRAPHS)(self._graph_of)
        )
        self.progress = Progress(len(profile.given), proposals=profile.search.proposals)
        self._names = {graph.id: name for name, graph in reversed(profile.given.items())}
        self._constant_baselines = {name: task.constant_baseline() for name, task in tasks.items()}
        self._budgets = budgets(profile)
        self._reference: dict[str, float] = {}
        self._running: dict[int, _Running] = {}  # by proposal
        self._readers: dict[int, list[int]] = {}  # ticket -> the proposals that wait for it
        self._tickets: dict[tuple[str, str, Setting], int] = {}  # of the trials that are queued or running
        self._finished: dict[int, Outcome] = {}  # ended, not told yet
        self._recorder = Recorder(store, self.metrics)

    def run(self) -> None:
        """The whole search. Raises `SearchError` where the GRU has no result to compare with."""
        self.run_baselines()
        self.run_proposals()

    def run_proposals(self) -> None:
        """From the first proposal to the last; the baselines come first."""
        window, total = self.profile.search.window, self.profile.search.proposals
        for index in range(self._take_up(), total):
            if index >= window:
                self.strategy.tell(self._wait_for(index - window))
            self._start(self.strategy.ask(index))
        for index in range(max(0, total - window), total):
            self.strategy.tell(self._wait_for(index))

    def _take_up(self) -> int:
        """Go to where the run was interrupted: tell the strategy what ended, and return the first index to ask for.

        Raises `SearchError` where the store has proposals that this version would not make.
        """
        window, total = self.profile.search.window, self.profile.search.proposals
        history = History.read(self.store)
        ended = min(len(history.proposals), total)
        every = max(1, ended // CHECKS)
        for index, past in enumerate(history.proposals[:ended]):
            if index >= window:
                self._learn(history.proposals[index - window])
            if index % every == 0 or index == ended - 1:
                self._check(self.strategy.ask(index), past.row)
            else:
                self.strategy.skip(index, past.row.cell)
            self._count_past(past)
        for past in history.proposals[max(0, ended - window) : ended]:
            self._finished[past.row.index] = self._outcome_of(past)
        self.progress.trials_known += history.trials
        if ended:
            self.on_change(self.progress)
        return ended

    def _learn(self, past: Past) -> None:
        row = past.row
        self.strategy.learn(row.index, ProposalKind(row.kind), row.cell, past.visits, row.outcome)

    def _outcome_of(self, past: Past) -> Outcome:
        row = past.row
        graph = self._graph_of(row.cell) if row.cell is not None else None
        return Outcome(Proposal(row.index, ProposalKind(row.kind), graph, row.parent), past.visits, row.outcome)

    def _count_past(self, past: Past) -> None:
        row = past.row
        self.progress.proposals_done += 1
        if row.kind == ProposalKind.PROPOSE:
            self.progress.endings[row.outcome] = self.progress.endings.get(row.outcome, 0) + 1
            for visit in past.visits:
                if visit.passed:
                    self.progress.past[visit.task] = self.progress.past.get(visit.task, 0) + 1
        if row.cell is not None:
            self._note_best(row.cell, row.score)

    def _graph_of(self, cell: str) -> GateGraph:
        return parse_formula(self.store.cell(cell).formula).canonical()

    def run_baselines(self) -> None:
        """The cells that were given, which scores and transferred settings come from."""
        names = list(self.profile.given)
        proposals = [self._baseline(-1 - i, graph) for i, graph in enumerate(self.profile.given.values())]
        for proposal in proposals:
            self._start(proposal)
        outcomes = [self._wait_for(proposal.index) for proposal in proposals]
        self._reference = self._references(outcomes[names.index(REFERENCE)])
        for outcome in outcomes:
            self._judge_baseline(outcome)
        self.strategy.start(outcomes, self._reference, self._names)

    def _baseline(self, index: int, graph: GateGraph) -> Proposal:
        """A cell that was given, on every task, with settings that are the same for all of them."""
        settings: dict[str, tuple[Setting, ...]] = {}
        gate = self.profile.memorization
        rng = generator_of(self.seed, "baseline", MEMORIZATION)
        settings[MEMORIZATION] = self.profile.grid_of(gate).draw(gate.baseline_settings, rng)
        for task, section in self.profile.tasks.items():
            grid = self.profile.grid_of(section)
            count = len(grid) if section.baseline_settings == "all" else section.baseline_settings
            settings[task] = grid.draw(count, generator_of(self.seed, "baseline", task))
        return Proposal(index, ProposalKind.BASELINE, graph, settings=settings)

    def _references(self, gru: Outcome) -> dict[str, float]:
        reference = {}
        for visit in gru.visits:
            values = [value for value in visit.results.values() if value is not None]
            if visit.task == MEMORIZATION:
                continue
            if not values:
                raise SearchError(
                    f"no setting of the GRU has a result on {visit.task!r}, so nothing can be compared with it; "
                    "try more baseline_settings or smaller learning rates in the profile"
                )
            reference[visit.task] = self.metrics[visit.task].best(values)
        return reference

    def _judge_baseline(self, outcome: Outcome) -> None:
        """A baseline's proposal row, once the GRU's results are there to compare with."""
        graph = outcome.proposal.graph
        assert graph is not None
        score = self._score(outcome)
        self._note_best(graph.id, score)
        self.store.add_proposal(
            ProposalRow(outcome.proposal.index, ProposalKind.BASELINE, graph.id, None, outcome.ending, score, {})
        )

    def _start(self, proposal: Proposal) -> None:
        if proposal.graph is not None:
            self.store.add_cell(_cell_row(proposal, self._names.get(proposal.graph.id)))
        running = _Running(Path(proposal, self.profile, self.metrics, self._reference))
        self._running[proposal.index] = running
        self._advance(running)

    def _check(self, proposal: Proposal, row: ProposalRow) -> None:
        """That this version makes the proposal that is stored."""
        cell = proposal.graph.id if proposal.graph is not None else None
        if cell != row.cell:
            raise SearchError(
                f"proposal {proposal.index} of the stored run is cell {row.cell}, but this version of gatesearch, with "
                f"the same seed and profile, proposes {cell}; resume with the version that began the run"
            )

    def _advance(self, running: _Running) -> None:
        """Hand on what the proposal needs next; what the store knows is not trained again."""
        path = running.path
        while (step := path.step()) is not None:
            graph = path.proposal.graph
            assert graph is not None
            stored = {row.setting: row for row in self.store.trials(graph.id, step.task) if row.repeat == 0}
            for setting in step.settings:
                row = stored.get(setting.key)
                if row is not None:
                    running.results[setting] = result_of(row)
                    self.progress.trials_known += 1
                    if not _asked_before(row, path.proposal.index):
                        self.store.claim(graph.id, step.task, setting.key, 0, path.proposal.index)
                    continue
                # Two proposals in flight may be of one cell, and ask for the same trial: it is trained once.
                key = (graph.id, step.task, setting)
                if key not in self._tickets:
                    self._tickets[key] = self.executor.submit(self._job(graph, step.task, setting), path.proposal.index)
                ticket = self._tickets[key]
                running.waiting[ticket] = setting
                self._readers.setdefault(ticket, []).append(path.proposal.index)
            if running.waiting:
                return
            self._tell(running)
        self._end(path.outcome())

    def _job(self, graph: GateGraph, task: str, setting: Setting) -> Job:
        seed = trial_seed(self.seed, graph.id, task, setting.key, 0)
        return Job(graph, task, setting, self._budgets[task], seed, self._constant_baselines[task], self.simulation)

    def _wait_for(self, index: int) -> Outcome:
        while index not in self._finished:
            ticket, result = self.executor.next()
            self._take(ticket, result)
        return self._finished.pop(index)

    def _take(self, ticket: int, result: TrialResult) -> None:
        """A finished trial: stored first, then acted on by every proposal that waits for it."""
        indices = self._readers.pop(ticket)
        readers = [self._running[index] for index in indices]
        setting = readers[0].waiting[ticket]
        step, proposal = readers[0].path.step(), readers[0].path.proposal
        assert step is not None
        assert proposal.graph is not None
        seed = trial_seed(self.seed, proposal.graph.id, step.task, setting.key, 0)
        self._recorder.record(proposal.graph.id, step.task, setting, 0, seed, result, min(indices))
        del self._tickets[proposal.graph.id, step.task, setting]
        self.progress.trials_run += 1
        for running in readers:
            running.results[running.waiting.pop(ticket)] = result
            if not running.waiting:
                self._tell(running)
                self._advance(running)
        self.on_change(self.progress)

    def _tell(self, running: _Running) -> None:
        """Give the path the results of its step, and store the judgement of the visit if that ended it."""
        results, running.results = running.results, {}
        judgement = running.path.tell(results)
        proposal = running.path.proposal
        if judgement is not None:
            assert proposal.graph is not None
            self.store.record(_evaluation_row(proposal, judgement), [])
            if judgement.passed and proposal.kind is ProposalKind.PROPOSE:
                self.progress.past[judgement.task] = self.progress.past.get(judgement.task, 0) + 1

    def _end(self, outcome: Outcome) -> None:
        proposal = outcome.proposal
        del self._running[proposal.index]
        self._finished[proposal.index] = outcome
        if proposal.kind is ProposalKind.BASELINE:
            self.progress.baselines_done += 1
        else:
            self.progress.proposals_done += 1
            if proposal.kind is ProposalKind.PROPOSE:
                self.progress.endings[outcome.ending] = self.progress.endings.get(outcome.ending, 0) + 1
            self._record_proposal(outcome)
        self.on_outcome(outcome)
        self.on_change(self.progress)

    def _record_proposal(self, outcome: Outcome) -> None:
        proposal = outcome.proposal
        cell = proposal.graph.id if proposal.graph is not None else None
        score = self._score(outcome) if outcome.ending == COMPLETE else None
        if proposal.graph is not None:
            self._note_best(proposal.graph.id, score)
        rejections = {str(reason): count for reason, count in proposal.rejections.items()}
        self.store.add_proposal(
            ProposalRow(proposal.index, proposal.kind, cell, proposal.parent, outcome.ending, score, rejections)
        )

    def _score(self, outcome: Outcome) -> float | None:
        """The cell's score over all that this proposal and earlier ones found."""
        ratios: list[float | None] = []
        for name in self.profile.ranked:
            best = outcome.proposal.best_before.get(name)
            for value in next((v.results for v in outcome.visits if v.task == name), {}).values():
                if value is not None and (best is None or self.metrics[name].better(value, best)):
                    best = value
            if best is None:
                return None
            ratios.append(finite_ratio(best, self._reference[name], self.metrics[name].higher_is_better))
        return score(ratios)

    def _note_best(self, cell: str, score: float | None) -> None:
        if score is not None and (self.progress.best_score is None or score > self.progress.best_score):
            self.progress.best_score = score
            self.progress.best_cell = self._names.get(cell, cell[:8])


def budgets(profile: Profile) -> dict[str, Budget]:
    """The training budget of memorization, whose trials end once they pass, and of every task."""
    gate = profile.memorization
    found = {MEMORIZATION: gate.schedule.budget(target=gate.accuracy)}
    found.update({name: section.schedule.budget() for name, section in profile.tasks.items()})
    return found


def _cell_row(proposal: Proposal, name: str | None) -> CellRow:
    graph = proposal.graph
    assert graph is not None
    known = proposal.kind is ProposalKind.BASELINE
    return CellRow(
        id=graph.id,
        formula=format_formula(graph),
        name=name,
        parent=proposal.parent,
        mutations=tuple(f"{m.transformation}: {m.detail}" for m in proposal.mutations),
        origin=Origin.BASELINE if known else Origin.FOUND,
        proposal=None if known else proposal.index,
        nodes=len(graph),
        states=graph.states,
        products=sum(node.op is Op.LINEAR for node in graph),
    )


def _evaluation_row(proposal: Proposal, judgement: Judgement) -> EvaluationRow:
    assert proposal.graph is not None
    return EvaluationRow(
        proposal.index,
        proposal.graph.id,
        judgement.task,
        judgement.stage,
        judgement.settings,
        judgement.best,
        judgement.ratio,
        judgement.threshold,
        judgement.passed,
    )


def _asked_before(row: TrialRow, proposal: int) -> bool:
    """Whether an earlier proposal than this one asked for the trial, or this one; baselines have no claim to make."""
    return proposal < 0 or (row.proposal is not None and 0 <= row.proposal <= proposal)


def result_of(row: TrialRow) -> TrialResult:
    """The stored trial as its result, with the curve where it was read with it."""
    return TrialResult(
        TrialState(row.state),
        row.reason,
        validation=row.validation,
        validation_se=row.validation_se,
        validation_loss=row.validation_loss,
        test=row.test,
        test_se=row.test_se,
        test_loss=row.test_loss,
        best_step=row.best_step,
        steps=row.steps,
        seconds=row.seconds,
        parameters=row.parameters,
        units=row.units,
        curve=tuple(Point(*point) for point in row.curve),
    )
