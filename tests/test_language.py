"""Plain words: docstrings begin with a verb or a noun, and words that the project has given up do not come back."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from search.cli.main import COMMANDS, gatesearch
from tests.paths import ROOT

PACKAGES = [folder for name in ("gatesearch", "search", "tasks", "results") if (folder := ROOT / name).is_dir()]
SOURCES = [path for folder in PACKAGES for path in sorted(folder.rglob("*.py"))]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]

OBLIQUE = {"What", "That", "As", "Of", "With", "Let", "Where", "From", "How", "Whether"}
"""First words of docstrings that hide what is described."""

GIVEN_UP = (
    *("goes on", "gone on with", "is made anew", "of ours", "flatters", "after the stroke", "to be told from others"),
    *("that these three go by", "hang together", "does I know not what", "cell to compare with", "what is none"),
)
"""Turns of phrase that no reader should meet."""


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and docstring of a file's module, and of its public classes, functions and methods."""

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, str]]:
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                if text := ast.get_docstring(child):
                    yield f"{prefix}{child.name}", text
                if isinstance(child, ast.ClassDef):
                    yield from visit(child, f"{prefix}{child.name}.")

    module = ast.parse(path.read_text("utf-8"))
    if text := ast.get_docstring(module):
        yield "(module)", text
    yield from visit(module, "")


def oblique(text: str) -> bool:
    """Tell whether a docstring begins with one of the words."""
    return re.split(r"\W", text, maxsplit=1)[0] in OBLIQUE


def given_up(text: str) -> list[str]:
    """Return the turns of phrase that a text has, wherever its lines break."""
    flat = " ".join(text.lower().split())
    return [phrase for phrase in GIVEN_UP if re.search(rf"\b{phrase}\b", flat)]


def help_of(command: click.Command, name: str) -> str:
    """Return all help that a command prints."""
    with click.Context(command, info_name=name) as context:
        return command.get_help(context)


def test_few_docstrings_begin_obliquely() -> None:
    found = [(path, *each) for path in SOURCES for each in docstrings(path)]
    bad = [(path, name) for path, name, text in found if oblique(text)]
    worst = Counter(str(path.relative_to(ROOT)) for path, _ in bad).most_common(15)
    assert len(found) > 500
    assert not bad, f"{len(bad)} of {len(found)} docstrings; most of them in {worst}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_what_was_given_up(page: Path) -> None:
    assert given_up(page.read_text("utf-8")) == []


def test_no_docstring_or_message_has_what_was_given_up() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [f"{path.relative_to(ROOT)}:{node.lineno}: {phrase}" for phrase in given_up(node.value)]
    assert found == []


def test_no_help_has_what_was_given_up() -> None:
    with click.Context(gatesearch) as context:
        commands = {name: gatesearch.get_command(context, name) for name in COMMANDS}
    assert {name: given_up(help_of(command, name)) for name, command in commands.items() if command} == {
        name: [] for name in COMMANDS
    }


def test_click_s_marks_are_not_printed() -> None:
    with click.Context(gatesearch) as context:
        commands = {name: gatesearch.get_command(context, name) for name in COMMANDS}
    texts = [
        help_of(gatesearch, "gatesearch"),
        *(help_of(command, name) for name, command in commands.items() if command),
    ]
    assert len(texts) == 1 + len(COMMANDS)
    assert not any("\\b" in text or "\b" in text for text in texts)
    assert "\n  gatesearch leaderboard quick-1    print its table\n" in texts[0]


def test_the_rules_see_what_they_are_for(tmp_path: Path) -> None:
    source = '"""That it is."""\n\n\nclass A:\n    """As if."""\n\n    def b(self):\n        """Return b."""\n'
    (tmp_path / "a.py").write_text(source + '\n    def _c(self):\n        """Of c."""\n')
    found = list(docstrings(tmp_path / "a.py"))
    assert found == [("(module)", "That it is."), ("A", "As if."), ("A.b", "Return b.")]
    assert [oblique(text) for _, text in found] == [True, True, False]
    assert not oblique("Whatever comes.")
    assert given_up("The run goes\n    on, and a task of ours is") == ["goes on", "of ours"]
    assert given_up("the process continues") == []
