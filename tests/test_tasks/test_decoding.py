"""Encodings, line ends, compressed text, and what is no text."""

from __future__ import annotations

import codecs
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.decoding import decoded, unpacked
from tasks.errors import TaskError
from tasks.text import sentences, tokenized

LATIN = "the dog\na cat\n"
TEXTS = {
    "english": LATIN * 20,
    "short": LATIN,
    "accents": "naïve café\nçà et là\n",
    "greek": "ο σκύλος\nμια γάτα\n",  # noqa: RUF001
    "kana": "いぬ が いる\nねこ も いる\n",
    "kanji": "犬 と 猫\n一 人 の 人\n" * 3,  # the second line begins with U+4E00, whose low byte is 0
    "emoji": "a 🐕 dog\na 🐈 cat\n",
    "no-blanks": "".join(f"これは{k}番目の文です。\n" for k in range(40)),
}
LINE_ENDS = ["\n", "\r", "\r\n", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\x1d", "\x1e"]


@pytest.mark.parametrize("name", list(TEXTS))
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_encodings_are_recognised(name: str, mark: bytes, encoding: str) -> None:
    assert decoded(mark + TEXTS[name].encode(encoding), "x") == TEXTS[name]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_every_line_end_is_one(end: str) -> None:
    text = decoded(f"the dog{end}a cat{end}".encode(), "x")
    assert text == LATIN
    assert list(sentences(text)) == ["the", "dog", "<eos>", "a", "cat", "<eos>"] == list(tokenized(text))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b b", " ", "é", *LINE_ENDS])).map("".join))
def test_lines_are_those_of_python(text: str) -> None:
    assert decoded(text.encode(), "x").split("\n") == [
        *text.splitlines(),
        *([""] if text[-1:] in ("", *LINE_ENDS) else []),
    ]


def test_marks_between_joined_texts_are_left_out() -> None:
    assert decoded(codecs.BOM_UTF8 + b"the dog\n" + codecs.BOM_UTF8 + b"a cat\n", "x") == LATIN


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            LATIN.encode() + bytes(64),
            r"'x' is no text: it has NUL \(character 14\); remove it, or give the text itself",
        ),
        (LATIN.encode() * 9 + b"\0", r"'x' is no text: it has NUL \(character 126\)"),
        (b"the dog\na cats\n\0", r"'x' is no text: it has NUL \(character 15\)"),
        (b"\0" + LATIN.encode() + b"\0", "is no text: it has NUL"),
        (b"the\0dog\0a\0cat\0", "is no text: it has NUL"),  # texts of C
        (bytes(range(256)) * 4, r"is not UTF-8 \(byte 128\); convert it|is no text"),
        (b"\1\2\3\4 words" * 30, r"is no text: it has 120 control characters; give the text itself"),
        ("café au lait".encode("latin-1"), r"'x' is not UTF-8 \(byte 3\); convert it"),
        (codecs.BOM_UTF16_LE + b"a\0b", r"'x' is not UTF-16 \(byte 4\); convert it"),
        (codecs.BOM_UTF16_LE + "a\0b".encode("utf-16-le"), r"is no text: it has NUL \(character 2\)"),
        (LATIN.encode("utf-32-le"), "is no text: it has NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8"),
        (b"PK\3\4\x14\0\0\0\x08\0", "is no text: it has NUL"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(TaskError, match=what) as caught:
        decoded(data, "'x'")
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_text_without_nul_or_an_error(data: bytes) -> None:
    try:
        text = decoded(data, "x")
    except TaskError:
        return
    assert "\0" not in text
    assert "\r" not in text


def test_colours_of_a_terminal_are_text() -> None:
    assert decoded(b"\x1b[31mred\x1b[0m dog\n" * 9, "x") == "\x1b[31mred\x1b[0m dog\n" * 9


def test_gzip_is_unpacked_whatever_the_name_and_within_bounds() -> None:
    data = LATIN.encode() * 9
    assert unpacked(data, 1000, "x") == data
    assert unpacked(gzip.compress(data), 1000, "x") == data
    assert unpacked(gzip.compress(data) + gzip.compress(data), 1000, "x") == data * 2  # as `cat` joins them
    assert unpacked(gzip.compress(bytes(1000)), 1000, "x") == bytes(1000)
    with pytest.raises(TaskError, match="'x' has more than 1,000 bytes after decompression; cut it"):
        unpacked(gzip.compress(bytes(1_000_000)), 1000, "'x'")
    for damaged in (gzip.compress(data)[:-9], b"\x1f\x8bnothing at all", gzip.compress(data)[:20] + bytes(30)):
        with pytest.raises(TaskError, match=r"'x' is a damaged gzip file \(.*\); get it again"):
            unpacked(damaged, 1000, "'x'")
