"""Code that a run names is imported only where the command line names it too: a store may come from anybody."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.cli.main import run
from search.engine.engine import Engine
from tests.test_search.test_cli.conftest import Gatesearch
from tests.tiny import TINY

CODE = """
from pathlib import Path
from tasks.xml import Xml
Path("ran").touch()
class Mine(Xml):
    name = "mine"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of a task in `mine.py`. Read it only."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(TINY)
    (folder / "mine.py").write_text(CODE)
    line = ("search", "own", "--profile", "tiny.toml", "--task", "mine:Mine", "--tasks", "xml", "--proposals", "0")
    sys.modules.pop("mine", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setenv("GATESEARCH_RUNS", str(folder / "runs"))
        assert run([*line, "--workers", "0"]) == 0
    return folder / "runs" / "own"


@pytest.fixture
def own(trained: Path, here: Path) -> Iterator[Path]:
    """A finished run with a task of its author's, whose module leaves a file behind when it is imported."""
    shutil.copytree(trained, here / "runs" / "own")
    (here / "mine.py").write_text(CODE)
    sys.modules.pop("mine", None)
    yield here
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    ("line", "trust"),
    [
        (("search", "own", "--resume", "--workers", "0"), ("--task", "mine:Mine")),
        (("finalists", "own", "--repeats", "2", "--workers", "0"), ("--task", "mine:Mine")),
        (("verify", "own"), ("--task", "mine:Mine")),
    ],
    ids=lambda given: given[0],
)
def test_commands_that_train_or_replay_want_every_path_named(
    line: tuple[str, ...], trust: tuple[str, ...], gatesearch: Gatesearch, own: Path
) -> None:
    said = gatesearch(*line)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "'mine:Mine', which is code that would be imported; add --task mine:Mine if you trust it" in said.err
    said = gatesearch(*line, *trust, "--task", "os:system")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "--task has 'os:system', which run 'own' does not import; it imports mine:Mine" in said.err
    assert not (own / "ran").exists()
    assert gatesearch(*line, *trust).status == 0
    assert (own / "ran").exists()


@pytest.mark.parametrize(
    ("line", "option"),
    [
        (("export", "gru", "--run", "own", "--weights", "w.safetensors", "-o", "gru.py"), "--task"),
        (("report", "own", "--no-gradients"), "--gradients-on"),
    ],
    ids=lambda given: given[0],
)
@pytest.mark.slow
def test_commands_that_train_on_one_task_take_its_path_for_leave(
    line: tuple[str, ...], option: str, gatesearch: Gatesearch, own: Path
) -> None:
    said = gatesearch(*line, option, "mine")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"name it by its path, {option} mine:Mine, if you trust it" in said.err
    assert gatesearch(*line, option, "mine:Other").status == 2
    assert not (own / "ran").exists()
    assert gatesearch(*line, option, "xml").status == 0  # ours needs no leave, and brings the other along nowhere
    assert not (own / "ran").exists()
    (own / "w.safetensors").unlink(missing_ok=True)
    (own / "gru.py").unlink(missing_ok=True)
    assert gatesearch(*line, option, "mine:Mine").status == 0
    assert (own / "ran").exists()


def test_a_page_that_is_kept_fresh_asks_only_once(gatesearch: Gatesearch, own: Path) -> None:
    assert gatesearch("report", "own", "--no-gradients", "--watch", "--gradients-on", "mine:Mine").status == 0


def test_commands_that_only_read_import_nothing(gatesearch: Gatesearch, own: Path) -> None:
    for line in (("leaderboard", "own"), ("findings", "own"), ("report", "own"), ("publish", "own", "out")):
        assert gatesearch(*line).status == 0
    assert not (own / "ran").exists()


def test_a_run_that_is_stopped_names_the_path_in_the_command_that_goes_on(
    gatesearch: Gatesearch, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "mine.py").write_text(CODE)
    sys.modules.pop("mine", None)

    def interrupted(engine: Engine) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "run", interrupted)
    line = ("search", "cut", "--profile", "tiny.toml", "--task", "mine:Mine", "--tasks", "xml", "--workers", "0")
    said = gatesearch(*line)
    assert said.status == 130
    assert "Resume with: gatesearch search cut --resume --task mine:Mine\n" in said.err
