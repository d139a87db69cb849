"""Run whose cells come from outside: opening it, telling it cells, asking for suggestions, and finishing it.

    with open_outside(folder, profile, seed=0) as run:
        ticket = run.submit(run.check("h' = tanh(linear(x) + linear(h))"))
        print(run.answer(ticket).score)

Every trial is stored as soon as it is finished. A run that was interrupted is opened again in the same way: what was
asked for before is finished, and the run continues.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from results.store.runs import no_run
from results.store.store import FILE, Store
from results.store.words import OUTSIDE
from search.cells.graph import GateGraph
from search.cells.library import SEEDS, named_cell
from search.cells.notation.formula import parse_formula
from search.core.errors import SearchError
from search.core.ranges import MAX_SEED, MAX_WINDOW, check_whole
from search.engine.answers import Answer, answer_of, order_of
from search.engine.observer import OpenRun, RunObserver
from search.engine.outside import OutsideEngine
from search.engine.provenance import mark_resumed
from search.engine.run import LiveTable, TaskLoader, checked_tasks, create_run, finish, has_run, open_executor
from search.engine.trust import check_trusted
from search.profiles.loading import profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.strategies.outside import Suggestion
from search.training.simulation import Simulation, simulation_of
from search.workers.executor import Executor


@dataclass(frozen=True)
class CheckedCell:
    """Cell that may be submitted: its formula or name, its graph in the form of the run's cells, its parent's id."""

    source: str
    graph: GateGraph
    parent: str | None


@dataclass(frozen=True)
class Ticket:
    """Cell that was submitted, and the index up to which its proposals count for the answer.

    Attributes:
        cell: id of the cell.
        last: index of its last proposal that counts.
        known: whether the run knew the cell, so that nothing is trained for it.
        written: formula or name as it was submitted.
    """

    cell: str
    last: int
    known: bool
    written: str


class OutsideRun:
    """Open run that is told cells. Made by `open_outside`; for the thread that made it.

    After an exception other than those of its arguments, every method raises `SearchError`: open the run again.
    """

    def __init__(self, run: OpenRun, simulation: Simulation | None, observer: RunObserver) -> None:
        self._run, self._simulation, self._observer = run, simulation, observer
        self._table = LiveTable(run)
        self._broken = False
        self.engine = OutsideEngine(
            run.profile,
            run.store.seed,
            run.tasks,
            run.store,
            run.executor,
            simulation=simulation,
            on_change=observer.on_change,
            on_outcome=self._table.update,
        )

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self._run.store.folder

    def start(self) -> None:
        """Train the given cells, and finish the cells that were told before."""
        with self._whole():
            self.engine.run()

    def check(self, source: str, parent: str | None = None) -> CheckedCell:
        """Return a cell to submit.

        Args:
            source: formula, or name of a published cell.
            parent: id of a cell of the run that it was made from, or its first digits.

        Raises:
            CellError: the formula is invalid (`FormulaError`), the name is unknown, or the cell is too symmetric.
            ResultsError: the run has no such parent, or its store cannot be read.
        """
        written = parse_formula(source) if "=" in source else named_cell(source.strip()).written
        graph = written.in_form(self._run.store.form)
        return CheckedCell(source, graph, None if parent is None else self._run.store.cell(parent).id)

    def submit(self, cell: CheckedCell) -> Ticket:
        """Submit a cell; a new one is queued for training, a known one changes nothing.

        Raises:
            StoreError: the store cannot be written.
            TaskError: a trial failed in the code of its task.
        """
        with self._whole():
            if self.engine.knows(cell.graph.id):
                return Ticket(cell.graph.id, self.engine.index - 1, True, cell.source)
            self._reopen()
            return Ticket(cell.graph.id, self.engine.propose(cell.graph, cell.parent), False, cell.source)

    def is_ready(self, ticket: Ticket) -> bool:
        """Return whether the answer is known."""
        return not self.engine.is_running(ticket.cell, ticket.last)

    def advance(self) -> None:
        """Wait for one trial; some answer must not be ready."""
        with self._whole():
            self.engine.advance()

    def answer(self, ticket: Ticket) -> Answer:
        """Wait for the answer to a submitted cell, and return it.

        It is a function of the seed and of what was submitted before, whatever has been trained since.
        """
        with self._whole():
            while not self.is_ready(ticket):
                self.engine.advance()
        return answer_of(self.engine, ticket.cell, ticket.last, written=ticket.written, known=ticket.known)

    def suggest(self, count: int) -> list[Suggestion]:
        """Return up to `count` new cells: children of the best ones, from the outcomes that the next cell would see."""
        with self._whole():
            return self.engine.suggest(count)

    def promote(self) -> int:
        """Wait for all results, and train candidates further as the allocation's rule allows. Return the promotions."""
        with self._whole():
            self._reopen()
            return self.engine.drain()

    def results(self) -> list[Answer]:
        """Wait for what is in training, and return the present answer for every cell, in the order of their proposals.

        The given cells come first.
        """
        with self._whole():
            self.engine.wait()
        last = self.engine.index - 1
        return [answer_of(self.engine, cell, last) for cell in self.engine.cells()]

    def best(self, count: int) -> list[Answer]:
        """Return the best cells with a score, as `results` has them: by rung, then by score."""
        scored = [answer for answer in self.results() if answer.score is not None]
        return sorted(scored, key=order_of)[:count]

    def finish(self) -> None:
        """Promote what the allocation allows, retrain the finalists, confirm the contenders, write the leaderboard.

        Raises:
            SearchError: the leaderboard cannot be written.
            StoreError: the store cannot be read or written.
            TaskError: a trial failed in the code of its task.
        """
        with self._whole():
            self.engine.end()
            finish(self._run, self.engine.progress, self._simulation, self._observer)
            self._observer.on_finish(self._run, self.engine.progress)

    def close(self) -> None:
        """Write the leaderboard, as far as it can be written."""
        self._table.write(trials=True)

    def _reopen(self) -> None:
        """Mark a run that was finished as unfinished again."""
        if self._run.store.finished is not None:
            self._run.store.extend(self._run.store.profile, [])

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Refuse to go on after an exception inside, which may have lost a trial that was in training."""
        if self._broken:
            raise SearchError("the run was interrupted; close it and open it again, which loses no finished trial")
        try:
            yield
        except BaseException:
            self._broken = True
            raise


@contextmanager
def open_outside(
    folder: Path,
    profile: Profile | None = None,
    *,
    seed: int | None = None,
    window: int | None = None,
    simulation: Simulation | None = None,
    trusted: Collection[str] = (),
    load: TaskLoader = load_tasks,
    executor: Executor | None = None,
    workers: int | None = None,
    address: str | None = None,
    command: Sequence[str] = (),
    observer: RunObserver | None = None,
) -> Iterator[OutsideRun]:
    """Open a run that is told cells, or make it: train its given cells, and finish what was interrupted.

    Args:
        folder: folder of the run, which is made if it has no run.
        profile: profile of a new run, whose strategy, number of proposals and initial population do not matter. For a
            run that exists it may be left out, or must be the run's.
        seed: seed of the run; 0 for a new run if None.
        window: number of proposals in flight of a new run; the profile's if None.
        simulation: draws the results of a new run's trials instead of training them.
        trusted: import paths of the run's own tasks that may be imported, if the run exists.
        load: loads the tasks.
        executor: trains the trials, as in `search.engine.run.run_search`.
        workers: worker processes, as there.
        address: address of a Ray cluster, as there.
        command: arguments of the command line, for the record.
        observer: sees the progress.

    Raises:
        SearchError: there is neither a run nor a profile, the run is of another strategy, profile, seed or window, or
            as in `search.engine.run.run_search`.
        StoreError: another process drives the run, or its store cannot be read or written.
        TaskError: the data of a task cannot be loaded, or a trial failed in the code of its task.
    """
    observer = observer or RunObserver()
    wanted = None if profile is None else _outside_profile(profile, window)
    if has_run(folder):
        with Store.open(folder) as store:
            own = _check_same(store, wanted, seed, window, simulation)
            tasks = checked_tasks(store, own, trusted, load)
            with open_executor(executor, tasks, own, workers, address) as started, store.lock():
                for line in mark_resumed(store, tasks):
                    observer.on_difference(line)
                yield from _opened(OpenRun(store, own, tasks, started), observer)
        return
    if wanted is None:
        raise no_run(folder, "name a profile to start it")
    seed = check_whole("seed", seed or 0, 0, MAX_SEED)
    tasks = load(wanted)
    with open_executor(executor, tasks, wanted, workers, address) as started:
        store = create_run(folder, wanted, tasks, seed, simulation, command)
        with store, store.lock():
            yield from _opened(OpenRun(store, wanted, tasks, started), observer)


def suggestions(
    folder: Path, count: int, *, trusted: Collection[str] = (), load: TaskLoader = load_tasks
) -> list[Suggestion]:
    """Return up to `count` new cells that a run suggests, from the results that are stored now.

    The run may be driven by another process meanwhile. Nothing of it is changed: the work is done in a copy.

    Args:
        folder: folder of the run.
        count: number of suggestions.
        trusted: import paths of the run's own tasks that may be imported.
        load: loads the tasks.

    Raises:
        SearchError: the run is of another strategy, or its given cells are not trained yet.
        StoreError: there is no run in the folder, or its store cannot be read.
        TaskError: the data of a task cannot be loaded.
    """
    with Store.open(folder, readonly=True) as store:
        profile = _check_same(store, None, None, None, None)
        check_trusted(store.name, profile, trusted)
        name = store.name
        tasks = load(profile)
        with tempfile.TemporaryDirectory(prefix="gatesearch-") as place:
            store.copy_to(Path(place) / FILE)
            with Store.open(Path(place)) as copy:
                engine = OutsideEngine(profile, copy.seed, tasks, copy, _Untrained(), simulation=simulation_of(copy))
                try:
                    engine.run_baselines()
                except _UntrainedError:
                    raise SearchError(
                        f"the given cells of run {name!r} are not trained yet; 'gatesearch tell {name}' trains them"
                    ) from None
                with suppress(_UntrainedError):  # of a cell that is in training: the results before it count
                    engine.run_proposals()
                with suppress(_UntrainedError):
                    return engine.suggest(count)
                return engine.strategy.suggest(count)


class _UntrainedError(Exception):
    """Raised when a trial is asked for that the run does not have."""


class _Untrained(Executor):
    """Executor that trains nothing."""

    def next(self) -> NoReturn:
        raise _UntrainedError


def _opened(run: OpenRun, observer: RunObserver) -> Iterator[OutsideRun]:
    """Yield the run once it is started, and write its leaderboard in the end."""
    opened = OutsideRun(run, simulation_of(run.store), observer)
    observer.on_start(run)
    try:
        opened.start()
        yield opened
    except KeyboardInterrupt:
        observer.on_interrupt(run, opened.engine.progress)
        raise
    finally:
        opened.close()


def _outside_profile(profile: Profile, window: int | None) -> Profile:
    """Return the profile of a run that is told cells: what a search would propose by itself is left out."""
    section = replace(profile.search, strategy=OUTSIDE, proposals=0, population=SEEDS, compute=0.0)
    if window is not None:
        section = replace(section, window=check_whole("window", window, 1, MAX_WINDOW))
    return replace(profile, search=section, mutation=replace(profile.mutation, adapt=False))


def _check_same(
    store: Store, profile: Profile | None, seed: int | None, window: int | None, simulation: Simulation | None
) -> Profile:
    """Return the profile of a stored run.

    Raises:
        SearchError: it is not told cells, or differs from what was asked for.
    """
    own, name = profile_of(store), store.name
    if own.search.strategy != OUTSIDE:
        raise SearchError(
            f"run {name!r} proposes its cells by itself (strategy {own.search.strategy}); choose a new name for a run "
            "that is told cells"
        )
    for what, given, has in (
        ("seed", seed, store.seed),
        ("window", window, own.search.window),
        ("simulation", simulation, simulation_of(store)),
    ):
        if given is not None and given != has:
            raise SearchError(f"run {name!r} has the {what} {has}, not {given}; leave it out, or choose a new name")
    if profile is not None and (profile if window is not None else _with_window(profile, own)) != own:
        raise SearchError(f"run {name!r} was made with another profile; leave the profile out, or choose a new name")
    return own


def _with_window(profile: Profile, like: Profile) -> Profile:
    return replace(profile, search=replace(profile.search, window=like.search.window))
