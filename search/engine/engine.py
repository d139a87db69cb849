"""Engine of a search: baselines, then proposals, as a function of the seed.

Three rules make a run repeatable, whatever the number of workers, the order in which trials finish, and the number of
interruptions:

- every random draw has a generator of its own, seeded by a key (`search.core.keys`);
- proposal k sees the outcomes of exactly the proposals up to k - W, told in order; W, the window, belongs to the run;
  with a limit on compute, no proposal is asked for once the proposals told have spent it;
- a trial is identified by cell, task, setting and repeat. It is stored as soon as it is finished, and a stored trial is
  not trained again, except one that failed before the baselines were finished. A trial that fails in the code of its
  task ends the search and is not stored, because the cell is not to blame. To resume a run is to run the same search
  over the same store: the strategy is told what ended before the interruption without drawing it again
  (`search.engine.history`), except for a sample of proposals, which verifies that this version draws the same ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from results.scores.score import constants_of
from results.store.graphs import graph_of
from results.store.queries import proposal_count
from results.store.records import ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import ProposalKind
from search.cells.graph import GateGraph
from search.cells.library import REFERENCE, label_of
from search.core.errors import SearchError
from search.core.keys import trial_seed
from search.engine.baselines import baseline_proposal, check_reference, reference_metrics
from search.engine.budgets import budgets
from search.engine.history import History, PastProposal
from search.engine.ledger import Ledger
from search.engine.progress import Progress
from search.engine.rows import cell_row, evaluation_row, proposal_row, trial_result
from search.engine.stages import ProposalRun
from search.engine.trial_writer import TrialWriter
from search.profiles.sections import Profile
from search.strategies.base import Strategy
from search.strategies.proposal import Outcome, Proposal, Visit
from search.strategies.registry import strategy_class
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor
from search.workers.job import Job
from tasks.task import Metric, Split, Task

CHECKS = 50
"""Approximate number of stored proposals that are drawn again and compared when a run is resumed."""

GRAPHS = 512
"""Size of the cache of graphs read from the store: more than the cells that a strategy draws from at a time."""


@dataclass
class _Running:
    run: ProposalRun
    waiting: dict[int, Setting] = field(default_factory=dict)  # by ticket
    results: dict[Setting, TrialResult] = field(default_factory=dict)


class Engine:
    """Search over a store, an executor and tasks.

    Args:
        profile: profile of the run.
        seed: seed of the run.
        tasks: memorization and every task of the profile, by name.
        store: store of the run; what it holds is not trained again.
        executor: trains the jobs.
        simulation: draws the results of trials instead of training them.
        on_change: called after every trial and every proposal.
        on_outcome: called after every proposal that ends after the run was started or resumed.
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
        # A stored run has its constants, so that scores do not depend on the data when it is resumed or verified.
        stored = constants_of(store, Split.VALIDATION)
        self._constant_baselines = {
            name: stored[name] if name in stored else task.constant_baseline() for name, task in tasks.items()
        }
        self.rule = ScoreRule(profile.search.score, profile.ranked, self.metrics, self._constant_baselines)
        self.strategy: Strategy = strategy_class(profile.search.strategy)(
            profile, seed, self.rule, lru_cache(GRAPHS)(self._graph_of)
        )
        self._given = profile.given_in(store.form)
        self.progress = Progress(len(self._given), proposals=profile.search.proposals)
        self._names = {graph.id: name for name, graph in reversed(self._given.items())}
        self._budgets = budgets(profile)
        self._running: dict[int, _Running] = {}  # by proposal
        self._readers: dict[int, list[int]] = {}  # ticket -> proposals that wait for it
        self._tickets: dict[tuple[str, str, Setting], int] = {}  # of the trials that are queued or running
        self._finished: dict[int, Outcome] = {}  # ended, but not told yet
        self._writer = TrialWriter(store, self.metrics)
        # Reading the sizes of the data takes time, so only a run with a limit keeps a ledger.
        self._ledger = Ledger(profile, tasks, store) if profile.search.compute else None
        self._told = 0

    def run(self) -> None:
        """Run the whole search.

        Raises:
            SearchError: the GRU has no result or no gain on a ranked task, or the store is that of another search.
            TaskError: a trial failed in the code of its task.
            StoreError: the store cannot be read or written.
        """
        self.run_baselines()
        self.run_proposals()

    def run_baselines(self) -> None:
        """Evaluate the given cells, from which reference metrics and transferred settings come."""
        given = self._given
        if not proposal_count(self.store):  # nothing depends on a failure yet, and its cause may be gone
            self.store.forget_failures()
        proposals = [baseline_proposal(self.profile, self.seed, -1 - i, g) for i, g in enumerate(given.values())]
        for proposal in proposals:
            self._start(proposal)
        outcomes = [self._wait_for(proposal.index) for proposal in proposals]
        reference = outcomes[list(given).index(REFERENCE)]
        check_reference(reference, self.store)
        self.rule = self.rule.against(reference_metrics(reference, self.rule))
        for outcome in outcomes:
            self._record(outcome, self._score(outcome))
        self.strategy.start(outcomes, self.rule.reference, self._names)
        if self._ledger is not None:
            self._ledger.charge_given()

    def run_proposals(self) -> None:
        """Run all proposals, or as many as the profile's compute allows; the baselines must have been run."""
        window, total = self.profile.search.window, self.profile.search.proposals
        asked = self._restore()
        while asked < total:
            if asked >= window:
                self._tell(asked - window)
                if self._is_spent():
                    break
            self._start(self.strategy.ask(asked))
            asked += 1
        for index in range(self._told, asked):
            self._tell(index)

    def _tell(self, index: int) -> None:
        outcome = self._wait_for(index)
        self.strategy.tell(outcome)
        self._count_told(outcome.proposal.cell, outcome.visits)

    def _count_told(self, cell: str | None, visits: Sequence[Visit]) -> None:
        self._told += 1
        if self._ledger is not None:
            self._ledger.charge(cell, visits)

    def _is_spent(self) -> bool:
        """Return whether the proposals told have spent the run's compute."""
        return self._ledger is not None and self._ledger.spent >= self.profile.search.compute

    def _restore(self) -> int:
        """Tell the strategy what ended before the run was interrupted, and return the first index to ask for.

        Raises:
            SearchError: the store has proposals that this version does not make.
        """
        window, total = self.profile.search.window, self.profile.search.proposals
        history = History.read(self.store)
        ended = min(len(history.proposals), total)
        every = max(1, ended // CHECKS)
        for index, past in enumerate(history.proposals[:ended]):
            if index >= window:
                self._learn(history.proposals[index - window])
            if index % every == 0 or index == ended - 1:
                _check_same(self.strategy.ask(index), past.row)
            else:
                self.strategy.skip(index, past.row.cell)
            self._count(past)
        for past in history.proposals[max(0, ended - window) : ended]:
            self._finished[past.row.index] = self._outcome_of(past)
        self.progress.trials_known += history.trials
        if ended:
            self.on_change(self.progress)
        return ended

    def _learn(self, past: PastProposal) -> None:
        row = past.row
        self.strategy.learn(row.index, ProposalKind(row.kind), row.cell, past.visits, row.outcome)
        self._count_told(row.cell, past.visits)

    def _outcome_of(self, past: PastProposal) -> Outcome:
        row = past.row
        graph = self._graph_of(row.cell) if row.cell is not None else None
        return Outcome(Proposal(row.index, ProposalKind(row.kind), graph, row.parent), past.visits, row.outcome)

    def _count(self, past: PastProposal) -> None:
        row = past.row
        self.progress.proposals_done += 1
        if row.kind == ProposalKind.PROPOSE:
            self.progress.count_ending(row.outcome)
            for visit in past.visits:
                if visit.passed:
                    self.progress.count_passed(visit.task)
        if row.cell is not None:
            self.progress.note_score(self._label(row.cell), row.score)

    def _graph_of(self, cell: str) -> GateGraph:
        return graph_of(self.store.cell(cell)).in_form(self.store.form)

    def _label(self, cell: str) -> str:
        return label_of(cell, self._names.get(cell))

    def _start(self, proposal: Proposal) -> None:
        if proposal.cell is not None:
            self.store.add_cell(cell_row(proposal, self._names.get(proposal.cell)))
        running = _Running(ProposalRun(proposal, self.profile, self.rule))
        self._running[proposal.index] = running
        self._advance(running)

    def _advance(self, running: _Running) -> None:
        """Submit the trials that the proposal needs next; stored trials are read instead of trained."""
        run = running.run
        while (step := run.step()) is not None:
            graph = run.proposal.graph
            assert graph is not None
            stored = {row.setting: row for row in self.store.trials(graph.id, step.task) if row.repeat == 0}
            for setting in step.settings:
                row = stored.get(setting.key)
                if row is not None:
                    running.results[setting] = trial_result(row)
                    self.progress.trials_known += 1
                    if not _is_claimed(row, run.proposal.index):
                        self.store.claim(graph.id, step.task, setting.key, 0, run.proposal.index)
                    continue
                # Two proposals in flight may have the same cell and need the same trial: it is trained once.
                key = (graph.id, step.task, setting)
                if key not in self._tickets:
                    self._tickets[key] = self.executor.submit(self._job(graph, step.task, setting), run.proposal.index)
                ticket = self._tickets[key]
                running.waiting[ticket] = setting
                self._readers.setdefault(ticket, []).append(run.proposal.index)
            if running.waiting:
                return
            self._judge(running)
        self._end(run.outcome())

    def _job(self, graph: GateGraph, task: str, setting: Setting) -> Job:
        seed = trial_seed(self.seed, graph.id, task, setting.key, 0)
        return Job(graph, task, setting, self._budgets[task], seed, self._constant_baselines[task], self.simulation)

    def _wait_for(self, index: int) -> Outcome:
        while index not in self._finished:
            ticket, result = self.executor.next()
            self._receive(ticket, result)
        return self._finished.pop(index)

    def _receive(self, ticket: int, result: TrialResult) -> None:
        """Store a finished trial, then hand it to every proposal that waits for it."""
        indices = self._readers.pop(ticket)
        readers = [self._running[index] for index in indices]
        setting = readers[0].waiting[ticket]
        step, cell = readers[0].run.step(), readers[0].run.proposal.cell
        assert step is not None
        assert cell is not None
        seed = trial_seed(self.seed, cell, step.task, setting.key, 0)
        self._writer.write(cell, step.task, setting, 0, seed, result, min(indices))
        del self._tickets[cell, step.task, setting]
        self.progress.trials_run += 1
        for running in readers:
            running.results[running.waiting.pop(ticket)] = result
            if not running.waiting:
                self._judge(running)
                self._advance(running)
        self.on_change(self.progress)

    def _judge(self, running: _Running) -> None:
        """Tell the proposal the results of its step, and store the judgement if the visit has ended."""
        results, running.results = running.results, {}
        judgement = running.run.tell(results)
        proposal = running.run.proposal
        if judgement is not None:
            self.store.record(evaluation_row(proposal, judgement), [])
            if judgement.passed and proposal.kind is ProposalKind.PROPOSE:
                self.progress.count_passed(judgement.task)

    def _end(self, outcome: Outcome) -> None:
        proposal = outcome.proposal
        del self._running[proposal.index]
        self._finished[proposal.index] = outcome
        if proposal.kind is ProposalKind.BASELINE:  # recorded once the GRU's results are known
            self.progress.baselines_done += 1
        else:
            self.progress.proposals_done += 1
            if proposal.kind is ProposalKind.PROPOSE:
                self.progress.count_ending(outcome.ending)
            self._record(outcome, self._score(outcome) if outcome.is_complete else None)
        self.on_outcome(outcome)
        self.on_change(self.progress)

    def _record(self, outcome: Outcome, score: float | None) -> None:
        """Store the proposal of an outcome, and note its score."""
        cell = outcome.proposal.cell
        if cell is not None:
            self.progress.note_score(self._label(cell), score)
        self.store.add_proposal(proposal_row(outcome, score))

    def _score(self, outcome: Outcome) -> float | None:
        """Return the cell's score from all results of this proposal and earlier ones."""
        tried = {visit.task: visit.results.values() for visit in outcome.visits}
        before = outcome.proposal.best_before
        return self.rule.score(
            self.rule.bests({name: [before.get(name), *tried.get(name, ())] for name in self.rule.ranked})
        )


def _check_same(proposal: Proposal, row: ProposalRow) -> None:
    """Raise `SearchError` unless the proposal is the stored one."""
    if proposal.cell != row.cell:
        raise SearchError(
            f"proposal {proposal.index} of the stored run is cell {row.cell}, but this version of gatesearch, with "
            f"the same seed and profile, proposes {proposal.cell}; resume with the version that began the run"
        )


def _is_claimed(row: TrialRow, proposal: int) -> bool:
    """Return whether the trial belongs to this proposal or an earlier one; baselines claim no trials."""
    return proposal < 0 or (row.proposal is not None and 0 <= row.proposal <= proposal)
