"""The store of a run: one SQLite file that says all that is known about it.

    with Store.create(folder, name="first", seed=0, ...) as store, store.lock():
        store.add_cell(cell)
        store.record(evaluation, trials)  # one transaction: all of it or nothing

What is promised, and how:

- A process that is killed at any moment leaves whole evaluations only: each is one transaction of a write-ahead log.
- A power loss leaves whole evaluations too, but may take the last few (`synchronous = NORMAL` does not wait for the
  disk at each commit). That is enough here: a trial is a function of its key, so resuming computes them again, to the
  same values. Waiting (`FULL`) would buy nothing but that recomputation, at a disk flush for each evaluation.
- Readers (the tables, a notebook) may look at any time, also while the search writes, and never hold it up.
- A key that is written twice keeps its first row, so a resumed search may record again what it finds recorded.

Lookups go through SQLite's own index of the key, about ten microseconds each: memory does not grow with the run.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from results.store.errors import StoreError, damaged, one_line
from results.store.files import write_atomically
from results.store.information import parse_environment, parse_information
from results.store.records import LARGEST_INTEGER, CellRow, EvaluationRow, ProposalRow, TrialRow
from results.store.schema import (
    APPLICATION_ID,
    COLUMNS,
    SCHEMA,
    SCHEMA_VERSION,
    TABLES,
    R,
    check_types,
    column_list,
    decode,
    decode_json,
    encode,
    insertion,
    misfits,
)

FILE = "run.sqlite"
PROFILE_FILE = "profile.toml"
LOCK_FILE = "run.lock"
BUSY_SECONDS = 5.0
"""How long a write waits for another program, say an SQLite browser, that holds the file."""

MAX_VALUE_BYTES = 64_000_000
"""A text or blob of a store that is longer is refused."""

# Two proposals in flight may make the same cell. The earlier one's lineage is kept, whichever is stored first, so that
# the table does not depend on which finished first.
_ADD_CELL = (
    insertion(CellRow)
    + " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("name", "parent", "mutations", "origin", "proposal"))
    + " WHERE excluded.proposal < cells.proposal"
)
_OURS = ("results", "search", "tasks")
_KEEP_FIRST = " ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class _Run:
    name: str
    seed: int
    profile: str
    strategy: str
    window: int


class Store:
    """A run's cells, trials, evaluations and proposals in `FOLDER/run.sqlite`. Made by `create` or `open`.

    For the thread that made it. Every method raises `StoreError` where the file cannot be read or written, or has what
    no run writes; what was recorded before stays as it was. A store may come from anybody: nothing in it is trusted to
    be of its column's type.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._connection = connection
        self.select("PRAGMA synchronous = NORMAL")
        kinds = {"name": str, "seed": int, "profile": str, "strategy": str, "window": int}
        runs = self.typed(f"SELECT {', '.join(kinds)} FROM run LIMIT 2", kinds)
        if len(runs) != 1:
            raise StoreError(damaged(self.path, f"its table run has {'no row' if not runs else 'several rows'}"))
        self._run = _Run(*runs[0])

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
        """A new run: `run.sqlite` and `profile.toml` in `folder`, which is made if need be.

        Args:
            profile: the resolved profile as TOML text.
            window: proposals in flight at most.
            information: JSON-like: versions, machine, command, checksums of the data.

        Raises:
            StoreError: the folder holds a run already, or something else of that name, or cannot be written.
        """
        if not 0 <= seed <= LARGEST_INTEGER:
            raise StoreError(f"seed {seed} is outside 0 ... 2**63 - 1; choose one within")
        path = folder / FILE
        with one_line(path):
            folder.mkdir(parents=True, exist_ok=True)
            new = not path.exists() or _is_blank(path)
        if not new:
            raise StoreError(_exists(name, folder))
        connection = _connect(path, "rwc")
        try:
            with one_line(path):
                connection.execute("PRAGMA journal_mode = WAL")
                # One transaction for all of it: a process killed here leaves a blank file, which counts as no run.
                connection.execute("BEGIN EXCLUSIVE")
                if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    raise StoreError(_exists(name, folder))
                for statement in SCHEMA:
                    connection.execute(statement)
                text = json.dumps(information, ensure_ascii=False, default=str)
                connection.execute(
                    "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", (name, seed, profile, strategy, window, text)
                )
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                write_atomically(folder / PROFILE_FILE, profile)
                connection.execute("COMMIT")
            return cls(folder, connection)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(cls, folder: Path, *, readonly: bool = False) -> Self:
        """The run in `folder`, to go on with or, with `readonly`, to look at while it is written or kept elsewhere.

        Raises:
            StoreError: there is no run, or its file is damaged, of another schema version, or something else.
        """
        path = folder / FILE
        with one_line(path):
            exists = path.is_file()
        if not exists:
            raise StoreError(f"{folder}: no run here ({FILE} is missing); check its name, or start it with that name")
        connection = _connect(path, "ro" if readonly else "rw")
        try:
            log = path.with_name(FILE + "-wal")
            if readonly and not _openable(connection) and not log.exists():
                # A folder that may not be written has no room for the log's index. Without a log the file is all there
                # is, and nobody changes it; with one, the error below says what to do.
                connection.close()
                connection = _connect(path, "ro&immutable=1")
            with one_line(path):
                application = connection.execute("PRAGMA application_id").fetchone()[0]
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                parts = connection.execute("SELECT name, type, sql FROM sqlite_master").fetchall()
            if application != APPLICATION_ID:
                raise StoreError(f"{path}: this is no run's store; restore it from a copy, or start under a new name")
            if version != SCHEMA_VERSION:
                raise StoreError(
                    f"{path}: schema version {version}, but this gatesearch reads version {SCHEMA_VERSION}; "
                    "use the gatesearch that wrote it, or start under a new name"
                )
            wrong = misfits({name: (kind, sql) for name, kind, sql in parts})
            if wrong:
                raise StoreError(damaged(path, f"its schema is not that of a run: {', '.join(wrong)}"))
            return cls(folder, connection)
        except BaseException:
            connection.close()
            raise

    @property
    def name(self) -> str:
        return self._run.name

    @property
    def seed(self) -> int:
        return self._run.seed

    @property
    def profile(self) -> str:
        """The resolved profile as TOML text."""
        return self._run.profile

    @property
    def strategy(self) -> str:
        return self._run.strategy

    @property
    def window(self) -> int:
        """Proposals in flight: proposal k sees the outcomes of those up to k - window."""
        return self._run.window

    @property
    def information(self) -> dict[str, Any]:
        """What is known about how the run was made, as it stands now."""
        (text,) = self.typed("SELECT information FROM run", {"information": str})[0]
        with self._sound():
            return parse_information(text)

    @property
    def simulated(self) -> bool:
        """Whether the run's trials were drawn (`gatesearch search --simulate`), so that it says nothing of cells."""
        return "simulated" in self.information

    def mark(self, **information: Any) -> None:
        """Add to the information, or replace it key by key: when it was resumed, with what versions, when it ended."""
        with self._transaction() as connection:
            merged = self.information | information
            connection.execute("UPDATE run SET information = ?", (json.dumps(merged, ensure_ascii=False, default=str),))

    def extend(self, profile: str, command: Sequence[str]) -> None:
        """Let the run go on under a profile that wants more of it, as TOML text: it is unfinished again.

        The command's arguments are kept with those of the earlier ones (`extended`), for whoever makes the run again.
        """
        with self._transaction() as connection:
            left = {key: value for key, value in self.information.items() if key != "finished"}
            left["extended"] = [*left.get("extended", []), list(command)]
            text = json.dumps(left, ensure_ascii=False, default=str)
            connection.execute("UPDATE run SET profile = ?, information = ?", (profile, text))
            write_atomically(self.folder / PROFILE_FILE, profile)
        self._run = replace(self._run, profile=profile)

    def add_cell(self, row: CellRow) -> None:
        """Store a cell. Known already: the lineage of the earlier proposal is kept. Its parent must be stored."""
        with self._transaction() as connection:
            connection.execute(_ADD_CELL, encode(row))

    def cell(self, prefix: str) -> CellRow:
        """The cell whose id starts with these hex digits.

        Raises:
            StoreError: no cell's does, or several cells' do (the message names them).
        """
        wanted = prefix.strip().lower()
        # "g" comes after every hex digit, so this is the range of ids that start so. An empty prefix is no id.
        sql = f"SELECT {column_list(CellRow)} FROM cells WHERE id >= ? AND id < ? ORDER BY id"
        found = self.select(sql, (wanted, wanted + "g")) if wanted else []
        with self._sound():
            rows = [decode(CellRow, COLUMNS[CellRow], values) for values in found]
        if not rows:
            raise StoreError(f"run {self.name!r} has no cell {prefix!r}; its leaderboard lists the ids")
        if len(rows) > 1:
            names = ", ".join(f"{row.id} ({row.name})" if row.name else row.id for row in rows[:4])
            more = f" and {len(rows) - 4} more" if len(rows) > 4 else ""
            raise StoreError(f"cell {prefix!r} could be {names}{more} of run {self.name!r}; give more digits")
        return rows[0]

    def cells(self) -> list[CellRow]:
        """All cells: those that were given by id, then those that were found by proposal."""
        return self._rows(CellRow, {}, "proposal, id")

    def record(self, evaluation: EvaluationRow | None, trials: Sequence[TrialRow]) -> None:
        """Store an evaluation and its trials in one transaction. Keys that are stored already keep their first rows."""
        encoded = [encode(trial) for trial in trials]
        with self._transaction() as connection:
            connection.executemany(insertion(TrialRow) + _KEEP_FIRST, encoded)
            if evaluation is not None:
                connection.execute(insertion(EvaluationRow) + _KEEP_FIRST, encode(evaluation))

    def claim(self, cell: str, task: str, setting: str, repeat: int, proposal: int) -> None:
        """Note that this proposal asked for a stored trial: the earliest is kept; baselines come last."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE trials SET proposal = ? WHERE cell = ? AND task = ? AND setting = ? AND repeat = ? "
                "AND (proposal IS NULL OR proposal NOT BETWEEN 0 AND ?)",
                (proposal, cell, task, setting, repeat, proposal),
            )

    def add_environment(self, key: str, description: str) -> None:
        """Store what trials were trained by (JSON text), under the id that their rows have; a stored one is kept."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO environments VALUES (?, ?)" + _KEEP_FIRST, (key, description))

    def environments(self) -> dict[str, dict[str, Any]]:
        """What trials of the run were trained by: versions, processor and commit, by id."""
        found = self.typed("SELECT id, description FROM environments ORDER BY id", {"id": str, "description": str})
        with self._sound():
            return {key: parse_environment(description) for key, description in found}

    def trial(self, cell: str, task: str, setting: str, repeat: int) -> TrialRow | None:
        """The trial with this key (`cell` is a whole id), with its curve, or None."""
        rows = self._rows(TrialRow, {"cell": cell, "task": task, "setting": setting, "repeat": repeat}, "repeat")
        return rows[0] if rows else None

    def repeats(self, cell: str, task: str, setting: str) -> list[TrialRow]:
        """The trials of one setting of a cell (a whole id) on a task, with their curves; they differ in their seeds."""
        return self._rows(TrialRow, {"cell": cell, "task": task, "setting": setting}, "repeat")

    def trials(self, cell: str | None = None, task: str | None = None, *, curves: bool = False) -> list[TrialRow]:
        """Trials, of one cell (a whole id) or task if given, in the order of their keys.

        A big run's curves do not fit in memory: they are left empty unless asked for.
        """
        without = () if curves else ("curve",)
        return self._rows(TrialRow, {"cell": cell, "task": task}, "cell, task, setting, repeat", without)

    def evaluations(self, cell: str | None = None, task: str | None = None) -> list[EvaluationRow]:
        """Evaluations, of one cell (a whole id) or task if given, in the order of proposals and stages."""
        return self._rows(EvaluationRow, {"cell": cell, "task": task}, "proposal, stage, cell, task")

    def add_proposal(self, row: ProposalRow) -> None:
        """Store how a proposal ended; a stored one is kept. Its cell and parent must be stored."""
        with self._transaction() as connection:
            connection.execute(insertion(ProposalRow) + _KEEP_FIRST, encode(row))

    def proposals(self) -> list[ProposalRow]:
        """All proposals in order; the baselines, whose index is negative, come first."""
        return self._rows(ProposalRow, {}, '"index"')

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query over the tables that `results.store.schema` documents."""
        with one_line(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def typed(self, sql: str, kinds: Mapping[str, Any], parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As `select`, for columns that must be of these kinds, in order: `{"cell": str, "test": float | None}`.

        Raises:
            StoreError: as ever, and where a value is of another kind, or a float is not finite.
        """
        rows = self.select(sql, parameters)
        with self._sound():
            check_types(rows, kinds)
        return rows

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other drivers out while this one runs. The system frees it when the process ends, however it ends.

        Raises:
            StoreError: another process drives this run.
        """
        path = self.folder / LOCK_FILE
        lock = FileLock(path, timeout=0)
        try:
            with one_line(path):
                lock.acquire()
        except StoreError as error:
            if isinstance(error.__cause__, Timeout):
                raise StoreError(
                    f"run {self.name!r} is being driven by another process (it holds {path}); "
                    "wait until that ends, or start another run under a new name"
                ) from None
            raise
        try:
            yield
        finally:
            lock.release()

    def check(self) -> int:
        """Let SQLite check the file, and read every row once, trials cell by cell for memory; the number of trials.

        Raises:
            StoreError: the file is damaged, or a row is none that a run writes.
        """
        answers = [row[0] for row in self.select("PRAGMA integrity_check(1)")]
        if answers != ["ok"]:
            raise StoreError(damaged(self.path, f"SQLite: {answers[0]}"))
        _ = self.information, self.environments(), self.evaluations(), self.proposals()
        trials = 0
        self.cells()
        for (cell,) in self.typed("SELECT DISTINCT cell FROM trials", {"cell": str}):
            found = self.trials(cell, curves=True)
            for setting in {row.setting for row in found}:
                self.decoded("setting", setting)
            trials += len(found)
        return trials

    def copy_to(self, path: Path) -> None:
        """Write all of the store, compact and without a log beside it, into a new file.

        Raises:
            StoreError: the file exists, or cannot be written, or the store cannot be read.
        """
        with one_line(path):
            self._connection.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Let go of the file; the last one to do so folds the log into it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, Exception) and type(error).__module__.partition(".")[0] not in _OURS:
                # Whoever reads a store relies on what `check` looks at, and looks at it only when something goes wrong.
                try:
                    self.check()
                except StoreError as reason:
                    raise reason from error
        finally:
            self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        with one_line(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors, a full disk among them.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _rows(
        self, kind: type[R], where: dict[str, str | int | None], order: str, without: tuple[str, ...] = ()
    ) -> list[R]:
        given = {name: value for name, value in where.items() if value is not None}
        names = tuple(name for name in COLUMNS[kind] if name not in without)
        condition = " AND ".join(f'"{name}" = ?' for name in given) or "1"
        sql = f"SELECT {column_list(kind, without)} FROM {TABLES[kind]} WHERE {condition} ORDER BY {order}"
        with one_line(self.path), self._sound(f"a row of {TABLES[kind]}: "):
            cursor = self._connection.execute(sql, tuple(given.values()))
            return [decode(kind, names, values) for values in cursor]

    def decoded(self, name: str, text: str) -> Any:
        """What the JSON text of the column `name` says. Raises `StoreError` for what no run writes there."""
        with self._sound():
            return decode_json(name, text)

    @contextmanager
    def _sound(self, where: str = "") -> Iterator[None]:
        """What a value inside that no run writes raises becomes a `StoreError`."""
        try:
            yield
        except StoreError:
            raise
        except (ValueError, OverflowError) as error:
            raise StoreError(damaged(self.path, f"{where}{error}")) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    with one_line(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        connection.execute("PRAGMA foreign_keys = ON")
        # What SQLite advises for files of others (sqlite.org/security.html).
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        return connection


def _openable(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return True  # damaged, which another way of opening would not mend
    return True


def _is_blank(path: Path) -> bool:
    """Whether the file is a database without a table: what a process leaves that was killed while it made a run."""
    connection = _connect(path, "ro")
    try:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)
    finally:
        connection.close()


def _exists(name: str, folder: Path) -> str:
    return f"run {name!r} exists already in {folder}; --resume goes on with it, a new name starts afresh"
