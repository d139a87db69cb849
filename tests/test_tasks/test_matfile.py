"""MATLAB files are read as by scipy; damaged and hostile ones are refused within bounds."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from tasks import matfile
from tasks.matfile import MatArray, MatFileError, read_variables

KINDS = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool")


def written(values: dict[str, object], compressed: bool = False) -> bytes:
    file = io.BytesIO()
    savemat(cast(Any, file), values, do_compression=compressed)
    return file.getvalue()


def row(*arrays: object) -> np.ndarray[Any, Any]:
    cells = np.empty((1, len(arrays)), object)
    for place, array in enumerate(arrays):
        cells[0, place] = array
    return cells


def cells_of(content: bytes) -> list[MatArray]:
    """Return the cells of variable `a`, or the array that it is; nothing if there is no such variable."""
    found = read_variables(content, ["a"]).get("a", [])
    return found if isinstance(found, list) else [found]


arrays = st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32 - 1)).map(
    lambda drawn: np.random.default_rng(drawn[3]).integers(0, 100, drawn[1:3]).astype(drawn[0])
)


@settings(max_examples=60)
@given(st.lists(arrays, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_cells_of_numbers_are_those_that_scipy_reads(given: list[Any], compressed: bool, double: bool) -> None:
    given = [array.astype(np.float64) if double else array for array in given]  # stored in fewer bytes than it has
    content = written({"other": np.ones(3), "a": row(*given), "text": "b"}, compressed)
    expected = loadmat(cast(Any, io.BytesIO(content)))["a"].ravel()
    found = read_variables(content, ["a", "text", "missing"])
    assert found.keys() == {"a", "text"}
    assert found["text"] == MatArray((1, 1), "char")
    assert isinstance(found["a"], list)
    for ours, theirs in zip(found["a"], expected, strict=True):
        assert ours.values is not None
        assert ours.shape == theirs.shape
        assert np.array_equal(ours.values, theirs)


def swapped(content: bytes) -> bytes:
    """Return a file with one cell array of one array of doubles in big-endian byte order."""
    body = content[128:]
    words = [body[k : k + 4][::-1] for k in range(0, len(body), 4)]
    return content[:124] + b"\1\0MI" + b"".join(words)


def test_files_of_machines_of_the_other_byte_order_are_read() -> None:
    values = np.array([[300000, 2], [70000, -4]], np.int32)  # in words of four bytes, names and all
    found = read_variables(swapped(written({"abcd": row(values)})).replace(b"dcba", b"abcd"), ["abcd"])
    assert isinstance(found["abcd"], list)
    assert found["abcd"][0].values is not None
    assert found["abcd"][0].values.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("cell", "kind"), [("text", "char"), ({"a": 1}, "struct"), (np.array([[1j]]), "complex128"), (row(1), "cell")]
)
def test_what_is_no_number_is_named(cell: object, kind: str) -> None:
    (found,) = cells_of(written({"a": row(cell)}))
    assert (found.kind, found.values) == (kind, None)


@settings(max_examples=40)
@given(st.sampled_from(KINDS), st.lists(st.integers(1, 4), min_size=2, max_size=4), st.booleans())
def test_arrays_of_any_dimensions_are_those_that_scipy_reads(kind: str, shape: list[int], compressed: bool) -> None:
    given = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    content = written({"a": given}, compressed)
    (found,) = cells_of(content)
    expected = loadmat(cast(Any, io.BytesIO(content)))["a"]
    assert found.values is not None
    assert found.shape == expected.shape == tuple(shape)
    assert np.array_equal(found.values, expected)


SOUND = written({"a": row(np.eye(3))})


def packed(body: bytes) -> bytes:
    inside = zlib.compress(body)
    return SOUND[:128] + (15).to_bytes(4, "little") + len(inside).to_bytes(4, "little") + inside


def test_a_packed_variable_that_unfolds_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matfile, "MAX_BYTES", 100_000)
    with pytest.raises(MatFileError, match="more than 100,000 bytes after decompression"):
        read_variables(packed(bytes(10_000_000)), ["a"])
    many = packed(SOUND[128:].ljust(60_000, b"\0"))
    with pytest.raises(MatFileError, match="more than 100,000 bytes"):
        read_variables(many + many[128:], ["a"])  # all of them together


def test_cells_nested_deep_are_not_followed() -> None:
    """A recursive reader crashes on these, as scipy's does at 100,000 levels."""
    inner = b""
    head = bytes.fromhex("0600000008000000010000000000000005000000080000000100000001000000" + "0100000000000000")
    for _ in range(3000):
        body = head + inner
        inner = (14).to_bytes(4, "little") + len(body).to_bytes(4, "little") + body
    name = bytes.fromhex("0100010061000000")
    body = head[:32] + name + inner
    content = SOUND[:128] + (14).to_bytes(4, "little") + len(body).to_bytes(4, "little") + body
    (found,) = cells_of(content)
    assert (found.shape, found.kind) == ((1, 1), "cell")


@pytest.mark.parametrize("place", range(128, len(SOUND), 3))
@pytest.mark.parametrize("value", [0, 0x7F, 0xFF])
def test_a_changed_byte_is_refused_or_read_and_never_worse(place: int, value: int) -> None:
    content = SOUND[:place] + bytes([value]) + SOUND[place + 1 :]
    with suppress(MatFileError):
        for array in cells_of(content):
            assert array.values is None or array.values.shape == array.shape


@pytest.mark.parametrize("length", range(0, len(SOUND), 7))
def test_a_truncated_file_is_refused_or_lacks_the_variable(length: int) -> None:
    with suppress(MatFileError):
        assert read_variables(SOUND[:length], ["a"]) == {}


@pytest.mark.parametrize("kind", ["float64", "float32", "int32", "int16", "uint16", "uint8"])
def test_files_of_matlab_4_are_told_from_others(kind: str) -> None:
    file = io.BytesIO()
    savemat(cast(Any, file), {"traindata": np.ones((3, 88), kind)}, format="4")
    data = file.getvalue()
    with pytest.raises(MatFileError, match=r"^its version is MATLAB 4$"):
        read_variables(data, ["traindata"])
    number = np.frombuffer(data[:20], "<u4")
    swapped = (number + np.array([1000, 0, 0, 0, 0])).astype(">u4").tobytes() + data[20:]
    with pytest.raises(MatFileError, match=r"^its version is MATLAB 4$"):
        read_variables(swapped, ["traindata"])
    for other in (bytes(200), b"text " * 50, data[:19], b"\x89HDF\r\n\x1a\n" + bytes(200)):
        with pytest.raises(MatFileError, match="it does not begin like a file of MATLAB 5 to 7"):
            read_variables(other, ["traindata"])
