"""Print the tables of the docs from the published runs: `python docs/tables.py`, from the checkout's root.

A table stands between two comments. The first one is the command that prints it, as Markdown:

    <!-- gatesearch leaderboard results/published/atlas --families --format markdown -->
    ...
    <!-- end -->

The columns of the leaderboard stand between `<!-- columns -->` and `<!-- end -->`, from the registry that the program
has. A test compares the tables in the pages with what the commands print, and with the registry.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]

TABLE = re.compile(
    r"^(<!-- gatesearch (?P<words>[^\n]+) -->\n)(?P<table>.*?)^(<!-- end -->)$", re.DOTALL | re.MULTILINE
)
"""A table with the comments around it."""

DESCRIPTION = re.compile(r"^(<!-- columns -->\n)(?P<table>.*?)^(<!-- end -->)$", re.DOTALL | re.MULTILINE)
"""The description of the columns with the comments around it."""

_VERDICT = re.compile(r"\A<!--.*?-->\n\n", re.DOTALL)
"""The verdict, which a command prints as a comment."""


def with_tables(page: str, run: Callable[[list[str]], str]) -> str:
    """Return a page with the tables that its commands print now.

    `run` takes the words of a command after `gatesearch`, and returns its output.
    """

    def printed(found: re.Match[str]) -> str:
        table = _VERDICT.sub("", run(found["words"].split())).strip("\n")
        return f"{found[1]}{table}\n{found[4]}"

    return TABLE.sub(printed, page)


def run(words: list[str]) -> str:
    """Return the output of a command line, given the words after `gatesearch`."""
    return run_module("gatesearch", *words)


def run_module(*words: str) -> str:
    """Return the output of a module, given its name and its arguments."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Print the tables of every page into the page."""
    for path in sorted((ROOT / "docs").glob("*.md")):
        page = path.read_text("utf-8")
        if DESCRIPTION.search(page):
            table = run_module("results.tables.columns_page")
            page = DESCRIPTION.sub(lambda found, table=table: f"{found[1]}{table}{found[3]}", page)
            path.write_text(page, "utf-8")
            print(f"columns written to {path}")
        if TABLE.search(page):
            path.write_text(with_tables(page, run), "utf-8")
            print(f"tables written to {path}")


if __name__ == "__main__":
    main()
