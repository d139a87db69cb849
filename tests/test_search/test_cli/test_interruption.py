"""A search that is stopped from outside: by Ctrl-C, by SIGTERM, with and without workers; and one on a terminal."""

import os
import pty
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from results.store.rungs import rungs_of
from results.store.store import Store
from tests.test_search.test_cli.conftest import COMMAND, Gatesearch, assert_same_table
from tests.tiny import TINY

Start = Callable[..., subprocess.Popen[str]]

LONGER = TINY.replace("proposals = 6", "proposals = 24")
SHORT = TINY.replace("proposals = 6", "proposals = 12")

HALVING = (
    LONGER.replace("window = 2", 'window = 4\nscore = "gain"\nallocation = "halving"').replace(
        "schedule = { epoch_steps = 5,", "schedule = { epoch_steps = 90,"
    )  # enough to learn something
    + """
[halving]
rungs = 3
settings = [1, 1, 1]
seeds = 1
"""
)

HANGS = 120.0
"""Seconds after which a process counts as hanging. They bound the test, and assert nothing."""

SLOWED = ("--simulate", "--delays", "2")
"""A search whose simulated trials last long enough for it to be stopped in the middle."""


@pytest.fixture
def longer(here: Path) -> Path:
    (here / "longer.toml").write_text(LONGER)
    return here


def _wait_for_trials(process: subprocess.Popen[str], store: Path, count: int) -> None:
    for _ in range(1200):
        assert process.poll() is None, "the search ended before it could be stopped"
        if store.exists():
            try:
                with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
                    if connection.execute("SELECT count(*) FROM trials").fetchone()[0] >= count:
                        return
            except sqlite3.OperationalError:
                pass  # it is being made
        time.sleep(0.05)
    raise AssertionError("the search makes no progress")


def _count(run: Path) -> int:
    """Number of trials that a run has stored."""
    with Store.open(run, readonly=True) as store:
        return len(store.trials())


def _session(leader: int) -> list[int]:
    """The processes of a session that still run."""
    listed = subprocess.run(["ps", "-eo", "pid,sess,stat"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()[1:]]
    return [int(pid) for pid, session, state in rows if int(session) == leader and not state.startswith("Z")]


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _stopped_and_resumed(
    number: signal.Signals, started: Start, gatesearch: Gatesearch, profile: str, *options: str
) -> None:
    """Stop a search by a signal, resume it as it advises, and compare it with a search that nothing stopped."""
    runs = Path("runs").resolve()
    process = started("search", "cut", "--profile", profile, "--workers", "0", *options)
    _wait_for_trials(process, runs / "cut" / "run.sqlite", 12)
    process.send_signal(number)
    _, err = process.communicate(timeout=HANGS)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "gatesearch: interrupted"
    advice = next(line for line in err.splitlines() if "Resume with: " in line).split("Resume with: ")[1]
    assert (runs / "cut" / "leaderboard.csv").exists()
    stored = _count(runs / "cut")
    program, *arguments = shlex.split(advice)
    assert program == "gatesearch"
    resumed = gatesearch(*arguments, "--workers", "0")
    assert (resumed.status, resumed.err) == (0, "")
    whole = options[:1]  # without delays
    assert gatesearch("search", "whole", "--profile", profile, "--workers", "0", *whole).status == 0
    assert stored < _count(runs / "whole")
    assert_same_table(runs / "cut", runs / "whole")


def test_a_search_that_sigint_stops_says_how_to_resume_and_ends_as_if_never_stopped(
    started: Start, gatesearch: Gatesearch, here: Path
) -> None:
    (here / "short.toml").write_text(SHORT)
    _stopped_and_resumed(signal.SIGINT, started, gatesearch, "short.toml")


@pytest.mark.slow
def test_a_search_that_sigterm_stops_says_how_to_resume_and_ends_as_if_never_stopped(
    started: Start, gatesearch: Gatesearch, longer: Path
) -> None:
    _stopped_and_resumed(signal.SIGTERM, started, gatesearch, "longer.toml", *SLOWED)


@pytest.mark.slow
@pytest.mark.ray
def test_a_search_with_workers_says_nothing_of_ray_and_leaves_no_process(
    started: Start, longer: Path, finished: Path
) -> None:
    whole = started("search", "two", "--profile", "tiny.toml", "--workers", "2")
    out, err = whole.communicate(timeout=HANGS)
    assert (whole.returncode, err) == (0, "")
    assert "ray" not in out.lower().replace(str(longer).lower(), "")
    assert out.splitlines()[0] == f"run two in {longer / 'runs' / 'two'}, with 2 workers"
    assert "warning: 2 processors, but a window of 2 proposals keeps about 1 busy; set a larger `window` " in out
    assert_same_table(longer / "runs" / "two", finished)
    assert _session(whole.pid) == []


@pytest.mark.slow
@pytest.mark.ray
def test_a_search_with_workers_that_is_stopped_leaves_no_process(
    started: Start, gatesearch: Gatesearch, longer: Path
) -> None:
    """Stop it by SIGTERM to the driver alone, and as a terminal does: by SIGINT to every process in the foreground."""
    run = longer / "runs" / "cut"
    cuts: list[tuple[tuple[str, ...], int, Callable[[int, int], None], signal.Signals]] = [
        (("--profile", "longer.toml"), 12, os.kill, signal.SIGTERM),
        (("--resume",), 30, os.killpg, signal.SIGINT),
    ]
    stored = []
    for arguments, count, send, number in cuts:
        stopped = started("search", "cut", *arguments, "--workers", "2")
        _wait_for_trials(stopped, run / "run.sqlite", count)
        processes = psutil.Process(stopped.pid).children(recursive=True)
        assert len(processes) > 6  # Ray's, its workers, and what they train in
        send(stopped.pid, number)
        _, err = stopped.communicate(timeout=HANGS)
        assert stopped.returncode == 130
        first, last = [line for line in err.splitlines() if line]
        assert first.endswith("Resume with: gatesearch search cut --resume")
        assert last == "gatesearch: interrupted"
        assert [process for process in processes if _runs(process)] == []
        assert _session(stopped.pid) == []
        stored.append(_count(run))
    assert gatesearch("search", "cut", "--resume", "--workers", "0").status == 0
    assert gatesearch("search", "whole", "--profile", "longer.toml", "--workers", "0").status == 0
    assert stored[0] < stored[1] < _count(run)  # neither stop waited for the search to end
    assert_same_table(run, longer / "runs" / "whole")


@pytest.mark.slow
def test_two_processes_do_not_drive_one_run(started: Start, gatesearch: Gatesearch, longer: Path) -> None:
    process = started("search", "one", "--profile", "longer.toml", "--workers", "0", "--simulate", "--delays", "100")
    _wait_for_trials(process, longer / "runs" / "one" / "run.sqlite", 3)
    said = gatesearch("search", "one", "--resume", "--workers", "0")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert "'one'" in said.err
    assert gatesearch("leaderboard", "one", "--csv").status == 0  # looking is free
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=HANGS)
    assert process.returncode == 130


def on_a_terminal(*options: str, interrupt_at: str | None = None) -> tuple[str, int]:
    """Return all that a terminal gets of a search, and its exit status.

    Ctrl-C is pressed when the terminal has shown the text `interrupt_at`.
    """
    screen, end = pty.openpty()
    command = [str(COMMAND), "search", "seen", "--profile", "tiny.toml", "--workers", "0", *options]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True)
    os.close(end)
    seen = b""
    while True:
        try:
            part = os.read(screen, 65536)
        except OSError:  # what Linux says when the other end is closed
            break
        if not part:
            break
        seen += part
        if interrupt_at is not None and interrupt_at.encode() in seen:
            interrupt_at = None
            process.send_signal(signal.SIGINT)
    os.close(screen)
    return seen.decode(), process.wait(timeout=HANGS)


@pytest.mark.slow
def test_a_terminal_sees_bars_and_gets_its_cursor_back() -> None:
    text, status = on_a_terminal("--simulate")
    assert status == 0
    assert "proposals" in text
    assert "━" in text
    assert "/6" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") >= 1  # hidden while the bars move, shown at the end
    assert "done in " in text.split("\x1b[?25h")[-1]


@pytest.mark.slow
def test_a_terminal_still_shows_how_to_go_on_when_the_bars_are_gone() -> None:
    text, status = on_a_terminal("--simulate", "--delays", "100", interrupt_at="━")
    assert status == 130
    left = text.split("\x1b[?25h")[-1]  # what follows the last bar stays on the screen
    assert "gatesearch search seen --resume" in left


def _killed(moments: int, here: Path, profile: str, *workers: str) -> int:
    """Kill a search at so many moments and compare it with one that nothing stopped.

    Returns:
        At how many of these moments it had trials that were paused.
    """
    program = [sys.executable, "-m", "tests.test_search.test_cli.lives", "4", str(moments), "killed", profile, *workers]
    lives = subprocess.run(program, capture_output=True, text=True, timeout=900)
    assert (lives.returncode, lives.stderr) == (0, "")
    kills, paused = map(int, lives.stdout.split())
    # At all of them, unless this machine was so busy that the search got to its end while nobody looked.
    assert 0.75 * moments <= kills <= moments
    assert_same_table(here / "runs" / "killed", here / "runs" / "whole")
    stores = [Store.open(here / "runs" / name) for name in ("killed", "whole")]
    rows = [[replace(row, seconds=0.0) for row in store.trials(curves=True)] for store in stores]
    assert rows[0] == rows[1]
    assert stores[0].evaluations() == stores[1].evaluations()
    assert stores[0].proposals() == stores[1].proposals()
    for store in stores:
        store.close()
    return paused


@pytest.mark.slow
def test_a_search_that_is_killed_at_twenty_moments_ends_as_if_it_never_was(longer: Path) -> None:
    _killed(20, longer, "longer.toml")


@pytest.mark.exact
@pytest.mark.ray
def test_a_search_with_halving_and_two_workers_that_is_killed_at_twenty_moments_ends_as_if_it_never_was(
    here: Path,
) -> None:
    """It really trains, and goes on from the checkpoints of half-trained candidates, or without the lost ones."""
    (here / "halving.toml").write_text(HALVING)
    assert _killed(20, here, "halving.toml", "2") >= 10
    with Store.open(here / "runs" / "killed", readonly=True) as store:
        found = rungs_of(store)
    assert found is not None
    assert [rung.tried > 0 for rung in found.rungs] == [True] * 4  # up to the further seeds
    assert not (here / "runs" / "killed" / "checkpoints").exists()
