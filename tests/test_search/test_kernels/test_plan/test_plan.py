"""Plans of cells whose phases and levels are known by hand."""

import pytest

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.kernels.plan.plan import Phase, plan_of


@pytest.mark.parametrize(
    ("name", "before", "loop", "after"),
    [
        ("tanh", [1], [1], []),
        ("lstm", [4], [4], []),
        ("gru", [3], [2, 1], []),
        ("gru-after", [3], [3], []),
        ("mut1", [0, 2], [0, 1, 1], []),
        ("mut2", [2], [2, 1], []),
        ("mut3", [3], [0, 2, 1], []),
    ],
)
def test_levels_hold_the_matrices_that_the_papers_equations_say(
    name: str, before: list[int], loop: list[int], after: list[int]
) -> None:
    plan = plan_of(LIBRARY[name].graph)
    for levels, expected in ((plan.before, before), (plan.loop, loop), (plan.after, after)):
        assert [sum(len(p.linears) for p in level.products) for level in levels] == expected


def test_every_gate_of_the_lstm_is_one_sum_of_two_products() -> None:
    assert [len(s.linears) for s in plan_of(LIBRARY["lstm"].graph).sums] == [2, 2, 2, 2]


def test_an_output_that_the_cell_never_reads_is_computed_after_the_loop() -> None:
    graph = parse_formula("c' = tanh(linear(x) + linear(c))\nh' = sigmoid(linear(c'))").canonical()
    plan = plan_of(graph)
    assert plan.phases[graph.outputs[0]] is Phase.AFTER
    assert [sum(len(p.linears) for p in level.products) for level in plan.after] == [1]
    assert plan.carried == (1,)


def test_a_matrix_that_two_nodes_read_is_not_absorbed() -> None:
    graph = parse_formula("g = linear(h)\nh' = (linear(x) + g) * g").canonical()
    assert sorted(len(s.linears) for s in plan_of(graph).sums) == [1, 1]


def test_a_dead_node_has_no_phase_and_no_product() -> None:
    graph = GateGraph((Node(Op.INPUT), Node(Op.LINEAR, (0,)), Node(Op.STATE), Node(Op.ADD, (0, 2))), (3,))
    assert plan_of(graph).phases == (Phase.BEFORE, None, Phase.LOOP, Phase.LOOP)
    assert plan_of(graph).sums == ()
