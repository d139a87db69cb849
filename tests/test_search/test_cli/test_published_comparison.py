"""`gatesearch verify` and `publish` of a comparison: what they check and leave, and what they refuse."""

import hashlib
import json
import re
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.test_search.test_cli.conftest import Gatesearch
from tests.tiny import TINY

PLAN = """
profile = "learning.toml"
seeds = [0, 1]
trainings = 1
confirm = 2
[methods.paper]
[methods.random]
search.strategy = "random"
"""
LEARNING = TINY.partition("[tasks.arithmetic]")[0].replace(
    "epoch_steps = 5, epochs = 2", "epoch_steps = 20, epochs = 3"
)
"""One task, on which the GRU learns something."""
RUNS = ("paper-0", "random-0", "paper-1", "random-1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison that was trained. Copy it."""
    return tmp_path_factory.mktemp("trained") / "methods"


@pytest.fixture
def methods(trained: Path, gatesearch: Gatesearch, here: Path) -> Path:
    """A copy of the trained comparison, in the folder of runs."""
    if not trained.exists():
        (here / "learning.toml").write_text(LEARNING)
        (here / "methods.toml").write_text(PLAN)
        said = gatesearch("compare", "methods.toml", "--workers", "0", "--output", str(trained))
        assert (said.status, said.err) == (0, "")
    shutil.copytree(trained, here / "runs" / "methods")
    return here / "runs" / "methods"


def outcomes(text: str) -> dict[str, str]:
    """The word of each check."""
    return {line.split()[0]: line.split()[1] for line in text.splitlines() if not line.startswith(" ")}


@pytest.mark.slow
def test_every_search_and_trial_and_table_is_checked(gatesearch: Gatesearch, methods: Path) -> None:
    said = gatesearch("verify", "methods", "--retrain", "2")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[:6]] == [*RUNS, "confirmation", "tables"]
    assert {line.split()[1] for line in lines[:6]} == {"ok"}
    assert len(lines) == 8
    assert all(line.endswith("equal to the last bit") for line in lines[6:])


def test_what_was_changed_is_found(gatesearch: Gatesearch, methods: Path) -> None:
    table = (methods / "incumbents.csv").read_text()
    earlier = re.sub(r"\bg(?=[0-9a-f]{8}([0-9a-f]{8})?,)", "", table)  # ids had no letter
    assert earlier != table
    (methods / "incumbents.csv").write_text(earlier)
    assert gatesearch("verify", "methods").status == 0
    (methods / "incumbents.csv").write_text(table.replace("paper", "Paper"))
    with closing(sqlite3.connect(methods / "random-1" / "run.sqlite")) as store, store:
        store.execute("UPDATE trials SET validation = validation + 0.01 WHERE rowid = 1")
    with closing(sqlite3.connect(methods / "confirmation" / "run.sqlite")) as store, store:
        store.execute("UPDATE trials SET seed = seed + 1 WHERE rowid = 2")
    said = gatesearch("verify", "methods")
    assert said.status == 1
    words = outcomes(said.out)
    assert {name for name, word in words.items() if word == "FAILED"} == {"random-1", "confirmation", "tables"}
    assert "but the plan gives" in said.out


def test_a_confirmed_result_that_was_changed_is_found(gatesearch: Gatesearch, methods: Path) -> None:
    with closing(sqlite3.connect(methods / "confirmation" / "run.sqlite")) as store, store:
        store.execute("UPDATE trials SET test = test + 0.001")
        store.execute("UPDATE trials SET test = test + 0.001 WHERE repeat = 2")
    said = gatesearch("verify", "methods", "--retrain", "1")
    assert said.status == 1
    assert outcomes(said.out)["tables"] == "FAILED"


def test_a_store_without_constant_baselines_is_damaged_in_one_line(gatesearch: Gatesearch, methods: Path) -> None:
    with closing(sqlite3.connect(methods / "confirmation" / "run.sqlite")) as store, store:
        store.execute("UPDATE run SET information = json_remove(information, '$.constants')")
    said = gatesearch("verify", "methods", "--retrain", "1")
    assert (said.status, said.err) == (1, "")
    assert {name for name, word in outcomes(said.out).items() if word == "FAILED"} == {"confirmation", "tables"}
    assert said.out.count("lacks the constant baseline of 'xml'") == 2
    assert gatesearch("publish", "methods", "out").err.count("\n") == 1


def test_a_task_to_trust_is_one_that_publishing_imports(gatesearch: Gatesearch, methods: Path) -> None:
    said = gatesearch("publish", "methods", "out", "--task", "mine:Mine")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "--task has 'mine:Mine', which run 'methods' does not import; it imports none, leave it out" in said.err
    said = gatesearch("publish", str(methods / "paper-0"), "out", "--task", "mine:Mine")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "publishing a run imports no task; leave it out" in said.err


def test_what_is_missing_is_told_and_not_published(gatesearch: Gatesearch, methods: Path, here: Path) -> None:
    with closing(sqlite3.connect(methods / "confirmation" / "run.sqlite")) as store, store:
        for rows in ("measures", "trials"):
            store.execute(f"DELETE FROM {rows} WHERE repeat = 2")
    said = gatesearch("verify", "methods")
    assert said.status == 1
    assert {name for name, word in outcomes(said.out).items() if word != "ok"} == {"tables"}
    assert "its trial 2 on 'xml' is not stored; continue the comparison with --resume" in said.out
    shutil.rmtree(methods / "paper-1")
    said = gatesearch("verify", "methods")
    assert said.status == 1
    assert {name for name, word in outcomes(said.out).items() if word != "ok"} == {"paper-1", "tables"}
    refused = gatesearch("publish", "methods", str(here / "out"))
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.count("\n") == 1
    assert not (here / "out").exists()


def test_a_published_comparison_is_whole_and_verifies(gatesearch: Gatesearch, methods: Path, here: Path) -> None:
    folder = here / "published" / "tiny"
    said = gatesearch("publish", "methods", str(folder))
    assert (said.status, said.err) == (0, "")
    manifest = json.loads((folder / "published.json").read_text())
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {*manifest["sha256"], "published.json"}
    assert {f"{run}/run.sqlite" for run in (*RUNS, "confirmation")} < files
    assert {"plan.toml", "comparison.md", "comparison.svg", "methods.csv", "pairs.csv", "incumbents.csv"} < files
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    trials = 0
    for run in (*RUNS, "confirmation"):
        with closing(sqlite3.connect(f"file:{methods / run / 'run.sqlite'}?mode=ro", uri=True)) as store:
            trials += store.execute("SELECT count(*) FROM trials").fetchone()[0]
    assert manifest["trials"] == trials == sum(each["trials"] for each in manifest["environments"])
    with closing(sqlite3.connect(f"file:{methods / 'paper-0' / 'run.sqlite'}?mode=ro", uri=True)) as store:
        (information,) = store.execute("SELECT information FROM run").fetchone()
    assert manifest["command"] == ["gatesearch", *json.loads(information)["command"]]
    for name in ("incumbents.csv", "methods.csv", "pairs.csv", "comparison.csv"):
        assert (folder / name).read_bytes() == (methods / name).read_bytes()
    assert (folder / "comparison.md").read_text().startswith("# Comparison tiny\n")

    verified = gatesearch("verify", str(folder))
    assert verified.status == 0, verified.out
    assert outcomes(verified.out)["checksums"] == "ok"
    assert gatesearch("leaderboard", str(folder / "random-0"), "--csv").status == 0
    assert gatesearch("publish", "methods", str(folder)).err.count("exists and is not overwritten") == 1

    (folder / "comparison.md").write_text("# Another\n")
    (folder / "more.txt").write_text("")
    said = gatesearch("verify", str(folder))
    assert said.status == 1
    assert "has checksums of other files than those that are here" in said.out
    assert "more.txt" in said.out


def test_a_simulated_comparison_is_not_published(gatesearch: Gatesearch, here: Path) -> None:
    (here / "learning.toml").write_text(LEARNING)
    (here / "methods.toml").write_text(PLAN)
    assert gatesearch("compare", "methods.toml", "--workers", "0", "--simulate").status == 0
    verified = gatesearch("verify", "methods")
    assert verified.status == 0, verified.out
    said = gatesearch("publish", "methods", str(here / "out"))
    assert (said.status, said.out) == (2, "")
    assert said.err.endswith("is a simulated comparison: its numbers are made up; publish one that was trained\n")


@pytest.mark.slow
def test_a_packed_comparison_is_checked_as_a_whole_one(gatesearch: Gatesearch, methods: Path, here: Path) -> None:
    for name in ("one", "two"):
        assert gatesearch("publish", "methods", name, "--archive").status == 0
    assert (here / "one" / "stores.tar.xz").read_bytes() == (here / "two" / "stores.tar.xz").read_bytes()
    assert not [path for path in (here / "one").iterdir() if path.is_dir()]
    said, whole = (gatesearch("verify", name, "--retrain", "1") for name in (str(here / "one"), "methods"))
    assert (said.status, said.err) == (0, "")
    assert outcomes(said.out) == outcomes(whole.out) | {"checksums": "ok"}


def test_an_archive_that_is_damaged_or_has_other_files_is_refused(
    gatesearch: Gatesearch, methods: Path, here: Path
) -> None:
    assert gatesearch("publish", "methods", "out", "--archive").status == 0
    archive = here / "out" / "stores.tar.xz"
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    said = gatesearch("verify", str(here / "out"))
    assert said.status == 2
    assert "stores.tar.xz cannot be unpacked" in said.err
    assert said.err.count("\n") == 1
    with tarfile.open(archive, "w:xz") as packed:
        packed.addfile(tarfile.TarInfo("../outside/run.sqlite"))
    said = gatesearch("verify", str(here / "out"))
    assert said.status == 2
    assert "has '../outside/run.sqlite', which is no file of a search" in said.err
    assert not (here / "outside").exists()
