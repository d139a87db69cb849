"""Short texts: labels, names of states, and quoted user input."""

from __future__ import annotations

import pytest

from search.cells.library import LIBRARY, label_of
from search.cells.text import quoted, shorten, state_name


def test_states_are_named_h_c_c2_and_so_on() -> None:
    assert [state_name(k) for k in range(4)] == ["h", "c", "c2", "c3"]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc..."), ("", 6, ""), ("a" * 101, 100, "a" * 97 + "...")],
)
def test_a_text_is_cut_to_the_limit_dots_included(text: str, limit: int, expected: str) -> None:
    assert shorten(text, limit) == expected
    assert len(shorten(text, limit)) <= limit


def test_a_quoted_text_is_one_line_with_nothing_that_a_terminal_would_act_on() -> None:
    assert quoted("a\nb\x1b[31m\ud800") == r"'a\nb\x1b[31m\ud800'"
    assert quoted("x" * 9000) == repr("x" * 97 + "...")
    assert quoted("it's", 60) == '"it\'s"'


def test_a_label_is_the_given_name_the_library_name_or_the_short_id() -> None:
    gru = LIBRARY["gru"].graph.id
    assert label_of(gru, "mine") == "mine"
    assert label_of(gru) == "gru"
    assert label_of("0123456789abcdef") == "g01234567"
