"""What the shell completes, as bash, zsh and fish ask for it, and commands that are misspelt."""

import shutil
from pathlib import Path

import pytest

from results.store.store import Store
from search.cli.main import COMMANDS
from tests.test_search.test_cli.conftest import Gatesearch


def completed(gatesearch: Gatesearch, patch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """Return what bash is offered for the last of these words: lines of a kind and a value."""
    patch.setenv("_GATESEARCH_COMPLETE", "bash_complete")
    patch.setenv("COMP_WORDS", " ".join(("gatesearch", *words)))
    patch.setenv("COMP_CWORD", str(len(words)))
    said = gatesearch()
    assert (said.status, said.err) == (0, "")
    return said.out.splitlines()


@pytest.fixture
def two_runs(here: Path, simulated: Path) -> None:
    for name in ("night-1", "day"):
        shutil.copytree(simulated, here / "runs" / name)


@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("lead",), ["plain,leaderboard"]),
        (("leaderboard", "ni"), ["plain,night-1"]),
        (("search", "--resume", "d"), ["plain,day"]),
        (("show", "gru", "--run", "ni"), ["plain,night-1"]),
        (("tell", "da"), ["plain,day"]),
        (("show", "gru-af"), ["plain,gru-after"]),
        (("train", "gru", "xm"), ["plain,xml"]),
        (("tasks", "mus"), ["plain,music"]),
        (("search", "--profile", "ov"), ["plain,overnight"]),
        (("search", "--profile", "my"), ["file,my"]),
        (("leaderboard", "results/pu"), ["dir,results/pu"]),
        (("leaderboard", "--bas"), ["plain,--baselines"]),
        (("leaderboard", "--task", "xm"), ["plain,xml"]),
        (("search", "--tasks", "xml,mus"), ["plain,xml,music"]),
        (("search", "--strategy", "lo"), ["plain,local"]),
        (("tasks", "--profile", "qu"), ["plain,quick"]),
        (("pairs", "ni"), ["plain,night-1"]),
        (("pairs", "night-1", "mut"), ["plain,mut1", "plain,mut2", "plain,mut3"]),
        (("publish", "night-1", "new"), ["dir,new"]),
        (("finalists", "day", "--cell", "gru-af"), ["plain,gru-after"]),
    ],
)
def test_commands_runs_cells_tasks_and_profiles_are_completed(
    gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], offered: list[str]
) -> None:
    assert completed(gatesearch, monkeypatch, *words) == offered


@pytest.mark.usefixtures("two_runs")
def test_ids_of_found_cells_are_completed_with_and_without_their_letter(
    gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    with Store.open(here / "runs" / "day", readonly=True) as store:
        cell = next(cell.id for cell in store.cells() if cell.origin == "found")
    for words in (("show",), ("export", "--run", "day"), ("pairs", "day"), ("finalists", "day", "--cell")):
        assert f"plain,g{cell[:8]}" in completed(gatesearch, monkeypatch, *words, f"g{cell[:3]}")
    assert completed(gatesearch, monkeypatch, "show", cell[:4]) == [f"plain,{cell[:8]}"]
    assert completed(gatesearch, monkeypatch, "show", f"g{cell[:12]}") == [f"plain,g{cell}"]
    assert completed(gatesearch, monkeypatch, "show", "--run", "no-such-run", cell[:4]) == [f"file,{cell[:4]}"]


def test_every_command_is_offered(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(gatesearch, monkeypatch, "") == [f"plain,{name}" for name in COMMANDS]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(
    gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    monkeypatch.setenv("_GATESEARCH_COMPLETE", f"{shell}_source")
    said = gatesearch()
    assert said.status == 0
    assert f"_GATESEARCH_COMPLETE={shell}_complete" in said.out


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("lederboard", " (did you mean leaderboard?)"), ("Search", " (did you mean search?)"), ("zzz", "")],
)
def test_a_misspelt_command_is_named_with_the_nearest_one(gatesearch: Gatesearch, typed: str, hint: str) -> None:
    said = gatesearch(typed)
    assert said.status == 2
    assert said.err == f"gatesearch: there is no command {typed!r}{hint}; see 'gatesearch --help'\n"
