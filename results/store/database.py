"""SQLite file of a run: creating it, opening it, and queries whose errors are one line and whose values are checked.

`results.store.store.Store` adds the rows of a run. A file may be of unknown origin, so no value is trusted to have its
column's type.
"""

import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from results.store.errors import SHARED_MEMORY_CODES, StoreError, check_locks, damaged, one_line
from results.store.files import write_atomically
from results.store.schema import (
    ADDED,
    APPLICATION_ID,
    COLUMNS,
    OLDEST_VERSION,
    SCHEMA,
    SCHEMA_VERSION,
    TABLES,
    R,
    check_types,
    column_list,
    decode,
    decode_json,
    misfits,
)

FILE = "run.sqlite"
RUN_ARCHIVE = "run.tar.xz"
"""Archive of a published run, which has its store and its tables."""

PROFILE_FILE = "profile.toml"
BUSY_SECONDS = 5.0
"""Seconds that a write waits for another program, say an SQLite browser, that holds the file."""

JOURNAL_BUSY_SECONDS = 300.0
"""The same where the file has a rollback journal: a program that reads holds it, too."""

MAX_VALUE_BYTES = 64_000_000
"""Largest text or blob that a store may hold."""


class Database:
    """Connection to the file of a run, for the thread that made it.

    Every method raises `StoreError` if the file cannot be read or written, or holds a value that no run writes. What
    was stored before stays as it was.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @property
    def version(self) -> int:
        """Schema version of the file."""
        return int(self.select("PRAGMA user_version")[0][0])

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query over the tables that `results.store.schema` documents."""
        with one_line(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def typed(self, sql: str, kinds: Mapping[str, Any], parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query whose columns must have these types, in order: `{"cell": str, "test": float}`.

        Raises:
            StoreError: as for every method, or a value has another type, or a float is not finite.
        """
        rows = self.select(sql, parameters)
        with self._sound():
            check_types(rows, kinds)
        return rows

    def decoded(self, name: str, text: str) -> Any:
        """Decode the JSON text of the column `name`. Raise `StoreError` if no run writes such a text."""
        with self._sound():
            return decode_json(name, text)

    def copy_to(self, path: Path) -> None:
        """Write the whole database, compact and without a log beside it, into a new file.

        Raises:
            StoreError: the file exists or cannot be written, or the store cannot be read.
        """
        with one_line(path):
            self._connection.execute("VACUUM INTO ?", (str(path),))

    def fold_log(self) -> None:
        """Write the log's rows into the file as far as no reader needs them in the log: a copy of the file has them."""
        self.select("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file; the last process to do so folds the log into it."""
        self._connection.close()

    def _rows(
        self, kind: type[R], where: dict[str, str | int | None], order: str, without: tuple[str, ...] = ()
    ) -> list[R]:
        """Return the rows of one kind with these values (None: any), leaving out the columns in `without`."""
        given = {name: value for name, value in where.items() if value is not None}
        names = tuple(name for name in COLUMNS[kind] if name not in without)
        condition = " AND ".join(f'"{name}" = ?' for name in given) or "1"
        sql = f"SELECT {column_list(kind, without)} FROM {TABLES[kind]} WHERE {condition} ORDER BY {order}"
        with one_line(self.path), self._sound(f"a row of {TABLES[kind]}: "):
            cursor = self._connection.execute(sql, tuple(given.values()))
            return [decode(kind, names, values) for values in cursor]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit the statements inside together, or none of them if one raises."""
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

    @contextmanager
    def _sound(self, where: str = "") -> Iterator[None]:
        """Turn the errors that a value raises inside, because no run writes it, into a `StoreError`."""
        try:
            yield
        except StoreError:
            raise
        except (ValueError, OverflowError) as error:
            raise StoreError(damaged(self.path, f"{where}{error}")) from error


def check_packed(folder: Path) -> None:
    """Check that a folder has its run unpacked, if it is that of a published run with an archive.

    Raises:
        StoreError: it has the archive alone; the message says how to unpack it.
    """
    archive = folder / RUN_ARCHIVE
    with one_line(archive):
        packed = archive.is_file() and not (folder / FILE).is_file()
    if packed:
        line = shlex.join(["tar", "-xJf", str(archive), "-C", str(folder)])
        raise StoreError(f"run {folder} is packed; unpack it first: {line}")


def create_database(folder: Path, name: str, profile: str, values: tuple[Any, ...]) -> sqlite3.Connection:
    """Make the files of a new run in `folder` (made if needed) and return a connection to its database.

    Args:
        folder: folder of the run.
        name: name of the run, for errors.
        profile: the resolved profile as TOML text, which `profile.toml` gets.
        values: row of the table `run`.

    Raises:
        StoreError: the folder holds a run, or something else of that name, or cannot be written.
    """
    path = folder / FILE
    check_packed(folder)
    with one_line(path):
        folder.mkdir(parents=True, exist_ok=True)
        check_locks(folder)
        new = not path.exists() or _is_blank(path)
    if not new:
        raise StoreError(_exists(name, folder))
    connection = _connect(path, "rwc")
    try:
        with one_line(path):
            connection = _with_log(path, connection)
            # One transaction for all of it: a process killed here leaves a blank file, which counts as no run.
            connection.execute("BEGIN EXCLUSIVE")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StoreError(_exists(name, folder))
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", values)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            write_atomically(folder / PROFILE_FILE, profile)
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # so that a copy of the file alone is a store
    except BaseException:
        connection.close()
        raise
    return connection


def no_run_text(folder: Path) -> str:
    """Return the message that a folder has no run."""
    return f"there is no run in {str(folder)!r}: {FILE} is missing; check the path"


def open_database(folder: Path, *, readonly: bool, unchanging: bool = False) -> sqlite3.Connection:
    """Return a connection to the database of the run in `folder`, after a look at its schema.

    Args:
        folder: folder of the run.
        readonly: whether it is only read.
        unchanging: whether nobody writes meanwhile and the log is empty, which the caller has to see to. SQLite then
            makes no file beside the database, as it does otherwise for a reader.

    Raises:
        StoreError: the folder has no run, or its file is damaged, of another schema version, or not a run's.
    """
    path = folder / FILE
    check_packed(folder)
    with one_line(path):
        exists = path.is_file()
    if not exists:
        raise StoreError(no_run_text(folder))
    log = path.with_name(FILE + "-wal")
    is_alone = not log.exists()  # SQLite may make one
    connection = _connect(path, "ro&immutable=1" if unchanging else "ro" if readonly else "rw")
    try:
        if not readonly and _lacks_shared_memory(connection):
            connection = _with_journal(path, connection)
        if readonly and not _openable(connection) and not log.exists():
            # A folder that may not be written has no room for the log's index. Without a log the file is complete, and
            # nobody changes it; with one, the error below says what to do.
            connection.close()
            connection = _connect(path, "ro&immutable=1")
        with one_line(path):
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            parts = connection.execute("SELECT name, type, sql FROM sqlite_master").fetchall()
        if application != APPLICATION_ID and not parts and is_alone and _is_logged(path):
            raise StoreError(
                f"{path}: copied without {log.name}, which holds what the run had written; copy both files, or start "
                "the run again under this name if it was stopped at its very beginning"
            )
        if application != APPLICATION_ID:
            raise StoreError(f"{path}: not a run's store; restore a backup, or start a run under a new name")
        if not OLDEST_VERSION <= version <= SCHEMA_VERSION:
            raise StoreError(
                f"{path}: schema version {version}, but this gatesearch reads {OLDEST_VERSION} to {SCHEMA_VERSION}; "
                "use the gatesearch that wrote it, or start a run under a new name"
            )
        wrong = misfits({name: (kind, sql) for name, kind, sql in parts}, version)
        if wrong:
            raise StoreError(damaged(path, f"its schema is not that of a run: {', '.join(wrong)}"))
        if version < SCHEMA_VERSION and not readonly:
            with one_line(path):
                _upgrade(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection) -> None:
    """Add the tables of the present schema version, in one transaction; another process may have done so."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in ADDED:
        connection.execute(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    with one_line(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        connection.execute("PRAGMA foreign_keys = ON")
        # SQLite's advice for files of unknown origin (sqlite.org/security.html).
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        return connection


def _with_log(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a connection to a blank database with a write-ahead log, or a rollback journal if a log cannot be had."""
    connection.execute("PRAGMA journal_mode = WAL")
    return _with_journal(path, connection) if _lacks_shared_memory(connection) else connection


def _lacks_shared_memory(connection: sqlite3.Connection) -> bool:
    """Return whether a database with a write-ahead log is on a file system where programs cannot share its index."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode in SHARED_MEMORY_CODES
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return False
    return False


def _with_journal(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a connection to the same database, with a rollback journal instead of its write-ahead log."""
    connection.close()
    connection = _connect(path, "rw")
    with one_line(path):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # a log whose index nobody shares can be folded in
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # gives up the lock
        connection.execute(f"PRAGMA busy_timeout = {JOURNAL_BUSY_SECONDS * 1000:.0f}")
    return connection


def _is_logged(path: Path) -> bool:
    """Return whether the file is in the mode of a write-ahead log: bytes 18 and 19 are 2."""
    with one_line(path), path.open("rb") as file:
        return file.read(20)[18:] == b"\x02\x02"


def _openable(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return True  # damaged, so another mode would not help
    return True


def _is_blank(path: Path) -> bool:
    """Return whether the file is a database without tables, as a process leaves it that was killed while creating."""
    connection = _connect(path, "ro")
    try:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)
    finally:
        connection.close()


def _exists(name: str, folder: Path) -> str:
    return f"run {name!r} already exists in {folder}; resume it with --resume, or choose a new name"
