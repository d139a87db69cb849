"""Executor shared by several searches, each of which runs in a thread of its own.

The thread that calls `serve` is the only one that touches the executor: it hands over the jobs of all searches and
returns each result to the search that asked for it. Jobs of small priority come first, whichever search they are of, so
all searches advance together. Results do not depend on the order of jobs, so a search gives what it gives alone.

    shared = SharedExecutor(executor)
    search = threading.Thread(target=lambda: run_search(folder, profile, executor=shared.view()))
    search.start()
    shared.serve([search])
"""

import threading
from collections import deque
from collections.abc import Sequence

from search.training.trial import TrialResult
from search.workers.executor import Executor
from search.workers.job import Job

POLL_SECONDS = 0.2
"""Longest time after which `serve` looks whether all searches have ended."""


class SharedExecutor:
    """Executor of several searches. `view` gives each search its own executor; `serve` does the work."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._changed = threading.Condition()
        self._inbox: deque[tuple[SearchView, int, Job, int]] = deque()
        self._owners: dict[int, tuple[SearchView, int]] = {}  # ticket of the executor -> search, and its own ticket
        self._stopped = False

    def view(self) -> "SearchView":
        """Return an executor for one search."""
        return SearchView(self, self._executor.processors())

    def serve(self, searches: Sequence[threading.Thread]) -> None:
        """Train the jobs of the searches until all of their threads have ended.

        If that is interrupted or the executor fails, the searches are stopped, as by Ctrl-C, and waited for.

        Raises:
            SearchError: the executor failed.
            KeyboardInterrupt: the process was interrupted.
        """
        self._executor.intake = self._take_in
        try:
            while any(search.is_alive() for search in searches):
                self._take_in()
                if self._owners:
                    self._deliver(*self._executor.next())
                else:
                    with self._changed:
                        if not self._inbox:
                            self._changed.wait(POLL_SECONDS)
        except BaseException:
            self.stop()
            for search in searches:
                search.join()
            raise
        finally:
            self._executor.intake = lambda: None

    def stop(self) -> None:
        """Stop all searches: whichever waits for a result gets `KeyboardInterrupt`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _take_in(self) -> None:
        """Hand the jobs that have come in to the executor."""
        while True:
            with self._changed:
                if not self._inbox:
                    return
                view, ticket, job, priority = self._inbox.popleft()
            self._owners[self._executor.submit(job, priority)] = view, ticket

    def _deliver(self, ticket: int, result: TrialResult) -> None:
        view, own = self._owners.pop(ticket)
        with self._changed:
            view.finished.append((own, result))
            self._changed.notify_all()

    def add(self, view: "SearchView", ticket: int, job: Job, priority: int) -> None:
        """Queue a job of a search."""
        with self._changed:
            self._inbox.append((view, ticket, job, priority))
            self._changed.notify_all()

    def wait_for(self, view: "SearchView") -> tuple[int, TrialResult]:
        """Wait for a result of a search. Raise `KeyboardInterrupt` if the searches are stopped."""
        with self._changed:
            while not view.finished:
                if self._stopped:
                    raise KeyboardInterrupt
                self._changed.wait()
            return view.finished.popleft()


class SearchView(Executor):
    """Executor of one search; made by `SharedExecutor.view`. It belongs to the search's thread."""

    def __init__(self, shared: SharedExecutor, processors: int) -> None:
        super().__init__()
        self._shared, self._processors = shared, processors
        self.finished: deque[tuple[int, TrialResult]] = deque()

    def submit(self, job: Job, priority: int) -> int:
        self._number += 1
        self._shared.add(self, self._number, job, priority)
        return self._number

    def next(self) -> tuple[int, TrialResult]:
        return self._shared.wait_for(self)

    def processors(self) -> int:
        return self._processors
