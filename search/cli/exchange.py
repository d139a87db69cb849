"""Lines that another program exchanges with `gatesearch tell`: cells come in, answers go out.

A line that begins with `{` is a JSON object: `{"formula": "..."}`, with a `parent` if the cell was made from one, or
`{"promote": true}`. Other lines are a formula as people write it, which a blank line or the end of the input ends. A
thread reads the lines, so that what has come can be taken while trials are in training.
"""

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from search.cells.text import quoted
from search.core.errors import SearchError

MAX_LINE = 1_000_000
"""Longest line in bytes; a formula has at most some ten thousand."""


@dataclass(frozen=True)
class Request:
    """Request of the other program: a cell to train, or promotions. `error` says what is wrong with it, if anything."""

    formula: str = ""
    parent: str | None = None
    promote: bool = False
    error: str | None = None


class Requests:
    """Requests from a stream of bytes, in order, read by a thread of its own.

    Args:
        stream: the stream; it is not closed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._queue: queue.SimpleQueue[Request | SearchError | None] = queue.SimpleQueue()
        self._stream = stream
        self.ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def take(self, *, wait: bool) -> Request | None:
        """Return the next request, or None if the input has ended or, without `wait`, nothing has come yet.

        Raises:
            SearchError: the input cannot be used: it is not UTF-8 or not JSON, or a line is too long.
        """
        if self.ended:
            return None
        try:
            found = self._queue.get(block=wait)
        except queue.Empty:
            return None
        if isinstance(found, SearchError):
            self.ended = True
            raise found
        self.ended = found is None
        return found

    def _read(self) -> None:
        try:
            for request in requests_of(self._lines()):
                self._queue.put(request)
        except SearchError as error:
            self._queue.put(error)
        except (OSError, ValueError) as error:  # the stream failed, or was closed
            self._queue.put(SearchError(f"the standard input cannot be read: {error}"))
        else:
            self._queue.put(None)

    def _lines(self) -> Iterator[str]:
        number = 0
        while line := self._stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise SearchError(f"line {number} of the input has more than {MAX_LINE:,} bytes; a formula has fewer")
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise SearchError(f"line {number} of the input is not UTF-8 text; encode it so") from None


def requests_of(lines: Iterator[str]) -> Iterator[Request]:
    """Yield the requests of some lines, each as soon as its last line has come.

    Raises:
        SearchError: a line begins as a JSON object does, but is none.
    """
    written: list[str] = []
    for number, line in enumerate(lines, 1):
        is_json = line.lstrip().startswith("{")
        if written and (is_json or not line.strip()):
            yield Request("\n".join(written))
            written = []
        if is_json:
            yield _of_object(_parsed(line, number))
        elif line.strip():
            written.append(line)
    if written:
        yield Request("\n".join(written))


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SearchError(
            f'line {number} of the input is not JSON ({error}); write one object a line, such as {{"formula": "..."}}'
        ) from None
    return found


def _of_object(given: dict[str, Any]) -> Request:
    """Return the request of a JSON object; keys such as the `id` of a suggestion are left alone."""
    formula, parent = given.get("formula"), given.get("parent")
    if given.get("promote") is True and formula is None:
        return Request(promote=True)
    if not isinstance(formula, str):
        shown = "no formula" if formula is None else f"the formula {quoted(repr(formula), 40)}"
        return Request(error=f'the object has {shown}; give a text, as in {{"formula": "h\' = tanh(linear(x))"}}')
    if not (parent is None or isinstance(parent, str)):
        return Request(
            error=f"the parent is {quoted(repr(parent), 40)}; give the id of a cell of the run, or leave it out"
        )
    return Request(formula, parent)
