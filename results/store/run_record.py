"""Record of a run in its store: what it was started with, and the information on it, which grows."""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from results.store.database import FILE, PROFILE_FILE, Database
from results.store.errors import StoreError, damaged
from results.store.files import write_atomically
from results.store.information import (
    Confirming,
    Drawn,
    Information,
    Retraining,
    Simulated,
    as_json,
    parse_information,
)
from search.cells.canonical import PRESENT, FormVersion

_FROM_THE_START = ("started", "command", "data", "constants", "cpu", "commit", "versions", "platform", "simulated")
"""Keys of a run's information that never change."""


@dataclass(frozen=True)
class _Run:
    name: str
    seed: int
    profile: str
    strategy: str
    window: int


class RunRecord(Database):
    """The one row of the table `run`: name, seed, profile, strategy, window and information.

    Every method raises `StoreError` as those of `Store`.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        super().__init__(folder / FILE, connection)
        self.folder = folder
        kinds = {"name": str, "seed": int, "profile": str, "strategy": str, "window": int}
        runs = self.typed(f"SELECT {', '.join(kinds)} FROM run LIMIT 2", kinds)
        if len(runs) != 1:
            raise StoreError(damaged(self.path, f"its table run has {'no row' if not runs else 'several rows'}"))
        self._run = _Run(*runs[0])

    @property
    def name(self) -> str:
        """Name of the run: that of its folder, which may have been copied or renamed since the run began."""
        return self.folder.resolve().name

    @property
    def first_name(self) -> str:
        """Name that the run began with."""
        return self._run.name

    @property
    def identity(self) -> str:
        """Hexadecimal digits that tell this run from others of its name and seed: a hash of how it was started.

        A copy of a run has the identity of the run.
        """
        kept = {name: self.information.get(name) for name in _FROM_THE_START}
        parts = [self.first_name, self.seed, self.strategy, self.window, kept]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def seed(self) -> int:
        """Random seed of the run."""
        return self._run.seed

    @property
    def profile(self) -> str:
        """Resolved profile as TOML text."""
        return self._run.profile

    @property
    def strategy(self) -> str:
        """Name of the strategy, which decides what is tried next."""
        return self._run.strategy

    @property
    def window(self) -> int:
        """Number of proposals in flight: proposal k sees the outcomes of those up to k - window."""
        return self._run.window

    @property
    def information(self) -> dict[str, Any]:
        """JSON object that says how the run was made, as it is now; the properties below read its keys."""
        return as_json(self._information)

    @property
    def _information(self) -> Information:
        (text,) = self.typed("SELECT information FROM run", {"information": str})[0]
        with self._sound():
            return parse_information(text)

    @property
    def simulated(self) -> bool:
        """True if the trials were drawn at random (`gatesearch search --simulate`): the run is no evidence on cells."""
        return self.simulation is not None

    @property
    def simulation(self) -> Simulated | None:
        """Options of a simulated run, or None for a run that was trained."""
        return self._information.simulated

    @property
    def finished(self) -> str | None:
        """Time at which the run ended (UTC, ISO 8601), or None while it has not."""
        finished = self._information.finished
        return None if finished is None else str(finished)

    @property
    def data_checksums(self) -> dict[str, str]:
        """Checksums of the data that the run was trained on, by task."""
        return self._information.data

    @property
    def constants(self) -> dict[str, dict[str, float]]:
        """Metric of the constant baseline, by task and split; empty for runs that did not store it."""
        return self._information.constants

    @property
    def chance(self) -> dict[str, float]:
        """Validation metric below which a trial is given up, by task; empty for runs that did not store it."""
        return self._information.chance

    @property
    def signed(self) -> dict[str, str] | None:
        """Unit of the metric of each task where it may be negative; None for runs that did not store it."""
        return self._information.signed

    @property
    def ceilings(self) -> dict[str, dict[str, float]]:
        """Best metric possible, by task and split, where the task knows it."""
        return self._information.ceilings

    @property
    def form(self) -> FormVersion:
        """Version of the canonical form that the run's cells have, and children are drawn in."""
        version = self._information.canonical_form
        if version > PRESENT:
            raise StoreError(f"the run's cells have the form {version} of a later version; install that version")
        return FormVersion(version)

    @property
    def drained(self) -> tuple[int, ...]:
        """Numbers of proposals after which the run waited for all outcomes, to promote what they allow."""
        return tuple(self._information.drained)

    @property
    def transformations(self) -> dict[str, Drawn]:
        """Children, successes and weight of each transformation, if the search had ended and its choice adapts."""
        return self._information.transformations

    @property
    def begun(self) -> int | None:
        """Number of cells that were told from outside before the last promotions between two of them were begun."""
        return self._information.begun

    @property
    def retraining(self) -> Retraining | None:
        """Retraining that every finalist has, or None before there is any."""
        return self._information.retrained

    @property
    def finalist_repeats(self) -> int:
        """Number of seeds that every finalist is retrained on; 0 before there are any."""
        return 0 if self.retraining is None else self.retraining.repeats

    @property
    def confirmation(self) -> Confirming | None:
        """Declaration of the confirmation, or None before there is one."""
        return self._information.confirmation

    @property
    def leaderboard_format(self) -> int:
        """Format of the run's `leaderboard.csv` (`results.tables.columns.FORMAT`)."""
        return self._information.leaderboard_format

    def mark(self, **information: Any) -> None:
        """Add to the information, or replace it key by key: when it was resumed, with which versions, when it ended."""
        with self._transaction() as connection:
            merged = self.information | information
            connection.execute("UPDATE run SET information = ?", (information_text(merged),))

    def replace_profile(self, profile: str) -> None:
        """Give the run a profile (TOML text) that asks for the same trials: its data are elsewhere."""
        with self._transaction() as connection:
            connection.execute("UPDATE run SET profile = ?", (profile,))
            write_atomically(self.folder / PROFILE_FILE, profile)
        self._run = replace(self._run, profile=profile)

    def extend(self, profile: str, command: Sequence[str]) -> None:
        """Give the run a profile (TOML text) with more proposals: it is unfinished again.

        The arguments of the command are kept with those of earlier ones (`extended`), so that the run can be repeated.
        """
        with self._transaction() as connection:
            left = {key: value for key, value in self.information.items() if key != "finished"}
            left["extended"] = [*left.get("extended", []), list(command)]
            connection.execute("UPDATE run SET profile = ?, information = ?", (profile, information_text(left)))
            write_atomically(self.folder / PROFILE_FILE, profile)
        self._run = replace(self._run, profile=profile)


def information_text(information: dict[str, Any]) -> str:
    """Return information as the text that is stored."""
    return json.dumps(information, ensure_ascii=False, default=str)
