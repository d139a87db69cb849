"""Server of the dashboard: waitress on this machine's own address, in threads that end with the process."""

import logging
import threading
from types import TracebackType
from typing import Self

from waitress import create_server

from results.dashboard.application import Application
from results.dashboard.boards import Ranked
from results.dashboard.listening import ADDRESS, listen

THREADS = 4


class Dashboard:
    """A running server. A context manager: it answers within.

    Args:
        ranked: returns the ranked tasks of a run.
        port: the port to listen on, 0 for any free one; by default the first free one from `PORT`.

    Raises:
        ResultsError: the port is taken, or may not be used.
    """

    def __init__(self, ranked: Ranked, port: int | None = None) -> None:
        listening = listen(port)
        self.port = int(listening.getsockname()[1])
        self.address = f"http://{ADDRESS}:{self.port}/"
        self._closing = False
        self._application = Application(ranked, self.port)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page with many parts is no reason to warn
        self._server = create_server(self._application, sockets=[listening], threads=THREADS, ident=None)
        self._thread = threading.Thread(target=self._serve, name="dashboard", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._application.boards.stop()
        self._server.close()

    def _serve(self) -> None:
        try:
            self._server.run()
        except (OSError, ValueError):  # it waits for sockets that were closed under it
            if not self._closing:
                raise
