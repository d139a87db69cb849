"""`gatesearch dashboard` as a process: its line, its end, its port, and the browser."""

import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.cli.main import run
from tests.test_results.rows import make_store

LIMIT_SECONDS = 120


@contextmanager
def dashboard(folder: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a dashboard of a folder of runs; yields the process, and the port that it named."""
    # Without that start, a shell that put the tests in the background would have switched the signal off.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from gatesearch.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "dashboard", *options],
        env=os.environ | {"GATESEARCH_RUNS": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found is not None, (line, process.stderr.read() if process.stderr else "")
        assert str(folder) in line
        assert "Ctrl-C" in line
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_it_serves_the_runs_until_an_interrupt_which_ends_it_without_a_traceback(tmp_path: Path) -> None:
    make_store(tmp_path / "night").close()
    with dashboard(tmp_path, "--port", str(free_port())) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
        connection.request("GET", "/parts/runs")  # the connection stays open
        assert b"/runs/night" in connection.getresponse().read()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_SECONDS)
        connection.close()
    assert process.returncode == 130
    assert said.strip() == "gatesearch: interrupted"  # click leaves the line of ^C first


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert run(["dashboard", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"port {port} of 127.0.0.1 cannot be listened on" in said
    assert "--port" in said


@pytest.mark.slow
def test_open_opens_the_page_in_the_browser_of_the_user(tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    os.mkfifo(opened)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    with dashboard(tmp_path, "--open", "--port", str(free_port()), BROWSER=str(browser)) as (_, port):
        assert opened.read_text() == f"http://127.0.0.1:{port}/\n"
