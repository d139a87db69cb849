"""Tables of `run.sqlite`, and conversion of rows to and from their columns.

Columns have the names of the dataclass fields in `results.store.records`, which document them in full. SQLite keeps the
comments below, so `sqlite3 run.sqlite .schema` documents a store on its own. Booleans are 0 and 1; tuples and dicts are
JSON text; a missing number is NULL.
"""

import json
import math
import operator
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn, TypeAlias, TypeVar, get_args, get_type_hints

from results.store.records import LARGEST_INTEGER, CellRow, EvaluationRow, MeasureRow, ProposalRow, TrialRow
from results.store.setting_key import FIELDS
from search.cells.text import shorten

APPLICATION_ID = 0x67617465  # "gate": tells a run's store from any other SQLite database
SCHEMA_VERSION = 4  # kept in user_version; increases whenever a table changes
OLDEST_VERSION = 3
"""Oldest schema version that is read. It lacks the table `measures`, which is added when the run is resumed."""

LARGEST_COUNT = 2**53  # floats represent every whole number up to here

# `gatesearch verify` compares this text, comments included, with that of a store: it changes only with SCHEMA_VERSION.
SCHEMA = (
    """
    CREATE TABLE run (              -- one row: what the run was started with
        name TEXT NOT NULL,
        seed INTEGER NOT NULL,
        profile TEXT NOT NULL,      -- the resolved profile, TOML text
        strategy TEXT NOT NULL,     -- decides what is tried next
        "window" INTEGER NOT NULL,  -- proposals in flight; proposal k sees the outcomes up to k - window
        information TEXT NOT NULL   -- JSON text: versions, machine, command, data checksums, times
    )""",
    """
    CREATE TABLE cells (
        id TEXT PRIMARY KEY,        -- 16 hex digits: the hash of the canonical graph
        formula TEXT NOT NULL,      -- canonical formula, one assignment a line
        name TEXT,                  -- library name or file name
        parent TEXT REFERENCES cells (id),
        mutations TEXT NOT NULL,    -- JSON list of words: how it was made from its parent
        origin TEXT NOT NULL,       -- baseline or found
        proposal INTEGER,           -- the proposal that made it
        nodes INTEGER NOT NULL,
        states INTEGER NOT NULL,    -- vectors carried from step to step
        products INTEGER NOT NULL   -- linear nodes
    )""",
    """
    CREATE TABLE environments (
        id TEXT PRIMARY KEY,        -- the first hex digits of the description's hash
        description TEXT NOT NULL   -- JSON object: versions, processor, commit of the source
    )""",
    """
    CREATE TABLE trials (
        cell TEXT NOT NULL REFERENCES cells (id),
        task TEXT NOT NULL,
        setting TEXT NOT NULL,      -- hyperparameters, canonical JSON text
        repeat INTEGER NOT NULL,    -- 0, 1, ...: same setting, other seed
        seed INTEGER NOT NULL,
        state TEXT NOT NULL,        -- ok, diverged, at-chance, stopped, failed
        reason TEXT NOT NULL,       -- why it ended so, in words
        metric TEXT NOT NULL,       -- what validation and test are: accuracy (fraction), nats_per_step
        higher_is_better INTEGER NOT NULL,  -- direction of the metric, 0 or 1
        validation REAL,            -- metric on the validation set, at best_step
        validation_se REAL,         -- its standard error, in units of the metric
        test REAL,                  -- metric on the test set, at best_step
        test_se REAL,
        validation_loss REAL,       -- nats per counted step
        test_loss REAL,             -- nats per counted step
        best_step INTEGER NOT NULL,
        steps INTEGER NOT NULL,     -- training steps done
        seconds REAL NOT NULL,      -- wall-clock time
        parameters INTEGER NOT NULL,
        units INTEGER NOT NULL,     -- size of the cell's vectors
        curve TEXT NOT NULL,        -- JSON list of [step, training loss in nats per counted step, validation metric]
        environment TEXT REFERENCES environments (id),  -- that it was trained in
        proposal INTEGER,           -- the first that asked for it; -1, -2, ...: only baselines did
        PRIMARY KEY (cell, task, setting, repeat)
    )""",
    """
    CREATE TABLE measures (
        cell TEXT NOT NULL,
        task TEXT NOT NULL,
        setting TEXT NOT NULL,
        repeat INTEGER NOT NULL,
        metric TEXT NOT NULL,       -- accuracy (fraction), cross_entropy (nats per symbol)
        validation REAL,            -- its value on the validation set, at the trial's best_step
        validation_se REAL,         -- its standard error
        test REAL,                  -- its value on the test set, at the trial's best_step
        test_se REAL,
        PRIMARY KEY (cell, task, setting, repeat, metric),
        FOREIGN KEY (cell, task, setting, repeat) REFERENCES trials (cell, task, setting, repeat)
    )""",
    # Every column that the leaderboard reads, so that it does not load the curves.
    """
    CREATE INDEX trials_for_ranking ON trials
        (cell, task, setting, repeat, state, higher_is_better, validation, validation_se, test, parameters, steps,
        seconds, environment, proposal)""",
    """
    CREATE TABLE evaluations (
        proposal INTEGER NOT NULL,  -- -1, -2, ... for the baselines
        cell TEXT NOT NULL REFERENCES cells (id),
        task TEXT NOT NULL,
        stage INTEGER NOT NULL,     -- 0 = memorization, 1 = the first ranked task, ...
        settings INTEGER NOT NULL,  -- settings tried in this visit
        best REAL,                  -- best validation metric of the cell on the task so far
        ratio REAL,                 -- to the GRU's best; > 1 is better whatever the metric's direction
        threshold REAL,             -- what had to be reached: an accuracy in stage 0, a ratio later
        passed INTEGER NOT NULL,    -- 0 or 1
        PRIMARY KEY (proposal, cell, task)
    )""",
    """
    CREATE TABLE proposals (
        "index" INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,         -- propose, re-examine, baseline
        cell TEXT REFERENCES cells (id),
        parent TEXT REFERENCES cells (id),
        outcome TEXT NOT NULL,      -- complete, stopped at TASK, no valid child, failed
        score REAL,                 -- min over the tasks of the ratio to the GRU
        rejections TEXT NOT NULL    -- JSON object: draws rejected before this one, by reason
    )""",
)

ADDED = tuple(sql for sql in SCHEMA if sql.split()[2] == "measures")
"""Statements that schema version 4 added."""

Row: TypeAlias = CellRow | TrialRow | MeasureRow | EvaluationRow | ProposalRow
R = TypeVar("R", CellRow, TrialRow, MeasureRow, EvaluationRow, ProposalRow)

TABLES: dict[type[Row], str] = {
    CellRow: "cells",
    TrialRow: "trials",
    MeasureRow: "measures",
    EvaluationRow: "evaluations",
    ProposalRow: "proposals",
}
COLUMNS = {kind: tuple(field.name for field in fields(kind)) for kind in TABLES}
_JSON = ("mutations", "curve", "rejections")
_BOOLEAN = {kind: tuple(name for name, hint in get_type_hints(kind).items() if hint is bool) for kind in TABLES}
_STORED_AS = {bool: int}
_NAMES_OF_TYPES = {str: "text", int: "a whole number up to 2**53", float: "a finite number", type(None): "nothing"}
_COMMENT = re.compile(r"--[^\n]*")


def schema_of(version: int) -> tuple[str, ...]:
    """Return the statements that make the tables and indices of a readable schema version."""
    return SCHEMA if version >= SCHEMA_VERSION else tuple(sql for sql in SCHEMA if sql not in ADDED)


def misfits(found: Mapping[str, tuple[str, str | None]], version: int = SCHEMA_VERSION) -> list[str]:
    """Return what a run cannot have in its schema (kind and SQL by name): other tables than these, views, triggers.

    Additions (an index, a table of one's own) are harmless, and comments may differ.
    """
    wanted = {sql.split()[2]: sql for sql in schema_of(version) if sql.split()[1] == "TABLE"}
    wrong = [name for name, sql in wanted.items() if _bare(found.get(name, ("", ""))[1] or "") != _bare(sql)]
    return wrong + [f"{kind} {name}" for name, (kind, _) in found.items() if kind in ("view", "trigger")]


def _bare(sql: str) -> str:
    return " ".join(_COMMENT.sub("", sql).split())


def check_types(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, Any]) -> None:
    """Raise `ValueError`, with column and value, unless every value has its column's type.

    SQLite stores any value in any column. A kind is a type or a union of types. Floats must be finite; whole numbers,
    except seeds, at most `LARGEST_COUNT`, because frames compute with both.
    """
    for values, (name, kind) in zip(zip(*rows, strict=True), kinds.items(), strict=False):
        allowed = _stored_types(kind)
        # Whole columns at a time, at the speed of C; the wrong value is looked for only if there is one.
        largest = LARGEST_INTEGER if name == "seed" else LARGEST_COUNT
        if set(map(type, values)) <= allowed and _in_range(values, largest):
            continue
        wrong = (value for value in values if type(value) not in allowed or not _in_range([value], largest))
        _refuse(name, next(wrong), allowed)


def _stored_types(kind: Any) -> frozenset[type]:
    return frozenset(_STORED_AS.get(member, member) for member in get_args(kind) or (kind,))


def _in_range(values: Sequence[Any], largest: int) -> bool:
    """Return whether floats are finite (SQLite has no NaN) and whole numbers at most `largest`."""
    numbers = [value for value in values if isinstance(value, int | float)]
    bound = largest if numbers and type(numbers[0]) is int else sys.float_info.max
    return not numbers or (-bound <= min(numbers) and max(numbers) <= bound)


def _refuse(name: str, value: object, allowed: Iterable[type]) -> NoReturn:
    words = " or ".join(_NAMES_OF_TYPES[member] for member in sorted(allowed, key=str))
    raise ValueError(f"{name} is {_short(value)}, which is not {words}")


def _short(value: object) -> str:
    return shorten(repr(value[:60] if isinstance(value, str | bytes) else value), 60)


def column_list(kind: type[Row], without: tuple[str, ...] = ()) -> str:
    """Return the columns of a table for SQL, quoted because `index` and `window` are keywords."""
    return ", ".join(f'"{name}"' for name in COLUMNS[kind] if name not in without)


def insertion(kind: type[Row]) -> str:
    """Return SQL that inserts an encoded row; the caller appends what to do if the key exists."""
    marks = ", ".join("?" * len(COLUMNS[kind]))
    return f"INSERT INTO {TABLES[kind]} ({column_list(kind)}) VALUES ({marks})"


def encode(row: Row) -> tuple[Any, ...]:
    """Return the values of a row in the order of its table's columns.

    Raises:
        TypeError: a value is neither text nor a number.
    """
    kind = type(row)
    values = ((name, getattr(row, name)) for name in COLUMNS[kind])
    return tuple(
        _text(value) if name in _JSON else int(bool(value)) if name in _BOOLEAN[kind] else _plain(value)
        for name, value in values
    )


KINDS: dict[type[Row], dict[str, Any]] = {
    kind: {name: str if name in _JSON else hint for name, hint in get_type_hints(kind).items()} for kind in TABLES
}
"""Type of each column of each table, for `check_types`."""

_TYPES = {kind: {name: _stored_types(hint) for name, hint in hints.items()} for kind, hints in KINDS.items()}


def decode(kind: type[R], names: tuple[str, ...], values: tuple[Any, ...]) -> R:
    """Return the row with these columns of its table.

    Raises:
        ValueError: no run writes such a value; the message names the column.
    """
    named: dict[str, Any] = dict(zip(names, values, strict=True))
    types = _TYPES[kind]
    for name, value in named.items():
        if type(value) not in types[name] or (type(value) is float and not math.isfinite(value)):
            _refuse(name, value, types[name])
    for name in _BOOLEAN[kind]:
        named[name] = bool(named[name])
    for name in _JSON:
        if name in named:
            named[name] = decode_json(name, named[name])
    if kind is TrialRow:
        named.setdefault("curve", ())
    return kind(**named)


def decode_json(name: str, text: str) -> Any:
    """Decode the JSON text of the column `name`. Raise `ValueError` if no run writes such a text."""
    try:
        return _FORMS[name](_JSON_TEXT.decode(text))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is {_short(text)}, which no run writes ({error})") from error


def _words(value: Any) -> tuple[str, ...]:
    if type(value) is list and all(type(item) is str for item in value):
        return tuple(value)
    raise ValueError("it must be a list of texts")


def _counts(value: Any) -> dict[str, int]:
    if type(value) is dict and all(type(item) is int for item in value.values()):
        return value
    raise ValueError("it must be an object of whole numbers")


_NO_NUMBERS = {field.name: field.kind for field in FIELDS if field.kind in (str, bool)}
"""Types of a setting's fields that are no numbers."""


def _setting(value: Any) -> dict[str, Any]:
    """Return the fields of a setting; whole numbers stay whole."""
    if type(value) is dict and all(_fits(name, item) for name, item in value.items()):
        return value
    raise ValueError(f"it must be an object of numbers, but for {', '.join(_NO_NUMBERS)}")


def _fits(name: str, item: Any) -> bool:
    kind = _NO_NUMBERS.get(name)
    return type(item) is kind if kind else type(item) in (int, float) and abs(item) < 2**63


def _points(value: Any) -> tuple[tuple[int, float, float], ...]:
    return tuple(
        # Adding 0.0 converts to float; an integer beyond the floats raises OverflowError.
        (operator.index(step), math.nan if loss is None else loss + 0.0, math.nan if metric is None else metric + 0.0)
        for step, loss, metric in value
    )


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_JSON_TEXT = json.JSONDecoder(parse_constant=_refuse_constant)
_FORMS: dict[str, Callable[[Any], Any]] = {
    **{"mutations": _words, "rejections": _counts},
    **{"curve": _points, "setting": _setting},
}


def _plain(value: Any) -> Any:
    # NumPy's integers are buffers too, and SQLite would silently store their bytes.
    return value if value is None or isinstance(value, str | int | float) else operator.index(value)


def _text(value: Any) -> str:
    """Return JSON text, the same for equal values. JSON has no NaN, so a missing value in a curve is null."""
    if isinstance(value, tuple):
        value = [
            [None if math.isnan(item) else item for item in entry] if isinstance(entry, tuple) else entry
            for entry in value
        ]
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, default=operator.index
    )
