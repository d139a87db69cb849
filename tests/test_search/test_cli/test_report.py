"""`gatesearch report`: the page of a run, from the command line."""

import json
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

from results.store.store import Store
from search.engine.gradient_norms import GRADIENTS
from tests.test_search.test_cli.conftest import Gatesearch


@pytest.fixture
def kept(here: Path, finished: Path) -> Path:
    """A copy of the finished run, named kept."""
    return Path(shutil.copytree(finished, here / "runs" / "kept"))


@pytest.mark.slow
def test_a_page_is_written_into_the_run_and_gradients_are_computed_once(gatesearch: Gatesearch, kept: Path) -> None:
    said = gatesearch("report", "kept")
    assert (said.status, said.err) == (0, "")
    assert said.out == f"written to {kept / 'report.html'}\n"
    page = (kept / "report.html").read_text("utf-8")
    assert "<title>kept" in page or "<title>done" in page
    assert "At initialisation: one layer" in page
    (known,) = json.loads((kept / GRADIENTS).read_text()).values()
    assert all(len(reach["hidden"]) == len(reach["states"]) == 101 for reach in known.values())
    # What is there is taken: a number that nobody would compute comes back.
    changed = {cell: reach | {"hidden": [0.123456] * 101} for cell, reach in known.items()}
    (key,) = json.loads((kept / GRADIENTS).read_text())
    (kept / GRADIENTS).write_text(json.dumps({key: changed}))
    assert gatesearch("report", "kept", "-o", "other.html").status == 0
    assert "0.123456" in Path("other.html").read_text("utf-8")
    # And what is no such file is computed afresh.
    (kept / GRADIENTS).write_text('{"' + key.replace('"', '\\"') + '": {"x": 7}}')
    assert gatesearch("report", "kept").status == 0
    assert json.loads((kept / GRADIENTS).read_text())[key] == known


def test_a_page_without_gradients_says_so(gatesearch: Gatesearch, kept: Path) -> None:
    assert gatesearch("report", "kept", "--no-gradients").status == 0
    assert "Not computed for this page." in (kept / "report.html").read_text("utf-8")
    assert not (kept / GRADIENTS).exists()


@pytest.mark.slow
def test_gradients_after_training_are_those_of_the_trials_of_the_run(gatesearch: Gatesearch, kept: Path) -> None:
    said = gatesearch("report", "kept", "--no-gradients", "--gradients-on", "xml")
    assert said.status == 0
    assert all(line.startswith("retraining: ") and " on xml, 10 steps" in line for line in said.err.splitlines())
    page = (kept / "report.html").read_text("utf-8")
    assert "After training on xml: the last layer" in page
    assert "At initialisation: one layer" not in page
    ((key, known),) = json.loads((kept / GRADIENTS).read_text()).items()
    assert json.loads(key)["task"] == "xml"
    assert len(known) == said.err.count("\n") >= 3  # the LSTM, the GRU, the tanh network, and found cells
    assert all(len(reach["hidden"]) == len(reach["states"]) == 101 for reach in known.values())
    again = gatesearch("report", "kept", "--gradients-on", "xml")
    assert (again.status, again.err) == (0, "")
    page = (kept / "report.html").read_text("utf-8")
    assert "After training on xml: the last layer" in page
    assert "At initialisation: one layer" in page
    refused = gatesearch("report", "kept", "--gradients-on", "music")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "'music'; the tasks of this run are xml, arithmetic" in refused.err


def test_only_html_is_written(gatesearch: Gatesearch, kept: Path) -> None:
    before = (kept / "leaderboard.csv").read_bytes()
    said = gatesearch("report", "kept", "-o", str(kept / "leaderboard.csv"))
    assert said.status == 2
    assert "leaderboard.csv" in said.err
    assert ".html" in said.err
    assert said.err.count("\n") == 1
    assert (kept / "leaderboard.csv").read_bytes() == before
    assert gatesearch("report", "missing").status == 2


def test_curves_go_to_tensorboard_and_what_mlflow_refuses_is_said(gatesearch: Gatesearch, kept: Path) -> None:
    said = gatesearch("report", "kept", "--no-gradients", "--tensorboard", "logs")
    assert (said.status, said.err) == (0, "")
    files = list(Path("logs").rglob("events.*"))
    assert said.out.endswith(f"{len(files)} curves written to logs\n")
    assert files
    said = gatesearch("report", "kept", "--no-gradients", "--mlflow", "nonsense://x")
    assert said.status == 2
    assert said.err.startswith("gatesearch: MLflow at 'nonsense://x' refuses: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_what_is_not_installed_is_said_before_the_page_is_written(
    gatesearch: Gatesearch, kept: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in (package, *(name for name in sys.modules if name.startswith(f"{package}."))):
        monkeypatch.setitem(sys.modules, name, None)
    (kept / "report.html").unlink(missing_ok=True)
    said = gatesearch("report", "kept", "--no-gradients", f"--{package}", "x")
    assert said.status == 2
    assert f"gatesearch[{package}]" in said.err
    assert not (kept / "report.html").exists()


@pytest.mark.slow
def test_watching_ends_with_the_run_and_the_page_loads_itself_until_then(gatesearch: Gatesearch, kept: Path) -> None:
    with Store.open(kept) as store:
        ended = store.information["finished"]
        store.mark(finished=None)
    path = kept / "report.html"
    pages: list[str] = []

    def finish() -> None:
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        pages.append(path.read_text("utf-8"))
        with Store.open(kept) as store:
            store.mark(finished=ended)

    other = threading.Thread(target=finish)
    other.start()
    said = gatesearch("report", "kept", "--watch", "--every", "1", "--no-gradients")
    other.join()
    assert said.status == 0
    assert said.out.count("written to") == 2
    assert 'data-refresh="1"' in pages[0]
    assert 'data-refresh="0"' in path.read_text("utf-8")
