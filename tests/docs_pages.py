"""Run what the pages of `docs/` show, as a reader would: write the files, run the commands, compare their output.

A block whose first line is `# name.ext` is a file of that name. In a block marked `console`, a line that begins with
`$ ` is a command, and the lines below it are its output; `...` matches any lines. A search is run with `--simulate`
added and with few proposals, so that a page takes seconds; the command is otherwise the one on the page.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w.-]+\.\w+)\b.*\n")

PROPOSALS = 12
"""Proposals of a search on a page."""


@dataclass(frozen=True)
class Command:
    """Command of a page, with the lines that the page shows below it."""

    line: str
    shown: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line, comments=True)


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows, by name."""
    found = {}
    for kind, text in _BLOCK.findall(page):
        name = _FILE.match(text)
        if name and kind != "console":
            found[name[1]] = text
    return found


def commands_of(page: str) -> Iterator[Command]:
    """Yield the commands of a page in order."""
    for kind, text in _BLOCK.findall(page):
        if kind != "console":
            continue
        line = ""
        shown: list[str] = []
        for row in text.splitlines():
            if row.startswith("$ "):
                if line:
                    yield Command(line, tuple(shown))
                line, shown = row[2:], []
            else:
                shown.append(row.rstrip())
        yield Command(line, tuple(shown))


def run_page(page: str, folder: Path, gatesearch: Callable[[list[str]], tuple[int, str]]) -> list[Command]:
    """Write the page's files into `folder`, the working directory, and run its commands.

    Args:
        page: text of the page.
        folder: the working directory.
        gatesearch: runs the words after `gatesearch`, and returns the exit status and the output.

    Returns:
        The commands that were run.

    Raises:
        AssertionError: a command fails, or prints other lines than the page shows.
    """
    for name, text in files_of(page).items():
        (folder / name).write_text(text, "utf-8")
    done = []
    for command in commands_of(page):
        words = command.words
        if words[0] == "gatesearch":
            status, out = gatesearch(_cheaper(words[1:]))
        else:
            assert words[0] in ("python", "ray", "cat"), f"{command.line!r}: no test can run this"
            program = [sys.executable] if words[0] == "python" else [str(Path(sys.executable).parent / words[0])]
            program = ["cat"] if words[0] == "cat" else program
            ended = subprocess.run([*program, *words[1:]], capture_output=True, text=True, timeout=120, check=False)
            status, out = ended.returncode, ended.stdout + (ended.stderr if ended.returncode else "")
        assert status == 0, f"{command.line!r} ended with {status}: {out}"
        if command.shown:
            pattern = shown_pattern(command.shown)
            printed = "\n".join(line.rstrip() for line in out.strip("\n").splitlines())
            assert re.fullmatch(pattern, printed, re.DOTALL), f"{command.line!r} printed\n{out}"
        done.append(command)
    return done


def shown_pattern(shown: tuple[str, ...]) -> str:
    """Return a regular expression for the lines that a page shows, in which `...` matches any lines."""
    rows = [row.rstrip() for row in "\n".join(shown).strip("\n").splitlines()]
    return "\n".join(".*" if row == "..." else re.escape(row) for row in rows).replace("\n.*\n", "\n(?:.*\n)?")


def _cheaper(words: list[str]) -> list[str]:
    """Return a search that simulates its outcomes and ends soon, and every other command unchanged."""
    if words[0] != "search":
        return words
    words = words if "--simulate" in words or "--resume" in words else [*words, "--simulate"]
    cheap = [] if "--resume" in words or "--proposals" in words else ["--proposals", str(PROPOSALS)]
    workers = [] if {"--workers", "--address"} & set(words) else ["--workers", "0"]
    return [*words, *cheap, *workers]
