"""Lines of the page of all runs: the overview of each run, when it was driven, its speed, and why trials failed.

A store is read only after it has changed, so that a look at runs that stand still costs a look at their files.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from results.report.wording import reason_words
from results.store.files import runs_folder
from results.store.overview import Overview, RunState, overview, state_of
from results.store.rungs import ladder_of
from results.store.runs import known_runs
from results.store.sanitize import printable
from results.store.store import Store
from results.store.untouched import Signature, read_untouched, signature
from results.store.words import LOST_STATES
from results.tables.failures import trial_reasons

FRESH_SECONDS = 1.0
"""Time within which all questions get one look at the files."""

SPEED_SECONDS, LEAST_SECONDS = 600.0, 60.0
"""Longest and shortest time over which a speed is measured."""


MOST_CHARACTERS = 300
"""Longest description of an error that gatesearch does not know."""


@dataclass(frozen=True)
class Facts:
    """Facts of a store: when the run was driven, and its failures; times in seconds since 1970."""

    finished: bool = False
    began: float | None = None  # started or last resumed
    ended: float | None = None
    trials_before: int = 0  # stored when it was last resumed
    is_resumed: bool = False
    has_rungs: bool = False  # a promotion is further training, so that proposals do not take alike
    failure: str | None = None  # the most frequent reason of trials that diverged or failed
    failures: int = 0  # their number


@dataclass(frozen=True)
class Line:
    """A run as the page of all runs shows it; speeds and times are None where they are not known."""

    overview: Overview
    facts: Facts = field(default_factory=Facts)
    trials_per_minute: float | None = None
    proposals_per_minute: float | None = None
    left_seconds: float | None = None  # of the proposals
    is_gone: bool = False  # its folder was there, and is no more

    @property
    def state(self) -> str:
        """State of the run in a word."""
        return "gone" if self.is_gone else str(self.overview.state)

    @property
    def share(self) -> float | None:
        """Share of the proposals that have ended, 0 to 1, or None if their number is not planned."""
        done, planned = self.overview.proposals, self.overview.planned
        return None if done is None or not planned else min(1.0, done / planned)


@dataclass
class _Known:
    signature: Signature
    overview: Overview
    facts: Facts
    samples: deque[tuple[float, int, int]] = field(default_factory=deque)  # time, trials, proposals


class Watcher:
    """Watcher of the runs in the folder of runs; safe for several threads."""

    def __init__(self) -> None:
        self.folder = runs_folder()
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._lines: list[Line] = []
        self._looked: float | None = None

    def lines(self) -> list[Line]:
        """Return all runs: those that run first, then the others, latest first, and those that are gone."""
        with self._lock:
            now = time.monotonic()
            if self._looked is None or now - self._looked >= FRESH_SECONDS:
                names = known_runs()
                found = [self._line(name) for name in names]
                gone = [self._gone(known) for name, known in self._known.items() if name not in names]
                self._lines = sorted(found, key=lambda line: line.state != RunState.RUNNING) + gone
                self._looked = now
            return self._lines

    def line(self, name: str) -> Line | None:
        """Return the run of this name, or None if there never was one."""
        return next((line for line in self.lines() if line.overview.name == name), None)

    def _line(self, name: str) -> Line:
        folder = self.folder / name
        seen = signature(folder)
        known = self._known.get(name)
        if known is None or known.signature != seen:
            shown, facts = _read(folder)
            known = _Known(seen, shown, facts, deque() if known is None else known.samples)
            self._known[name] = known
        elif known.overview.error is None:
            state = state_of(folder, finished=known.facts.finished)
            known.overview = replace(known.overview, state=state)
        return self._measured(known)

    def _gone(self, known: _Known) -> Line:
        where = self.folder / known.overview.name
        error = f"{where}: its folder or its store is no longer there; it was deleted, renamed or moved"
        return Line(replace(known.overview, state=RunState.UNREADABLE, error=error), is_gone=True)

    def _measured(self, known: _Known) -> Line:
        """Return the run with its speed: over the last minutes, or else since it was started or resumed."""
        shown, facts, samples = known.overview, known.facts, known.samples
        if shown.state is not RunState.RUNNING or shown.trials is None or shown.proposals is None:
            samples.clear()
            return Line(shown, facts)
        now = time.time()
        if not samples or now - samples[-1][0] >= LEAST_SECONDS / 6:
            samples.append((now, shown.trials, shown.proposals))
        while now - samples[0][0] > SPEED_SECONDS and len(samples) > 2:
            samples.popleft()
        first, trials, proposals = samples[0]
        speeds: tuple[float | None, float | None] = (None, None)
        if now - first >= LEAST_SECONDS:
            minutes = (now - first) / 60
            speeds = (shown.trials - trials) / minutes, (shown.proposals - proposals) / minutes
        elif facts.began is not None and now - facts.began >= LEAST_SECONDS:
            minutes = (now - facts.began) / 60
            of_proposals = None if facts.is_resumed else shown.proposals / minutes
            speeds = (shown.trials - facts.trials_before) / minutes, of_proposals
        left = None
        if shown.planned is not None and speeds[1] and shown.proposals < shown.planned and not facts.has_rungs:
            left = 60 * (shown.planned - shown.proposals) / speeds[1]
        return Line(shown, facts, *speeds, left)


def _read(folder: Path) -> tuple[Overview, Facts]:
    """Return the overview and the facts of a run; a store that cannot be read is no error."""
    shown = overview(folder)
    if shown.error is not None:
        return shown, Facts()
    try:
        return shown, read_untouched(folder, _facts_of)
    except Exception as error:  # a store of unknown origin may hold anything, and other runs stand beside it
        return replace(shown, state=RunState.UNREADABLE, error=error_line(folder, error)), Facts()


def error_line(folder: Path, error: Exception) -> str:
    """Return why a run cannot be shown, in one line."""
    if isinstance(error, ValueError) and str(error):
        return printable(" ".join(str(error).split()))
    what = printable(" ".join(f"{type(error).__name__}: {error}".split()))[:MOST_CHARACTERS]
    return f"{folder}: it cannot be shown ({what}); gatesearch verify {folder.name} may say what is wrong"


def _facts_of(store: Store) -> Facts:
    information = store.information
    resumed = information.get("resumed") or []
    last: dict[str, Any] = resumed[-1] if resumed else information
    before = last.get("trials_before", 0)
    reasons = trial_reasons(store)
    reasons = reasons[reasons["state"].isin(LOST_STATES)]
    failure = None
    if len(reasons):
        words = reasons.assign(reason=reasons["reason"].map(reason_words))
        first = words.groupby("reason")["trials"].sum().sort_values(ascending=False, kind="stable")
        failure = str(first.index[0])
    return Facts(
        finished=store.finished is not None,
        began=_seconds(last.get("started")),
        ended=_seconds(store.finished),
        trials_before=before if isinstance(before, int) else 0,
        is_resumed=bool(resumed),
        has_rungs=ladder_of(store) is not None,
        failure=failure,
        failures=int(reasons["trials"].sum()),
    )


def _seconds(text: object) -> float | None:
    """Return a stored time in seconds since 1970, or None if it is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None
