"""`gatesearch findings`: the rulings as text, Markdown and JSON, and what would decide what is open."""

import json
import re
import shutil
from pathlib import Path

import pytest

from results.findings import findings
from results.publication.findings_text import TESTS_NOTE
from results.store.store import Store
from results.tables.run_verdict import verdict_of
from tests.test_search.test_cli.conftest import Gatesearch

TASKS = ("xml", "arithmetic")


@pytest.fixture
def kept(here: Path, finished: Path) -> Path:
    shutil.copytree(finished, here / "runs" / "kept")
    return here / "runs" / "kept"


@pytest.mark.parametrize("width", [50, 60, 80])
def test_a_narrow_terminal_breaks_no_word_and_no_command_and_keeps_the_errors(
    gatesearch: Gatesearch, kept: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    whole = gatesearch("findings", "kept").out
    monkeypatch.setenv("COLUMNS", str(width))
    text = gatesearch("findings", "kept").out
    assert all(len(line) <= width or "gatesearch" in line for line in text.splitlines() if "  " not in line.strip())
    assert text.count("\N{PLUS-MINUS SIGN}") == whole.count("\N{PLUS-MINUS SIGN}")
    assert "not shown: metrics" in text
    assert "not shown" not in whole
    commands = [line.strip().removeprefix("to decide it: ") for line in whole.splitlines() if "to decide it: g" in line]
    assert commands
    assert all(f"{command.partition(' (')[0]}" in text for command in commands)


def test_text_markdown_and_json_say_the_same(gatesearch: Gatesearch, kept: Path) -> None:
    with Store.open(kept, readonly=True) as store:
        expected, verdict = findings(store, TASKS), verdict_of(store, TASKS)
    said = gatesearch("findings", "kept")
    assert (said.status, said.err) == (0, "")
    head, *blocks = said.out.split("\n\n")
    assert head == "\n".join(verdict.lines(100))
    markdown = gatesearch("findings", "kept", "--format", "markdown").out
    data = json.loads(gatesearch("findings", "kept", "--json").out)
    assert (data["run"], data["simulated"]) == ("kept", False)
    assert markdown.startswith(f"**{verdict.text}**\n\n### ")
    assert verdict.command is not None
    assert (data["verdict"]["text"], data["verdict"]["kind"]) == (verdict.text, "untested")
    assert data["verdict"]["to_decide_it"] == verdict.command
    assert [section["title"] for section in data["sections"]] == [
        "What the best found cells are",
        "Which given cells could not be trained?",
    ]
    for section in reversed(data["sections"]):
        assert section["lines"]
        assert blocks.pop().split() == " ".join([section["title"], *section["lines"]]).split()
    assert " ".join(blocks.pop().split()) == data["tests"] == TESTS_NOTE
    assert TESTS_NOTE in markdown
    assert " ".join(blocks.pop().split()).startswith("metrics: test means of the cell and of the other, ")
    assert len(blocks) == len(data["findings"]) == len(expected) == 5
    for finding, block, row in zip(expected, blocks, data["findings"], strict=True):
        assert finding.claim in block
        flat = " ".join(block.split())
        assert f"{finding.ruling}: {finding.why}" in flat
        assert (row["claim"], row["ruling"], row["why"]) == (finding.claim, finding.ruling, finding.why)
        assert f"**{finding.ruling}**: {finding.why}." in markdown
        assert len(row["figures"]) == len(finding.figures)
        for figure in finding.figures:
            shown = rf"{figure.task} +{figure.cell} +{figure.other} +{figure.value:.4f} / {figure.reference:.4f}"
            assert re.search(shown, block)
            assert f"{figure.value:.4f} / {figure.reference:.4f}" in markdown
    assert max(len(line) for line in said.out.splitlines() if "`" not in line) <= 100


def test_what_is_missing_is_had_by_a_run_of_the_baselines_which_has_a_price(gatesearch: Gatesearch, kept: Path) -> None:
    said = gatesearch("findings", "kept")
    assert "not decided: the run has no results of lstm-b on all of its tasks\n" in said.out
    price = r"to decide it: gatesearch search base --profile baselines \([\d.]+ (s|min|h|days) of one core\)"
    assert re.search(price, " ".join(said.out.split()))


def test_more_seeds_are_asked_for_by_the_command_that_trains_them(gatesearch: Gatesearch, here: Path) -> None:
    text = (here / "tiny.toml").read_text().replace("[finalists]\ncells = 2", "[finalists]\ncells = 0")
    (here / "none.toml").write_text(text.replace("proposals = 6", "proposals = 0"))
    assert gatesearch("search", "none", "--profile", "none.toml", "--workers", "0").status == 0
    out = " ".join(gatesearch("findings", "none").out.split())
    assert "search estimates decide nothing" in out
    assert "gatesearch finalists none --repeats 5 (about " in out
    assert gatesearch("finalists", "none", "--repeats", "5", "--workers", "0").status == 0
    assert "search estimate" not in gatesearch("findings", "none").out.split("lstm-b")[0]


def test_two_formats_are_one_too_many(gatesearch: Gatesearch, kept: Path) -> None:
    said = gatesearch("findings", "kept", "--json", "--format", "markdown")
    assert said.status == 2
    assert said.err == "gatesearch: --json and --format markdown are mutually exclusive; leave one out\n"
