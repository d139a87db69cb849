"""Engine of a search: baselines, then proposals, as a function of the seed.

Three rules make a run repeatable, whatever the number of workers, the order in which trials finish, and the number of
interruptions:

- every random draw has a generator of its own, seeded by a key (`search.core.keys`);
- proposal k sees the outcomes of exactly the proposals up to k - W, told in order; W, the window, belongs to the run;
- a trial is identified by cell, task, setting and repeat. It is stored as soon as it is finished, and a stored trial is
  not trained again, except one that failed before the baselines were finished. A trial that fails in the code of its
  task ends the search and is not stored, because the cell is not to blame. To resume a run is to run the same search
  over the same store: the strategy is told what ended before the interruption without drawing it again
  (`search.engine.history`), except for a sample of proposals, which verifies that this version draws the same ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias

from results.scores.score import chance_of, constants_of
from results.store.graphs import graph_of
from results.store.queries import proposal_count
from results.store.records import ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import MEMORIZATION, ProposalKind
from search.allocations.base import Allocation, Course, Promotion, Reference, Step, TrialKey, best_setting
from search.allocations.registry import ALLOCATIONS
from search.cells.graph import GateGraph
from search.cells.ids import cell_text
from search.cells.library import LIBRARY, REFERENCE, label_of
from search.core.errors import SearchError
from search.core.keys import finalist_seed, shared_seed, trial_seed
from search.engine.baselines import baseline_proposal, check_reference, reference_metrics, reference_of
from search.engine.budgets import budgets
from search.engine.checkpoints import FOLDER, Checkpoints
from search.engine.cost import rung_costs
from search.engine.fresh_trials import is_stored, train_fresh
from search.engine.history import History, PastProposal
from search.engine.ledger import Ledger, uses_of
from search.engine.progress import Progress
from search.engine.rows import cell_row, evaluation_row, is_enough, proposal_row, trial_result
from search.engine.trial_writer import TrialWriter
from search.profiles.sections import Profile
from search.strategies.base import Strategy
from search.strategies.proposal import Outcome, Proposal
from search.strategies.registry import strategy_class
from search.strategies.scoring import ScoreRule
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.executor import Executor
from search.workers.job import Job
from tasks.task import Metric, Split, Task

CHECKS = 50
"""Approximate number of stored proposals that are drawn again and compared when a run is resumed."""

GRAPHS = 512
"""Size of the cache of graphs read from the store: more than the cells that a strategy draws from at a time."""


_Ticket: TypeAlias = tuple[str, str, TrialKey, int | None]
"""Identity of a trial that is queued or running: cell, task, setting and repeat, step at which it pauses."""


@dataclass
class _Running:
    course: Course
    waiting: dict[int, TrialKey] = field(default_factory=dict)  # by ticket
    results: dict[TrialKey, TrialResult] = field(default_factory=dict)


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
        on_result: called with the task and the result of every trial that was stored; it may stop the search.
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
        on_result: Callable[[str, TrialResult], None] = lambda task, result: None,
    ) -> None:
        self.profile, self.seed, self.tasks, self.store, self.executor = profile, seed, tasks, store, executor
        self.simulation, self.on_change, self.on_outcome = simulation, on_change, on_outcome
        self.on_result = on_result
        self.metrics: dict[str, Metric] = {name: task.metric for name, task in tasks.items()}
        # A stored run has its constants, so that scores do not depend on the data when it is resumed or verified.
        stored = constants_of(store, Split.VALIDATION)
        self._constant_baselines = {
            name: stored[name] if name in stored else task.constant_baseline() for name, task in tasks.items()
        }
        self._chance = self._constant_baselines | chance_of(store)
        self.rule = ScoreRule(profile.search.score, profile.ranked, self.metrics, self._constant_baselines)
        self._cached_graph = lru_cache(GRAPHS)(self._graph_of)
        self.strategy: Strategy = strategy_class(profile.search.strategy)(
            profile, seed, self.rule, self._cached_graph, lambda cell: self.store.cell(cell).mutations
        )
        self._given = profile.given_in(store.form)
        self.progress = Progress(len(self._given), proposals=profile.search.proposals)
        self._population = profile.population_in(store.form)
        named = {name: graph for name, graph in self._population.items() if name in LIBRARY} | self._given
        self._names = {graph.id: name for name, graph in reversed(named.items())}
        self._budgets = budgets(profile)
        self.allocation: Allocation = ALLOCATIONS[profile.search.allocation](profile, seed, self._budgets)
        self.progress.rung_costs, self.progress.eta = rung_costs(profile), profile.halving.eta
        for name in profile.visited:
            marks = self.allocation.marks(name)
            self._budgets[name] = replace(self._budgets[name], marks=marks)
        self._running: dict[int, _Running] = {}  # by proposal
        self._readers: dict[int, list[int]] = {}  # ticket -> proposals that wait for it
        self._tickets: dict[_Ticket, int] = {}
        self._checkpoints = Checkpoints(store.folder / FOLDER)
        self._history: Sequence[PastProposal] = ()
        self._told = 0  # number of outcomes told
        self._finished: dict[int, Outcome] = {}  # ended, but not told yet
        self._writer = TrialWriter(store, tasks)
        # Reading the sizes of the data takes time, so only a run with a limit keeps a ledger.
        self._ledger = Ledger(profile, tasks, store) if profile.search.compute else None

    def run(self) -> None:
        """Run the whole search.

        Raises:
            SearchError: the GRU has no result or no gain on a ranked task, or the store is that of another search.
            TaskError: a trial failed in the code of its task.
            StoreError: the store cannot be read or written.
        """
        self.run_baselines()
        self.run_proposals()

    def end(self) -> None:
        """Do what is left before the finalists are retrained: here nothing, since `run` runs to the end."""

    def run_baselines(self) -> None:
        """Evaluate the given cells, from which reference metrics and transferred settings come."""
        given = self._given
        if not proposal_count(self.store):  # nothing depends on a failure yet, and its cause may be gone
            self.store.forget_failures()
        proposals = [baseline_proposal(self.profile, self.seed, -1 - i, g) for i, g in enumerate(given.values())]
        self.progress.baseline_trials = sum(len(own) for each in proposals for own in each.settings.values())
        self.on_change(self.progress)  # before the workers have loaded the tasks, which takes seconds
        for proposal in proposals:
            self._start(proposal)
        outcomes = [self._wait_for(proposal.index) for proposal in proposals]
        reference = outcomes[list(given).index(REFERENCE)]
        check_reference(reference, self.store)
        self.rule = self.rule.against(reference_metrics(reference, self.rule))
        for outcome in outcomes:
            self._record(outcome, self._score(outcome))
        self.allocation.start(self._reference(reference))
        placed = [self._placed(outcome) for outcome in outcomes]
        self.strategy.start(placed, self.rule.reference, tuple(self._population.values()))
        if self._ledger is not None:
            self._ledger.charge_given()

    def run_proposals(self) -> None:
        """Run all proposals, or as many as the profile's compute allows; the baselines must have been run."""
        history = History.read(self.store, self.allocation, self.rule)
        self._history = history.proposals
        self.progress.trials_known += history.trials
        every = max(1, len(self._history) // CHECKS)
        self.progress.proposing = not self._history
        self.on_change(self.progress)
        for index, promotion in enumerate(self._moves()):
            past = self._history[index] if index < len(self._history) else None
            if past is None:
                self._start(self._proposal(index, promotion))
            else:
                self._restore(past, promotion, check=index % every == 0 or index == len(self._history) - 1)
            if index + 1 == len(self._history):
                self.progress.proposing = True
                self.on_change(self.progress)
        self._checkpoints.clear()

    def _moves(self) -> Iterator[Promotion | None]:
        """Yield, for index 0, 1, ..., the promotion that the proposal is, or None if it is the strategy's.

        Before each, the outcomes that the proposal may see are told. When the strategy has made all its proposals, the
        others are told in order, and what they allow is promoted. A run that was extended did so at its earlier number
        of proposals too. Once the outcomes told have spent the profile's compute, nothing more is proposed or promoted.
        """
        index = proposed = 0
        drained = self.store.drained
        for total in sorted({*drained, self.profile.search.proposals}):
            while True:
                while self._told <= index - self.profile.search.window:
                    self._tell()
                if self._is_spent():
                    while self._told < index:
                        self._tell()
                    return
                promotion = self.allocation.promotion(index)
                if promotion is None and proposed < total:
                    proposed += 1
                elif promotion is None and self._told < index:
                    if self.allocation.whole and total not in drained:
                        drained = (*drained, total)
                        self.store.mark(drained=list(drained))
                    self._tell()
                    continue
                elif promotion is None:
                    break
                yield promotion
                index += 1

    def _tell(self) -> None:
        """Tell the allocation and the strategy the next outcome in order."""
        index = self._told
        self._told += 1
        if index < len(self._history):
            past = self._history[index]
            row = past.row
            told = index, ProposalKind(row.kind), row.cell, past.visits, row.outcome
            rung, standing = self.allocation.learn(*told)
            self.strategy.learn(*told, rung, standing, parent=row.parent)
            if self.allocation.whole and row.cell is not None:
                self.progress.restored += self.progress.work_of(rung)
        else:
            outcome = self._wait_for(index)
            proposal = outcome.proposal
            told = index, proposal.kind, proposal.cell, outcome.visits, outcome.ending
            rung, standing = self.allocation.learn(*told)
            self.strategy.tell(replace(outcome, rung=rung, standing=standing))
        if self.allocation.whole and told[2] is not None:
            self.progress.count_rung(rung)
        if self._ledger is not None:
            self._ledger.charge(uses_of(self.store, self.allocation, told[2], rung, told[3]))

    def _is_spent(self) -> bool:
        """Return whether the proposals told have spent the run's compute."""
        return self._ledger is not None and self._ledger.spent >= self.profile.search.compute

    def _proposal(self, index: int, promotion: Promotion | None) -> Proposal:
        if promotion is None:
            return self.strategy.ask(index)
        self.strategy.pass_over(index)
        graph = self._cached_graph(promotion.cell)
        return Proposal(index, ProposalKind.PROMOTE, graph, settings=promotion.settings)

    def _restore(self, past: PastProposal, promotion: Promotion | None, *, check: bool) -> None:
        """Count a proposal that ended before the run was interrupted.

        Args:
            past: the proposal.
            promotion: the promotion that this version makes at its index, if it makes one.
            check: whether the strategy draws it again, to compare.

        Raises:
            SearchError: this version makes another proposal.
        """
        row = past.row
        if promotion is not None or row.kind == ProposalKind.PROMOTE:
            _check_same(row, None if promotion is None else promotion.cell, promoted=promotion is not None)
            self.strategy.pass_over(row.index)
        elif check:
            _check_same(row, self.strategy.ask(row.index).cell)
        else:
            self.strategy.skip(row.index, row.cell)
        self._count(past)

    def _reference(self, outcome: Outcome) -> Reference:
        """Return the reference cell's results from its outcome; trains its further seeds if the allocation has some."""
        graph = outcome.proposal.graph
        assert graph is not None
        found = {visit.task: best_setting(self.rule, visit) for visit in outcome.visits if visit.task != MEMORIZATION}
        settings = {task: setting for task, setting in found.items() if setting is not None}
        wanted = [
            (graph, task, settings[task], repeat)
            for repeat in self.allocation.reference_repeats
            for task in self.profile.ranked
        ]
        missing = [trial for trial in wanted if not is_stored(self.store, trial)]
        simulation = self.simulation
        train_fresh(self.profile, self.seed, self.tasks, self.store, self.executor, missing, simulation=simulation)
        return reference_of(self.store, graph.id, self.rule, self.allocation, settings, self.profile.ranked)

    def _placed(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a baseline with the rung of a whole training, if the allocation has rungs."""
        score = self._score(outcome)
        if self.allocation.whole == 0 or score is None:
            return outcome
        return replace(outcome, rung=self.allocation.whole, standing=score)

    def _count(self, past: PastProposal) -> None:
        row = past.row
        if row.kind == ProposalKind.PROMOTE:
            self.progress.promotions += 1
        else:
            self.progress.proposals_done += 1
            if not self.allocation.whole:
                self.progress.restored += 1
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
        if proposal.cell is not None and proposal.kind is not ProposalKind.PROMOTE:
            self.store.add_cell(cell_row(proposal, self._names.get(proposal.cell)))
        running = _Running(self.allocation.course(proposal, self.rule))
        self._running[proposal.index] = running
        self._advance(running)

    def _advance(self, running: _Running) -> None:
        """Submit the trials that the proposal needs next; stored trials are read instead of trained."""
        course = running.course
        graph, index = course.proposal.graph, course.proposal.index
        while (step := course.step()) is not None:
            assert graph is not None
            stored = {(row.setting, row.repeat): row for row in self.store.trials(graph.id, step.task)}
            for key in step.trials:
                row = stored.get((key.setting.key, key.repeat))
                if row is not None and is_enough(row, step.until):
                    running.results[key] = self._stored_result(row, step.until)
                    self.progress.trials_known += 1
                    if not _is_claimed(row, index):
                        self.store.claim(graph.id, step.task, row.setting, row.repeat, index)
                    continue
                # Two proposals in flight may have the same cell and need the same trial: it is trained once.
                ticket = (graph.id, step.task, key, step.until)
                if ticket not in self._tickets:
                    self._tickets[ticket] = self.executor.submit(self._job(graph, step, key), index)
                number = self._tickets[ticket]
                running.waiting[number] = key
                self._readers.setdefault(number, []).append(index)
            if running.waiting:
                return
            self._judge(running)
        self._end(course.outcome())

    def _stored_result(self, row: TrialRow, until: int | None) -> TrialResult:
        if until is None:
            return trial_result(row)
        whole = self.store.trial(row.cell, row.task, row.setting, row.repeat)  # with its curve
        assert whole is not None
        return trial_result(whole).at(until)

    def _job(self, graph: GateGraph, step: Step, key: TrialKey) -> Job:
        task, setting = step.task, key.setting
        checkpoint = None
        if self.allocation.marks(task) and self.simulation is None:
            checkpoint = self._checkpoints.get(graph.id, task, setting.key, key.repeat)
        return Job(
            graph,
            task,
            setting,
            replace(self._budgets[task], floor=step.floor),
            self._seed(graph.id, task, key),
            self._chance[task],
            self.simulation,
            until=step.until,
            checkpoint=checkpoint,
        )

    def _seed(self, cell: str, task: str, key: TrialKey) -> int:
        if key.repeat < 0:
            return finalist_seed(self.seed, task, key.repeat)
        if self.profile.search.paired and task != MEMORIZATION:
            return shared_seed(self.seed, task)
        return trial_seed(self.seed, cell, task, key.setting.key, key.repeat)

    def _wait_for(self, index: int) -> Outcome:
        while index not in self._finished:
            ticket, result = self.executor.next()
            self._receive(ticket, result)
        return self._finished.pop(index)

    def _receive(self, ticket: int, result: TrialResult) -> None:
        """Store a finished trial, then hand it to every proposal that waits for it."""
        indices = self._readers.pop(ticket)
        readers = [self._running[index] for index in indices]
        key = readers[0].waiting[ticket]
        step, cell = readers[0].course.step(), readers[0].course.proposal.cell
        assert step is not None
        assert cell is not None
        seed = self._seed(cell, step.task, key)
        self._keep_checkpoint(cell, step.task, key, result)
        self._writer.write(cell, step.task, key.setting, key.repeat, seed, result, min(indices))
        del self._tickets[cell, step.task, key, step.until]
        self.progress.trials_run += 1
        self.progress.trials_failed += result.state.is_lost
        self.on_result(step.task, result)
        for running in readers:
            running.results[running.waiting.pop(ticket)] = result
            if not running.waiting:
                self._judge(running)
                self._advance(running)
        self.on_change(self.progress)

    def _keep_checkpoint(self, cell: str, task: str, key: TrialKey, result: TrialResult) -> None:
        trial = cell, task, key.setting.key, key.repeat
        if self.simulation is not None:
            return  # to draw a trial again costs less than to keep it
        if result.checkpoint is not None:
            self._checkpoints.put(*trial, result.checkpoint)
        elif self.allocation.marks(task):
            self._checkpoints.drop(*trial)

    def _judge(self, running: _Running) -> None:
        """Tell the proposal the results of its step, and store the judgement if the visit has ended."""
        results, running.results = running.results, {}
        judgement = running.course.tell(results)
        proposal = running.course.proposal
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
            if proposal.kind is ProposalKind.PROMOTE:
                self.progress.promotions += 1
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
        """Return the cell's score: the allocation's, or that of all results of this proposal and earlier ones."""
        if outcome.standing is not None:
            return outcome.standing
        tried = {visit.task: visit.results.values() for visit in outcome.visits}
        before = outcome.proposal.best_before
        return self.rule.score(
            self.rule.bests({name: [before.get(name), *tried.get(name, ())] for name in self.rule.ranked})
        )


def _check_same(row: ProposalRow, cell: str | None, *, promoted: bool = False) -> None:
    """Raise `SearchError` unless the stored proposal is of this cell, and a promotion if it is `promoted`."""
    if cell != row.cell or promoted != (row.kind == ProposalKind.PROMOTE):
        verb = "promotes" if promoted else "proposes"
        raise SearchError(
            f"proposal {row.index} of the stored run is {cell_text(row.cell)}, but this version of gatesearch, with "
            f"the same seed and profile, {verb} {cell_text(cell)}; resume with the version that began the run"
        )


def _is_claimed(row: TrialRow, proposal: int) -> bool:
    """Return whether the trial belongs to this proposal or an earlier one; baselines claim no trials."""
    return proposal < 0 or (row.proposal is not None and 0 <= row.proposal <= proposal)
