"""Text of a user's file: its encoding, its line ends, and what is no text."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import unicodedata
import zlib

import numpy as np

from tasks.errors import TaskError

_GZIP = b"\x1f\x8b"
_MARKS = {  # byte order marks; the longer ones first, since one of UTF-32 begins like one of UTF-16
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # those of `str.splitlines`, but for "\n"
_CONTROLS = "".join(map(chr, (*range(1, 9), *range(14, 27), 31, 127)))  # that no text has; ESC colours a terminal
_MOST_CONTROLS = 0.1  # share of the characters
_BYTE_ORDERS = {"utf-16-le": 1, "utf-16-be": 0}  # place of the high byte of a character
_MOST, _FEW = 0.75, 0.6  # shares of the high and of the low bytes that are below 0x20, of text in UTF-16
_BLANKS = 0.01  # share of blanks and line ends, at least, in text of scripts that write them
_SPACES = (*range(9, 14), *range(28, 32))  # also high bytes: of scripts of India, and of accented letters


def unpacked(data: bytes, most: int, source: str) -> bytes:
    """Return the content of a file that may be compressed by gzip, whatever its name.

    Args:
        data: content of the file.
        most: largest number of bytes after decompression.
        source: name of the file, for messages.

    Raises:
        TaskError: the compressed data are damaged or too large.
    """
    if not data.startswith(_GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{source} is a damaged gzip file ({error}); get it again") from error
    if len(found) > most:
        raise TaskError(f"{source} has more than {most:,} bytes after decompression; cut it")
    return found


def decoded(data: bytes, source: str) -> str:
    r"""Return the text of a file, with `\n` at the end of each line.

    It is UTF-8, or UTF-16 with or without a byte order mark, or UTF-32 with one. Marks are left out, also those between
    texts that were joined. Lines end at `\n`, `\r`, `\r\n`, U+0085, U+2028, U+2029 and the other line ends of Python's
    `str.splitlines`.

    Args:
        data: content of the file.
        source: name of the file, for messages.

    Raises:
        TaskError: the bytes are of none of these encodings, or have NUL or many control characters.
    """
    mark = next((mark for mark in _MARKS if data.startswith(mark)), None)
    encoding = _MARKS[mark] if mark is not None else _unmarked(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TaskError(f"{source} is not {encoding[:6].upper()} (byte {error.start}); convert it") from error
    place = text.find("\0")
    if place >= 0:
        raise TaskError(f"{source} is no text: it has NUL (character {place:,}); remove it, or give the text itself")
    controls = sum(map(text.count, _CONTROLS))
    if controls > _MOST_CONTROLS * len(text):
        raise TaskError(f"{source} is no text: it has {controls:,} control characters; give the text itself")
    return _LINE_END.sub("\n", text.replace("\ufeff", ""))


def _unmarked(data: bytes) -> str:
    """Return the encoding of data without a byte order mark: UTF-16 if it looks and reads like that, else UTF-8.

    In UTF-16, every other byte is the high byte of a character. Of alphabets, whose code points are below U+2000, those
    are nearly all control characters or NUL, which no text in an encoding of one byte has so many of. Of other scripts,
    line ends and blanks are 16 bits wide.
    """
    if len(data) % 2 or not data:
        return "utf-8"
    pairs = np.frombuffer(data, np.uint8).reshape(-1, 2)
    for encoding, first in _BYTE_ORDERS.items():
        high, low = pairs[:, first], pairs[:, 1 - first]
        controls = high < 0x20
        if (high == 0).mean() < _BLANKS:  # tabs and line ends, which may alternate with single letters in ASCII
            controls &= ~np.isin(high, _SPACES)
        if controls.mean() > _MOST and (low < 0x20).mean() < _FEW:
            return encoding if _reads_well(data, encoding) else "utf-8"
    rest = data.replace(b"\0", b"")
    if len(rest) == len(data) or (rest.isascii() and 4 * len(rest) > 3 * len(data)):  # ASCII, perhaps with some NUL
        return "utf-8"
    narrow = data.count(b"\n") + data.count(b" ")
    for encoding, kind in (("utf-16-le", "<u2"), ("utf-16-be", ">u2")):
        characters = np.frombuffer(data, kind)
        marks = int(np.count_nonzero((characters == 0x0A) | (characters == 0x20)))
        if 4 * marks > narrow and _reads_well(data, encoding):  # most of these bytes are line ends and blanks
            return encoding
    return "utf-8"


def _reads_well(data: bytes, encoding: str) -> bool:
    """Return whether data decode to characters that exist and are no controls."""
    try:
        used = set(data.decode(encoding))
    except UnicodeDecodeError:
        return False
    return all(character.isspace() or unicodedata.category(character) not in ("Cc", "Cn", "Co") for character in used)
