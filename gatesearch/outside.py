"""Ask and tell of the public API: a run whose cells an outside optimiser proposes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, overload

from gatesearch.library import Cell, cell
from results.run import Run
from results.run import load as load_run
from results.store.runs import new_run_folder
from search.cells.ids import printed_id
from search.cells.notation.display import format_display
from search.core.ranges import check_whole
from search.engine.answers import Answer
from search.engine.observer import ProgressObserver
from search.engine.outside_run import OutsideRun, open_outside
from search.engine.progress import Progress
from search.profiles.changes import changed_profile
from search.profiles.sections import Profile
from search.training.simulation import Simulation

MAX_ASKED = 10_000
"""Most suggestions of one call."""


@dataclass(frozen=True)
class Suggestion:
    """Cell that a run suggests: a child of one of the best cells. `Search.tell` takes it as it is.

    Attributes:
        id: id of the cell, g and 16 hex digits.
        formula: the formula, with named gates.
        parent: id of the cell that was mutated.
    """

    id: str
    formula: str
    parent: str


class Search:
    """Run whose cells you tell, one after the other or several at a time; each gets its training by the run's rule.

    Use it with `with`, which closes it, or call `close`. It makes the run and trains its given cells (LSTM and GRU
    among them), or opens it again and finishes what was interrupted. Every trial is stored as soon as it is finished,
    so a process that dies loses only the trials in training. The run is an ordinary one: `load`, and the commands
    `leaderboard`, `report`, `show` and `verify` read it.

    The answers are a function of the seed and of the sequence of calls of `tell` and `promote`, whatever the number of
    workers. A cell sees the results of those that were told at least `window` proposals before it; with a window of 1,
    of all, but then cells that are told together train one after the other.

    Args:
        run: name of the run in the folder of runs, or a path with a slash.
        profile: name of a shipped profile, or a TOML file, for a new run. A run that exists keeps its own.
        seed: seed of a new run, 0 to 2**63 - 1; 0 if None.
        window: proposals in flight of a new run; the profile's if None.
        tasks: tasks of the profile to keep, in the order of the stages; all if None.
        own_tasks: tasks to add, each as `package.module:Class`; only these are imported.
        data: files or folders that tasks read, by task.
        workers: worker processes on this machine; 0 trains in this process.
        address: address of a Ray cluster, HOST:PORT or auto; takes precedence over `workers`.
        simulate: draw the results of a new run's trials instead of training them.
        on_progress: called after each trial with the counts so far.

    Raises:
        SearchError, TaskError, ResultsError (all ValueErrors): an argument is invalid, or differs from that of the run
            that exists.

    >>> import gatesearch
    >>> with gatesearch.Search("told", profile="quick", tasks=["xml"], window=1, simulate=True) as search:
    ...     answer = search.tell("h' = tanh(linear(x) + linear(h) * h)")
    ...     again = search.tell("h' = tanh(h * linear(h) + linear(x))")
    >>> again.known, again.id == answer.id, again.score == answer.score
    (True, True, True)
    """

    def __init__(
        self,
        run: str | Path,
        *,
        profile: str | Path | Profile | None = None,
        seed: int | None = None,
        window: int | None = None,
        tasks: Sequence[str] | None = None,
        own_tasks: Sequence[str] = (),
        data: Mapping[str, str | Path] | None = None,
        workers: int = 0,
        address: str | None = None,
        simulate: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if profile is not None and not isinstance(profile, Profile):
            profile = changed_profile(str(profile), tasks=tasks, own_tasks=own_tasks, data=data)
        self._stack = ExitStack()
        self._run: OutsideRun = self._stack.enter_context(
            open_outside(
                run if isinstance(run, Path) else new_run_folder(run),
                profile,
                seed=seed,
                window=window,
                simulation=Simulation() if simulate else None,
                trusted=own_tasks,
                workers=workers,
                address=address,
                observer=ProgressObserver(on_progress),
            )
        )

    @overload
    def tell(  # type: ignore[overload-overlap] # a text is one cell, not a sequence
        self, cells: Cell | str | Path | Suggestion, *, parent: str | None = None
    ) -> Answer: ...
    @overload
    def tell(self, cells: Sequence[Cell | str | Path | Suggestion], *, parent: str | None = None) -> list[Answer]: ...
    def tell(
        self,
        cells: Cell | str | Path | Suggestion | Sequence[Cell | str | Path | Suggestion],
        *,
        parent: str | None = None,
    ) -> Answer | list[Answer]:
        """Train a cell by the run's rule, or several in parallel, and return what was found out.

        A cell that the run knows, in this form or an isomorphic one, is answered from the store. With `stages` a new
        cell passes through the stages. With `halving` it is trained to the first rung; promotions to higher rungs are
        made by later calls of `tell`, at the indices where the allocation's rule asks for them, or by `promote`.

        Args:
            cells: a cell as `gatesearch.cell` takes it, or a suggestion, or a sequence of them.
            parent: id of a cell of the run that they were made from, or its first digits: their first settings come
                from its best ones. A suggestion has its own.

        Returns:
            The answer, or the answers in the order of the cells.

        Raises:
            CellError: a formula is invalid (the message is the parser's), or a cell cannot be used. Nothing was told.
            ResultsError: the run has no such parent, or its store cannot be read or written.
            TaskError: a trial failed in the code of its task.
        """
        several = isinstance(cells, Sequence) and not isinstance(cells, str)
        sources = list(cells) if several else [cells]  # type: ignore[arg-type]
        given = [(_formula(source), _parent(source, parent)) for source in sources]  # type: ignore[arg-type]
        checked = [self._run.check(formula, of) for formula, of in given]
        tickets = [self._run.submit(one) for one in checked]
        answers = [self._run.answer(ticket) for ticket in tickets]
        return answers if several else answers[0]

    def ask(self, count: int = 1) -> list[Suggestion]:
        """Return up to `count` new cells to tell: mutants of the best cells so far, as the strategy `paper` draws them.

        They are not registered: until something is told, a call gives the same cells, and a larger `count` more.

        Raises:
            SearchError: the count is out of range.
        """
        found = self._run.suggest(check_whole("count", count, 1, MAX_ASKED))
        return [
            Suggestion(printed_id(one.graph.id), format_display(one.graph), printed_id(one.parent)) for one in found
        ]

    def promote(self) -> int:
        """Wait for all results, and train candidates on to higher rungs while the allocation's rule allows some.

        Returns:
            The number of promotions; 0 if the allocation is `stages`.
        """
        return self._run.promote()

    def results(self) -> list[Answer]:
        """Return the present answer for every cell: the given cells, then those that were told, in order."""
        return self._run.results()

    def best(self, count: int = 1) -> list[Answer]:
        """Return the best cells with a score, given ones included: by rung, then by score."""
        return self._run.best(check_whole("count", count, 1, 10**9))

    def finish(self) -> Run:
        """End the run as `search` does: promote, retrain the finalists on fresh seeds, confirm, write the leaderboard.

        More cells may be told afterwards; then call it again.

        Returns:
            The run, as `load` returns it.
        """
        self._run.finish()
        return load_run(self._run.folder)

    def close(self) -> None:
        """Write the leaderboard, stop the workers and close the store. The run may be opened again."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _formula(source: Cell | str | Path | Suggestion) -> str:
    return source.formula if isinstance(source, Suggestion) else cell(source).formula


def _parent(source: object, parent: str | None) -> str | None:
    return source.parent if isinstance(source, Suggestion) and parent is None else parent
