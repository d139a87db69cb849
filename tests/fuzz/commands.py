"""Command lines, in this process: any words, over files and runs that are in order and that are not."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random

from results.store.store import FILE
from search.cli.main import COMMANDS as NAMES
from search.cli.main import MAX_MESSAGE, run
from tests.fuzz.draws import ODD_NUMBERS, changed_text, odd_text
from tests.fuzz.rules import BrokenRuleError
from tests.fuzz.stores import draw_rows, draw_store_bytes, sound_run
from tests.fuzz.surfaces import Case, Surface, bytes_of, demand, draw_formula, draw_profile, draw_recipe, draw_recipes
from tests.tiny import TINY

FAILED_CHECK = 1
"""The status of `verify` where a run is not what it claims, and of `import` where not every cell can be read."""

OPTIONS = {
    "search": (
        "--profile",
        "--strategy",
        "--tasks",
        "--task",
        "--data",
        "--seed-cell",
        "--seed",
        "--delays",
        "--resume",
    ),
    "finalists": ("--cells", "--repeats"),
    "leaderboard": ("--top", "--csv", "-o", "--format", "--task", "--baselines"),
    "findings": ("-o", "--format", "--json"),
    "show": ("--units", "--run", "-o", "--bibtex"),
    "export": ("--run", "-o", "--force", "--to"),
    "verify": ("--retrain", "--seed"),
    "report": ("-o", "--no-gradients"),
    "tasks": ("--profile", "--samples", "--json"),
    "train": ("--profile", "--run", "--scale", "--learning-rate", "--max-norm", "--layers", "--seed", "--data"),
    "cells": ("--json", "--family", "--year", "--linear", "--no-loop-products", "--bibtex"),
    "import": ("--to", "--json"),
}
ALONE = (
    "--resume",
    "--csv",
    "--baselines",
    "--force",
    "--json",
    "--no-gradients",
    "--linear",
    "--no-loop-products",
    "--bibtex",
)
FILES = (
    "my.cell",
    "my.json",
    "my.json#1",
    "my.json#gru",
    "p.toml",
    "gone.cell",
    "folder/",
    "runs/r/run.sqlite",
    "out.csv",
    "out.svg",
    "out.py",
    "out.html",
)
WORDS = (
    *("gru", "lstm-b", "kept", "r", "kept", "r", "./runs/r", "b706", "0123abcd", "xml", "arithmetic", "memorization"),
    *(
        "quick",
        "tiny.toml",
        "p.toml",
        "xml,arithmetic",
        "paper",
        "random",
        "xml=folder",
        "xml=my.cell",
        "evil:Evil",
        "json",
    ),
    *(
        "single-gate",
        "2016",
        "2014-2018",
        "tasks.xml:Xml",
        "markdown",
        "latex",
        "csv",
        "table",
        "-1",
        "0",
        "1",
        "2",
        "0.5",
        "1e9",
        "nan",
        *FILES,
    ),
)


def draw_command(rng: Random) -> Case:
    """A command with what belongs to it, and now and then with what does not."""
    if rng.random() < 0.03:
        words = [
            rng.choice(
                (*WORDS, odd_text(rng), *(name for name in NAMES if name != "bench"), "--help", "--version", "-h")
            )
            for _ in range(rng.randrange(4))
        ]
        if "search" in words:  # nothing that would be trained
            words += ["--workers", "0", "--proposals", "2", "--simulate", "--profile", "tiny.toml"]
        return _case(rng, words)
    command = rng.choice([name for name in NAMES if name != "bench"])
    words = [command]
    if command not in ("cells",):
        words.append(_word(rng, command))
    if command == "import":
        words += ["--to", rng.choice(("out", "out", "folder", _word(rng, command)))]
    if command == "train":  # nothing that would be trained
        words = [
            command,
            *rng.choice((("grru", "xml"), ("gru", odd_text(rng)), ("my.cell", "nothing"), (odd_text(rng), "xml"))),
        ]
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        option = rng.choice(OPTIONS.get(command, ("--run",))) if rng.random() < 0.9 else "--" + odd_text(rng)
        words += [option] if option in ALONE else [option, _word(rng, command)]
    if command == "search":
        # Whatever it comes to, it is small and nothing is trained.
        resumed = "--resume" in words
        words += ["--workers", "0"]
        words += [] if resumed else ["--proposals", "2", "--simulate"]
        if not resumed and "--profile" not in words:
            words += ["--profile", "tiny.toml"]
        words = ["tiny.toml" if word in ("quick", "paper") else word for word in words]
    if command == "finalists":
        words += ["--workers", "0"]
    if command in ("tasks", "train") and "--profile" not in words:
        words += ["--profile", "tiny.toml"]
    if command == "report":
        words.append("--no-gradients")
    return _case(rng, words)


def _word(rng: Random, command: str) -> str:
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(("kept", "r", "r")) if command in RUNS and kind < 0.4 else rng.choice(WORDS)
    if kind < 0.7:
        return str(rng.choice(ODD_NUMBERS))
    if kind < 0.85:
        return odd_text(rng)
    return changed_text(rng, rng.choice(WORDS), ("=", "/", "..", ":", ",", "-", " ", "=folder"), 2)


RUNS = ("leaderboard", "verify", "finalists", "findings", "report")


def _case(rng: Random, words: list[str]) -> Case:
    files = {
        "tiny.toml": TINY.encode(),
        "p.toml": bytes_of(rng, draw_profile(rng)),
        "my.cell": bytes_of(rng, draw_formula(rng)),
        "my.json": bytes_of(rng, draw_recipes(rng) if rng.random() < 0.5 else draw_recipe(rng)),
        "folder/train.txt": b"a b c\n",
        "evil.py": b"import os\nos.system('touch ran')\nEvil = 3\n",
        f"runs/kept/{FILE}": (sound_run() / FILE).read_bytes(),
    }
    used = {word for word in words for name in files if name in word or name.split("/")[0] in word}
    kept = {name: data for name, data in files.items() if name in words or name.startswith(("tiny", "evil")) or used}
    if "r" in words or "./runs/r" in words:
        kept |= (draw_rows(rng) if rng.random() < 0.8 else draw_store_bytes(rng)).files
    return Case(kept, tuple(words))


def use_command(case: Case, folder: Path) -> None:
    """Run it; what it prints and returns must be what people and scripts rely on."""
    out, err = StringIO(), StringIO()
    if any(word == "evil:Evil" for word in case.texts):
        return  # a task that is named by its import path is executed, as the help says
    with redirect_stdout(out), redirect_stderr(err):
        status = run(case.texts)
    said, printed = err.getvalue(), out.getvalue()
    if "Traceback" in said or "internal error" in said:
        raise BrokenRuleError(f"{json.dumps(case.texts)}\n{said[-3000:]}")
    imported = case.texts[:1] == ("import",)  # a line for each file that cannot be read, and then status 1 or 2
    allowed = (0, 2, FAILED_CHECK) if case.texts[:1] == ("verify",) or imported else (0, 2)
    demand(status in allowed, f"{case.texts}: status {status}: {said}")
    if status == 2 and (case.texts and not printed.startswith("Usage")):
        lines = said.splitlines()
        demand(len(lines) == 1 or (imported and lines), f"{case.texts}: {said!r}")
        for line in lines:
            short = line.startswith("gatesearch: ") and len(line) <= MAX_MESSAGE + 50
            demand(short and line.isprintable(), f"{case.texts}: {said!r}")
    for text in (said, printed):
        demand(
            not any(c in text for c in "\x1b\0\x07\b\r\u202e"), f"{case.texts}: control characters in {text[:500]!r}"
        )
    if status == 2:
        raise ValueRefusedError


class ValueRefusedError(Exception):
    """A command line was refused as it should be."""


def use(case: Case, folder: Path) -> None:
    """As `use_command`; a refusal is what the API's errors are elsewhere."""
    from search.core.errors import SearchError

    try:
        use_command(case, folder)
    except ValueRefusedError:
        raise SearchError("refused") from None


COMMANDS: dict[str, Surface] = {"command": Surface("command", 0.04, draw_command, use)}
