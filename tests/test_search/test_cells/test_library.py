"""Named cells compute their authors' equations, and three of them compute what torch.nn does.

Every cell's equations are repeated below as a plain time step in torch. `w(k, v)` is matrix k, in the
order in which the cell's own formula mentions them, times v, plus bias k.

Letters of shapes: T steps, B rows, H units, K matrices.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn, relu, sigmoid, tanh
from torch.nn.functional import leaky_relu

from search.cells.canonical import canonical_positions, canonical_signs
from search.cells.errors import CellError, UnknownCellError
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS, STUDY, library_name, name_of, named_cell
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op
from search.kernels.eager import run_eager
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference
from tests.paths import ROOT

T, B, H = 7, 3, 16

Linear = Callable[[int, Tensor], Tensor]
Step = Callable[[Linear, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]
Run = Callable[[GateGraph, LayerParameters, Tensor, tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]]

# --- The equations, a second time: x and the old states in, the new states out


def tanh_step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = old
    return (tanh(w(0, x) + w(1, h)),)


def lstm_step(
    input_gate: bool = True,
    forget: bool = True,
    output: bool = True,
    last: Callable[..., Tensor] = sigmoid,
) -> Step:
    def step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        h, c = old
        pairs = iter(range(0, 8, 2))

        def gate(present: bool, squash: Callable[..., Tensor]) -> Tensor:
            if not present:
                return torch.ones_like(h)
            k = next(pairs)
            return squash(w(k, x) + w(k + 1, h))

        i, f = gate(input_gate, sigmoid), gate(forget, sigmoid)
        g, o = gate(True, tanh), gate(output, last)
        new = f * c + i * g
        return o * tanh(new), new

    return step


def gru_step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = old
    r = sigmoid(w(0, x) + w(1, h))
    z = sigmoid(w(2, x) + w(3, h))
    n = tanh(w(4, x) + w(5, r * h))
    return (z * h + (1 - z) * n,)


def gru_after_step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = old
    r = sigmoid(w(0, x) + w(1, h))
    z = sigmoid(w(2, x) + w(3, h))
    n = tanh(w(4, x) + r * w(5, h))
    return (z * h + (1 - z) * n,)


def mut1_step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = old
    z = sigmoid(w(0, x))
    r = sigmoid(w(1, x) + w(2, h))
    return (tanh(w(3, r * h) + tanh(x)) * z + h * (1 - z),)


def mut2_step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = old
    z = sigmoid(w(0, x) + w(1, h))
    r = sigmoid(x + w(2, h))
    return (tanh(w(3, r * h) + w(4, x)) * z + h * (1 - z),)


def mut3_step(w: Linear, x: Tensor, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (h,) = old
    z = sigmoid(w(0, x) + w(1, tanh(h)))
    r = sigmoid(w(2, x) + w(3, h))
    return (tanh(w(4, r * h) + w(5, x)) * z + h * (1 - z),)


STEPS: dict[str, tuple[Step, int, int]] = {  # the step, the number of states, and of matrices
    "tanh": (tanh_step, 1, 2),
    "lstm": (lstm_step(), 2, 8),
    "lstm-tanh-o": (lstm_step(last=tanh), 2, 8),
    "lstm-f": (lstm_step(forget=False), 2, 6),
    "lstm-i": (lstm_step(input_gate=False), 2, 6),
    "lstm-o": (lstm_step(output=False), 2, 6),
    "lstm-b": (lstm_step(), 2, 8),
    "lstm-ob": (lstm_step(), 2, 8),
    "gru": (gru_step, 1, 6),
    "gru-after": (gru_after_step, 1, 6),
    "mut1": (mut1_step, 1, 4),
    "mut2": (mut2_step, 1, 5),
    "mut3": (mut3_step, 1, 6),
}

Tensors = tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]


def tensors(name: str, dtype: torch.dtype = torch.float64) -> Tensors:
    """Return weights (K, H, H), biases (K, H), x (T, B, H) and states (B, H) that require gradients."""
    _, states, matrices = STEPS[name]
    generator = torch.Generator().manual_seed(24)

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(*shape, generator=generator, dtype=dtype) * scale).requires_grad_()

    first = tuple(draw(B, H) for _ in range(states))
    return draw(matrices, H, H, scale=H**-0.5), draw(matrices, H), draw(T, B, H), first


def run_plain(step: Step, weight: Tensor, bias: Tensor, x: Tensor, states: tuple[Tensor, ...]) -> list[Tensor]:
    """Return outputs (T, B, H), then the last states (B, H)."""
    outputs = []
    for now in x:
        states = step(lambda k, v: v @ weight[k].T + bias[k], now, states)
        outputs.append(states[0])
    return [torch.stack(outputs), *states]


def gradients(results: list[Tensor], sources: list[Tensor]) -> list[Tensor]:
    """Return gradients of a fixed random combination of all results, with zeros for unused sources."""
    generator = torch.Generator().manual_seed(25)
    total = torch.zeros((), dtype=results[0].dtype)
    for result in results:
        total = total + (result * torch.randn(result.shape, generator=generator, dtype=torch.float64).to(result)).sum()
    return list(torch.autograd.grad(total, sources, allow_unused=True, materialize_grads=True))


def assert_equal(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def canonical_order(name: str) -> tuple[list[int], Tensor]:
    """Return for each matrix of the canonical graph its place in the formula, and the sign of its weights there."""
    written = parse_formula(LIBRARY[name].formula)
    positions, signs = canonical_positions(written), canonical_signs(written)
    origin = {positions[i]: i for i in written.linears}
    chosen = [origin[i] for i in LIBRARY[name].graph.linears]
    places = [written.linears.index(i) for i in chosen]
    assert sorted(places) == list(range(len(places)))
    return places, torch.tensor([signs[i] for i in chosen])


def test_every_named_cell_has_its_equations_here() -> None:
    assert list(STEPS) == list(STUDY)
    for name, (_, states, matrices) in STEPS.items():
        assert (LIBRARY[name].graph.states, len(LIBRARY[name].graph.linears)) == (states, matrices)


@pytest.mark.parametrize("run", [run_reference, run_eager])
@pytest.mark.parametrize("name", STUDY)
def test_a_named_cell_computes_its_equations_as_written_and_in_canonical_order(name: str, run: Run) -> None:
    weight, bias, x, states = tensors(name)
    sources = [weight, bias, x, *states]
    expected = run_plain(STEPS[name][0], weight, bias, x, states)
    slopes = gradients(expected, sources)
    assert all(slope.abs().max() > 0 for slope in slopes)
    order, signs = canonical_order(name)
    in_order = LayerParameters(weight[order] * signs[:, None, None], bias[order] * signs[:, None])
    as_written = LayerParameters(weight, bias)
    for graph, parameters in ((parse_formula(LIBRARY[name].formula), as_written), (LIBRARY[name].graph, in_order)):
        outputs, last = run(graph, parameters, x, states)
        assert_equal([outputs, *last], expected, 1e-10)
        assert_equal(gradients([outputs, *last], sources), slopes, 1e-10)


TORCH = {
    # Our matrices for torch's gates, in torch's order: (of x, of h) each.
    "tanh": (nn.RNN, [(0, 1)]),
    "lstm": (nn.LSTM, [(0, 1), (2, 3), (4, 5), (6, 7)]),
    "gru-after": (nn.GRU, [(0, 1), (2, 3), (4, 5)]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", TORCH)
def test_lstm_gru_after_and_tanh_are_those_of_torch(name: str, layers: int, dtype: torch.dtype) -> None:
    make, gates = TORCH[name]
    torch.manual_seed(26)
    theirs = make(H, H, num_layers=layers, dtype=dtype)
    _, _, x, first = tensors(name, dtype)
    initial = [tuple((state * (1 + layer)).detach().requires_grad_() for state in first) for layer in range(layers)]
    of_layer = [torch.stack(states) for states in zip(*initial, strict=True)]  # (layers, B, H) for each state
    outputs, last = theirs(x, tuple(of_layer) if name == "lstm" else of_layer[0])
    last = list(last) if name == "lstm" else [last]
    sources = [*theirs.parameters(), x, *(state for states in initial for state in states)]
    expected = [outputs, *last]
    slopes = gradients(expected, sources)

    sequence = x
    finals = []
    order, signs = canonical_order(name)
    assert (signs == 1).all()
    for layer in range(layers):
        parts = [getattr(theirs, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        w_x, w_h, b_x, b_h = (part.chunk(len(gates)) for part in parts)
        weights: list[Tensor] = [torch.empty(0)] * (2 * len(gates))
        biases = list(weights)
        for gate, (of_x, of_h) in enumerate(gates):
            weights[of_x], weights[of_h], biases[of_x], biases[of_h] = w_x[gate], w_h[gate], b_x[gate], b_h[gate]
        weight, bias = (torch.stack([each[k] for k in order]) for each in (weights, biases))
        sequence, states = run_eager(LIBRARY[name].graph, LayerParameters(weight, bias), sequence, initial[layer])
        finals.append(states)
    ours = [sequence, *(torch.stack(states) for states in zip(*finals, strict=True))]
    assert_equal(ours, expected, 1e-5)
    assert_equal(gradients(ours, sources), slopes, 1e-5 if dtype is torch.float64 else 5e-5)


def gate_with_bias(name: str) -> tuple[Op, list[set[Op]]]:
    """Find the only matrix with a bias of 1: return its gate's operation, and the operations in its sum and product."""
    graph = LIBRARY[name].graph
    (biased,) = (i for i in graph.linears if graph.nodes[i].bias == 1.0)
    assert all(graph.nodes[i].bias == 0.0 for i in graph.linears if i != biased)
    (total,) = graph.consumers[biased]
    (gate,) = graph.consumers[total]
    (product,) = graph.consumers[gate]
    return graph.nodes[gate].op, [
        {graph.nodes[j].op for j in graph.nodes[total].inputs},
        {graph.nodes[j].op for j in graph.nodes[product].inputs},
    ]


def test_lstm_b_raises_the_forget_gate_and_lstm_ob_the_output_gate() -> None:
    assert gate_with_bias("lstm-b") == (Op.SIGMOID, [{Op.LINEAR}, {Op.SIGMOID, Op.STATE}])  # f * c
    assert gate_with_bias("lstm-ob") == (Op.SIGMOID, [{Op.LINEAR}, {Op.SIGMOID, Op.TANH}])  # o * tanh(c')
    for name in ("lstm-b", "lstm-ob"):
        assert parse_formula(LIBRARY[name].formula.replace(", bias=1", "")).id == LIBRARY["lstm"].graph.id


def test_no_named_cell_starts_from_the_identity() -> None:
    assert {node.identity for cell in STUDY.values() for node in cell.graph} == {0.0}


def test_named_cells_are_canonical_and_known_by_their_ids() -> None:
    assert len({cell.graph.id for cell in STUDY.values()}) == len(STUDY)
    for name, cell in STUDY.items():
        assert cell.name == name
        assert cell.graph == cell.graph.canonical()
        assert cell.summary
        assert named_cell(name) is cell
        assert name_of(cell.graph.id) == name
    assert name_of("0" * 16) is None
    assert {named_cell(name).name for name in SEEDS} == {"lstm", "gru"}


def test_capitals_and_hyphens_of_a_name_make_no_difference() -> None:
    plain = [name.replace("-", "") for name in LIBRARY]
    assert len(set(plain)) == len(plain)
    assert {library_name(name.upper().replace("-", "_")) for name in LIBRARY} == set(LIBRARY)
    assert library_name("IndRNN") == "indrnn"
    assert library_name("minGRU") == "t-rnn"  # the same graph under an earlier name
    assert [library_name(text) for text in ("./gru", "gru.cell", "", "gru ")] == [None] * 4


def test_an_unknown_name_is_refused_in_one_line_with_those_that_come_close() -> None:
    with pytest.raises(UnknownCellError, match=r"^'lstmm' is not a named cell; did you mean lstm.*\?$"):
        named_cell("lstmm")
    with pytest.raises(CellError, match=r"^'\?' is not a named cell; `gatesearch cells` lists them$"):
        named_cell("?")


@pytest.mark.parametrize("function", [relu, leaky_relu])
def test_relus_of_torch_and_of_a_cell_agree(function: Callable[[Tensor], Tensor]) -> None:
    graph = parse_formula(f"h' = {function.__name__}(x - h)")
    x, h = torch.randn(T, B, H, generator=torch.Generator().manual_seed(27)), torch.zeros(B, H)
    outputs, _ = run_eager(graph, LayerParameters(torch.zeros(0, H, H), torch.zeros(0, H)), x, (h,))
    for now, output in zip(x, outputs, strict=True):
        h = function(now - h)
        torch.testing.assert_close(output, h, rtol=0, atol=0)


def test_one_publication_has_one_entry() -> None:
    references = {
        id(reference): reference
        for cell in LIBRARY.values()
        for reference in (cell.reference, *(shared.reference for shared in cell.same_as))
    }
    keys = [reference.key for reference in references.values()]
    assert sorted(keys) == sorted(set(keys))
    for name in ("arxiv", "doi", "title"):
        given = [text for reference in references.values() if (text := getattr(reference, name))]
        assert sorted(given) == sorted(set(given))


def test_each_published_cell_has_an_id_of_its_own() -> None:
    assert len({cell.graph.id for cell in LIBRARY.values()}) == len(LIBRARY) >= 110


def test_ids_of_published_cells_never_change() -> None:
    # Stores and published tables contain them. A new cell is a new line.
    known = json.loads((ROOT / "search" / "cells" / "published" / "ids.json").read_text())
    assert {name: cell.graph.id for name, cell in LIBRARY.items()} == known
