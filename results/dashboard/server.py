"""Server of the dashboard: waitress on this machine's own address, in threads that end with the process."""

import logging
import socket
import threading
from types import TracebackType
from typing import Self

from waitress import create_server

from results.dashboard.application import Application
from results.dashboard.boards import Ranked
from results.store.errors import ResultsError

ADDRESS = "127.0.0.1"
"""Address that is listened on: no other machine reaches it."""

PORT, PORTS = 8421, 20
"""First port that is tried if none is given, and how many in a row."""

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
        listening = _listening(port)
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


def _listening(port: int | None) -> socket.socket:
    """Return a socket that listens on a port, or on the first free one of the usual ports."""
    tried = range(PORT, PORT + PORTS) if port is None else (port,)
    for number in tried:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((ADDRESS, number))
            listening.listen(64)
        except OSError as error:
            listening.close()
            reason = error.strerror or str(error)
        else:
            return listening
    which = f"{tried[0]}" if len(tried) == 1 else f"{tried[0]} to {tried[-1]}"
    raise ResultsError(f"port {which} of {ADDRESS} cannot be listened on ({reason}); give a free one with --port")
