"""Exported modules compute what the kernels compute, and are used like torch.nn.LSTM.

Letters of shapes: T steps, B sequences, I = input_size, H = hidden_size, L layers, K matrices.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from search.cells.canonical import canonical_positions
from search.cells.errors import CellError
from search.cells.export.equinox import export_equinox
from search.cells.export.module import Exported, Role, export_module
from search.cells.export.module_text import Network
from search.cells.export.names import class_name
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.cells.parameters import layout_of
from search.cells.simplify import live_states
from search.cells.starts import Rule, StartRule
from search.kernels.eager import run_eager
from search.kernels.parameters import LayerParameters
from search.training.initialisation import apply_starts
from search.training.weights import layer_weights
from tests.paths import ROOT
from tests.test_search.test_cells.test_export.loading import Load, load
from tests.test_search.test_cells.test_export.unusual import FORMULAS, STARTED

__all__ = ["load"]

T, B, H, L = 5, 3, 8, 2


def built(load: Load, formula: str, *arguments: Any, **options: Any) -> tuple[Any, Exported]:
    exported = export_module(formula, "cell")
    return getattr(load(exported), exported.name)(*arguments, **options), exported


def drawn_parameters(graph: GateGraph, draw: Callable[..., Tensor]) -> LayerParameters:
    """Return parameters of a layer of the canonical graph, drawn by a function of a shape and a scale."""
    layout = layout_of(graph)
    return LayerParameters(
        draw(len(layout.full), H, H, scale=0.5 / H**0.5),
        draw(len(layout.biased), H, scale=0.3),
        tuple(draw(g, H // g, H // g, scale=0.5 / (H // g) ** 0.5) for g in layout.groups),
        draw(len(layout.vectors), H, scale=0.7),
    )


def give_weights(cell: Any, exported: Exported, graph: GateGraph, layers: list[LayerParameters]) -> None:
    """Copy parameters of the canonical graph into each layer."""
    for layer, own in zip(cell.layers, layers, strict=True):
        layer.load_state_dict(layer_weights(graph, own, exported.parameters))


def hidden_leaves(formula: str) -> list[int]:
    """Return the canonical positions of the leaves of live states other than h, in their author's order."""
    written = parse_formula(formula)
    position = canonical_positions(written)
    leaves = {node.state: i for i, node in enumerate(written) if node.op is Op.STATE and node.state}
    return [position[leaves[k]] for k in live_states(written) if k]


def assert_same(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Compare with a tolerance relative to the largest entry; where a mutant overflows, both must."""
    assert found.shape == expected.shape
    finite = expected.isfinite()
    assert torch.equal(found.isfinite(), finite)
    found, expected = found[finite], expected[finite]
    if found.numel():
        assert (found - expected).abs().max() <= tolerance * max(1.0, expected.abs().max().item())


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_outputs_states_and_gradients_are_those_of_the_kernels(
    name: str, dtype: torch.dtype, tolerance: float, load: Load
) -> None:
    graph = parse_formula(FORMULAS[name]).canonical()
    states = graph.states
    generator = torch.Generator().manual_seed(len(graph))

    def normal(*shape: int, scale: float) -> Tensor:
        drawn = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return drawn.to(dtype).requires_grad_()

    layers = [drawn_parameters(graph, normal) for _ in range(L)]
    x, initial = normal(T, B, H, scale=1.0), [normal(L, B, H, scale=0.5) for _ in range(states)]

    # The kernels' states are in the canonical graph's order, the module's in its author's.
    place = [0] + [graph.nodes[i].state for i in hidden_leaves(FORMULAS[name])]
    given = [initial[place.index(k)] for k in range(states)]
    values, last = x, []
    for k in range(L):
        values, final = run_eager(graph, layers[k], values, tuple(s[k] for s in given))
        last.append(final)
    stacked = [torch.stack(parts) for parts in zip(*last, strict=True)]
    expected = [values, *(stacked[k] for k in place)]

    cell, exported = built(load, FORMULAS[name], H, H, L)
    cell.to(dtype)
    give_weights(cell, exported, graph, layers)
    output, after = cell(x, initial[0] if states == 1 else tuple(initial))
    found = [output, *((after,) if states == 1 else after)]
    for got, wanted in zip(found, expected, strict=True):
        assert_same(got, wanted, tolerance)

    def gradients(results: list[Tensor], leaves: list[Tensor]) -> list[Tensor]:
        total = torch.stack(
            [(r * torch.linspace(-1, 1, r.numel(), dtype=dtype).view(r.shape)).sum() for r in results]
        ).sum()
        if not total.requires_grad:  # always zero from zero states
            return [torch.zeros_like(leaf) for leaf in leaves]
        grads = torch.autograd.grad(total, leaves, allow_unused=True)
        return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, grads, strict=True)]

    leaves = [x, *initial]
    tensors = [tensor for layer in layers for tensor in layer.tensors()]
    theirs = gradients(expected, leaves + tensors)
    ours = gradients(found, [*leaves, *cell.parameters()])
    for mine, reference in zip(ours[: len(leaves)], theirs[: len(leaves)], strict=True):
        assert_same(mine, reference, tolerance)
    mine_of = dict(zip((name for name, _ in cell.named_parameters()), ours[len(leaves) :], strict=True))
    theirs_of = dict(zip(map(id, tensors), theirs[len(leaves) :], strict=True))
    for k, layer in enumerate(layers):
        wanted_of = layer_weights(graph, layer.map(lambda tensor: theirs_of[id(tensor)]), exported.parameters)
        for name, wanted in wanted_of.items():
            assert_same(mine_of.pop(f"layers.{k}.{name}"), wanted, tolerance)
    assert not mine_of


def test_a_gate_that_the_canonical_form_turns_has_its_parameters_negated() -> None:
    """The same cell is trained for both, and what either exports is minus the other's gate (compared above)."""
    signs = [
        {parameter.name: parameter.signs[0] for parameter in export_module(FORMULAS[name], "cell").parameters}
        for name in ("a gate one way", "a gate the other way")
    ]
    for name in ("from_x.weight", "from_x.bias", "from_h.weight", "from_h.bias", "p_h"):
        assert {one[name] for one in signs} == {-1.0, 1.0}


LIBRARY_FORMULAS = {name: cell.formula for name, cell in LIBRARY.items()}


@pytest.mark.parametrize(
    "formulas", [FORMULAS, pytest.param(LIBRARY_FORMULAS, marks=pytest.mark.slow)], ids=["many kinds", "the library"]
)
def test_every_text_is_laid_out_as_ruff_formats_and_has_nothing_to_lint(
    formulas: dict[str, str], tmp_path: Path
) -> None:
    for k, (name, formula) in enumerate(formulas.items()):
        network = Network(40, bool(k % 2), 31, 128, 2, "cell.safetensors", scaled=k % 3 == 0)
        label = name if k % 3 else "a name that is longer than any class should have, of 70 letters or so"
        (tmp_path / f"m{k}.py").write_text(export_module(formula, label, ("An origin.",), network).text, "utf-8")
    for command in (["format", "--check"], ["check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout


@pytest.mark.exact
def test_strict_type_checking_passes(tmp_path: Path) -> None:
    chosen = ["gru", "lstm", "eleven states", "no state is read", "initial values", "mutant 2", "sprinkled mutant 1"]
    chosen += ["layer norms", "block-diagonal matrices", "vectors and numbers alone", "sLSTM"]
    for k, name in enumerate(chosen):
        network = Network(40, bool(k % 2), 31, 128, 2, "cell.safetensors", scaled=k % 3 == 0)
        (tmp_path / f"m{k}.py").write_text(export_module(FORMULAS[name], name, (), network).text, "utf-8")
    root = ROOT
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *map(str, tmp_path.iterdir())],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


# --- As torch.nn.LSTM


@pytest.fixture
def pair(load: Load) -> Callable[..., tuple[Any, nn.LSTM]]:
    """Return a function of I and options that makes an exported LSTM and torch's with the same weights."""

    def made(size: int, **options: Any) -> tuple[Any, nn.LSTM]:
        cell, _ = built(load, LIBRARY["lstm"].formula, size, H, **options)
        peer = nn.LSTM(size, H, **options)
        ways = ("", "_reverse") if options.get("bidirectional") else ("",)
        with torch.no_grad():
            for k, layer in enumerate(cell.layers):
                for ours, theirs in ((layer.from_x, "ih"), (layer.from_h, "hh")):
                    for kind in ("weight", "bias") if options.get("bias", True) else ("weight",):
                        # Both stack the input gate, the forget gate, the candidate and the output gate.
                        name = f"{kind}_{theirs}_l{k // len(ways)}{ways[k % len(ways)]}"
                        getattr(peer, name).copy_(getattr(ours, kind))
        return cell, peer

    return made


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 3},
        {"batch_first": True, "num_layers": 2},
        {"bias": False},
        {"bidirectional": True},
        {"bidirectional": True, "num_layers": 3, "batch_first": True},
    ],
)
def test_an_lstm_is_called_as_torchs_and_gives_the_same(
    options: dict[str, Any], pair: Callable[..., tuple[Any, nn.LSTM]]
) -> None:
    cell, peer = pair(6, **options)
    layers = options.get("num_layers", 1)
    x = drawn(B, T, 6) if options.get("batch_first") else drawn(T, B, 6)
    packed = pack_sequence([drawn(n, 6) for n in (2, T, 1)], enforce_sorted=False)
    places = layers * (2 if options.get("bidirectional") else 1)
    given = drawn(places, B, H), drawn(places, B, H)
    calls: list[tuple[Any, ...]] = [(x,), (x, given), (drawn(T, 6),), (drawn(T, 6), tuple(s[:, 0] for s in given))]
    calls += [(packed,), (packed, given), (pack_sequence([drawn(n, 6) for n in (T, T, 2)]), given)]
    for call in calls:
        (found, states), (expected, others) = cell(*call), peer(*call)
        if isinstance(call[0], Tensor):
            torch.testing.assert_close(found, expected)
        else:
            assert type(found) is type(expected)
            torch.testing.assert_close(pad_packed_sequence(found), pad_packed_sequence(expected))
        torch.testing.assert_close(states, others)


def test_a_cell_of_one_state_takes_and_returns_it_as_torchs_gru_does(load: Load) -> None:
    cell, _ = built(load, LIBRARY["gru-after"].formula, 6, H, 2)
    peer = nn.GRU(6, H, 2)
    with torch.no_grad():
        for k, layer in enumerate(cell.layers):
            for ours, theirs in ((layer.from_x, "ih"), (layer.from_h, "hh")):
                for kind in ("weight", "bias"):
                    getattr(peer, f"{kind}_{theirs}_l{k}").copy_(getattr(ours, kind))
    x, h = drawn(T, B, 6), drawn(2, B, H)
    for found, expected in zip(cell(x, h), peer(x, h), strict=True):
        torch.testing.assert_close(found, expected)


def test_one_step_is_called_as_torchs_cells_and_gives_the_same(load: Load) -> None:
    for name, peer in (("lstm", nn.LSTMCell(6, H)), ("gru-after", nn.GRUCell(6, H))):
        step = load(export_module(LIBRARY[name].formula, "cell")).CellCell(6, H)
        with torch.no_grad():
            for ours, theirs in ((step.from_x, "ih"), (step.from_h, "hh")):
                for kind in ("weight", "bias"):
                    getattr(peer, f"{kind}_{theirs}").copy_(getattr(ours, kind))
        states = (drawn(B, H), drawn(B, H)) if name == "lstm" else drawn(B, H)
        calls: list[tuple[Any, ...]] = [(drawn(B, 6),), (drawn(B, 6), states), (drawn(6),)]
        calls.append((drawn(6), (states[0][0], states[1][0]) if isinstance(states, tuple) else states[0]))
        for call in calls:
            torch.testing.assert_close(step(*call), peer(*call))
        for call, message in (
            ((drawn(B, 7),), r"input has shape \[3, 7\]; .* the last of input_size 6"),
            ((drawn(1, B, 6),), "it must have 1 or 2 dimensions"),
            (
                (drawn(B, 6), (drawn(1, H),) * 2 if name == "lstm" else drawn(1, H)),
                r"shape \[1, 8\]; it must be \[3, 8\]",
            ),
        ):
            with pytest.raises(ValueError, match=message):
                step(*call)
    built_on = load(export_module(LIBRARY["gru"].formula, "cell")).CellCell(6, H, device="meta", dtype=torch.float64)
    assert {(weight.device.type, weight.dtype) for weight in built_on.parameters()} == {("meta", torch.float64)}


def test_both_ways_are_the_cell_forwards_and_the_cell_on_the_reversed_sequence(load: Load) -> None:
    for name in ("mut1", "sLSTM", "eleven states"):
        exported = export_module(FORMULAS[name], "cell", bidirectional=True)
        module = load(exported)
        both = module.Cell(H, H)
        assert both.bidirectional
        ahead, back = (module.Cell(H, H, bidirectional=False) for _ in range(2))
        ahead.layers[0].load_state_dict(both.layers[0].state_dict())
        back.layers[0].load_state_dict(both.layers[1].state_dict())
        x = drawn(T, B, H)
        output, states = both(x)
        first, second = ahead(x), back(x.flip(0))
        torch.testing.assert_close(output, torch.cat([first[0], second[0].flip(0)], -1), equal_nan=True)
        for got, one, other in zip(
            *(s if isinstance(s, tuple) else (s,) for s in (states, first[1], second[1])), strict=True
        ):
            torch.testing.assert_close(got, torch.cat([one, other]), equal_nan=True)
    with pytest.raises(ValueError, match="input_size 16 must equal hidden_size 8: this cell reads x itself"):
        load(export_module(LIBRARY["mut1"].formula, "cell")).Cell(H, H, 2, bidirectional=True)


def test_dropout_is_between_layers_and_only_while_training(load: Load) -> None:
    one, _ = built(load, LIBRARY["gru"].formula, H, H, 1, dropout=0.9)
    two, _ = built(load, LIBRARY["gru"].formula, H, H, 2, dropout=0.9)
    x = drawn(T, B, H)
    assert torch.equal(one(x)[0], one(x)[0])
    assert not torch.equal(two(x)[0], two(x)[0])
    assert torch.equal(two.eval()(x)[0], two(x)[0])


@pytest.mark.parametrize(
    ("formula", "make", "call", "message"),
    [
        ("gru", (6, H, 0), None, "input_size 6, hidden_size 8 and num_layers 0 must all be at least 1"),
        ("gru", (6, 0), None, "hidden_size 0 and"),
        ("gru", (0, H), None, "input_size 0,"),
        ("mut2", (6, H), None, "input_size 6 must equal hidden_size 8"),
        ("gru", (6, H), lambda c: c(drawn(T, B, 7)), r"input has shape \[5, 3, 7\]; .* the last of input_size 6"),
        ("gru", (6, H), lambda c: c(drawn(6)), r"input has shape \[6\]; it must have 2 or 3"),
        ("gru", (6, H), lambda c: c(drawn(0, B, 6)), "input has no steps"),
        ("gru", (6, H), lambda c: c(drawn(T, B, 6), drawn(1, 4, H)), r"shape \[1, 4, 8\]; it must be \[1, 3, 8\]"),
        ("gru", (6, H), lambda c: c(drawn(T, 6), drawn(1, 7)), r"shape \[1, 7\]; it must be \[1, 8\]"),
        ("gru", (6, H), lambda c: c(drawn(T, 6), drawn(1, 1, H)), r"shape \[1, 1, 8\]; it must be \[1, 8\]"),
        ("lstm", (6, H), lambda c: c(drawn(T, B, 6), (drawn(1, B, H),)), "this cell has 2 states; hx has 1"),
        ("gru", (6, H), lambda c: c(pack_sequence([drawn(T, 7)])), "input has 7 features; it must have input_size 6"),
        # It adds x as it is: one feature would be spread over all units, without a word.
        (
            "h' = tanh(linear(h) + x)",
            (H, H),
            lambda c: c(pack_sequence([drawn(T, 1)])),
            "input has 1 features; it must have input_size 8",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    formula: str, make: tuple[int, ...], call: Callable[[Any], Any] | None, message: str, load: Load
) -> None:
    if call is None:
        with pytest.raises(ValueError, match=message):
            built(load, LIBRARY[formula].formula, *make)
    else:
        cell, _ = built(load, LIBRARY[formula].formula if formula in LIBRARY else formula, *make)
        with pytest.raises(ValueError, match=message):
            call(cell)


def test_device_and_dtype_are_those_of_the_arguments_as_in_torch(load: Load) -> None:
    cell, _ = built(load, LIBRARY["lstm"].formula, 6, H, 2, device="meta", dtype=torch.float64)
    peer = torch.nn.LSTM(6, H, 2, device="meta", dtype=torch.float64)
    for module in (cell, peer):
        assert {(weight.device.type, weight.dtype) for weight in module.parameters()} == {("meta", torch.float64)}
    assert cell(torch.zeros(T, B, 6, device="meta", dtype=torch.float64))[0].shape == (T, B, H)


def test_cells_that_read_x_itself_say_so_and_others_take_any_size(load: Load) -> None:
    for name in FORMULAS:
        exported = export_module(FORMULAS[name], "cell")
        module = load(exported)
        square = "must equal hidden_size" in exported.text
        try:
            cell = module.Cell(6, H, 2)
        except ValueError:
            assert square or "GroupedLinear" in exported.text, name
            continue
        assert not square, name
        assert cell(drawn(T, B, 6))[0].shape == (T, B, H)


# --- Training


def test_numbers_start_as_the_formula_says(load: Load) -> None:
    torch.manual_seed(0)
    units = 200
    cell, exported = built(
        load,
        "f = sigmoid(linear(x, bias=1.5) + linear(h, 0.9)); h' = f * tanh(linear(h, -2) + linear(x))",
        units,
        units,
    )
    layer, bound = cell.layers[0], units**-0.5
    for part, start in zip(layer.from_x.bias.chunk(2), (1.5, 0.0), strict=True):
        assert (part - start).abs().max() <= bound * (1 + 1e-5)
        assert (part - start).std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
    for part, diagonal in zip(layer.from_h.weight.chunk(2), (0.9, -2.0), strict=True):
        rest = part - diagonal * torch.eye(units)
        assert rest.abs().max() <= bound * (1 + 1e-4)
        assert rest.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    layer.reset_parameters(scale=0.1)
    assert (layer.from_x.bias.chunk(2)[0] - 1.5).abs().max() <= 0.1 * bound * (1 + 1e-4)
    without, _ = built(load, "h' = tanh(linear(x, bias=1) + linear(h))", 4, 4, bias=False)
    assert without.layers[0].from_x.bias is None
    assert exported.name == "Cell"


LINE = StartRule(Rule.LINSPACE, (0.0, -1.0))


def test_all_starts_are_those_of_the_models_that_are_trained(load: Load) -> None:
    torch.manual_seed(0)
    units = 120
    cell, exported = built(load, STARTED, units, units)
    graph = parse_formula(STARTED).canonical()
    layout = layout_of(graph)

    def trained(seed: int) -> dict[str, Tensor]:
        """Return the start of a layer of a model that is trained."""
        generator = torch.Generator().manual_seed(seed)

        def uniform(*shape: int) -> Tensor:
            return torch.empty(*shape).uniform_(-(units**-0.5), units**-0.5, generator=generator)

        blocks = tuple(uniform(g, units // g, units // g) for g in layout.groups)
        full, biases = uniform(len(layout.full), units, units), uniform(len(layout.biased), units)
        layer = LayerParameters(full, biases, blocks, uniform(len(layout.vectors), units))
        apply_starts(graph, layer, generator)
        return layer_weights(graph, layer, exported.parameters)

    found, expected, another = cell.layers[0].state_dict(), trained(1), trained(2)
    assert found.keys() == expected.keys()
    # Parts without a random draw are equal up to rounding; others come from the same distribution.
    fixed = []
    for parameter in exported.parameters:
        name, parts = parameter.name, len(parameter.sources)
        for one, other, ours in zip(*(given[name].chunk(parts) for given in (expected, another, found)), strict=True):
            if torch.equal(one, other):
                torch.testing.assert_close(ours, one, rtol=1e-6, atol=0.0)
                fixed.append(name)
            else:
                assert ks_2samp(one.flatten(), ours.flatten()).pvalue > 1e-3, name
    assert sorted(fixed) == sorted(
        ["from_f.weight", "from_f2.weight", "from_i.weight", "from_o.bias", "norm_n.weight", "norm_n.bias"]
        + [name for name, node in _params(graph, exported) if node.start in (1.0, -0.5, LINE)]
    )
    starts = {node.start: found[name] for name, node in _params(graph, exported)}
    torch.testing.assert_close(starts[LINE], -torch.linspace(0, 1, units))
    biases = found["from_x.bias"].chunk(3)
    assert torch.equal(biases[0], -biases[1])
    assert torch.equal(biases[0], starts[StartRule(Rule.CHRONO, (100.0,))])
    assert not torch.equal(biases[0], biases[2])
    assert torch.equal(found["from_h.bias"].chunk(3)[1], starts[StartRule(Rule.UNIFORM_GATE)])
    assert biases[0].min() > 0.0
    assert biases[0].max() < np.log(99)
    eye = torch.eye(units)
    for matrix in (found["from_h.weight"][-units:], *found["from_o.weight"].chunk(3)[:2]):
        torch.testing.assert_close(matrix @ matrix.T, eye, rtol=0.0, atol=1e-5)
    for block in found["from_i.weight"][1]:
        torch.testing.assert_close(block @ block.T, torch.eye(units // 4), rtol=0.0, atol=1e-5)


def _params(graph: GateGraph, exported: Exported) -> Iterator[tuple[str, Node]]:
    for parameter in exported.parameters:
        if parameter.role is Role.VECTOR:
            yield parameter.name, graph.nodes[parameter.sources[0]]


def test_a_layer_of_one_or_two_units_starts_too(load: Load) -> None:
    formula = "h' = tanh(linear(x, bias=uniform_gate) + param(linspace(2, 3)) * h + param(chrono(5)))"
    for units in (1, 2):
        cell, _ = built(load, formula, 3, units)
        layer = cell.layers[0]
        assert layer.p_h.tolist() == pytest.approx([2.0, 3.0][:units])
        assert layer.from_x.bias.tolist() == pytest.approx([0.0] * units, abs=1e-6)


def test_without_bias_only_what_the_formula_names_is_left(load: Load) -> None:
    formula = "h' = norm(linear(x, bias=1) + linear(h, groups=2, bias=chrono(9))) + param(1) * h + linear(c)\nc' = h"
    cell, exported = built(load, formula, 4, H, 2, bias=False)
    assert {name for name, _ in cell.named_parameters()} == {
        f"layers.{k}.{name}" for k in range(2) for name in ("from_x.weight", "from_h.weight", "from_c.weight", "p_h")
    } | {f"layers.{k}.norm_h.weight" for k in range(2)}
    assert cell(drawn(T, B, 4))[0].shape == (T, B, H)
    assert "Without `bias`, matrices have no biases and layer norms no offsets;" in exported.text


def test_a_network_learns_in_a_plain_loop(load: Load) -> None:
    torch.manual_seed(0)
    exported = export_module(LIBRARY["mut3"].formula, "mut3", (), Network(4, True, 4, 16, 1, "w.safetensors"))
    network = load(exported).Mut3Network()
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    symbols = torch.randint(0, 4, (9, 32))
    losses = []
    for _ in range(60):
        logits, _ = network(symbols)
        # What was read the step before: only a state can know it.
        loss = nn.functional.cross_entropy(logits[1:].flatten(0, 1), symbols[:-1].flatten())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(4), abs=0.3)
    assert losses[-1] < 0.1


# --- Texts from elsewhere


def test_nothing_that_a_text_says_gets_out_of_the_docstring(load: Load) -> None:
    hostile = '"""\nimport nowhere\n"""\\'
    formula = f"h' = tanh(linear(x) + linear(h))  # {hostile.splitlines()[0]} \\"
    network = Network(4, True, 4, 8, 1, '"); import nowhere; ("\n"""')
    exported = export_module(formula, hostile, (hostile, "a\x00b\u202ec\x85d"), network)
    module = load(exported)
    assert module.__doc__ is not None
    assert '"""' in module.__doc__
    assert "\x00" not in exported.text
    assert re.fullmatch(r"[A-Za-z]\w*", exported.name)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("lstm-b", "LSTMB"),
        ("gru-after", "GRUAfter"),
        ("3fa2b6c1", "Cell3fa2b6c1"),
        ("g3fa2b6c1", "Cell3fa2b6c1"),
        ("g3fa2", "G3fa2"),
        ("abcdefab", "Cellabcdefab"),
        ("my cell", "MyCell"),
        ("2fast", "Cell2fast"),
        ("\u00e9\u00e9", "Cell"),
        ("none", "Cellnone"),  # what Python and the module have already
        ("tensor", "Celltensor"),
        ("valueError", "CellvalueError"),
        ("groupedLinear", "CellgroupedLinear"),
        ("indrnn", "IndRNN"),
        ("peephole-lstm", "PeepholeLSTM"),
    ],
)
def test_names_of_classes(label: str, name: str) -> None:
    assert class_name(label) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("list", "this name already"),
        ("Tensor", "this name already"),
        ("States", "this name already"),
        ("My Cell", "only letters, digits and _"),
        ("2fast", "begin with a letter"),
        ("_Cell", "begin with a letter"),
        ("Caf\u00e9", "only letters, digits and _"),
        ("", "begin with a letter"),
        ("A\nimport os", "begin with a letter"),
        ("A" * 33, "it has 33 letters, at most 32 are possible"),
    ],
)
def test_a_name_that_no_class_can_have_is_refused(name: str, reason: str) -> None:
    with pytest.raises(CellError, match=reason) as found:
        export_module(LIBRARY["gru"].formula, "gru", name=name)
    assert len(str(found.value).splitlines()) == 1


def test_a_long_name_fits_on_the_lines(load: Load, tmp_path: Path) -> None:
    name = "A" * 32
    for k, formula in enumerate(("gru", "lstm", "eleven states", "initial values")):
        network = Network(40, True, 31, 128, 2, "cell.safetensors")
        exported = export_module(FORMULAS[formula], "cell", (), network, name=name, bidirectional=True)
        assert exported.name == name
        assert hasattr(load(exported), f"{name}Cell")
        (tmp_path / f"m{k}.py").write_text(exported.text, "utf-8")
        (tmp_path / f"e{k}.py").write_text(export_equinox(FORMULAS[formula], "cell", name=name), "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--no-cache", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
