"""The symbolic backward in double precision, run by numpy: against finite differences, and for what it shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.kernels.plan.adjoint import Block, Kind, Place, Stage, backward_stage, forward_stage, gradient

Array = NDArray[np.float64]


def run_stage(stage: Stage, memory: dict[Place, Array]) -> None:
    """The meaning of a stage, operation by operation."""
    meaning: dict[str, Callable[..., Array]] = {
        "one": lambda: np.ones(1),
        "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
        "tanh": np.tanh,
        "relu": lambda v: np.where(v <= 0, 0.0, v),
        "leaky_relu": lambda v: np.where(v > 0, v, 0.01 * v),
        "leaky_gate": lambda v, g: np.where(v > 0, g, 0.01 * g),
        "gate": lambda v, g: np.where(v <= 0, 0.0, g),
        "neg": np.negative,
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
    }
    values: list[Array] = []
    for instruction in stage.instructions:
        if instruction.place is not None:
            values.append(memory[instruction.place].copy())
        else:
            values.append(meaning[instruction.op](*(values[a] for a in instruction.arguments)))
    for place, number in stage.stores:
        memory[place] = values[number]


def inputs_of(graph: GateGraph) -> dict[int, Place]:
    """Leaves and matrices' results, as if all were in memory."""
    places = {i: Place(Kind.SUM, i) for i in graph.linears}
    for i, node in enumerate(graph):
        if node.op is Op.INPUT:
            places[i] = Place(Kind.X)
        elif node.op is Op.STATE:
            places[i] = Place(Kind.OLD, node.state)
    return places


def test_gradients_equal_finite_differences_on_mutants(mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(0)
    step = 1e-5
    for k, graph in enumerate(mutants):
        inputs = inputs_of(graph)
        targets = [(i, Place(Kind.NEW, n)) for n, i in enumerate(graph.outputs)]
        forward = forward_stage(graph, inputs, targets)
        incoming: dict[int, list[Place]] = {}
        for i, place in targets:
            incoming.setdefault(i, []).append(gradient(place))
        written = {gradient(place) for _, place in targets}
        backward = backward_stage(graph, inputs, inputs, incoming, written)

        memory = {place: rng.normal(size=7) for place in inputs.values()}
        direction = {place: rng.normal(size=7) for place in inputs.values()}
        seeds = {place: rng.normal(size=7) for _, place in targets}

        def loss(shift: float) -> float:
            moved = {p: value + shift * direction[p] for p, value in memory.items()}  # noqa: B023
            run_stage(forward, moved)  # noqa: B023
            return sum(float((moved[p] * seed).sum()) for p, seed in seeds.items())  # noqa: B023

        gradients = memory | {gradient(place): seed for place, seed in seeds.items()}
        run_stage(backward, gradients)
        found = sum(float((gradients[gradient(p)] * d).sum()) for p, d in direction.items() if gradient(p) in gradients)
        expected = (loss(step) - loss(-step)) / (2 * step)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6), f"mutant {k}"


def test_gradients_that_are_there_are_added_to_and_others_begun() -> None:
    graph = parse_formula("h' = x * h")
    inputs = inputs_of(graph)
    d_x, d_h, d_new = (Place(kind, gradient=True) for kind in (Kind.X, Kind.OLD, Kind.NEW))
    written = {d_new, d_x}
    stage = backward_stage(graph, inputs, inputs, {graph.outputs[0]: [d_new]}, written)
    numbers = {Place(Kind.X): 2.0, Place(Kind.OLD): 3.0, d_x: 100.0, d_h: 100.0, d_new: 1.0}
    memory = {place: np.array([number]) for place, number in numbers.items()}
    run_stage(stage, memory)
    assert memory[d_x] == 103.0
    assert memory[d_h] == 2.0
    assert written == {d_new, d_x, d_h}


def test_an_expression_asked_for_twice_exists_once() -> None:
    block = Block()
    x, h = block.emit("load", place=Place(Kind.X)), block.emit("load", place=Place(Kind.OLD))
    assert block.emit("add", x, h) == block.emit("add", h, x)
    assert block.emit("sub", x, h) != block.emit("sub", h, x)


def test_an_activation_that_lies_in_memory_is_loaded_by_the_backward_not_computed() -> None:
    graph = parse_formula("h' = tanh(linear(h)) * x").canonical()
    inputs = inputs_of(graph)
    (activation,) = (i for i, node in enumerate(graph) if node.op is Op.TANH)
    incoming = {graph.outputs[0]: [Place(Kind.NEW, gradient=True)]}
    stage = backward_stage(graph, inputs, inputs | {activation: Place(Kind.VALUE)}, incoming, set())
    assert "tanh" not in {instruction.op for instruction in stage.instructions}


def test_names_of_places_are_those_of_formulas() -> None:
    places = [Place(Kind.X), Place(Kind.OLD), Place(Kind.NEW, 1), Place(Kind.OLD, 3), Place(Kind.SUM, 2, True)]
    assert [str(place) for place in places] == ["x", "h", "c'", "c3", "d sum2"]
