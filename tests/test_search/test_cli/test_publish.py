"""`gatesearch publish`: a folder that says where a run comes from, and is a run itself."""

import hashlib
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import results
from results.store.errors import StoreError
from results.store.store import Store
from tests.test_search.test_cli.conftest import Gatesearch


@pytest.fixture
def kept(here: Path, finished: Path) -> Path:
    shutil.copytree(finished, here / "runs" / "kept")
    return here / "runs" / "kept"


def test_a_published_run_is_whole_and_reads_like_any_other(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    folder = here / "published" / "kept"
    said = gatesearch("publish", "kept", str(folder))
    assert (said.status, said.err) == (0, "")
    manifest = json.loads((folder / "published.json").read_text())
    assert {path.name for path in folder.iterdir()} == {*manifest["sha256"], "published.json"}
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    for name in ("leaderboard.csv", "leaderboard_full.csv", "columns.json", "trials.parquet"):
        assert (folder / name).read_bytes() == (kept / name).read_bytes()
    assert (folder / "profile.toml").read_bytes() == (kept / "profile.toml").read_bytes()
    findings = gatesearch("findings", "kept", "--format", "markdown").out
    assert (folder / "findings.md").read_text() == findings
    with closing(sqlite3.connect(kept / "run.sqlite")) as connection:
        trials, seconds = connection.execute("SELECT count(*), sum(seconds) FROM trials").fetchone()
    assert manifest["trials"] == trials == sum(each["trials"] for each in manifest["environments"])
    assert manifest["core_hours"] == round(seconds / 3600, 2)
    with Store.open(kept, readonly=True) as store:
        assert manifest["command"] == ["gatesearch", *store.information["command"]]
    assert (manifest["seed"], manifest["resumed"]) == (0, 0)
    assert set(manifest["data"]) == {"memorization", "xml", "arithmetic"}

    verified = gatesearch("verify", str(folder), "--retrain", "2")
    assert (verified.status, verified.err) == (0, "")
    table = gatesearch("leaderboard", str(folder), "--csv")
    assert table.out == (folder / "leaderboard_full.csv").read_text()
    best = pd.read_csv(folder / "leaderboard_full.csv")["cell"][0]
    assert gatesearch("show", best, "--run", str(folder)).status == 0


def test_a_run_that_was_published_twice_gives_the_same_files(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    for name in ("a", "b"):
        assert gatesearch("publish", "kept", str(here / name)).status == 0
    for path in (here / "a").iterdir():
        assert path.read_bytes() == (here / "b" / path.name).read_bytes(), path.name


def test_a_packed_run_is_checked_as_a_whole_one_and_read_when_unpacked(
    gatesearch: Gatesearch, kept: Path, here: Path
) -> None:
    for name in ("a", "b"):
        assert gatesearch("publish", "kept", str(here / name), "--archive").status == 0
    folder, archive = here / "a", here / "a" / "run.tar.xz"
    assert archive.read_bytes() == (here / "b" / "run.tar.xz").read_bytes()
    shown = {path.name for path in folder.iterdir()}
    assert shown == {"run.tar.xz", "profile.toml", "columns.json", "findings.md", "published.json"}
    verified = gatesearch("verify", str(folder), "--retrain", "1")
    assert (verified.status, verified.err) == (0, "")
    assert "run.tar.xz are the published files" in verified.out.replace("\n", " ")
    assert {path.name for path in folder.iterdir()} == shown

    said = gatesearch("leaderboard", str(folder))
    assert (said.status, said.out) == (2, "")
    command = f"tar -xJf {archive} -C {folder}"
    assert said.err == f"gatesearch: run {folder} is packed; unpack it first: {command}\n"
    subprocess.run(shlex.split(command), check=True)
    assert gatesearch("leaderboard", str(folder), "--csv").out == (kept / "leaderboard_full.csv").read_text()
    assert gatesearch("verify", str(folder)).status == 0

    with closing(sqlite3.connect(folder / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE trials SET test = test + 0.1 WHERE repeat > 0")
    assert gatesearch("verify", str(folder)).status == 1  # the store that other commands read


def test_an_archive_of_a_run_that_is_damaged_or_has_other_files_is_refused(
    gatesearch: Gatesearch, kept: Path, here: Path
) -> None:
    assert gatesearch("publish", "kept", str(here / "out"), "--archive").status == 0
    archive = here / "out" / "run.tar.xz"
    content = archive.read_bytes()
    for changed in (content[: len(content) // 2], (here / "out" / "profile.toml").read_bytes()):
        archive.write_bytes(changed)
        said = gatesearch("verify", str(here / "out"))
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert "run.tar.xz cannot be unpacked" in said.err
    for name in ("published.json", "findings.md", "../run.sqlite", "kept/run.sqlite"):
        with tarfile.open(archive, "w:xz") as packed:
            packed.addfile(tarfile.TarInfo(name))
        said = gatesearch("verify", str(here / "out"))
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert f"has {name!r}, which is no file of a search" in said.err


def test_nothing_is_written_into_a_packed_run(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    folder = here / "out"
    assert gatesearch("publish", "kept", str(folder), "--archive").status == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for line in (
        ("search", str(folder), "--profile", "tiny.toml", "--workers", "0"),
        ("search", str(folder), "--resume", "--workers", "0"),
        ("finalists", str(folder), "--workers", "0"),
        ("report", str(folder)),
    ):
        said = gatesearch(*line)
        assert (said.status, said.out) == (2, ""), line
        assert said.err.startswith(f"gatesearch: run {folder} is packed; unpack it first: tar -xJf"), line
    with pytest.raises(StoreError, match="is packed; unpack it first"):
        results.load(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_nothing_is_overwritten(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    (here / "mine").mkdir()
    said = gatesearch("publish", "kept", "mine")
    assert (said.status, said.out) == (2, "")
    assert said.err == "gatesearch: mine exists and is not overwritten; choose a new folder\n"
    assert not list((here / "mine").iterdir())


def test_a_run_that_has_not_ended_or_was_made_up_is_not_published(gatesearch: Gatesearch, kept: Path) -> None:
    with closing(sqlite3.connect(kept / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE run SET information = json_remove(information, '$.finished')")
    said = gatesearch("publish", "kept", "out")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "run 'kept' has not ended" in said.err
    assert gatesearch("search", "made-up", "--profile", "tiny.toml", "--simulate", "--workers", "0").status == 0
    said = gatesearch("publish", "made-up", "out")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "run 'made-up' is simulated" in said.err
    assert not Path("out").exists()


def test_what_fails_leaves_no_folder_behind(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    with closing(sqlite3.connect(kept / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE trials SET steps = 'many' WHERE repeat = 0")
    before = sorted(path.name for path in here.iterdir())
    said = gatesearch("publish", "kept", "out")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert sorted(path.name for path in here.iterdir()) == before


def test_verify_sees_what_was_changed_after_publication(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    assert "checksums" not in gatesearch("verify", "kept").out
    assert gatesearch("publish", "kept", "out").status == 0
    assert re.search(r"^checksums +ok +run\.sqlite, profile\.toml", gatesearch("verify", "./out").out, re.MULTILINE)
    with (here / "out" / "findings.md").open("a") as file:
        file.write("and more\n")
    said = gatesearch("verify", "./out")
    assert said.status == 1
    assert re.search(r"^checksums +FAILED +out/findings\.md is not the published file", said.out, re.MULTILINE)
    for text in ("", "[]", '{"sha256": 3}', '{"sha256": {}}', "[" * 100_000):
        (here / "out" / "published.json").write_text(text)
        said = gatesearch("verify", "./out")
        assert (said.status, said.err) == (1, "")
        assert re.search(r"^checksums +FAILED +out/published\.json ", said.out, re.MULTILINE)
