"""The symbolic backward, run by numpy in double precision, against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.kernels.plan.adjoint import Buffer, BufferKind, StageBuilder, backward_stage, forward_stage, gradient
from tests.test_search.test_kernels.stages import inputs_of, run_stage


def test_gradients_equal_finite_differences_on_mutants(mutants: list[GateGraph]) -> None:
    rng = np.random.default_rng(0)
    step = 1e-5
    for k, graph in enumerate(mutants):
        inputs = inputs_of(graph)
        targets = [(i, Buffer(BufferKind.NEW, n)) for n, i in enumerate(graph.outputs)]
        forward = forward_stage(graph, inputs, targets)
        incoming: dict[int, list[Buffer]] = {}
        for i, buffer in targets:
            incoming.setdefault(i, []).append(gradient(buffer))
        written = {gradient(buffer) for _, buffer in targets}
        backward = backward_stage(graph, inputs, inputs, incoming, written)

        memory = {buffer: rng.normal(size=7) for buffer in inputs.values()}
        direction = {buffer: rng.normal(size=7) for buffer in inputs.values()}
        seeds = {buffer: rng.normal(size=7) for _, buffer in targets}

        def loss(shift: float) -> float:
            moved = {p: value + shift * direction[p] for p, value in memory.items()}  # noqa: B023
            run_stage(forward, moved)  # noqa: B023
            return sum(float((moved[p] * seed).sum()) for p, seed in seeds.items())  # noqa: B023

        gradients = memory | {gradient(buffer): seed for buffer, seed in seeds.items()}
        run_stage(backward, gradients)
        found = sum(float((gradients[gradient(p)] * d).sum()) for p, d in direction.items() if gradient(p) in gradients)
        expected = (loss(step) - loss(-step)) / (2 * step)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6), f"mutant {k}"


def test_gradients_that_are_there_are_added_to_and_others_begun() -> None:
    graph = parse_formula("h' = x * h")
    inputs = inputs_of(graph)
    d_x, d_h, d_new = (Buffer(kind, gradient=True) for kind in (BufferKind.X, BufferKind.OLD, BufferKind.NEW))
    written = {d_new, d_x}
    stage = backward_stage(graph, inputs, inputs, {graph.outputs[0]: [d_new]}, written)
    numbers = {Buffer(BufferKind.X): 2.0, Buffer(BufferKind.OLD): 3.0, d_x: 100.0, d_h: 100.0, d_new: 1.0}
    memory = {buffer: np.array([number]) for buffer, number in numbers.items()}
    run_stage(stage, memory)
    assert memory[d_x] == 103.0
    assert memory[d_h] == 2.0
    assert written == {d_new, d_x, d_h}


def test_an_expression_asked_for_twice_exists_once() -> None:
    builder = StageBuilder()
    x, h = builder.emit("load", buffer=Buffer(BufferKind.X)), builder.emit("load", buffer=Buffer(BufferKind.OLD))
    assert builder.emit("add", x, h) == builder.emit("add", h, x)
    assert builder.emit("sub", x, h) != builder.emit("sub", h, x)


def test_an_activation_that_lies_in_memory_is_loaded_by_the_backward_not_computed() -> None:
    graph = parse_formula("h' = tanh(linear(h)) * x").canonical()
    inputs = inputs_of(graph)
    (activation,) = (i for i, node in enumerate(graph) if node.op is Op.TANH)
    incoming = {graph.outputs[0]: [Buffer(BufferKind.NEW, gradient=True)]}
    stage = backward_stage(graph, inputs, inputs | {activation: Buffer(BufferKind.VALUE)}, incoming, set())
    assert "tanh" not in {instruction.op for instruction in stage.instructions}


def test_names_of_places_are_those_of_formulas() -> None:
    buffers = [
        Buffer(BufferKind.X),
        Buffer(BufferKind.OLD),
        Buffer(BufferKind.NEW, 1),
        Buffer(BufferKind.OLD, 3),
        Buffer(BufferKind.SUM, 2, True),
    ]
    assert [str(buffer) for buffer in buffers] == ["x", "h", "c'", "c3", "d sum2"]
