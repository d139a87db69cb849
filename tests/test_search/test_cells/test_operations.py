"""Operations: each has its number of inputs, and their order, which ids depend on, never changes."""

from __future__ import annotations

from search.cells.operations import ACTIVATIONS, ARITY, COMMUTATIVE, ELEMENTWISE, LEAVES, Op


def test_the_order_of_operations_is_that_of_published_ids() -> None:
    published = ["input", "state", "sigmoid", "tanh", "relu", "linear", "add", "sub", "mul", "leaky_relu"]
    assert [op.value for op in Op][: len(published)] == published


def test_every_operation_belongs_to_the_kind_of_its_number_of_inputs() -> None:
    assert set(ARITY) == set(Op)
    for count, kind in ((0, LEAVES), (1, ACTIVATIONS), (2, ELEMENTWISE)):
        assert {op for op in Op if ARITY[op] == count} == kind
    assert ELEMENTWISE - {Op.SUB} == COMMUTATIVE
