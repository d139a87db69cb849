"""Store of a run: one SQLite file with all its cells, trials, evaluations and proposals.

    with Store.create(folder, name="first", seed=0, ...) as store, store.lock():
        store.add_cell(cell)
        store.record(evaluation, trials)  # one transaction: all of it or nothing

Guarantees:

- A process that is killed at any moment leaves whole evaluations only: each is one transaction of a write-ahead log.
- A power failure leaves whole evaluations too, but may lose the last few (`synchronous = NORMAL` does not wait for the
  disk at each commit). A trial is a function of its key, so resuming computes them again, to the same values.
- The file alone, copied during a run, has all but the last minute: the log is folded into it.
- Readers (the tables, a notebook) may read at any time, also while the search writes, and never block it. On a file
  system without shared memory, the store has a rollback journal instead, and the search waits for readers.
- A key that is written twice keeps its first row, so a resumed search may record again what is recorded. A paused
  trial is replaced when it was trained further: the store has one row for each trial.

Lookups use SQLite's index of the key, about ten microseconds each, so memory does not grow with the run.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from results.store.database import FILE, PROFILE_FILE, create_database, open_database
from results.store.errors import AmbiguousCellError, StoreError, check_locks, damaged, one_line
from results.store.information import as_json, parse_environment
from results.store.locks import is_locked
from results.store.records import LARGEST_INTEGER, CellRow, EvaluationRow, MeasureRow, ProposalRow, TrialRow
from results.store.run_record import RunRecord, information_text
from results.store.schema import COLUMNS, SCHEMA_VERSION, column_list, decode, encode, insertion
from results.store.words import TrialState
from search.cells.canonical import PRESENT
from search.cells.ids import printed_id, without_letter

__all__ = ["FILE", "LOCK_FILE", "PROFILE_FILE", "Store"]

LOCK_FILE = "run.lock"

LOCK_SECONDS = 0.2
"""Time to wait for the lock of a run: a look at whether it is held takes it for an instant (`locks.is_locked`)."""

FOLD_SECONDS = 30.0
"""Longest time that trials are in the log alone, while trials are stored."""

# Two proposals in flight may make the same cell. The earlier one's lineage is kept, whichever is stored first, so that
# the table does not depend on which finished first.
_ADD_CELL = (
    insertion(CellRow)
    + " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("name", "parent", "mutations", "origin", "proposal"))
    + " WHERE excluded.proposal < cells.proposal"
)
_TRIAL_KEY = ("cell", "task", "setting", "repeat")
_OWN_PACKAGES = ("results", "search", "tasks")
_KEEP_FIRST = " ON CONFLICT DO NOTHING"
_RECORD_TRIAL = (
    insertion(TrialRow)
    + " ON CONFLICT (cell, task, setting, repeat) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[TrialRow] if name not in (*_TRIAL_KEY, "proposal"))
    + f" WHERE trials.state = '{TrialState.PAUSED}' AND excluded.steps > trials.steps"
)


class Store(RunRecord):
    """Cells, trials, evaluations and proposals of a run, in `FOLDER/run.sqlite`. Made by `create` or `open`.

    For the thread that made it. Every method raises `StoreError` if the file cannot be read or written, or holds a
    value that no run writes; what was recorded before stays as it was.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        super().__init__(folder, connection)
        self._fold_due = time.monotonic() + FOLD_SECONDS
        self._drives = False
        if self.select("PRAGMA journal_mode") == [("wal",)]:
            self.select("PRAGMA synchronous = NORMAL")

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        name: str,
        seed: int,
        profile: str,
        strategy: str,
        window: int,
        information: dict[str, Any],
    ) -> Self:
        """Create a run: `run.sqlite` and `profile.toml` in `folder`, which is made if needed.

        Args:
            folder: folder of the run.
            name: name of the run.
            seed: random seed of the run.
            profile: the resolved profile as TOML text.
            strategy: name of the strategy.
            window: largest number of proposals in flight.
            information: JSON-like: versions, machine, command, checksums of the data (`results.store.information`).

        Raises:
            StoreError: the folder holds a run, or something else of that name, or cannot be written.
        """
        if not 0 <= seed <= LARGEST_INTEGER:
            raise StoreError(f"seed {seed} is outside 0 ... 2**63 - 1; choose one within")
        information = {"canonical_form": int(PRESENT)} | information
        values = (name, seed, profile, strategy, window, information_text(information))
        return cls._of(folder, create_database(folder, name, profile, values))

    @classmethod
    def open(cls, folder: Path, *, readonly: bool = False, unchanging: bool = False) -> Self:
        """Open the run in `folder`, to continue it or, with `readonly`, to read it while another process writes.

        With `unchanging`, nobody may write meanwhile: see `results.store.untouched.read_untouched`.

        Raises:
            StoreError: the folder has no run, or its file is damaged, of another schema version, or not a run's.
        """
        return cls._of(folder, open_database(folder, readonly=readonly, unchanging=unchanging))

    @classmethod
    def _of(cls, folder: Path, connection: sqlite3.Connection) -> Self:
        try:
            return cls(folder, connection)
        except BaseException:
            connection.close()
            raise

    def add_cell(self, row: CellRow) -> None:
        """Store a cell, whose parent must be stored. A known cell keeps the lineage of the earlier proposal."""
        with self._transaction() as connection:
            connection.execute(_ADD_CELL, encode(row))

    def cell(self, prefix: str) -> CellRow:
        """Return the cell whose id starts with these hex digits, which the letter of printed ids may precede.

        Raises:
            StoreError: no id or several ids start so (the message names them).
        """
        wanted = without_letter(prefix)
        # "g" comes after every hex digit, so this is the range of ids that start so. An empty prefix is no id.
        sql = f"SELECT {column_list(CellRow)} FROM cells WHERE id >= ? AND id < ? ORDER BY id"
        found = self.select(sql, (wanted, wanted + "g")) if wanted else []
        with self._sound():
            rows = [decode(CellRow, COLUMNS[CellRow], values) for values in found]
        if not rows:
            raise StoreError(f"run {self.name!r} has no cell {prefix!r}; its leaderboard lists the ids")
        if len(rows) > 1:
            names = ", ".join(
                f"{printed_id(row.id)} ({row.name})" if row.name else printed_id(row.id) for row in rows[:4]
            )
            more = f" and {len(rows) - 4} more" if len(rows) > 4 else ""
            raise AmbiguousCellError(f"cell {prefix!r} could be {names}{more} of run {self.name!r}; give more digits")
        return rows[0]

    def cells(self) -> list[CellRow]:
        """Return all cells: the given ones by id, then the found ones by proposal."""
        return self._rows(CellRow, {}, "proposal, id")

    def record(
        self, evaluation: EvaluationRow | None, trials: Sequence[TrialRow], measures: Sequence[MeasureRow] = ()
    ) -> None:
        """Store an evaluation, trials and their other metrics in one transaction.

        Keys that are stored already keep their first rows, except that a paused trial is replaced by the same trial
        with more steps. It keeps the proposal that asked for it first.
        """
        encoded, others = [encode(trial) for trial in trials], [encode(measure) for measure in measures]
        with self._transaction() as connection:
            connection.executemany(_RECORD_TRIAL, encoded)
            if others:
                connection.executemany(insertion(MeasureRow) + _KEEP_FIRST, others)
            if evaluation is not None:
                connection.execute(insertion(EvaluationRow) + _KEEP_FIRST, encode(evaluation))
        if time.monotonic() >= self._fold_due:
            self.fold_log()
            self._fold_due = time.monotonic() + FOLD_SECONDS

    def forget_failures(self) -> None:
        """Remove failed trials, and the evaluations, of a search without proposals, so that they are made again.

        The evaluations are those of baselines, which follow from the trials.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._transaction() as connection:
            connection.execute("DELETE FROM evaluations WHERE NOT EXISTS (SELECT 1 FROM proposals)")
            connection.execute(
                "DELETE FROM trials WHERE state = ? AND NOT EXISTS (SELECT 1 FROM proposals)",
                (TrialState.FAILED.value,),
            )

    def claim(self, cell: str, task: str, setting: str, repeat: int, proposal: int) -> None:
        """Note that this proposal asked for a stored trial. The earliest proposal is kept; baselines come last."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE trials SET proposal = ? WHERE cell = ? AND task = ? AND setting = ? AND repeat = ? "
                "AND (proposal IS NULL OR proposal NOT BETWEEN 0 AND ?)",
                (proposal, cell, task, setting, repeat, proposal),
            )

    def add_environment(self, key: str, description: str) -> None:
        """Store the environment of trials (JSON text) under the id that their rows have. A stored one is kept."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO environments VALUES (?, ?)" + _KEEP_FIRST, (key, description))

    def environments(self) -> dict[str, dict[str, Any]]:
        """Return the environments (versions, processor, commit) that trials were trained in, by id."""
        found = self.typed("SELECT id, description FROM environments ORDER BY id", {"id": str, "description": str})
        with self._sound():
            return {key: as_json(parse_environment(description)) for key, description in found}

    def trial(self, cell: str, task: str, setting: str, repeat: int) -> TrialRow | None:
        """Return the trial with this key (`cell` is a whole id), with its curve, or None."""
        rows = self._rows(TrialRow, {"cell": cell, "task": task, "setting": setting, "repeat": repeat}, "repeat")
        return rows[0] if rows else None

    def repeats(self, cell: str, task: str, setting: str) -> list[TrialRow]:
        """Return the trials of one setting of a cell (a whole id) on a task, which differ in their seeds, with curves.

        They are in the order of their repeats: the search's trial first, then the finalist's.
        """
        return self._rows(TrialRow, {"cell": cell, "task": task, "setting": setting}, "repeat")

    def trials(self, cell: str | None = None, task: str | None = None, *, curves: bool = False) -> list[TrialRow]:
        """Return trials, of one cell (a whole id) or task if given, in the order of their keys.

        The curves of a large run do not fit in memory: they are left empty without `curves`.
        """
        without = () if curves else ("curve",)
        return self._rows(TrialRow, {"cell": cell, "task": task}, "cell, task, setting, repeat", without)

    def measures(self, cell: str | None = None, task: str | None = None) -> list[MeasureRow]:
        """Return the other metrics of trials, of one cell (a whole id) or task if given, in the order of their keys.

        A run of schema version 3 has none.
        """
        if self.version < SCHEMA_VERSION:
            return []
        return self._rows(MeasureRow, {"cell": cell, "task": task}, "cell, task, setting, repeat, metric")

    def evaluations(
        self, cell: str | None = None, task: str | None = None, *, proposal: int | None = None
    ) -> list[EvaluationRow]:
        """Return evaluations in the order of proposals and stages: all, or of a cell (a whole id), task or proposal."""
        where = {"proposal": proposal, "cell": cell, "task": task}
        return self._rows(EvaluationRow, where, "proposal, stage, cell, task")

    def add_proposal(self, row: ProposalRow) -> None:
        """Store the outcome of a proposal, whose cell and parent must be stored. A stored proposal is kept."""
        with self._transaction() as connection:
            connection.execute(insertion(ProposalRow) + _KEEP_FIRST, encode(row))

    def proposals(self, index: int | None = None) -> list[ProposalRow]:
        """Return all proposals in order, or the one with an index; the baselines, with negative indices, come first."""
        return self._rows(ProposalRow, {"index": index}, '"index"')

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other drivers out while this one runs. The system frees the lock when the process ends.

        Raises:
            StoreError: another process drives this run.
        """
        path = self.folder / LOCK_FILE
        check_locks(self.folder)  # without them, the library may take the file's existence for a lock
        lock = FileLock(path, timeout=LOCK_SECONDS, poll_interval=0.02)
        try:
            with one_line(path):
                lock.acquire()
        except StoreError as error:
            if isinstance(error.__cause__, Timeout):
                raise StoreError(
                    f"run {self.name!r} is being driven by another process (it holds {path}); "
                    "wait until that ends, or start a run under a new name"
                ) from None
            raise
        self._drives = True
        try:
            yield
        finally:
            self._drives = False
            lock.release()

    @property
    def is_driven_by_another(self) -> bool:
        """True if another process drives the run: it holds the lock, and this object does not."""
        return not self._drives and is_locked(self.folder / LOCK_FILE)

    def check(self) -> int:
        """Run SQLite's own checks and read every row once; return the number of trials.

        Trials are read cell by cell, so that they fit in memory.

        Raises:
            StoreError: the file is damaged, or no run writes such a row.
        """
        answers = [row[0] for row in self.select("PRAGMA integrity_check(1)")]
        if answers != ["ok"]:
            raise StoreError(damaged(self.path, f"SQLite: {answers[0]}"))
        _ = self.information, self.environments(), self.evaluations(), self.proposals(), self.measures()
        trials = 0
        self.cells()
        for (cell,) in self.typed("SELECT DISTINCT cell FROM trials", {"cell": str}):
            found = self.trials(cell, curves=True)
            for setting in {row.setting for row in found}:
                self.decoded("setting", setting)
            trials += len(found)
        return trials

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, Exception) and type(error).__module__.partition(".")[0] not in _OWN_PACKAGES:
                # Readers rely on what `check` verifies, and run it only when something goes wrong.
                try:
                    self.check()
                except StoreError as reason:
                    raise reason from error
        finally:
            self.close()
