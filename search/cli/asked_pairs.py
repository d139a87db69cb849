"""Pairs of cells that a command line asks for, and errors and warnings where a run lacks a result of them."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from rich.console import Console

from results.scores.run_evidence import Pair, RunEvidence
from results.store.errors import ResultsError
from results.store.runs import existing_run, latest_run
from search.cells.errors import CellError
from search.cells.files import is_formula
from search.cells.ids import printed_id
from search.cli.display import warn
from search.cli.run_argument import is_run, named_or_latest
from search.core.errors import SearchError
from search.engine.cell_lookup import find_cell, in_run

REFERENCES = ("gru", "lstm")
"""Cells that are compared with if none is named; every run has them."""


@dataclass
class AskedPairs:
    """Pairs of cells that a command line asks for.

    `tasks` are those of `--task`. `pairs` has each two cells on a task once, as they were named first, with whole ids;
    `texts` has what the user wrote for a cell, by its id.
    """

    run: str
    evidence: RunEvidence
    tasks: tuple[str, ...]
    pairs: dict[tuple[str, frozenset[str]], Pair] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)

    def read(self, cells: Sequence[str], against: Sequence[str], named: Sequence[str]) -> None:
        """Read the arguments of the command.

        Raises:
            SearchError: a task or a pair is malformed, two cells are the same, or the run does not have one.
            CellError: there is no such cell.
        """
        for cell in cells:
            for text in against or REFERENCES:
                task, separator, other = text.partition("=")
                if not separator or (task not in self.evidence.tasks and "'" in text):  # the = of a formula is its own
                    task, separator, other = "", "", text
                if separator:
                    check_task(task, self.evidence.tasks, "--against")
                    if self.tasks and task not in self.tasks:
                        raise SearchError(
                            f"--against has {text!r}, but --task leaves it out; add --task {task}, or drop --task"
                        )
                elif not against and self._id(cell) == self._id(other):
                    continue  # the GRU among cells that are compared with the references
                self._ask(cell, other, (task,) if separator else self._default_tasks)
        for text in named:
            cell, other = _two_cells(text)
            if not cell or not other:
                raise SearchError(f"--pair has {text!r}; use CELL,OTHER, as in --pair janet,lstm")
            self._ask(cell, other, self._default_tasks)

    def check(self, table: pd.DataFrame, errors: Console) -> None:
        """Check that the table has what was asked for; a pair without a result on some tasks is a warning.

        Raises:
            SearchError: the run has no result of a cell or a pair on any task that was asked for.
        """
        shown = set(zip(table["task"], table["cell_id"], table["other_id"], strict=True))
        asked: dict[tuple[str, str], list[str]] = {}
        missing: dict[tuple[str, str], list[str]] = {}
        for task, cell, other in self.pairs.values():
            asked.setdefault((cell, other), []).append(task)
            if (task, printed_id(cell), printed_id(other)) not in shown:
                missing.setdefault((cell, other), []).append(task)
        self._check_cells(asked)
        for two, tasks in missing.items():
            if len(tasks) == len(asked[two]):
                raise SearchError(
                    f"run {self.run!r} has no task of {', '.join(tasks)} with results of both "
                    f"{' and '.join(repr(self.texts[cell]) for cell in two)}; {self._remedy}"
                )
            words = " against ".join(self.texts[cell] for cell in two)
            warn(errors, f"{words} has no result on {', '.join(tasks)}, and is left out there")

    def _check_cells(self, asked: Mapping[tuple[str, str], Iterable[str]]) -> None:
        tasks: dict[str, dict[str, None]] = {}
        for two, on in asked.items():
            for cell in two:
                tasks.setdefault(cell, {}).update(dict.fromkeys(on))
        for cell, own in tasks.items():
            if not any(self.evidence.measured(task, cell) for task in own):
                raise SearchError(
                    f"run {self.run!r} has no result of {self.texts[cell]!r} on {', '.join(own)}; {self._remedy}"
                )

    @property
    def _default_tasks(self) -> tuple[str, ...]:
        return self.tasks or self.evidence.ranked

    @property
    def _remedy(self) -> str:
        return f"name another cell or task; `gatesearch leaderboard {shlex.quote(self.run)}` shows what it has"

    def _ask(self, cell: str, other: str, tasks: Sequence[str]) -> None:
        own, its = self._id(cell), self._id(other)
        if own == its:
            raise SearchError(f"{cell!r} and {other!r} are the same cell; give two different ones")
        for task in tasks:
            self.pairs.setdefault((task, frozenset((own, its))), (task, own, its))

    def _id(self, cell: str) -> str:
        """Return the whole id of a cell in the run, which may be that of an earlier canonical form."""
        if cell not in self._ids:
            row = in_run(find_cell(cell, self.run), self.run).row
            if row is None:
                raise SearchError(
                    f"run {self.run!r} has no cell {cell!r}; name one of `gatesearch leaderboard "
                    f"{shlex.quote(self.run)}`"
                )
            self._ids[cell] = row.id
            self.texts.setdefault(row.id, cell)
        return self._ids[cell]


def run_and_cells(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the run and the cells of the words of a command line; the latest run if the first word is a cell.

    Raises:
        ResultsError: the first word is neither a run nor a cell of the latest run, or there is no run.
    """
    if words and is_run(words[0]):
        return words[0], tuple(words[1:])
    if words:
        try:
            find_cell(words[0], latest_run())
        except (CellError, ResultsError):
            if not is_formula(words[0]):  # a name that nothing has is more likely that of a run
                existing_run(words[0])
            raise
    return named_or_latest(None), tuple(words)


def check_task(task: str, known: Sequence[str], option: str) -> None:
    """Raise `SearchError` if a run does not have a task that an option names."""
    if task not in known:
        raise SearchError(f"{option} has {task!r}; the tasks of this run are {', '.join(known)}")


def _two_cells(text: str) -> tuple[str, str]:
    """Return what is before and behind the first comma that is not in brackets, as those of formulas are."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            return text[:place], text[place + 1 :]
    return text, ""
