"""Lines that another program writes to `gatesearch tell`."""

import io
import json
import os

import pytest

from search.cli.exchange import MAX_LINE, Request, Requests, requests_of
from search.core.errors import SearchError


def read(text: str) -> list[Request]:
    return list(requests_of(iter(text.splitlines())))


def test_objects_formulas_and_names_are_read_in_order() -> None:
    text = """
    {"formula": "h' = tanh(linear(x))", "id": "0123", "parent": "89ab"}
z = sigmoid(linear(x))
h' = z * h


ugrnn
{"formula": "gru"}
  h' = x
{"promote": true}
"""
    assert read(text) == [
        Request("h' = tanh(linear(x))", "89ab"),
        Request("z = sigmoid(linear(x))\nh' = z * h"),
        Request("ugrnn"),
        Request("gru"),
        Request("  h' = x"),
        Request(promote=True),
    ]
    assert read("\n \n") == []
    assert read("h' = x") == [Request("h' = x")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "the object has no formula; give a text"),
        ({"formula": 3}, "the object has the formula '3'"),
        ({"formula": None, "promote": False}, "the object has no formula"),
        ({"formula": "gru", "parent": ["a"]}, "the parent is \"['a']\"; give the id of a cell"),
    ],
)
def test_an_object_that_names_no_cell_says_what_it_should_have(given: dict[str, object], words: str) -> None:
    (request,) = read(json.dumps(given))
    assert request.error is not None
    assert words in request.error
    assert request == Request(error=request.error)


@pytest.mark.parametrize("line", ['{"formula": ', "{formula: 1}", "{" * 100_000, '{"formula": "a"} x'])
def test_a_line_that_begins_as_an_object_and_is_none_ends_the_input(line: str) -> None:
    found = requests_of(iter(["gru", "", line]))
    assert next(found) == Request("gru")
    with pytest.raises(SearchError, match=r"line 3 of the input is not JSON"):
        next(found)


def test_what_has_come_is_taken_before_the_input_ends() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb", buffering=0) as pipe:
        requests = Requests(stream)
        assert requests.take(wait=False) is None
        pipe.write(b'{"formula": "gru"}\nh\' =')
        assert requests.take(wait=True) == Request("gru")
        assert requests.take(wait=False) is None  # the rest of the line may come yet
        pipe.write(b" x\n")
        assert not requests.ended
        pipe.close()
        assert requests.take(wait=True) == Request("h' = x")
        assert requests.take(wait=True) is None
        assert requests.take(wait=True) is None
    assert requests.ended


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"gru\n\n\xff\xfe\n", "line 3 of the input is not UTF-8 text"),
        (b"gru\n\n" + b"x" * (MAX_LINE + 1), "line 3 of the input has more than 1,000,000 bytes"),
    ],
)
def test_bytes_that_are_no_lines_of_text_end_the_input(data: bytes, words: str) -> None:
    requests = Requests(io.BytesIO(data))
    assert requests.take(wait=True) == Request("gru")
    with pytest.raises(SearchError, match=words):
        requests.take(wait=True)
    assert requests.ended
