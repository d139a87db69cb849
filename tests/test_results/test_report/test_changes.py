"""Changes between the formulas of a parent and a child."""

import pytest

from results.report.changes import Change, changes, in_order, mutation_kinds
from search.cells.library import LIBRARY

GRU = LIBRARY["gru"].formula


def test_a_changed_gate_is_the_only_change() -> None:
    child = GRU.replace("z = sigmoid(linear(x) + linear(h))", "z = tanh(linear(x) + h)")
    assert changes(GRU, child) == [Change("z = sigmoid(linear(x) + linear(h))", "z = tanh(linear(x) + h)")]
    assert changes(GRU, GRU) == []


def test_other_letters_and_another_order_of_terms_are_no_changes() -> None:
    renamed = "g1 = sigmoid(linear(h) + linear(x))\nh' = g1 * h + (1 - g1) * tanh(x)"
    assert changes("z = sigmoid(linear(x) + linear(h))\nh' = g1 * h + tanh(x) * (1 - g1)", renamed) == []


def test_new_and_removed_lines_stand_alone() -> None:
    assert changes("h' = x", "v1 = softplus(h * h)\nh' = x") == [Change("", "v1 = softplus(h * h)")]
    assert changes("v1 = softplus(h * h)\nh' = x", "h' = x") == [Change("v1 = softplus(h * h)", "")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a + b * c", "c * b + a", True),
        ("a - b", "b - a", False),
        ("tanh(c') * g", "g * tanh(c')", True),
        ("linear(x, 1.0, bias=2)", "linear(x, 1.0, bias=3)", False),
        ("(a + b) + c", "a + (c + b)", True),
        ("a * (b + c)", "a * b + c", False),
        ("-a * b", "b * -a", True),
    ],
)
def test_only_the_order_of_terms_is_free(one: str, other: str, same: bool) -> None:
    assert (in_order(one) == in_order(other)) is same


def test_text_that_is_no_expression_is_compared_as_it_is() -> None:
    for text in ("</script>", "a +", "(" * 5000, "__import__('os')" + "\0"):
        assert in_order(text) == text
    assert changes("not a formula", "") == []


def test_mutations_are_named_once() -> None:
    words = ["insert-activation: tanh between x and h", "insert-activation: relu between x and h", "remove-node: h"]
    assert mutation_kinds(words) == "insert activation (2 times), remove node"
