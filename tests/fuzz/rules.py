"""The rules that every input has to leave whole.

- Nothing but the packages' own errors comes out, each one line that a terminal prints as it is.
- Nothing is executed, imported, pickled, started or connected to (an audit hook of the interpreter sees it).
- Nothing is written outside the working folder.
- Time and memory of one input are bounded.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from search.cli.main import USER_ERRORS
from tests.paths import ROOT

SECONDS = 20
"""An input that takes longer breaks a rule."""

BYTES = 400_000_000
"""So much more memory than ever before one input may take."""

MESSAGE = 20_000
"""Longer messages are no line that anybody reads. (The command line cuts them shorter.)"""

_NEVER = (
    *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen", "pty.spawn"),
    *("pickle.find_class", "socket.connect", "socket.bind"),
    *("socket.getaddrinfo", "urllib.Request", "webbrowser.open", "sys.setprofile", "sys.settrace"),
)
_OURS = (str(ROOT / "results"), sys.prefix)  # templates, of the report and of pandas
_WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class BrokenRuleError(Exception):
    """Breach of a rule by an input."""


def _of_library(frame: FrameType | None) -> bool:
    """Whether code is executed by an import, or by `namedtuple`, which makes its classes so from checked names."""
    while frame is not None:
        if frame.f_code.co_filename.endswith(("importlib._bootstrap>", "collections/__init__.py")):
            return True
        frame = frame.f_back
    return False


class Watch:
    """Sees what the interpreter does while an input is fed. One for each process: audit hooks cannot be taken back."""

    def __init__(self) -> None:
        self.folder = ""
        self.imports = False
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "exec":
            # A module that is imported is executed too: an installed one may be, one of the input's may not.
            source = getattr(arguments[0], "co_filename", "")
            theirs = source.startswith(self.folder) and not self.imports
            if theirs or not (source.startswith(_OURS) or _of_library(sys._getframe(1))):
                self.seen.append(f"{event} {source} {str(arguments)[:200]}")
        elif event in _NEVER:
            self.seen.append(f"{event} {str(arguments)[:200]}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self._within(event, arguments[0])
        elif event in _WRITES or event == "sqlite3.connect":
            self._within(event, str(arguments[0]).removeprefix("file://").partition("?")[0])

    def _within(self, event: str, path: Any) -> None:
        if isinstance(path, int):
            return
        full = os.path.abspath(os.fsdecode(path))
        scratch = os.path.join(tempfile.gettempdir(), "gatesearch-")  # a replay's store
        if not full.startswith((self.folder, scratch)) and full != os.devnull:
            self.seen.append(f"{event} {full}")


_WATCH: list[Watch] = []


@contextmanager
def watched(folder: Path, imports: bool = False) -> Iterator[None]:
    """Raise `BrokenRuleError` for what is executed, written elsewhere, or takes too long or too much memory inside."""
    watch = _WATCH[0] if _WATCH else Watch()
    _WATCH[:] = [watch]
    watch.folder, watch.imports, watch.seen = str(folder.resolve()), imports, []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    old = signal.signal(signal.SIGALRM, _late)
    signal.alarm(SECONDS)
    # A command's module may be imported for the first time here; Python would write its bytecode beside it.
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    watch.armed = True
    try:
        yield
    finally:
        watch.armed = False
        sys.dont_write_bytecode = bytecode
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
    if watch.seen:
        raise BrokenRuleError(f"it did {'; '.join(watch.seen[:3])}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > BYTES:
        raise BrokenRuleError(f"it took {grown:,} bytes")


def _late(number: int, frame: FrameType | None) -> None:
    where = "".join(traceback.format_stack(frame)[-4:])
    raise BrokenRuleError(f"it took more than {SECONDS} seconds\n{where}")


def check_message(text: str) -> None:
    """That an error's message is one line that says something and that somebody would read."""
    if not text.strip() or len(text) > MESSAGE or any(c in text for c in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"):
        raise BrokenRuleError(f"the message is not one readable line: {text[:300]!r}")


def feed(use: Callable[[], object], folder: Path, imports: bool = False) -> bool:
    """Whether an input was accepted; False where it was refused with a documented error.

    Raises:
        BrokenRuleError: it broke a rule.
    """
    with watched(folder, imports):
        try:
            use()
        except USER_ERRORS as error:
            check_message(str(error))
            return False
        except BrokenRuleError:
            raise
        except BaseException as error:
            raise BrokenRuleError("".join(traceback.format_exception(error, limit=-12))) from error
    return True
