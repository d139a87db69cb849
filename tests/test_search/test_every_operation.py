"""Every operation of a cell is known to every part that has to know it: an operation that a part lacks fails here.

The tests run over the table of `search.cells.operations`. A new entry has them at once.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

import gatesearch
from search.bench.jax import LayerArrays, cell_step
from search.cells import operations
from search.cells.drawing.diagram import Kind, formula_diagram
from search.cells.drawing.picture import draw_formula
from search.cells.drawing.tree import draw_tree
from search.cells.export.module import export_module
from search.cells.graph import GateGraph
from search.cells.notation.display import format_display
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.notation.recipe import format_recipe, parse_recipe
from search.cells.operations import ARITY, OPERATIONS, POINTWISE, Node, Op
from search.kernels.codegen.host import Host
from search.kernels.codegen.pointwise import stage_text
from search.kernels.explain import explain
from search.kernels.parameters import LayerParameters, apply_pointwise
from search.kernels.plan.adjoint import Buffer, BufferKind, Stage, backward_stage, forward_stage, gradient
from search.kernels.reference import run_reference
from search.training.model import SequenceModel
from search.training.stepper import EagerStepper, NativeStepper, stepper_for
from search.training.weights import layer_weights
from tasks.interface import Interface
from tasks.task import Batch, Output
from tests.paths import ROOT
from tests.test_search.test_kernels.hosts import HOSTS, require_host
from tests.test_search.test_kernels.machine import compile_text
from tests.test_search.test_kernels.stages import VALUES, Array, inputs_of, run_stage

ORDER = sorted(POINTWISE)
ORDINARY = [-3.1, -1.0, -0.4, -1e-3, 1e-3, 0.5, 1.0, 2.7]
EXTREME = [-math.inf, -1e4, -700.0, -89.0, -30.0, 30.0, 89.0, 700.0, 1e4, math.inf, math.nan]

OTHERS = {
    Op.INPUT: "h' = tanh(x + linear(h))",
    Op.STATE: "h' = tanh(linear(x) + h)",
    Op.LINEAR: "h' = tanh(linear(x, bias=False) + linear(h, 0.5, bias=1) + linear(h, bias=False, groups=2))",
    Op.NORM: "h' = tanh(norm(linear(x) + linear(h)) + norm(h))",
    Op.PARAM: "h' = tanh(linear(x) + param(1) * h + param(0)) * param(uniform(-1, 1))",
    Op.NUMBER: "h' = 0.5 * tanh(linear(x) + 2 * h - 0.25)",
}
"""Formula with each operation that is not pointwise."""


def cell_of(op: Op) -> GateGraph:
    """Return the cell h' = op(linear(x) + linear(h)), or op(linear(x), linear(h)) for two inputs."""
    if op in OTHERS:
        return parse_formula(OTHERS[op])
    nodes = [Node(Op.INPUT), Node(Op.STATE), Node(Op.LINEAR, (0,)), Node(Op.LINEAR, (1,))]
    if ARITY[op] == 1:
        nodes += [Node(Op.ADD, (2, 3)), Node(op, (4,))]
    else:
        nodes.append(Node(op, (2, 3)))
    return GateGraph(tuple(nodes), (len(nodes) - 1,))


def value_of(op: Op) -> Callable[..., float]:
    value = OPERATIONS[op].value
    assert value is not None
    return value


def points(op: Op, numbers: list[float]) -> Array:
    """Return arguments of an operation, one column each: all numbers, or all pairs of them."""
    grid = np.meshgrid(*[np.array(numbers)] * ARITY[op])
    return np.stack([axis.ravel() for axis in grid])


def stages_of(op: Op) -> tuple[Stage, Stage]:
    """Return the forward and the backward stage of h' = op(x), or op(x, h)."""
    nodes = [Node(Op.INPUT), Node(Op.STATE), Node(op, (0, 1)[: ARITY[op]])]
    graph = GateGraph(tuple(nodes), (2,))
    inputs = inputs_of(graph)
    inputs = {i: inputs[i] for i in range(ARITY[op])}
    new = Buffer(BufferKind.NEW)
    backward = backward_stage(graph, inputs, inputs, {2: [gradient(new)]}, {gradient(new)})
    return forward_stage(graph, inputs, [(2, new)]), backward


BUFFERS = Buffer(BufferKind.X), Buffer(BufferKind.OLD)
NEW = Buffer(BufferKind.NEW)


# --- The function itself


@pytest.mark.parametrize("op", ORDER)
def test_its_value_is_that_of_pytorch_at_ordinary_and_extreme_numbers(op: Op) -> None:
    arguments = points(op, [*ORDINARY, 0.0, *EXTREME])
    expected = apply_pointwise(op, *torch.tensor(arguments))
    found = [value_of(op)(*column) for column in arguments.T.tolist()]
    # PyTorch's softplus is the identity above 20.
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=3e-9)


@pytest.mark.parametrize("op", ORDER)
def test_its_derivative_is_that_of_autograd_and_of_finite_differences(op: Op) -> None:
    arguments = points(op, ORDINARY)
    seed = np.linspace(-1.0, 2.0, arguments.shape[1])
    forward, backward = stages_of(op)

    def outputs(shifted: Array) -> Array:
        memory: dict[Buffer, Array] = dict(zip(BUFFERS, shifted, strict=False))
        run_stage(forward, memory)
        return memory[NEW]

    leaves = [torch.tensor(row, requires_grad=True) for row in arguments]
    expected = torch.autograd.grad(apply_pointwise(op, *leaves), leaves, torch.tensor(seed))
    memory = dict(zip(BUFFERS, arguments, strict=False)) | {gradient(NEW): seed}
    run_stage(backward, memory)
    step = 1e-6
    for place, (buffer, wanted) in enumerate(zip(BUFFERS, expected, strict=False)):
        np.testing.assert_allclose(memory[gradient(buffer)], wanted.numpy(), rtol=1e-9, atol=1e-12)
        moved = np.zeros_like(arguments)
        moved[place] = step
        slope = (outputs(arguments + moved) - outputs(arguments - moved)) / (2 * step) * seed
        np.testing.assert_allclose(memory[gradient(buffer)], slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("op", ORDER)
@pytest.mark.parametrize("host", HOSTS)
def test_machine_code_saturates_and_keeps_nan_as_pytorch_does(op: Op, host: Host) -> None:
    """Values are those of PyTorch in float32, gradients too where they are numbers; NaN makes NaN."""
    arguments = points(op, [*ORDINARY, *EXTREME]).astype(np.float32)
    count = -(-arguments.shape[1] // host.width) * host.width
    arguments = np.pad(arguments, ((0, 0), (0, count - arguments.shape[1])), constant_values=1.0)
    stages = stages_of(op)
    code = compile_text("\n".join(stage_text(f"stage{k}", stage, host) for k, stage in enumerate(stages)), host)
    memory = dict(zip(BUFFERS, arguments, strict=False)) | {NEW: np.zeros(count, np.float32)}
    memory |= {gradient(NEW): np.ones(count, np.float32)}
    memory |= {gradient(buffer): np.zeros(count, np.float32) for buffer in BUFFERS}
    for k, stage in enumerate(stages):
        arrays = [memory[buffer] for buffer in stage.buffers()]
        function = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * len(arrays))(code.address(f"stage{k}"))
        function(count, *(array.ctypes.data for array in arrays))
    leaves = [torch.tensor(row, requires_grad=True) for row in arguments]
    expected = apply_pointwise(op, *leaves)
    np.testing.assert_allclose(memory[NEW], expected.detach().numpy(), rtol=2e-6, atol=1e-6)
    slopes = torch.autograd.grad(expected.sum(), leaves)
    for buffer, slope in zip(BUFFERS, slopes, strict=False):
        finite = np.isfinite(arguments).all(0)
        np.testing.assert_allclose(memory[gradient(buffer)][finite], slope.numpy()[finite], rtol=2e-6, atol=1e-6)


# --- Notation and drawings


@pytest.mark.parametrize("op", Op)
def test_formulas_and_drawings_have_it(op: Op) -> None:
    graph = cell_of(op)
    for text in (format_formula(graph), format_display(graph)):
        assert parse_formula(text).id == graph.id
        assert parse_formula(text).canonical() == graph.canonical()
        assert draw_tree(text).startswith("h' = ")
        assert "</svg>" in draw_formula(text, "cell")
    for name in OPERATIONS[op].functions if op in POINTWISE else ():
        assert parse_formula(f"h' = {name}(linear(x) + linear(h))").id == graph.id
        boxes = [part for part in formula_diagram(f"h' = {name}(x + h)") if part.kind is Kind.ACTIVATION]
        assert [part.label for part in boxes] == [OPERATIONS[op].symbol]
    assert "backward in the loop" in explain(graph.canonical())


@pytest.mark.parametrize("op", [op for op in ORDER if OPERATIONS[op].recipe])
def test_recipes_have_it(op: Op) -> None:
    nodes = [Node(Op.INPUT), Node(Op.STATE), Node(Op.LINEAR, (0,)), Node(Op.TANH, (2,)), Node(Op.SIGMOID, (1,))]
    graph = GateGraph((*nodes, Node(op, (3, 4)[: ARITY[op]]), Node(Op.LINEAR, (5,))), (6,))
    text = format_recipe(graph)
    assert OPERATIONS[op].recipe in {step["op"] for step in json.loads(text).values()}
    assert parse_recipe(text).id == graph.id


# --- Training and export


def given(graph: GateGraph, units: int, dtype: torch.dtype = torch.float64) -> tuple[LayerParameters, Tensor, Any]:
    """Return parameters of a layer, an input (3, 2, H) and states (2, H)."""
    model = SequenceModel(graph, units, 1, Interface.same(Output.SYMBOLS, 5))
    model.initialise(2.0, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 2, units, generator=generator, dtype=dtype)
    states = tuple(torch.randn(2, units, generator=generator, dtype=dtype) for _ in range(graph.states))
    return model.layer_parameters()[0].map(lambda tensor: tensor.detach().to(dtype)), x, states


@pytest.mark.parametrize("op", Op)
def test_an_exported_module_computes_it(op: Op) -> None:
    graph = cell_of(op).canonical()
    formula = format_display(graph)
    parameters, x, states = given(graph, 4)
    module = gatesearch.cell(formula).module(units=4, dtype=torch.float64)
    weights = layer_weights(graph, parameters, export_module(formula, "cell").parameters)
    module.get_submodule("layers.0").load_state_dict(weights)
    outputs, _ = module(x, torch.stack(states))
    torch.testing.assert_close(outputs, run_reference(graph, parameters, x, states)[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("op", Op)
def test_the_peer_in_jax_computes_it(op: Op) -> None:
    """On NumPy arrays, for want of JAX; the functions of JAX are looked up where it is installed."""
    graph = cell_of(op).canonical()
    parameters, x, states = given(graph, 4)
    vectors = parameters.vectors
    assert vectors is not None
    layer = LayerArrays(
        parameters.weights.numpy(), parameters.biases.numpy(), tuple(b.numpy() for b in parameters.blocks),
        vectors.numpy(),
    )  # fmt: skip
    found = cell_step(graph, VALUES, layer, [state.numpy() for state in states], x[0].numpy())
    np.testing.assert_allclose(found[0], run_reference(graph, parameters, x[:1], states)[0][0].numpy(), rtol=1e-9)
    if op in POINTWISE and find_spec("jax") is not None:
        module, _, name = OPERATIONS[op].jax.rpartition(".")
        arguments = points(op, ORDINARY)
        own = getattr(pytest.importorskip(module), name)(*arguments)
        expected = [value_of(op)(*column) for column in arguments.T.tolist()]
        np.testing.assert_allclose(np.asarray(own), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", Op)
def test_machine_code_trains_it_as_autograd_does(op: Op) -> None:
    require_host()
    models = [SequenceModel(cell_of(op), 16, 1, Interface.same(Output.SYMBOLS, 5)) for _ in range(2)]
    for model in models:
        model.initialise(1.0, torch.Generator().manual_seed(3))
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(5, size=(2, 4, 3))
    batch = Batch(inputs, targets, np.ones((4, 3), np.float32), starts=True)
    native, eager = stepper_for(models[0]), EagerStepper(models[1])
    assert isinstance(native, NativeStepper)
    found, expected = (stepper.train(batch, 0.1, 100.0) for stepper in (native, eager))
    assert found.nats == pytest.approx(expected.nats, rel=1e-5)
    assert models[1].flat_grad.abs().max() > 1e-3
    torch.testing.assert_close(models[0].flat_grad, models[1].flat_grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(models[0].flat, models[1].flat, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.slow
def test_onnx_has_all_of_them(tmp_path: Path) -> None:
    names = [OPERATIONS[op].functions[0] for op in ORDER if ARITY[op] == 1]
    signs = [OPERATIONS[op].sign for op in ORDER if ARITY[op] == 2]
    terms = [f"{name}(linear(x) + linear(h))" for name in (*names, "norm")]
    terms += [f"(linear(x, groups=2) {sign} (2 * h {sign} param(1)))" for sign in signs]
    torch.manual_seed(0)
    module = gatesearch.cell(f"h' = {' + '.join(terms)}").module(units=4).eval()
    x, h = torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    program = torch.onnx.export(module, (x, h), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "step.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {item.name: v.numpy() for item, v in zip(session.get_inputs(), (x, h), strict=True)})
    for one, other in zip(found, module(x, h), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other.detach())


# --- A new entry, and one that is forgotten

MEMBER = '    NUMBER = "number"\n'
NEW_MEMBER = '    ABSOLUTE = "absolute"\n'
ABSOLUTE = """\
    Op.ABSOLUTE: Operation(
        1,
        functions=("abs",),
        value=abs,
        torch="torch.abs",
        jax="jax.numpy.abs",
        machine=lambda vectors, v: vectors.where(
            "ogt", v, vectors.constant(0.0), v, vectors.binary("fsub", vectors.constant(0.0), v)
        ),
        derivative=lambda d: iter([d.emit("choose", d.input(0), d.incoming, d.emit("neg", d.incoming))]),
        needs_input=True,
        symbol="abs",
        cost=1.0,
    ),
"""
"""Entry of an activation that the project does not have."""

SOURCE = Path(operations.__file__).read_text("utf-8").replace(NEW_MEMBER, "").replace(ABSOLUTE, "")


def changed(old: str, new: str, text: str = SOURCE) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def with_absolute() -> str:
    """Return the source of the table with one more member and one more entry."""
    text = changed(MEMBER, MEMBER + NEW_MEMBER)
    return changed("    Op.NUMBER: Operation(0),\n", "    Op.NUMBER: Operation(0),\n" + ABSOLUTE, text)


def forgotten() -> Iterator[tuple[str, str]]:
    """Yield sources of the table in which something is missing, with what the import says."""
    yield changed(MEMBER, MEMBER + NEW_MEMBER), "absolute"
    for field in ("functions", "value", "torch", "jax", "machine", "derivative", "symbol", "cost"):
        entry = re.sub(rf" {field}=(lambda[^\n]*\n(?:[^\n]*\n)*?        \),\n|[^\n]*\n)", "\n", ABSOLUTE, count=1)
        yield changed(ABSOLUTE, entry, with_absolute()), rf"absolute\.{field}"
    yield changed('functions=("abs",)', 'functions=("tanh",)', with_absolute()), "a name other than 'tanh'"


@pytest.mark.parametrize(("text", "lacks"), [pytest.param(*case, id=case[1]) for case in forgotten()])
def test_what_an_entry_lacks_is_said_when_the_table_is_imported(
    text: str, lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("operations_with_a_gap")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(AssertionError, match=rf"the table of operations lacks {lacks}$"):
        exec(compile(text, "operations.py", "exec"), module.__dict__)  # noqa: S102 - the project's own source


@pytest.mark.exact
def test_one_entry_is_all_that_an_activation_needs(tmp_path: Path) -> None:
    """The tests of this module, run over a copy of the project with one more activation, all pass for it."""
    for folder in ("search", "tasks", "results", "gatesearch", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "published"))
    shutil.copytree(ROOT / "search/cells/published", tmp_path / "search/cells/published")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "search/cells/operations.py").write_text(with_absolute(), "utf-8")
    pytest_command = [sys.executable, "-m", "pytest", "-q"]
    ran = subprocess.run(
        [*pytest_command, "-rA", "-k", "absolute or onnx", "tests/test_search/test_every_operation.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    passed = re.findall(r"^PASSED \S+::(\w+)", ran.stdout, re.MULTILINE)
    assert {
        "test_its_value_is_that_of_pytorch_at_ordinary_and_extreme_numbers",
        "test_its_derivative_is_that_of_autograd_and_of_finite_differences",
        "test_machine_code_saturates_and_keeps_nan_as_pytorch_does",
        "test_formulas_and_drawings_have_it",
        "test_an_exported_module_computes_it",
        "test_the_peer_in_jax_computes_it",
        "test_machine_code_trains_it_as_autograd_does",
        "test_onnx_has_all_of_them",
    } <= set(passed)
