"""The README is short, and whatever it shows works."""

import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch

from search.cells.library import STUDY
from search.cells.notation.formula import parse_formula
from search.cli.main import COMMANDS, gatesearch
from tasks.registry import load_task
from tasks.task import Split
from tests.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def block_with(beginning: str) -> str:
    """Return the code block of the README that has a line with this beginning."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if re.search(rf"^{re.escape(beginning)}", block, re.MULTILINE))
    return str(found)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_python_that_is_shown_runs_on_a_published_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown: dict[str, Any] = {}
    exec(block_with("import gatesearch"), shown)  # noqa: S102 - the README's own text
    assert shown["run"].tasks == ("arithmetic", "xml", "language", "music")
    assert shown["best"]["name"].tolist()[0] == "gru"
    assert shown["best"]["score"].tolist()[0] == 1.0
    outputs, _ = shown["layer"](torch.zeros(3, 2, 128))
    assert outputs.shape == (3, 2, 128)


def test_the_task_of_ones_own_loads_by_its_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "readme_parity.py").write_text(block_with("# parity.py"), "utf-8")
    monkeypatch.chdir(tmp_path)
    task = load_task("readme_parity:Parity", validation=1_000, test=1_000)
    assert task.name == "parity"
    window = next(task.training(2, 30, np.random.default_rng(0)))
    text = "".join(task.label(int(symbol)) for symbol in window.inputs[:, 0])
    assert re.match(r"[01]{8}=[01]", text)
    assert text[9] == str(text[:8].count("1") % 2)
    assert next(task.evaluation(Split.VALIDATION, 2, 30)).loss_mask.sum() > 0


def test_the_cell_of_ones_own_is_a_formula() -> None:
    lines = block_with("$ cat my.cell").splitlines()
    formula = "\n".join(line for line in lines if not line.startswith("$"))
    graph = parse_formula(formula)
    assert graph.states == 1
    assert graph.id not in {cell.graph.id for cell in STUDY.values()}


def test_every_command_and_option_that_is_shown_exists() -> None:
    shown = re.findall(r"(?:^\$ |^|`)gatesearch ([a-z]+)([^`\n#]*)", README, re.MULTILINE)
    assert {name for name, _ in shown} >= {"search", "leaderboard", "findings", "show", "train", "export", "verify"}
    with click.Context(gatesearch) as context:
        for name, rest in shown:
            command = gatesearch.get_command(context, name) if name in COMMANDS else None
            assert command is not None, f"gatesearch {name}"
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
                assert option in known, f"gatesearch {name} {option}"
