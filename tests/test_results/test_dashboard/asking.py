"""Client of a dashboard for its tests."""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Asker:
    """Asks a server on this machine."""

    connection: http.client.HTTPConnection
    port: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        answer = self.connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())

    def wait(self, path: str, right: Callable[[Answer], bool]) -> Answer:
        """Ask until the answer is right."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not right(answer := self.ask(path)):
            assert time.monotonic() < deadline, answer.text[:2000]
            time.sleep(0.05)
        return answer


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of the last change of everything in a folder, and of the folder itself."""
    found = {str(path.relative_to(folder)): path.stat() for path in (folder, *folder.rglob("*"))}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}
