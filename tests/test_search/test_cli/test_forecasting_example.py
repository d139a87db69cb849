"""The example of forecasts runs as its page says, and shows what its page shows."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from tasks.registry import TASKS
from tests.docs_pages import commands_of
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch

EXAMPLE = ROOT / "examples" / "forecasting"


def test_the_commands_of_the_page_print_its_numbers(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    commands = list(commands_of((EXAMPLE / "README.md").read_text("utf-8")))
    assert [command.words[1] for command in commands] == ["tasks", "train", "search"]
    for command in commands[:2]:
        said = gatesearch(*command.words[1:])
        assert said.status == 0, said.err
        shown = [line for line in command.shown if line not in ("...", "")]
        assert shown
        for line in shown:
            # Numbers of a training differ in the last digits between processors.
            if command.words[1] == "train":
                line = (
                    r"mean_squared_error: validation 0\.[34]\d+ ± .* \(lower is better; naive forecast 1\.7202 on "
                    r"validation\)"
                )
                assert re.search(line, said.out)
            else:
                assert line in said.out
    (row,) = json.loads(gatesearch(*commands[0].words[1:], "--json").out)
    assert (row["baseline"], round(row["constant_baseline"], 4)) == ("naive forecast", 1.7202)


def test_a_small_search_with_the_profile_ranks_cells_on_forecasts(gatesearch: Gatesearch, here: Path) -> None:
    text = (EXAMPLE / "profile.toml").read_text("utf-8")
    profile = tomllib.loads(text)
    assert profile["search"]["proposals"] == 30
    for old, new in (
        ("proposals = 30", "proposals = 2"),
        ("epochs = 12, chance_epochs = 12", "epochs = 3, chance_epochs = 3"),
        ("cells = 2\nrepeats = 4", "cells = 1\nrepeats = 2"),
        ("contenders = 1", "contenders = 0"),
    ):
        assert old in text
        text = text.replace(old, new)
    Path("small.toml").write_text(text)
    data = f"series={EXAMPLE / 'sea.csv'}"
    said = gatesearch("search", "sea", "--profile", "small.toml", "--data", data, "--workers", "0")
    assert said.status == 0, said.err
    assert "series: 1 value, 509 + 107 + 107 steps" in said.out
    assert gatesearch("verify", "sea").status == 0


def test_series_are_listed_described_and_plotted(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: TASKS[name] for name in ("memorization", "series")}
    monkeypatch.setattr("search.cli.commands.tasks.TASKS", few)  # reading all of the others takes long
    options = ("--profile", str(EXAMPLE / "profile.toml"))
    assert "\nseries, which needs --data PATH: columns of numbers" in gatesearch("tasks", *options).out
    rows = json.loads(gatesearch("tasks", *options, "--json").out)
    assert [(row["name"], row["metric"]) for row in rows] == [("memorization", "accuracy"), ("series", None)]
    said = gatesearch("tasks", "series", "--data", str(EXAMPLE / "sea.csv")).out
    assert "validation, celsius" in said
    assert re.search(r"^naive forecast, mean_absolute_error +0\.\d{4} +0\.\d{4} +0\.\d{4}$", said, re.MULTILINE)
    refused = gatesearch("tasks", "series")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "task 'series' needs the path of your data" in refused.err
