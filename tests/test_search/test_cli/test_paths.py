"""Paths and names of runs: what is expanded, stored as absolute, moved, copied, or started twice at once."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from results.store.runs import claim_folder
from results.store.store import Store
from search.cli.main import run
from tests.test_search.test_cli.conftest import COMMAND, Gatesearch, assert_same_table
from tests.tiny import TINY

TEXTS = {"train": "the dog sees a cat and a bird\n", "valid": "a cat sees the dog\n", "test": "the bird sees a cat\n"}


def write_texts(folder: Path, more: str = "") -> None:
    """A folder of texts, and a profile in the working directory that has the task that reads them."""
    folder.mkdir(parents=True)
    for split, text in TEXTS.items():
        (folder / f"{split}.txt").write_text(text * 40 + more)
    profile, _, section = TINY.partition("[tasks.xml]")
    section = re.sub("options = .*", "", section.partition("[tasks.arithmetic]")[0])
    Path("words.toml").write_text(f"{profile}[tasks.language]{section}")


def search(*arguments: str) -> int:
    return run(["search", *arguments, "--workers", "0"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("$NO_SUCH_NAME/runs", "$NO_SUCH_NAME has no value"),
        ("runs/${NO_SUCH_NAME}", "${NO_SUCH_NAME} has no value"),
        ("~no-such-user/runs", "~no-such-user has no home folder"),
    ],
)
def test_a_folder_of_runs_that_is_not_known_is_refused_and_none_of_that_name_is_made(
    given: str, said: str, here: Path, gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATESEARCH_RUNS", given)
    before = sorted(here.iterdir())
    for command in (["search", "a", "--workers", "0", "--simulate"], ["runs"], ["leaderboard"]):
        done = gatesearch(*command)
        assert done.status == 2
        assert done.err == f"gatesearch: GATESEARCH_RUNS is {given!r}, and {said}; set it, or give the path itself\n"
    assert sorted(here.iterdir()) == before
    (here / given).mkdir(parents=True)  # a folder may be called so
    assert gatesearch("runs").status == 0


def test_data_are_found_from_another_folder_and_where_they_were_moved(
    here: Path, gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_texts(here / "texts")
    assert search("moved", "--profile", "words.toml", "--proposals", "1", "--data", "language=texts") == 0
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert gatesearch("verify", "moved").status == 0
    assert gatesearch("train", "gru", "language", "--run", "moved").status == 0
    (here / "texts").rename(here / "new")
    gone = gatesearch("search", "moved", "--resume", "--workers", "0")
    assert (gone.status, gone.err.count("\n")) == (2, 1)
    assert "if the data were moved, add --data language=PATH with their new place" in gone.err
    write_texts(here / "others", "a cat\n")
    before = (here / "runs" / "moved" / "profile.toml").read_text()
    other = gatesearch("search", "moved", "--resume", "--workers", "0", "--data", "language=../others")
    assert (other.status, other.err.count("\n")) == (2, 1)
    assert "give the same data at their new place, or start a new run with these" in other.err
    assert (here / "runs" / "moved" / "profile.toml").read_text() == before
    wrong = gatesearch("search", "moved", "--resume", "--data", "xml=../new")
    assert (wrong.status, "those are language" in wrong.err) == (2, True)
    assert gatesearch("search", "moved", "--resume", "--workers", "0", "--data", f"language={here / 'new'}").status == 0
    assert f'data = "{here / "new"}"' in (here / "runs" / "moved" / "profile.toml").read_text()
    assert gatesearch("verify", "moved").status == 0


def test_a_run_of_moved_data_is_verified_and_its_finalists_are_retrained(here: Path, gatesearch: Gatesearch) -> None:
    write_texts(here / "texts")
    assert search("moved", "--profile", "words.toml", "--proposals", "1", "--data", "language=texts") == 0
    (here / "texts").rename(here / "new")
    for command in (["verify", "moved"], ["finalists", "moved", "--workers", "0"]):
        lost = gatesearch(*command)
        assert (lost.status, lost.err.count("\n")) == (2, 1)
        assert "if the data were moved, add --data language=PATH with their new place" in lost.err
    write_texts(here / "others", "a cat\n")
    other = gatesearch("verify", "moved", "--data", "language=others")
    assert other.status == 1
    assert "the data of language differ from those that the run trained on" in other.out
    refused = gatesearch("finalists", "moved", "--workers", "0", "--data", "language=others")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert gatesearch("verify", "moved", "--data", "language=new").status == 0
    assert gatesearch("finalists", "moved", "--workers", "0", "--repeats", "3", "--data", "language=new").status == 0
    assert f'data = "{here / "new"}"' in (here / "runs" / "moved" / "profile.toml").read_text()
    assert gatesearch("verify", "moved").status == 0


def test_trials_on_changed_data_are_marked_in_the_table(here: Path, gatesearch: Gatesearch) -> None:
    write_texts(here / "texts")
    assert search("grown", "--profile", "words.toml", "--proposals", "1", "--data", "language=texts") == 0
    with (here / "texts" / "train.txt").open("a") as file:
        file.write("the cat and the dog\n")
    said = gatesearch("search", "grown", "--resume", "--proposals", "3", "--workers", "0")
    assert said.status == 0
    warning = next(line for line in said.out.splitlines() if line.startswith("warning: the data of language is "))
    assert " when the run began; leaderboard_full.csv marks cells with trials from before and after" in warning
    with Store.open(here / "runs" / "grown", readonly=True) as store:
        assert sorted("data" in each for each in store.environments().values()) == [False, True]
    table = pd.read_csv(here / "runs" / "grown" / "leaderboard_full.csv")
    assert 2 in set(table.loc[table["origin"] == "found", "environments"])


def test_a_profile_that_was_edited_in_the_run_is_told_with_the_difference(
    here: Path, finished: Path, gatesearch: Gatesearch
) -> None:
    shutil.copytree(finished, here / "runs" / "edited")
    path = here / "runs" / "edited" / "profile.toml"
    path.write_text("\ufeff" + path.read_text().replace("proposals = 6", "proposals = 9"))
    said = gatesearch("search", "edited", "--resume", "--workers", "0")
    assert said.status == 0
    assert "profile.toml was changed, which changes nothing, since a run keeps its profile" in said.out
    assert "(search.proposals is 9, and 6 in the run); --proposals extends a run" in said.out
    path.write_text("proposals = = 9")
    assert "(it cannot be read: " in gatesearch("search", "edited", "--resume", "--workers", "0").out
    path.unlink()
    assert "was changed" not in gatesearch("search", "edited", "--resume", "--workers", "0").out


def test_a_run_name_with_a_slash_makes_no_folder_elsewhere(here: Path, gatesearch: Gatesearch) -> None:
    said = gatesearch("search", "a/b", "--profile", "tiny.toml", "--workers", "0")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "'a/b' is a path, and there is no folder 'a'; make it first, or give a name without '/'" in said.err
    assert not (here / "a").exists()
    (here / "a").mkdir()
    assert search("a/b", "--profile", "tiny.toml", "--simulate") == 0
    assert (here / "a" / "b" / "run.sqlite").is_file()


def test_the_home_and_names_of_the_environment_are_expanded(
    here: Path, gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("PLACE", "place")
    monkeypatch.setenv("GATESEARCH_RUNS", "~/$PLACE")
    (here / "place").mkdir()
    assert search("kept", "--profile", "~/tiny.toml", "--simulate") == 0
    assert (here / "place" / "kept" / "run.sqlite").is_file()
    for line in (
        ("leaderboard", "~/$PLACE/kept", "-o", "~/table.csv"),
        ("export", "gru", "-o", "~/$PLACE/gru.py"),
        ("export", "gru", "--to", "formula", "-o", "$HOME/my.cell"),
        ("show", "~/my.cell", "-o", "~/my.svg"),
    ):
        assert gatesearch(*line).status == 0
    for name in ("table.csv", "place/gru.py", "my.cell", "my.svg"):
        assert (here / name).is_file()
    assert not [path for path in here.iterdir() if path.name.startswith(("~", "$"))]


@pytest.mark.slow
def test_runs_without_a_name_that_are_started_at_once_have_two_names(here: Path) -> None:
    assert [claim_folder("quick").name for _ in range(3)] == ["quick-1", "quick-2", "quick-3"]
    line = [str(COMMAND), "search", "--profile", "tiny.toml", "--workers", "0", "--simulate", "--proposals", "1"]
    both = [subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in both] == [("", 0), ("", 0)]
    assert_same_table(here / "runs" / "simulated-tiny-1", here / "runs" / "simulated-tiny-2")


def test_a_run_without_a_name_that_cannot_start_leaves_no_folder(here: Path, gatesearch: Gatesearch) -> None:
    write_texts(here / "texts")
    assert gatesearch("search", "--profile", "words.toml", "--data", "language=missing").status == 2
    assert os.listdir(here / "runs") == []


def test_a_copied_run_is_named_by_its_own_folder(
    here: Path, finished: Path, gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.engine.engine import Engine

    shutil.copytree(finished, here / "runs" / "renamed")

    def interrupted(engine: Engine) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "run", interrupted)
    said = gatesearch("search", "renamed", "--resume", "--workers", "0")
    assert f"run renamed in {here / 'runs' / 'renamed'}, in this process" in said.out
    assert "Resume with: gatesearch search renamed --resume\n" in said.err
    with Store.open(here / "runs" / "renamed", readonly=True) as store:
        assert (store.name, store.first_name) == ("renamed", "done")
