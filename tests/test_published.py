"""Published results are what their stores say, and the README shows them as they are."""

import hashlib
import json
import re
import shlex

import pytest

from results.publication.archive import unpacked
from results.store.database import RUN_ARCHIVE
from results.store.store import Store
from results.tables.columns import FORMAT
from results.tables.file_names import COLUMNS_FILE
from results.tables.files import columns_text
from search.cli.main import run
from search.profiles.loading import profile_of
from tests.docs_pages import shown_pattern
from tests.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
FOLDERS = {path.parent.name: path.parent for path in (ROOT / "results" / "published").glob("*/published.json")}
RUNS = [name for name, folder in FOLDERS.items() if (folder / "run.sqlite").exists()]
LARGE = {"atlas", "evening"}
WIDTH = 120
"""Of the README's tables."""


def test_there_are_tables_of_the_published_cells_of_the_named_ones_and_of_a_search() -> None:
    atlas, contenders = (
        ["atlas", "atlas-xml-high", "atlas-xml-low"],
        ["contenders", "contenders-large", "contenders-other"],
    )
    assert set(RUNS) == {*atlas, *contenders, "baselines", "evening", "parts"}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_files_are_those_that_the_manifest_has(name: str) -> None:
    manifest = json.loads((FOLDERS[name] / "published.json").read_text("utf-8"))
    with unpacked(FOLDERS[name], RUN_ARCHIVE) as folder:
        files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        assert set(files) == {*manifest["sha256"], "published.json"}
        for file, digest in manifest["sha256"].items():
            assert hashlib.sha256(files[file].read_bytes()).hexdigest() == digest, file


@pytest.mark.parametrize(
    "name",
    [
        "atlas-xml-high",
        "atlas-xml-low",
        "baselines",
        pytest.param("evening", marks=pytest.mark.slow),
        pytest.param("atlas", marks=pytest.mark.exact),
        pytest.param("contenders", marks=pytest.mark.slow),
    ],
)
def test_the_run_is_what_its_seed_profile_and_trials_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(FOLDERS[name])]) == 0, capsys.readouterr().out
    assert {path.name for path in FOLDERS[name].iterdir() if path.suffix not in (".md", ".csv", ".toml", ".json")} == {
        "run.sqlite",
        "trials.parquet",
    }


@pytest.mark.parametrize("name", RUNS)
def test_a_column_s_words_change_with_the_format_alone(name: str) -> None:
    """Published tables describe themselves in the words of their format, which `verify` compares."""
    folder = FOLDERS[name]
    if json.loads((folder / "published.json").read_text("utf-8"))["leaderboard_format"] == FORMAT:
        with Store.open(folder, readonly=True) as store:
            assert (folder / COLUMNS_FILE).read_text("utf-8") == columns_text(store, profile_of(store).ranked)


@pytest.mark.exact
@pytest.mark.parametrize("name", ["discover", "fast"])
def test_a_packed_search_is_what_its_seed_profile_and_trials_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(FOLDERS[name])]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in RUNS])
def test_the_findings_are_those_of_the_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads((FOLDERS[name] / "published.json").read_text("utf-8"))
    assert run(["findings", str(FOLDERS[name]), "--format", "markdown"]) == 0
    said = capsys.readouterr().out.replace(str(FOLDERS[name]), manifest["run"])
    written = (FOLDERS[name] / "findings.md").read_text("utf-8")
    price = re.compile(r"\((about )?[\d.]+ (s|min|h|days) of one core")  # of the machine that says it
    assert price.sub("", said) == price.sub("", written)


def test_the_readme_shows_them_as_they_are(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    blocks = re.findall(
        r"^```\n\$ gatesearch ([^\n]*results/published/[^\n]*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE
    )
    assert len(blocks) >= 2
    for command, shown in blocks:
        assert run(shlex.split(command)) == 0
        printed = "\n".join(line.rstrip() for line in capsys.readouterr().out.strip("\n").splitlines())
        assert re.fullmatch(shown_pattern(tuple(shown.splitlines())), printed, re.DOTALL), f"{command}:\n{printed}"
