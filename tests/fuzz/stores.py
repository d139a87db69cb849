"""Stores that somebody else wrote: a run's own with values, tables or bytes changed, and everything that reads one."""

from __future__ import annotations

import atexit
import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from random import Random

from rich.console import Console

import results
from results.publication.consistency import consistency
from results.store.graphs import graph_of
from results.store.rungs import rungs_of
from results.store.schema import COLUMNS, TABLES
from results.store.store import FILE, PROFILE_FILE, Store
from results.store.summary import funnel
from results.tables.file_names import TEXT_FILES, TRIALS_FILE
from results.tables.files import full_text
from results.tables.leaderboard import leaderboard
from results.tables.readable import render_table, to_latex, to_markdown
from search.allocations.stages import Stages
from search.cli.main import USER_ERRORS, run
from search.engine.finalists import choose_finalists, finalists_seconds
from search.engine.history import History
from search.profiles.loading import parse_profile
from search.strategies.scoring import ScoreRule
from tests.fuzz.draws import ODD_NUMBERS, changed_bytes, changed_text, odd_text, odd_value
from tests.fuzz.rules import check_message
from tests.fuzz.surfaces import Case, Surface, demand, draw_formula, draw_profile
from tests.tiny import TINY

TWO_RATES = TINY.replace("learning_rates = [0.3]", "learning_rates = [0.3, 1.0]")


@cache
def sound_run() -> Path:
    """The folder of a small simulated run with finalists; read it only."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-run-"))
    atexit.register(shutil.rmtree, folder, True)
    (folder / "tiny.toml").write_text(TWO_RATES)
    with redirect_stdout(StringIO()):
        line = ["search", f"{folder}/run", "--profile", f"{folder}/tiny.toml", "--simulate", "--workers", "0"]
        demand(run(line) == 0, "the small run does not end")
    with closing(sqlite3.connect(folder / "run" / FILE)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, so that a copy of it is the store
    return folder / "run"


JSON_COLUMNS = ("mutations", "curve", "rejections", "information", "description", "setting")
TABLE_COLUMNS = {TABLES[kind]: names for kind, names in COLUMNS.items()} | {
    "run": ("name", "seed", "profile", "strategy", "window", "information"),
    "environments": ("id", "description"),
}
SCHEMA_CHANGES = (
    *(
        "DROP TABLE {table}",
        "DROP INDEX trials_for_ranking",
        "ALTER TABLE {table} ADD COLUMN extra",
        "DELETE FROM {table}",
    ),
    *("ALTER TABLE {table} RENAME TO old", "CREATE VIEW v AS SELECT * FROM {table}", "CREATE TABLE extra (a)"),
    "ALTER TABLE {table} RENAME TO old; CREATE VIEW {table} AS SELECT * FROM old",
    "ALTER TABLE {table} RENAME TO old; CREATE TABLE {table} AS SELECT * FROM old",
    "CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM cells; END",
    "ALTER TABLE {table} RENAME COLUMN {column} TO other",
    "INSERT OR IGNORE INTO {table} SELECT * FROM {table}",
    "PRAGMA user_version = 99",
    "PRAGMA application_id = 0",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE x (' WHERE name = '{table}'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 2 WHERE name = '{table}'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = '{table}'",
    "CREATE INDEX more ON {table} (abs({column}))",
    "UPDATE cells SET parent = id",
    "UPDATE cells SET parent = (SELECT id FROM cells AS c ORDER BY c.id DESC LIMIT 1)",
    'UPDATE proposals SET "index" = -"index" - 10',
    "UPDATE {table} SET {column} = zeroblob(2000000)",
    "UPDATE {table} SET {column} = (SELECT {column} FROM {table} ORDER BY random() LIMIT 1)",
)


def odd_column(rng: Random, name: str) -> object:
    """A value that may stand in a column, or that may not."""
    kind = rng.random()
    if name in JSON_COLUMNS and kind < 0.7:
        text = json.dumps(odd_value(rng)) if rng.random() < 0.5 else rng.choice(JSONS)
        return (
            changed_text(rng, text, ("[", "]", "{", "}", ",", '"a"', "null", "1e999", "NaN"), 1) if kind < 0.2 else text
        )
    if name == "formula" and kind < 0.6:
        return draw_formula(rng)
    if name == "profile" and kind < 0.6:
        return draw_profile(rng)
    if kind < 0.3:
        return None
    if kind < 0.6:
        number = rng.choice(ODD_NUMBERS)
        return number if isinstance(number, float) or -(2**63) <= number < 2**63 else float(number)
    if kind < 0.9:
        return odd_text(rng).encode("utf-8", "replace").decode()
    return rng.randbytes(rng.randrange(12))


JSONS = (
    *("[]", "{}", "null", "[[1, 2, 3]]", "[[1, null, null]]", '["a"]', '{"a": 1}', '{"versions": []}', '{"data": 1}'),
    *(
        '{"simulated": {"delays": "1"}}',
        '{"simulated": {"delays": 1e400}}',
        '{"simulated": {"delay": 0}}',
        '{"resumed": 1}',
    ),
    *(
        '{"retrained": {"repeats": 2, "constant_guess": {}}}',
        '{"retrained": {"repeats": 1000000000000}}',
        '{"cpu": 1}',
    ),
    '{"retrained": {"repeats": 100000000000, "constant_guess": {"xml": 0.5, "arithmetic": 0.5}}}',
    '{"layers":1,"learning_rate":0.3,"max_norm":2.5,"parameters":8000,"scale":1.0}',
    '{"dropout":0.2,"layers":1,"learning_rate":0.01,"max_norm":2.5,"optimiser":"adamw","parameters":8000,"scale":1.0,'
    '"tied":true,"variational":true,"version":2,"weight_decay":0.1}',
    '{"layers":1,"learning_rate":0.3,"max_norm":2.5,"optimiser":3,"parameters":8000,"scale":1.0,"tied":"x","version":2}',
    '{"layers":0,"learning_rate":0.0,"max_norm":-1.0,"parameters":-5,"scale":1e999}',
    "[[" * 5000,
)


def draw_rows(rng: Random) -> Case:
    """A store with a few of its values, or of its tables, changed. The changes are SQL, kept as text."""
    path = sound_run() / FILE
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(path.read_bytes())
        said = []
        for _ in range(min(4, 1 + int(rng.expovariate(1.0)))):
            table = rng.choice(list(TABLE_COLUMNS))
            column = rng.choice(TABLE_COLUMNS[table])
            try:
                if rng.random() < 0.15:
                    statement = rng.choice(SCHEMA_CHANGES).format(table=table, column=f'"{column}"')
                    connection.executescript(statement)
                    said.append(statement)
                    continue
                where = rng.choice(("1", "1", "rowid = 1", "rowid = 2", "rowid % 2", "rowid > 3"))
                value = odd_column(rng, column)
                statement = f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE {where}'
                connection.execute(statement, (value,))
                said.append(f"{statement} {value!r}"[:300])
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                said.append(f"{error}")
        connection.commit()
        try:
            data = connection.serialize()
        except sqlite3.Error:
            data = b""
    profile = (sound_run() / PROFILE_FILE).read_bytes()
    tables = {f"runs/r/{name}": (sound_run() / name).read_bytes() for name in (*TEXT_FILES, TRIALS_FILE)}
    return Case({f"runs/r/{FILE}": data, f"runs/r/{PROFILE_FILE}": profile, **tables}, tuple(said))


def draw_store_bytes(rng: Random) -> Case:
    """A store whose file is damaged, or whose log is not its own."""
    data = changed_bytes(rng, (sound_run() / FILE).read_bytes())
    files = {f"runs/r/{FILE}": data}
    if rng.random() < 0.2:
        files[f"runs/r/{FILE}-{rng.choice(('wal', 'shm', 'journal'))}"] = rng.randbytes(rng.choice((0, 10, 100, 5000)))
    return Case(files)


def use_store(case: Case, folder: Path) -> None:
    """Some of those that read a store: what one refuses, others may take."""
    store_folder = folder / "runs" / "r"
    last: Exception | None = None
    # A few of them for each input: they take longer than all else that is fuzzed.
    chosen = Random(zlib.crc32(b"".join(case.files.values()))).sample(READERS, 3)
    for read in chosen:
        try:
            read(store_folder)
        except USER_ERRORS as error:
            check_message(str(error))
            last = error
    if last is not None:
        raise last


def _opened(use: Callable[[Store], object]) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        with Store.open(folder, readonly=True) as store:
            return use(store)

    return read


def _table(store: Store) -> None:
    ranked = parse_profile(store.profile, "the profile").ranked
    frame = leaderboard(store, ranked)
    text = full_text(frame)
    demand(text.count("\n") >= len(frame), "a table without its rows")
    console = Console(file=StringIO(), width=100)
    console.print(render_table(frame, 20, 100, ranked))
    shown = f"{console.file.getvalue()}{to_markdown(frame, ranked)}{to_latex(frame, ranked)}"  # type: ignore[attr-defined]
    demand("\x1b" not in shown and "\0" not in shown, "an escape on the terminal")


def _finalists(store: Store) -> None:
    profile = parse_profile(store.profile, "the profile")
    finalists_seconds(profile, store, choose_finalists(profile, store))


def _consistent(store: Store) -> None:
    for check in consistency(store, parse_profile(store.profile, "the profile").ranked, finished=True):
        check_message(check.detail)


def _resumed(folder: Path) -> None:
    """What a search does first when it goes on."""
    with Store.open(folder) as store, store.lock():
        store.mark(resumed=[*store.information.get("resumed", []), {"started": "now"}])
        profile = parse_profile(store.profile, "the profile")
        History.read(store, Stages(profile, store.seed, {}), ScoreRule(profile.search.score, profile.ranked, {}))


def _loaded(folder: Path) -> None:
    found = results.load(folder)
    found.curves.describe()
    found.leaderboard()


def _drawn(store: Store) -> None:
    for row in store.cells()[:3]:
        graph_of(row)


READERS: tuple[Callable[[Path], object], ...] = (
    _opened(lambda store: store.trials(curves=True)),
    _opened(lambda store: (store.cells(), store.evaluations(), store.proposals(), store.environments())),
    _opened(lambda store: (store.information, store.simulated, store.cell("b706"))),
    _opened(_drawn),
    _opened(funnel),
    _opened(rungs_of),
    _opened(_table),
    _opened(_finalists),
    _opened(_consistent),
    _loaded,
    _resumed,
)

STORES: dict[str, Surface] = {
    "store-rows": Surface("store-rows", 0.025, draw_rows, use_store),
    "store-bytes": Surface("store-bytes", 0.015, draw_store_bytes, use_store),
}
