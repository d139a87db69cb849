"""Boards of runs, made by one thread in the background: table, charts and verdict take seconds.

A board is made when a page asks for it and its store has changed. At most a share of the time is spent on each run, so
that the search that writes it keeps its processor. Meanwhile pages show the board before.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from altair.utils.schemapi import debug_mode

from results.dashboard.board import Best, Board, best_of
from results.dashboard.pages import board_html
from results.dashboard.watcher import error_line
from results.report.report import Page
from results.store.store import Store
from results.store.untouched import read_untouched, signature
from results.tables.leaderboard import leaderboard

WANTED_SECONDS = 60.0
"""Time after which a board that no page asks for is no longer made."""

SHARE = 20.0
"""After a board, its run is left alone for this many times the processor's seconds that it took."""

LEAST_SECONDS = 4.0
"""Shortest time between two boards of a run."""

Ranked = Callable[[Store], Sequence[str]]
"""Function that returns the ranked tasks of a run."""


@dataclass
class _Wish:
    until: float = 0.0
    page_until: float = 0.0


class Boards:
    """Boards of runs by name, and the thread that makes them; safe for several threads."""

    def __init__(self, folder: Path, ranked: Ranked) -> None:
        self.folder = folder
        self._ranked = ranked
        self._changed = threading.Condition()
        self._boards: dict[str, Board] = {}
        self._wishes: dict[str, _Wish] = {}
        self._due: dict[str, float] = {}  # when a run may be looked at again
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="boards", daemon=True)
        self._thread.start()

    def board(self, name: str, *, page: bool) -> Board | None:
        """Return the last board of a run, or None before there is one, and ask for a new one if the run has changed.

        Args:
            name: name of the run.
            page: whether its page is open, and not only that of all runs.
        """
        now = time.monotonic()
        with self._changed:
            wish = self._wishes.setdefault(name, _Wish())
            wish.until = now + WANTED_SECONDS
            if page:
                wish.page_until = now + WANTED_SECONDS
            self._changed.notify()
            return self._boards.get(name)

    def stop(self) -> None:
        """End the thread after the board that it is making."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                name = self._next()
                while name is None and not self._stopped:
                    # Nothing is wanted for a while after the last question, so that an idle server does nothing.
                    self._changed.wait(1.0 if self._wishes else None)
                    name = self._next()
                if self._stopped or name is None:
                    return
                page = self._wishes[name].page_until > time.monotonic()
            board = self._made(name, page)
            with self._changed:
                self._boards[name] = board
                self._due[name] = time.monotonic() + max(LEAST_SECONDS, SHARE * board.seconds)

    def _next(self) -> str | None:
        """Return the run whose board is to be made next: first those whose page is open."""
        now = time.monotonic()
        for name in [name for name, wish in self._wishes.items() if wish.until < now]:
            del self._wishes[name]
        for name, wish in sorted(self._wishes.items(), key=lambda item: item[1].page_until <= now):
            board = self._boards.get(name)
            if wish.page_until > now and (board is None or (board.html is None and board.error is None)):
                return name
            if board is None or (now >= self._due[name] and board.signature != signature(self.folder / name)):
                return name
        return None

    def _made(self, name: str, page: bool) -> Board:
        folder = self.folder / name
        seen, made, began = signature(folder), time.time(), time.thread_time()
        try:
            best, html = read_untouched(folder, self._page if page else self._best)
        except Exception as error:  # a store of unknown origin may hold anything, and other runs stand beside it
            return Board(seen, made, time.thread_time() - began, error=error_line(folder, error))
        return Board(seen, made, time.thread_time() - began, best, html)

    def _best(self, store: Store) -> tuple[Best | None, str | None]:
        return best_of(leaderboard(store, self._ranked(store), display=False, loops=False)), None

    def _page(self, store: Store) -> tuple[Best | None, str | None]:
        with debug_mode(False):  # the same charts without a check of each against Vega-Lite's schema: a seventh less
            page = Page(store, self._ranked(store))
            return best_of(page.frame), board_html(page)
