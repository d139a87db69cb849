"""Standard streams of the command: what a terminal cannot show is replaced, and a write that fails is an error or told.

Python's own streams raise an error for a character that their encoding lacks, are None when they are closed, and under
PYTHONUNBUFFERED drop what a partial write leaves. `take_over` puts streams without these faults in their place.
"""

import errno
import io
import os
import select
import sys
from codecs import lookup, register_error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

PLAIN = {"±": "+-", "↑": "^", "↓": "v", "²": "2", "\u00d7": "x", "─": "-", "│": "|", "…": "..."}
"""Plain text for characters that an encoding lacks; all others become a question mark."""

_PLAINLY = "gatesearch.plainly"
"""Name of the error handler that writes `PLAIN`."""


class OutputError(Exception):
    """The standard output cannot be written: a disk is full, say. The message is one line with the remedy."""


class Descriptor(io.RawIOBase):
    """File descriptor that all bytes are written to, until a write fails; what follows is dropped.

    Args:
        descriptor: number of the descriptor, which is not closed.
        on_failure: called with the first error, and may raise.

    Attributes:
        late: what a signal raised when bytes were written already. If `write` raised it, the buffer above would keep
            them and write them a second time.
    """

    def __init__(self, descriptor: int, on_failure: Callable[[OSError], None]) -> None:
        self.descriptor, self.on_failure = descriptor, on_failure
        self.late: BaseException | None = None
        self._failed = False

    def write(self, data: Any, /) -> int:
        written: list[int] = []  # filled before Python looks for signals, unlike a name that is assigned to
        while not self._failed:
            try:
                written.extend(map(os.write, (self.descriptor,), (data,)))
                return written[0]
            except BlockingIOError:  # another program has made the pipe one that does not wait
                select.select([], [self.descriptor], [])
            except OSError as error:
                self._failed = True
                self.on_failure(error)
            except BaseException as raised:
                if not written:
                    raise
                self.late = raised
                return written[0]
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)


class TextStream(io.TextIOWrapper):
    """Text stream that writes to a descriptor; what its encoding lacks is replaced.

    Args:
        descriptor: where to write.
        encoding: name of the encoding.
        errors: name of an error handler of `codecs`.
        line_buffering: writes at the end of each line.
    """

    def __init__(self, descriptor: Descriptor, encoding: str, errors: str, line_buffering: bool) -> None:
        super().__init__(io.BufferedWriter(descriptor), encoding=encoding, errors=errors, line_buffering=line_buffering)
        self.descriptor = descriptor

    def write(self, text: str, /) -> int:
        count = super().write(text)
        self._raise_late()
        return count

    def flush(self) -> None:
        super().flush()
        self._raise_late()

    def _raise_late(self) -> None:
        late, self.descriptor.late = self.descriptor.late, None
        if late is not None:
            raise late


class AsciiStream(TextStream):
    """Stream in ASCII. Click takes ASCII for a mistake and writes UTF-8 to `buffer`, so it is hidden."""

    buffer = None  # type: ignore[assignment]


def take_over() -> None:
    """Put streams of this module in the place of this process's standard output and standard error.

    A descriptor that is closed is opened on the null device: else a file that is opened later would get its number, and
    what is printed.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    sys.stdout = _stream(sys.stdout, 1, _refuse)
    sys.stderr = _stream(sys.stderr, 2, lambda error: None)


@contextmanager
def optional_output(what: str) -> Iterator[None]:
    """Keep what runs inside going without its standard output: a failed write is told once, what follows is dropped.

    Args:
        what: what continues, for the message: "the search".
    """

    def tell(error: OSError) -> None:
        reason = "its reader has gone" if error.errno == errno.EPIPE else error.strerror
        print(
            f"gatesearch: the standard output cannot be written any more ({reason}); {what} continues without it",
            file=sys.stderr,
        )

    output = _descriptor_of(sys.stdout)
    if output is None:
        yield
        return
    before, output.on_failure = output.on_failure, tell
    try:
        yield
        sys.stdout.flush()
    finally:
        output.on_failure = before


@contextmanager
def reserved_output() -> Iterator[TextIO]:
    """Yield the standard output, and send what is printed inside, and later, to standard error.

    So the output has nothing in it but what the command writes, whatever is printed by a user's task, by a program that
    it starts, or at the end of the process.
    """
    reserved = sys.stdout
    reserved.flush()
    output = _descriptor_of(reserved)
    sys.stdout = sys.stderr
    if output is not None:
        output.descriptor = os.dup(1)
        os.dup2(2, 1)
    try:
        yield reserved
        reserved.flush()
    finally:
        if output is None:  # of a program that continues, such as a test
            sys.stdout = reserved


def _stream(given: TextIO | None, number: int, on_failure: Callable[[OSError], None]) -> TextStream:
    """Return a stream with the encoding of `given`, which is None if it was closed."""
    encoding = "utf-8" if given is None else given.encoding
    descriptor = Descriptor(number, on_failure)
    is_error = number == 2
    at_once = is_error or descriptor.isatty() or getattr(given, "write_through", False)
    kind = AsciiStream if lookup(encoding).name == "ascii" else TextStream
    return kind(descriptor, encoding, "backslashreplace" if is_error else _PLAINLY, at_once)


def plainly(text: str, encoding: str) -> str:
    """Return a text as a stream of this encoding shows it."""
    return text.encode(encoding, _PLAINLY).decode(encoding)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end


register_error(_PLAINLY, _plainly)


def _refuse(error: OSError) -> None:
    if error.errno == errno.EPIPE:
        raise error
    raise OutputError(
        f"the standard output cannot be written ({error.strerror}); free some space, or send it elsewhere"
    ) from error


def _descriptor_of(stream: TextIO) -> Descriptor | None:
    """Return the descriptor of a stream of this module; None for another, such as that of a test."""
    return stream.descriptor if isinstance(stream, TextStream) else None
