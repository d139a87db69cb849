"""Hidden zeros: which expressions are dropped, and that dropping them changes no value."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from search.cells.canonical import FormVersion, canonical_positions, canonical_signs
from search.cells.draft import Rejection
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.mutation import weakness
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import PARAMETRIC, Node, Op
from search.cells.parameters import layout_of
from search.cells.simplify import live_states, simplify_positions
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from tests.test_search.test_cells.shapes import MUTANTS, graphs, mutants, padded, renumbered

UNITS, BATCH, STEPS = 4, 2, 5

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
    "a matrix of zero, whose identity has no effect": ("h' = h + linear(x - x, 0.9) * x", "h' = h + linear(h - h) * x"),
    "a matrix of zero keeps its bias": ("h' = h + x + linear(x - x, bias=1)", "h' = h + x + linear(h - h, bias=1)"),
    "one half": ("h' = h + x * sigmoid(tanh(x) - tanh(x))", "h' = h + x * sigmoid(h - h)"),
    "zero less a value under an activation": ("h' = x + tanh((x - x) - h)", "h' = x + tanh((h - h) - h)"),
    "an output that is zero": ("h' = x - x", "h' = h - h"),
    "an output that stays zero": ("g = sigmoid(linear(x) + linear(h)); h' = g * h + (h + h)", "h' = h - h"),
}


@pytest.mark.parametrize("case", SIMPLIFIED)
def test_what_is_always_zero_is_dropped(case: str) -> None:
    before, after = (parse_formula(text) for text in SIMPLIFIED[case])
    assert before.id == after.id
    assert format_formula(before) == format_formula(after)
    assert not unequal(before)


def run(graph: GateGraph, parameters: LayerParameters) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(STEPS, BATCH, UNITS, generator=generator, dtype=torch.float64)
    states = tuple(torch.zeros(BATCH, UNITS, dtype=torch.float64) for _ in range(graph.states))
    return run_reference(graph, parameters, x, states)[0]


def parameters_of(graph: GateGraph) -> LayerParameters:
    """Return random parameters of a layer."""
    generator, layout = torch.Generator().manual_seed(2), layout_of(graph)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64) / 2

    return LayerParameters(
        normal(len(layout.full), UNITS, UNITS),
        normal(len(layout.biased), UNITS),
        tuple(normal(g, UNITS // g, UNITS // g) for g in layout.groups),
        normal(len(layout.vectors), UNITS),
    )


def of_canonical(graph: GateGraph, parameters: LayerParameters) -> LayerParameters:
    """Return the parameters of a graph in the order of its canonical form, negated where the form says so."""
    before, after = layout_of(graph), layout_of(graph.canonical())
    signs = canonical_signs(graph)
    origin = {k: i for i, k in canonical_positions(graph).items() if graph.nodes[i].op in PARAMETRIC}
    vectors = []
    for k in after.first_vector:
        first = before.first_vector[origin[k]]
        count = 2 if graph.nodes[origin[k]].op is Op.NORM else 1
        assert parameters.vectors is not None
        vectors += [parameters.vectors[first + j] * signs.get(origin[k], 1.0) for j in range(count)]
    return LayerParameters(
        torch.stack(
            [
                # A matrix of zero counts as a full one, whatever its blocks.
                parameters.weights[before.full.index(origin[k])] * signs[origin[k]]
                if origin[k] in before.full
                else torch.ones(UNITS, UNITS, dtype=torch.float64)
                for k in after.full
            ]
            or [torch.zeros(UNITS, UNITS, dtype=torch.float64)]
        )[: len(after.full)],
        torch.stack(
            [parameters.biases[before.biased.index(origin[k])] * signs[origin[k]] for k in after.biased]
            or [torch.zeros(UNITS, dtype=torch.float64)]
        )[: len(after.biased)],
        tuple(parameters.blocks[before.grouped.index(origin[k])] * signs[origin[k]] for k in after.grouped),
        torch.stack(vectors or [torch.zeros(UNITS, dtype=torch.float64)])[: len(vectors)],
    )


def unequal(graph: GateGraph) -> bool:
    """Return whether the outputs of a graph and of its canonical form differ by more than rounding, if finite."""
    parameters = parameters_of(graph)
    before = run(graph, parameters)
    after = run(graph.canonical(), of_canonical(graph, parameters))
    return bool(before.isfinite().all()) and not torch.allclose(before, after, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", LIBRARY)
def test_the_canonical_form_of_a_published_cell_computes_what_is_written(name: str) -> None:
    assert not unequal(parse_formula(LIBRARY[name].formula))


@settings(max_examples=MUTANTS, deadline=None, database=None, derandomize=True)
@given(graphs())
def test_the_canonical_form_of_any_graph_computes_what_is_written(graph: GateGraph) -> None:
    assert not unequal(graph)


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


def test_simplified_graphs_compute_the_same_to_the_last_bit() -> None:
    rng = np.random.default_rng(30)
    shorter = left = 0
    count = 3 * MUTANTS // 2  # few have a number left
    for _ in range(count):
        graph = random_graph(rng)
        assert not unequal(graph), graph
        pruned, _ = simplify_positions(graph)
        canonical = graph.canonical()
        constants = [node for node in canonical if node == Node(Op.NUMBER)]
        left += bool(constants) and len(canonical) > 2
        shorter += len(canonical) > 2 and len(pruned.nodes) < len(graph)
        again = GateGraph(canonical.nodes, canonical.outputs)
        assert again.canonical() == canonical, graph
        assert len(constants) <= 1
        assert renumbered(graph, rng).id == graph.id
        assert parse_formula(format_formula(graph)).id == graph.id
        assert len(live_states(graph)) >= canonical.states, graph  # more where only a sum's terms cancel
    assert shorter > count // 5
    assert left > count // 100


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
    position, canonical = canonical_positions(graph), graph.canonical()
    found = {i: canonical.nodes[k].op for i, k in position.items()}
    assert found[graph.outputs[0]] is Op.ADD
    sums_with_zero = [i for i, node in enumerate(graph) if node.op is Op.ADD and i != graph.outputs[0]]
    assert [found[i] for i in sums_with_zero] == [Op.TANH, Op.TANH]


def test_the_form_of_earlier_versions_keeps_zeros_and_its_id_in_another_process() -> None:
    graph = parse_formula("h' = tanh(linear(x) + linear(h)) + (x - x)")
    earlier = graph.in_form(FormVersion.ZEROS)
    assert earlier.canonical() is earlier
    assert len(earlier) == len(graph)
    assert earlier.id != graph.id
    assert pickle.loads(pickle.dumps(earlier)).id == earlier.id  # noqa: S301
    assert earlier.id == "8c580be1ae670455"  # as it was before zeros were dropped
