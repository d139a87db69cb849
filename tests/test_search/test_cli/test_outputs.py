"""Files that `-o` names: each command writes new ones, and replaces one only if it is told to."""

import os
import shutil
import threading
from pathlib import Path

import click
import pytest

from search.cli.main import COMMANDS
from search.cli.main import gatesearch as gatesearch_group
from tests.test_search.test_cli.conftest import Gatesearch

LINES = {
    "export gru -o FILE": "gru.py",
    "export gru --to json -o FILE": "gru.json",
    "show gru -o FILE": "gru.svg",
    "leaderboard RUN -o FILE": "table.csv",
    "leaderboard RUN --families -o FILE": "table.tex",
    "leaderboard RUN --csv -o FILE": "profile.toml",
    "pairs RUN lstm -o FILE": "pairs.md",
    "pairs RUN lstm --json -o FILE": "my.cell",
    "report RUN --no-gradients -o FILE": "page.html",
}
"""Command lines that write a file, and the name of it."""


@pytest.mark.parametrize("line", LINES)
def test_a_file_is_only_replaced_if_forced(line: str, gatesearch: Gatesearch, here: Path, finished: Path) -> None:
    shutil.copytree(finished, here / "runs" / "kept")
    name = LINES[line]
    arguments = line.replace("RUN", "kept").replace("FILE", name).split()
    (here / name).write_text("mine")
    said = gatesearch(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err == f"gatesearch: {name!r} exists and is not overwritten; give another name, or --force\n"
    assert (here / name).read_text() == "mine"
    assert gatesearch(*arguments, "--force").status == 0
    forced = (here / name).read_bytes()
    assert forced != b"mine"
    (here / name).unlink()
    assert gatesearch(*arguments).status == 0
    assert len((here / name).read_bytes()) == len(forced)  # the page has the time in it


def test_a_pipe_needs_no_force(gatesearch: Gatesearch, here: Path) -> None:
    os.mkfifo("pipe.py")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe.py").read_text()), daemon=True)
    reader.start()
    assert gatesearch("export", "gru", "-o", "pipe.py").status == 0
    reader.join(30)
    assert "class GRU(" in read[0]


def test_every_command_with_a_file_to_write_is_tried_here() -> None:
    context = click.Context(gatesearch_group)
    commands = {name: gatesearch_group.get_command(context, name) for name in COMMANDS}
    with_output = {
        name
        for name, command in commands.items()
        if command is not None and any("-o" in parameter.opts for parameter in command.params)
    }
    assert with_output == {line.split()[0] for line in LINES} | {"compare"}  # whose -o is a folder of its own
