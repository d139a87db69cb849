"""Socket of the dashboard: on this machine's own address, at a port that is free."""

import socket

from results.store.errors import ResultsError

ADDRESS = "127.0.0.1"
"""Address that is listened on: no other machine reaches it."""

PORT, PORTS = 8421, 20
"""First port that is tried if none is given, and how many in a row."""


def listen(port: int | None) -> socket.socket:
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
