"""Addresses of tracking servers: checked before anything is written, and shown without their passwords."""

import re

from results.store.errors import ResultsError
from search.cells.paths import expanded

_HOST_AND_PORT = re.compile(r"[^/\\\s]+:\d+(/.*)?")
_CREDENTIALS = re.compile(r"(://|^)[^/\s'\"]*@|(?<=://)[^\s'\"]*@")

_SECRETS = re.compile(
    r"([?&][^=&\s]*(?:password|passwd|passphrase|pwd|token|secret|credential|api_?key|access_?key)[^=&\s]*=)[^&\s'\"]+",
    re.IGNORECASE,
)
"""Values of a query, as a database's address may have: `?user=u&password=p`."""


def checked_address(uri: str) -> str:
    """Return an address of a server, a database or a folder, with `~` and `$NAME` of a folder expanded.

    Raises:
        ResultsError: the address is empty, or a host and a port without a scheme, which would be taken for a folder.
    """
    if not uri.strip():
        raise ResultsError("the address of MLflow is empty; give one such as http://localhost:5000")
    if _HOST_AND_PORT.fullmatch(uri):
        shown = without_password(uri)
        raise ResultsError(
            f"MLflow's address {shown!r} has no scheme; write http://{shown} for a server, or ./{shown} for a folder"
        )
    return uri if "://" in uri else expanded(uri)


def without_password(text: str) -> str:
    """Return a text in which the user and the password of each address are left out: `http://...@host:5000`.

    Values of its query are left out, too, where their names say that they are secret: `?password=...`.
    """
    return _SECRETS.sub(r"\1...", _CREDENTIALS.sub(lambda found: f"{found[1] or ''}...@", text))
