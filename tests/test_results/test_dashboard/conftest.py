"""A folder of runs, and a dashboard of them on a free port."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from results.dashboard.server import Dashboard
from tests.test_results.rows import TASKS
from tests.test_results.test_dashboard.asking import Asker


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("GATESEARCH_RUNS", str(folder))
    monkeypatch.setattr("results.dashboard.watcher.FRESH_SECONDS", 0.0)
    monkeypatch.setattr("results.dashboard.boards.SHARE", 0.0)
    monkeypatch.setattr("results.dashboard.boards.LEAST_SECONDS", 0.0)
    return folder


@pytest.fixture
def asker(runs: Path) -> Iterator[Asker]:
    """A client of a dashboard."""
    with Dashboard(lambda store: TASKS, port=0) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        yield Asker(connection, running.port)
        connection.close()
