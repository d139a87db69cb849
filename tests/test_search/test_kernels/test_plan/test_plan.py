"""Plans of cells whose phases and levels are known by hand."""

import networkx as nx
import pytest

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.kernels.plan.plan import plan_of
from tests.test_search.test_kernels.comparison import LAYERED, layered_descendants


def phases_of(graph: GateGraph) -> list[tuple[bool, list[int]]]:
    """Return for each phase whether it loops, and the number of matrices of each of its levels."""
    return [
        (phase.loops, [sum(len(product.linears) for product in level.products) for level in phase.levels])
        for phase in plan_of(graph).phases
    ]


@pytest.mark.parametrize(
    ("name", "before", "loop"),
    [
        ("tanh", [1], [1]),
        ("lstm", [4], [4]),
        ("gru", [3], [2, 1]),
        ("gru-after", [3], [3]),
        ("mut1", [0, 2], [0, 1, 1]),
        ("mut2", [2], [2, 1]),
        ("mut3", [3], [0, 2, 1]),
    ],
)
def test_levels_hold_the_matrices_that_the_papers_equations_say(name: str, before: list[int], loop: list[int]) -> None:
    assert phases_of(LIBRARY[name].graph) == [(False, before), (True, loop)]


@pytest.mark.parametrize(
    ("formula", "phases"),
    [
        # T-RNN and SRU (Balduzzi and Ghifary 2016; Lei et al. 2018): no product in the loop, which both states share.
        ("f = sigmoid(linear(x)); h' = f * h + (1 - f) * linear(x)", [(False, [0, 2]), (True, [0])]),
        (
            "f = sigmoid(linear(x)); r = sigmoid(linear(x)); c' = f * c + (1 - f) * linear(x);"
            "h' = r * c' + (1 - r) * x",
            [(False, [0, 3]), (True, [0])],
        ),
        # T-GRU (Balduzzi and Ghifary 2016): the products of the delayed input are outside of the loop.
        (
            "f = sigmoid(linear(x) + linear(p)); o = tanh(linear(x) + linear(p)); h' = f * h + o; p' = x",
            [(False, [0, 2]), (False, [2]), (True, [0])],
        ),
        # A delay of a delay, read before all loops too; the delay of a state that needs a loop is in that loop.
        ("h' = tanh(linear(q) + linear(p)) + h; p' = linear(x); q' = p", [(False, [1]), (False, [1, 1]), (True, [0])]),
        ("c' = tanh(x + d * c); h' = c * c'; d' = h", [(True, [0])]),
        # GILR-LSTM (Martin and Cundy 2018), two gates of it: the second loop waits for the products of the first state.
        (
            "s' = sigmoid(linear(x)) * s + x; f = sigmoid(linear(s') + linear(x)); c' = f * c + linear(s'); h' = c'",
            [(False, [0, 2]), (True, [0]), (False, [2]), (True, [0])],
        ),
        # Only pointwise operations between two states: one loop.
        ("s' = tanh(x + s); c' = sigmoid(s' + c); h' = c' * s", [(True, [0])]),
        # A loop that needs no result of another one shares its phase.
        ("s' = tanh(linear(s) + x); c' = tanh(linear(c) + x); h' = c' * s'", [(True, [0, 2])]),
        # Three layers of plain networks written as one cell.
        (
            "a' = tanh(linear(x) + linear(a)); b' = tanh(linear(a') + linear(b)); h' = tanh(linear(b') + linear(h))",
            [(False, [1]), (True, [1]), (False, [1]), (True, [1]), (False, [1]), (True, [1])],
        ),
        # The last product, which no state depends on, comes after all loops.
        ("c' = tanh(linear(x) + c); h' = linear(c' * x) * c", [(False, [0, 1]), (True, [0]), (False, [0, 1])]),
    ],
)
def test_only_states_that_depend_on_themselves_are_in_a_loop(
    formula: str, phases: list[tuple[bool, list[int]]]
) -> None:
    found = [(loops, [n for n in products if n]) for loops, products in phases_of(parse_formula(formula))]
    expected = [(loops, [n for n in products if n]) for loops, products in phases]
    assert [phase for phase in found if phase != (False, [])] == [p for p in expected if p != (False, [])]


def test_components_equal_those_of_networkx(mutants: list[GateGraph]) -> None:
    several = 0
    for graph in [*map(parse_formula, LAYERED.values()), *mutants, *layered_descendants(60)]:
        plan = plan_of(graph)
        whole = nx.DiGraph()
        for i, node in enumerate(graph):
            for j in [graph.outputs[node.state]] if node.op is Op.STATE else node.inputs:
                whole.add_edge(j, i)
        loops = 0
        for component in nx.strongly_connected_components(whole):
            phases = {plan.phase_of[i] for i in component}
            if len(component) > 1 and phases != {None}:
                (phase,) = phases
                assert phase is not None
                assert plan.phases[phase].loops
                loops += 1
        several += loops > 1
        looped = {i for i, phase in enumerate(plan.phase_of) if phase is not None and plan.phases[phase].loops}
        in_component = {i for part in nx.strongly_connected_components(whole) if len(part) > 1 for i in part}
        products = {i for i in looped if graph.nodes[i].op is Op.LINEAR}
        assert products <= in_component  # all other products run for all steps at once
    assert several >= 5


def test_a_phase_comes_after_all_that_it_reads(mutants: list[GateGraph], layered_mutants: list[GateGraph]) -> None:
    for graph in mutants + layered_mutants:
        plan = plan_of(graph)
        for i, phase in enumerate(plan.phase_of):
            if phase is not None:
                for j in graph.nodes[i].inputs:
                    before = plan.phase_of[j]
                    assert before is not None
                    assert before <= phase


def test_every_gate_of_the_lstm_is_one_sum_of_two_products() -> None:
    assert [len(s.linears) for s in plan_of(LIBRARY["lstm"].graph).sums] == [2, 2, 2, 2]


def test_an_output_that_the_cell_never_reads_is_computed_after_the_loop() -> None:
    graph = parse_formula("c' = tanh(linear(x) + linear(c))\nh' = sigmoid(linear(c'))").canonical()
    plan = plan_of(graph)
    assert phases_of(graph) == [(False, [1]), (True, [1]), (False, [1])]
    assert plan.phase_of[graph.outputs[0]] == 2
    assert plan.carried == (1,)


def test_a_matrix_that_two_nodes_read_is_not_absorbed() -> None:
    graph = parse_formula("g = linear(h)\nh' = (linear(x) + g) * g").canonical()
    assert sorted(len(s.linears) for s in plan_of(graph).sums) == [1, 1]


def test_a_dead_node_has_no_phase_and_no_product() -> None:
    graph = GateGraph((Node(Op.INPUT), Node(Op.LINEAR, (0,)), Node(Op.STATE), Node(Op.ADD, (0, 2))), (3,))
    assert plan_of(graph).phase_of == (0, None, 1, 1)
    assert plan_of(graph).sums == ()
