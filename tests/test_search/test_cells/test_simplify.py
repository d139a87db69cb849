"""Hidden zeros: which expressions are dropped, and that dropping them changes no value."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.graph import GateGraph
from search.cells.mutation import Rejection, weakness
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import Node, Op
from search.cells.simplify import live_states, simplify, simplify_positions
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from tests.test_search.test_cells.shapes import MUTANTS, mutants, padded, renumbered

UNITS, BATCH, STEPS = 3, 2, 5

SIMPLIFIED = {
    "a value less itself": ("h' = tanh(linear(x) + linear(h)) + (x - x)", "h' = tanh(linear(x) + linear(h))"),
    "a value less an equal value": ("h' = h + x - (tanh(x + h) - tanh(h + x))", "h' = h + x"),
    "a matrix less another is no zero": ("h' = h + linear(x) - linear(x)", "h' = h + linear(x) - linear(x)"),
    "a matrix less itself": ("a = linear(h); h' = h + x + (a - a)", "h' = h + x"),
    "a product with zero, and what only it read": ("h' = h + x + (x - x) * linear(tanh(h))", "h' = h + x"),
    "activations of zero": (
        "z = h - h; h' = h + x - tanh(z) + relu(z) - leaky_relu(relu(tanh(z)))",
        "h' = h + x",
    ),
    "zero less a value, added": ("h' = x + ((h - h) - tanh(h))", "h' = x - tanh(h)"),
    "zero less a value, added first": ("h' = ((h - h) - tanh(h)) + x", "h' = x - tanh(h)"),
    "zero less a value, subtracted": ("h' = x - ((x - x) - tanh(h))", "h' = x + tanh(h)"),
    "zero less zero less a value": ("z = x - x; h' = tanh(x) + relu(z - (z - h))", "h' = tanh(x) + relu(h)"),
    "a value and its negative": ("z = x - x; h' = x + h + linear(h) * (h + (z - h))", "h' = x + h"),
    "a state that is zero": ("c' = x - x; h' = tanh(linear(x) + linear(h)) + c", "h' = tanh(linear(x) + linear(h))"),
    "a state that never leaves zero": ("c' = c * tanh(linear(x)) + tanh(c); h' = x + h + c", "h' = x + h"),
    "states that keep each other at zero": ("c' = d * x; d' = tanh(c) - c; h' = relu(h) + x - d", "h' = relu(h) + x"),
    "a state that a bias moves": ("c' = linear(c); h' = x + h + c", "c' = linear(c); h' = x + h + c"),
    "a state that sigmoid moves": ("c' = sigmoid(c); h' = x + h + c", "c' = sigmoid(c); h' = x + h + c"),
    "a state that is zero for one step": ("c' = d; d' = x; h' = h + c", "c' = d; d' = x; h' = h + c"),
    "a matrix of zero, whose identity has no effect": ("h' = h + linear(x - x, 0.9) * x", "h' = h + linear(0) * x"),
    "a matrix of zero keeps its bias": ("h' = h + x + linear(x - x, bias=1)", "h' = h + x + linear(0, bias=1)"),
    "one half": ("h' = h + x * sigmoid(tanh(x) - tanh(x))", "h' = h + x * 0.5"),
    "zero less a value under an activation": ("h' = x + tanh((x - x) - h)", "h' = x + tanh(0 - h)"),
    "numbers": ("h' = tanh(0.5 * 2 - 1) + 1 * x + (0.25 + 0.25) * h * 2", "h' = x + h"),
    "a matrix without bias of zero": ("h' = x + h + linear(x - x, bias=False)", "h' = x + h"),
    "an output that is zero": ("h' = x - x", "h' = 0"),
    "an output that stays zero": ("g = sigmoid(linear(x) + linear(h)); h' = g * h + (h + h)", "h' = 0"),
}


@pytest.mark.parametrize("case", SIMPLIFIED)
def test_what_is_always_zero_is_dropped(case: str) -> None:
    before, after = (parse_formula(text) for text in SIMPLIFIED[case])
    assert before.id == after.id
    assert format_formula(before) == format_formula(after)
    assert not unequal(before)
    assert len(simplify(before).nodes) <= len(before)


def run(graph: GateGraph, weight: Tensor, bias: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(STEPS, BATCH, UNITS, generator=generator, dtype=torch.float64)
    states = tuple(torch.zeros(BATCH, UNITS, dtype=torch.float64) for _ in range(graph.states))
    return run_reference(graph, LayerParameters(weight, bias), x, states)[0]


def unequal(graph: GateGraph) -> bool:
    """Return whether some finite output differs between a graph and its simplified form with the same matrices."""
    form, position = simplify_positions(graph)
    simplified = GateGraph(*form)
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(len(graph.linears), UNITS, UNITS, generator=generator, dtype=torch.float64) / 2
    bias = torch.randn(len(graph), UNITS, generator=generator, dtype=torch.float64) / 2
    place = {position[i]: k for k, i in enumerate(graph.linears) if i in position}
    kept = [place[i] for i in simplified.linears]

    def biased(one: GateGraph, numbers: list[int]) -> Tensor:
        return bias[[k for k, i in zip(numbers, one.linears, strict=True) if one.nodes[i].bias is not None]]

    before = run(graph, weight, biased(graph, list(range(len(graph.linears)))))
    after = run(simplified, weight[kept], biased(simplified, kept))
    return bool(before.isfinite().all()) and not torch.allclose(before, after, rtol=1e-11, atol=1e-12)


def random_graph(rng: np.random.Generator) -> GateGraph:
    """Return a graph of random wiring, in which values less themselves and states that stay zero are frequent."""
    states = int(rng.integers(1, 5))
    nodes = [Node(Op.INPUT), *(Node(Op.STATE, state=k) for k in range(states))]
    for _ in range(int(rng.integers(3, 20))):
        op = (Op.SUB, Op.ADD, Op.MUL, Op.TANH, Op.RELU, Op.LEAKY_RELU, Op.SIGMOID, Op.LINEAR)[rng.integers(8)]
        arity = 2 if op in (Op.SUB, Op.ADD, Op.MUL) else 1
        inputs = tuple(int(j) for j in rng.integers(len(nodes), size=arity))
        if op is Op.SUB and rng.random() < 0.4:
            inputs = inputs[:1] * 2
        nodes.append(Node(op, inputs, identity=0.9 if op is Op.LINEAR else 0.0))
    outputs = rng.integers(states, len(nodes), size=states).tolist()
    return GateGraph(tuple(nodes), tuple(outputs))


def test_simplified_graphs_compute_the_same() -> None:
    rng = np.random.default_rng(30)
    shorter = numbers = 0
    for _ in range(MUTANTS):
        graph = random_graph(rng)
        assert not unequal(graph), graph
        form, position = simplify_positions(graph)
        assert simplify(GateGraph(*form)) == form
        assert set(position.values()) <= set(range(len(form.nodes)))
        assert len(live_states(graph)) == len(form.outputs)
        numbers += len(form.nodes) > 2 and any(node.op is Op.NUMBER for node in form.nodes)
        shorter += len(form.nodes) > 2 and len(form.nodes) < len(graph)
    assert shorter > MUTANTS // 5
    assert numbers > MUTANTS // 60


def hiding(graph: GateGraph, rng: np.random.Generator) -> GateGraph:
    """Return the graph with zeros hidden on some of its lines, and with a state that stays zero."""
    nodes: list[Node] = []
    place: dict[int, int] = {}

    def add(op: Op, *inputs: int) -> int:
        nodes.append(Node(op, inputs))
        return len(nodes) - 1

    def zero() -> int:
        a = int(rng.integers(len(nodes)))
        found = [add(Op.SUB, a, a), extra][rng.integers(2)]
        for _ in range(rng.integers(3)):
            other = int(rng.integers(len(nodes)))
            op = (Op.MUL, Op.TANH, Op.RELU)[rng.integers(3)]
            found = add(op, found, other) if op is Op.MUL else add(op, found)
        return found

    def disguised(i: int) -> int:
        match rng.integers(5):
            case 0:
                return add(Op.ADD, zero(), i)
            case 1:
                return add(Op.SUB, i, zero())
            case 2:
                return add(Op.SUB, zero(), add(Op.SUB, zero(), i))
            case _:
                return i

    nodes.append(Node(Op.STATE, state=graph.states))
    extra = 0
    for i, node in enumerate(graph.nodes):
        inputs = tuple(disguised(place[j]) for j in node.inputs)
        place[i] = len(nodes)
        nodes.append(node.reading(inputs))
    outputs = [disguised(place[i]) for i in graph.outputs]
    outputs.append(add(Op.MUL, extra, int(rng.integers(len(nodes)))))
    return GateGraph(tuple(nodes), tuple(outputs))


def test_zeros_hidden_in_a_mutant_do_not_change_its_id() -> None:
    rng = np.random.default_rng(31)
    for graph in mutants(rng, MUTANTS):
        if graph.states == 8:
            continue
        other = hiding(graph, rng)
        if len(other) > 200:
            continue
        assert other.id == graph.id, (other, graph)
        assert padded(renumbered(other, rng), rng).id == graph.id
        assert not unequal(other)


def test_a_cell_that_is_zero_ignores_its_input_and_one_that_reads_h_as_zero_is_stateless() -> None:
    for text, reason in {
        "h' = x * h": Rejection.IGNORES_INPUT,
        "h' = sigmoid(h - h) * x": Rejection.STATELESS,
        "h' = sigmoid(h - h) * x + h": None,
        "c' = x + c; h' = sigmoid(h - h) * c": None,
    }.items():
        assert weakness(parse_formula(text).canonical()) is reason, text


def test_positions_of_dropped_nodes_are_those_of_their_values() -> None:
    graph = parse_formula("a = tanh(linear(x)); h' = (a + (h - h)) + h * (x - x) + h")
    form, position = simplify_positions(graph)
    op = {i: node.op for i, node in enumerate(graph)}
    assert [form.nodes[position[i]].op for i in op if i in position] == [
        Op.INPUT,
        Op.LINEAR,
        Op.TANH,
        Op.STATE,
        Op.TANH,  # tanh + 0
        Op.TANH,  # tanh + 0 + 0
        Op.ADD,
    ]
    assert [op[i] for i in op if i not in position] == [Op.SUB, Op.SUB, Op.MUL]


def test_a_graph_without_numbers_to_fold_is_left_as_it_is() -> None:
    for text in ("a = tanh(x); h' = (a + h) - h", "z = sigmoid(x); h' = z * h + (1 - z) * h + x", "h' = h + 2 * x"):
        graph = parse_formula(text)
        assert simplify(graph) == (graph.nodes, graph.outputs)
