"""Reader of numeric arrays, and cells of them, in MATLAB files of level 5 (5 to 7), with every access bounds-checked.

It covers what piano rolls need. scipy's compiled reader is not used because it crashes on some damaged files and on
deeply nested cells. Source: MathWorks, "MAT-File Level 5 File Format".

A file is a header of 128 bytes and a sequence of elements, each a type, a number of bytes, and the bytes. A variable is
an element that contains others: flags, dimensions, a name, and the content of its class.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

MAX_BYTES = 1_000_000_000
"""Largest total size of the variables after decompression, in bytes."""

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # types on disk
_CELL = 1
_CLASSES = {
    **{1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "float64", 7: "float32", 8: "int8", 9: "uint8"},
    **{10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64", 16: "function", 17: "opaque"},
}
_NUMERIC = range(6, 16)
_COMPLEX, _CLASS = 0x800, 0xFF  # bit masks of an array's flags


class MatFileError(ValueError):
    """Bytes that are not a readable MATLAB file; the message is the reason."""


@dataclass(frozen=True)
class MatArray:
    """Array with its shape, the type of its elements, and the values in that shape if they are real numbers."""

    shape: tuple[int, ...]
    kind: str
    values: npt.NDArray[np.number] | None = None


@dataclass(frozen=True)
class _Element:
    kind: int
    data: memoryview


def read_variables(content: bytes, names: Collection[str]) -> dict[str, list[MatArray] | MatArray]:
    """Return the variables with these names: the cells of a cell array, in MATLAB's order, or an array.

    Raises:
        MatFileError: the file is damaged, of another version, or too large.
    """
    if len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        if _is_level_4(content):
            raise MatFileError("its version is MATLAB 4")
        raise MatFileError("it does not begin like a file of MATLAB 5 to 7")
    order = "<" if content[126:128] == b"IM" else ">"
    version = content[125 if order == "<" else 124]
    if version != 1:
        raise MatFileError("its version is MATLAB 7.3" if version == 2 else f"its version is {version}")
    found: dict[str, list[MatArray] | MatArray] = {}
    left = MAX_BYTES
    for element in _elements(memoryview(content)[_HEADER:], order):
        if element.kind == _COMPRESSED:
            unpacked = _unpacked(element.data, left)
            left -= len(unpacked)
            (element,) = list(_elements(unpacked, order))[:1] or [element]
        if element.kind != _MATRIX:
            continue
        parts = _elements(element.data, order)
        kind, is_complex, shape, name = _head(parts, order)
        if name in names:
            cells = kind == _CELL
            found[name] = _cells(parts, shape, order) if cells else _content(parts, kind, is_complex, shape, order)
    return found


def _is_level_4(content: bytes) -> bool:
    """Return whether a file begins with a matrix of MATLAB 4: five numbers, and a name that ends with NUL.

    The first number has the decimal digits MOPT: machine, 0, type of the numbers, and full, text or sparse.
    """
    if len(content) < 20:
        return False
    for order in "<>":
        head = np.frombuffer(content[:20], f"{order}u4")
        code, rows, columns, is_complex, length = head.tolist()
        machine, zero, kind, form = code // 1000, code // 100 % 10, code // 10 % 10, code % 10
        name = content[20 : 20 + length]
        known = machine <= 4 and zero == 0 and kind <= 5 and form <= 2 and is_complex <= 1
        if known and rows * columns and 1 < length <= 64 and name.endswith(b"\0") and name[:-1].isascii():
            return True
    return False


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    place = 0
    while place + 8 <= len(data):
        kind, count = (int(number) for number in np.frombuffer(data[place : place + 8], f"{order}u4"))
        if kind >> 16:  # a short element has its data in place of the byte count
            kind, count = kind & 0xFFFF, kind >> 16
            if count > 4:
                raise MatFileError(f"a short element has {count} bytes")
            yield _Element(kind, data[place + 4 : place + 4 + count])
            place += 8
            continue
        end = place + 8 + count
        if end > len(data):
            raise MatFileError("it ends too early")
        yield _Element(kind, data[place + 8 : end])
        place = end if kind == _COMPRESSED else end + -count % 8


def _unpacked(data: memoryview, most: int) -> memoryview:
    machine = zlib.decompressobj()
    try:
        unpacked = machine.decompress(data, most + 1)
    except zlib.error as error:
        raise MatFileError(f"a compressed variable is damaged ({error})") from error
    if len(unpacked) > most:
        raise MatFileError(f"its variables take more than {MAX_BYTES:,} bytes after decompression")
    return memoryview(unpacked)


def _numbers(element: _Element, order: str) -> npt.NDArray[np.number]:
    if element.kind not in _STORED:
        raise MatFileError(f"numbers are stored as type {element.kind}")
    kind = np.dtype(order + _STORED[element.kind])
    if len(element.data) % kind.itemsize:
        raise MatFileError("an array ends within a number")
    return np.frombuffer(element.data, kind)


def _head(parts: Iterator[_Element], order: str) -> tuple[int, bool, tuple[int, ...], str]:
    """Read an array's class, complex flag, dimensions and name, which are its first parts."""
    found = list(islice(parts, 3))
    if len(found) < 3:
        raise MatFileError("an array is incomplete")
    flags, dimensions = _numbers(found[0], order), _numbers(found[1], order)
    if len(flags) < 1 or not 2 <= len(dimensions) <= 32 or dimensions.dtype.kind != "i" or dimensions.min() < 0:
        raise MatFileError("an array's dimensions are damaged")
    name = bytes(found[2].data).decode("ascii", "replace")
    return int(flags[0]) & _CLASS, bool(int(flags[0]) & _COMPLEX), tuple(int(size) for size in dimensions), name


def _cells(parts: Iterator[_Element], shape: tuple[int, ...], order: str) -> list[MatArray]:
    cells = [_array(element, order) for element in parts]
    if len(cells) != math.prod(shape):
        raise MatFileError(f"a cell array of {' x '.join(map(str, shape))} has {len(cells)} cells")
    return cells


def _array(element: _Element, order: str) -> MatArray:
    """Read the array of a cell, without anything nested in it."""
    if element.kind != _MATRIX:
        raise MatFileError("a cell is not an array")
    if not element.data:  # some programs write an empty array like this
        return MatArray((0, 0), "float64", np.zeros((0, 0)))
    parts = _elements(element.data, order)
    kind, is_complex, shape, _ = _head(parts, order)
    return _content(parts, kind, is_complex, shape, order)


def _content(parts: Iterator[_Element], kind: int, is_complex: bool, shape: tuple[int, ...], order: str) -> MatArray:
    """Read the content of an array after its head."""
    name = _CLASSES.get(kind, f"class {kind}")
    if kind not in _NUMERIC or is_complex:
        return MatArray(shape, {"float64": "complex128"}.get(name, f"complex {name}") if is_complex else name)
    real = next(parts, None)
    values = _numbers(real, order) if real is not None else np.zeros(0)
    if len(values) != math.prod(shape):
        raise MatFileError(f"an array of {' x '.join(map(str, shape))} has {len(values)} numbers")
    return MatArray(shape, name, values.reshape(shape, order="F"))
