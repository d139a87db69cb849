"""Feeding many inputs to a surface: counts, what can be resumed, and inputs kept that break a rule."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.commands import COMMANDS
from tests.fuzz.rules import BrokenRuleError, feed
from tests.fuzz.stores import STORES
from tests.fuzz.surfaces import SURFACES, Case, Surface, place

SAVED_EVERY = 200


def surfaces() -> dict[str, Surface]:
    """All surfaces by name."""
    return SURFACES | STORES | COMMANDS


def shares(inputs: int, names: Sequence[str]) -> dict[str, int]:
    """How many inputs each of these surfaces gets."""
    total = sum(surfaces()[name].share for name in names)
    return {name: round(inputs * surfaces()[name].share / total) for name in names}


@dataclass
class State:
    """What is done, by surface; kept in a file, so that a run goes on where it was interrupted or crashed."""

    path: Path | None
    seed: int
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: list[Any] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path | None, seed: int) -> State:
        """The state in a file, or a new one."""
        if path is None or not path.exists():
            return cls(path, seed)
        found = json.loads(path.read_text())
        if found["seed"] != seed:
            raise SystemExit(f"{path} is of seed {found['seed']}, not {seed}")
        return cls(path, seed, found["done"])

    def of(self, name: str) -> dict[str, Any]:
        """The counts of a surface."""
        return self.done.setdefault(name, {"inputs": 0, "accepted": 0, "broken": 0, "seconds": 0.0})

    def save(self) -> None:
        """Write it down."""
        if self.path is not None:
            temporary = self.path.with_suffix(".tmp")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({"seed": self.seed, "done": self.done}))
            os.replace(temporary, self.path)

    def begin(self, name: str, number: int) -> None:
        """Note which input is being fed: a process that dies of it cannot tell later."""
        if self.path is not None:
            self.path.with_suffix(".now").write_text(f"{name} {number}")

    def crashed(self, name: str) -> int | None:
        """The input that the last process died of, if it was of this surface."""
        note = self.path.with_suffix(".now") if self.path is not None else None
        if note is None or not note.exists() or not note.read_text().startswith(f"{name} "):
            return None
        return int(note.read_text().split()[1])

    def end(self) -> None:
        """Nothing is being fed."""
        if self.path is not None:
            self.path.with_suffix(".now").unlink(missing_ok=True)


def run_surface(surface: Surface, inputs: int, state: State, folder: Path, failures: Path) -> None:
    """Feed inputs up to number `inputs` to a surface."""
    counts = state.of(surface.name)
    dead = state.crashed(surface.name)
    before = os.getcwd()
    started, spent = time.monotonic(), counts["seconds"]
    try:
        for number in range(counts["inputs"], inputs):
            case = surface.draw(random.Random(f"{state.seed}/{surface.name}/{number}"))
            name = f"{surface.name}-{state.seed}-{number}"
            try:
                if number == dead:
                    raise BrokenRuleError("the process died of it")
                place(case, folder)
                state.begin(surface.name, number)
                counts["accepted"] += feed(lambda case=case: surface.use(case, folder), folder, surface.imports)  # type: ignore[misc]
            except BrokenRuleError as error:
                counts["broken"] += 1
                keep(case, failures / name, str(error))
            counts["inputs"] = number + 1
            if counts["inputs"] % SAVED_EVERY == 0:
                counts["seconds"] = spent + time.monotonic() - started
                state.save()
    finally:
        os.chdir(before)
    state.end()
    counts["seconds"] = spent + time.monotonic() - started
    state.save()


def keep(case: Case, folder: Path, why: str) -> None:
    """Write an input that broke a rule down, and what it did."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "why.txt").write_text(why, "utf-8", "backslashreplace")
    (folder / "texts.json").write_text(json.dumps(case.texts, indent=1))
    for name, data in case.files.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def kept(folder: Path) -> tuple[str, Case]:
    """The surface and the input that `keep` wrote down."""
    files = {
        str(path.relative_to(folder / "files")): path.read_bytes()
        for path in (folder / "files").rglob("*")
        if path.is_file()
    }
    return folder.name.rsplit("-", 2)[0], Case(files, tuple(json.loads((folder / "texts.json").read_text())))
