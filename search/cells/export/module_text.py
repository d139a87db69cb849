"""Source of the classes above one layer: the layers of a cell, used like `torch.nn.LSTM`, and the network around them.

Code that is the same for all cells is written here; `layer_text` supplies the layer.
"""

from dataclasses import dataclass
from textwrap import wrap

from search.cells.export.layer_parts import LayerCode
from search.cells.export.layer_text import CHECKED, COUNTED, packed, state_alias, state_type, unpacked
from search.cells.export.lines import LINE_WIDTH, fitting, indented


@dataclass(frozen=True)
class Network:
    """Network around a cell that was trained on a task: embedding or projection, layers, readout.

    Attributes:
        input_size: number of symbols, or of values of a step.
        symbols: whether an input is one symbol, not a vector of values.
        output_size: number of outputs: logits, or means of real values.
        units: size of the hidden state.
        layers: number of layers of the cell.
        weights: name of the file with the parameters.
        scaled: whether the outputs are means of normal distributions with a learned scale each.
    """

    input_size: int
    symbols: bool
    output_size: int
    units: int
    layers: int
    weights: str
    scaled: bool = False


def hidden_states(code: LayerCode) -> str:
    """Return the names of the states after the last step: `h_n`, or `(h_n, c_n)`."""
    last = [f"{state}_n" for state in code.states]
    if len(last) > 3:
        last = [last[0], "...", last[-1]]
    return last[0] if len(last) == 1 else f"({', '.join(last)})"


def imports(code: LayerCode) -> str:
    """Return the import statements of a module, and the names of its types."""
    count = len(code.states)
    return f"""\
from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    Sequences: TypeAlias = Tensor | PackedSequence
else:
    Sequences = Tensor  # torch.jit.script compiles the code for tensors alone{state_alias(count)}"""


def cell_class(name: str, code: LayerCode, bidirectional: bool = False) -> str:
    """Return the class of a cell's layers, with the arguments, shapes and states of `torch.nn.LSTM`.

    Args:
        name: name of the class.
        code: the cell.
        bidirectional: default of the argument `bidirectional`.
    """
    count = len(code.states)
    state = state_type(count)
    told = wrap(
        "input: (T, B, I), or (B, T, I) with batch_first, or (T, I) without a batch, or a packed sequence. "
        "output: the same, with H in place of I. hx and the last states are "
        f"{hidden_states(code)}: {'each ' if count > 1 else ''}(num_layers, B, H), or (num_layers, H) without a batch. "
        "Initial states default to zeros. With bidirectional, each layer also goes from the end to the start: outputs "
        "have 2 H, and states 2 num_layers in place of num_layers, as in nn.LSTM; layers[1], layers[3], ... are "
        "those that go back. Unlike nn.LSTM, there is no proj_size."
        + (" Without `bias`, matrices have no biases" if code.vectors or code.norms else "")
        + (" and layer norms no offsets" if code.norms else "")
        + ("; learned vectors stay" if code.vectors else "")
        + ("." if code.vectors or code.norms else ""),
        LINE_WIDTH - 4,
    )
    counted = COUNTED.format(count=count) if count > 1 else ""
    made = fitting("def _states(", f"self, hx: {state} | None, batch: list[int], x: Tensor", ") -> list[Tensor]:", 1)
    return f'''\
class {name}(nn.Module):
    """`num_layers` layers with dropout between them, used like `torch.nn.LSTM`.

{indented(told, 1)}
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = {bidirectional},
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if min(input_size, hidden_size, num_layers) < 1:
            raise ValueError(
                f"input_size {{input_size}}, hidden_size {{hidden_size}} and num_layers "
                f"{{num_layers}} must all be at least 1"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = nn.Dropout(dropout)
        self.bidirectional = bidirectional
        self.directions = 2 if bidirectional else 1
        self.layers = nn.ModuleList()
        for k in range(num_layers):
            size = self.directions * hidden_size if k else input_size
            for _ in range(self.directions):
                layer = {name}Layer(size, hidden_size, bias)
                self.layers.append(layer)
        self.to(device=device, dtype=dtype)

    @overload
    def forward(
        self, input: Tensor, hx: {state} | None = None
    ) -> tuple[Tensor, {state}]: ...

    @overload
    def forward(
        self, input: PackedSequence, hx: {state} | None = None
    ) -> tuple[PackedSequence, {state}]: ...

    def forward(
        self, input: Sequences, hx: {state} | None = None
    ) -> tuple[Sequences, {state}]:
        """Return the last layer's output at all steps, and all layers' last states."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        batched = input.dim() == 3
        if (not batched and input.dim() != 2) or input.size(-1) != self.input_size:
            raise ValueError(
                f"input has shape {{list(input.shape)}}; it must have 2 or 3 dimensions, "
                f"the last of input_size {{self.input_size}}"
            )
        x = input.transpose(0, 1) if batched and self.batch_first else input
        if x.size(0) < 1:
            raise ValueError("input has no steps; a sequence needs at least one")
        first = self._states(hx, list(x.shape[1:-1]), x)
        if not batched:
            x = x.unsqueeze(1)
            first = [state.unsqueeze(1) for state in first]
        output, final = self._run(x, first, None)
        if not batched:
            output, final = output.squeeze(1), [state.squeeze(1) for state in final]
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, {_result("final", count)}

    def _packed(
        self, input: PackedSequence, hx: {state} | None
    ) -> tuple[PackedSequence, {state}]:
        x, sizes, order, back = input
        if x.size(-1) != self.input_size:
            raise ValueError(
                f"input has {{x.size(-1)}} features; "
                f"it must have input_size {{self.input_size}}"
            )
        batch_sizes: list[int] = sizes.tolist()
        states = self._states(hx, [batch_sizes[0]], x)
        if order is not None:
            states = [state.index_select(1, order) for state in states]
        x, final = self._run(x, states, batch_sizes)
        if back is not None:
            final = [state.index_select(1, back) for state in final]
        return PackedSequence(x, sizes, order, back), {_result("final", count)}

{made}
        shape = [self.num_layers * self.directions] + batch + [self.hidden_size]
        if hx is None:
            states = [x.new_zeros(shape) for _ in range({count})]
        else:
{counted}            states = {unpacked("hx", count)}
{CHECKED}
        return states

    def _run(
        self, x: Tensor, states: list[Tensor], sizes: list[int] | None
    ) -> tuple[Tensor, list[Tensor]]:
        outputs: list[Tensor] = []
        finals: list[list[Tensor]] = []
        for k, layer in enumerate(self.layers):
            if k and k % self.directions == 0:
                x = self.dropout(torch.cat(outputs[-self.directions :], -1))
            reverse = self.bidirectional and k % 2 == 1
            output, final = layer(x, [state[k] for state in states], sizes, reverse)
            outputs.append(output)
            finals.append(final)
        x = torch.cat(outputs[-self.directions :], -1)
        return x, [torch.stack([f[i] for f in finals]) for i in range(len(states))]'''


def _result(name: str, count: int) -> str:
    result = packed(name, count)
    if count == 1:
        return result
    if count <= 3:
        return f"({result})"
    return "(\n" + "".join(f"            {name}[{k}],\n" for k in range(count)) + "        )"


def network_class(name: str, code: LayerCode, network: Network) -> str:
    """Return the class of a whole network: embedding or projection, the cell, readout."""
    state = state_type(len(code.states))
    what, entry = ("Embedding", "nn.Embedding") if network.symbols else ("Projection", "nn.Linear")
    shape = "symbols (T, B)" if network.symbols else "values (T, B, D)"
    what_out = "means (T, B, V) of normal distributions" if network.scaled else "outputs (T, B, V)"
    scales = "\n        self.log_scale = nn.Parameter(torch.zeros(output_size))" if network.scaled else ""
    cell = fitting(f"self.cell = {name}(", "hidden_size, hidden_size, num_layers", ")", 2)
    signature = fitting(
        "def forward(", f"self, x: Tensor, hx: {state} | None = None", f") -> tuple[Tensor, {state}]:", 1
    )
    return f'''\
class {name}Network(nn.Module):
    """{what}, layers of the cell, readout: {shape} to {what_out}."""

    def __init__(
        self,
        input_size: int = {network.input_size},
        output_size: int = {network.output_size},
        hidden_size: int = {network.units},
        num_layers: int = {network.layers},
    ) -> None:
        super().__init__()
        self.entry = {entry}(input_size, hidden_size)
{cell}
        self.readout = nn.Linear(hidden_size, output_size){scales}

{signature}
        """Return outputs, and the states after the last step to continue from."""
        output, hx = self.cell(self.entry(x), hx)
        return self.readout(output), hx'''
