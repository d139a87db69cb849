"""Source of the classes of an exported module: one layer, the layers of a cell, and the network around them.

Code that is the same for all cells is written here; `layer_code` supplies the equations of the cell.
"""

from dataclasses import dataclass
from textwrap import wrap

from search.cells.export.layer_code import LINE_WIDTH, LayerCode


@dataclass(frozen=True)
class Network:
    """Network around a cell that was trained on a task: embedding or projection, layers, readout.

    `output_size` is the vocabulary size, or the number of notes in a piano roll; `symbols` says which. `weights` is the
    name of the file with the parameters.
    """

    output_size: int
    symbols: bool
    units: int
    layers: int
    weights: str


def hidden_states(code: LayerCode) -> str:
    """Return the names of the states after the last step: `h_n`, or `(h_n, c_n)`."""
    last = [f"{state}_n" for state in code.states]
    if len(last) > 3:
        last = [last[0], "...", last[-1]]
    return last[0] if len(last) == 1 else f"({', '.join(last)})"


def _indented(lines: tuple[str, ...] | list[str], depth: int = 2) -> str:
    return "\n".join(f"{'    ' * depth}{line}" for line in lines)


IMPORTS = """\
from __future__ import annotations

import math
from typing import overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence"""


def _added(tensor: str, what: str, comment: str) -> list[str]:
    """Return the lines that change a part of a parameter: one line if it fits."""
    if len(tensor + what + comment) <= LINE_WIDTH - 12:
        return [tensor + what + comment]
    start = " " * (len(tensor) - len(tensor.lstrip()))
    return [f"{start}part = {tensor.lstrip()}", f"{start}part{what}"]


def layer_class(name: str, code: LayerCode) -> str:
    """Return the class of one layer: its matrices, their initialisation, and a time step."""
    blocks = []
    for block in code.blocks:
        size = "input_size" if block.reads_input else "hidden_size"
        count = len(block.matrices)
        out = f"{count} * hidden_size" if count > 1 else "hidden_size"
        line = f"self.{block.attribute} = nn.Linear({size}, {out}, bias)"
        comment = f"  # {', '.join(block.targets)}"
        blocks.append(line + comment if count > 1 and len(line + comment) <= LINE_WIDTH - 8 else line)
    starts = []
    for block in code.blocks:
        count = len(block.matrices)
        for k, (identity, bias) in enumerate(zip(block.identities, block.biases, strict=True)):
            part = f".chunk({count})[{k}]" if count > 1 else ""
            comment = f"  # {block.targets[k]}" if count > 1 else ""
            if identity:
                starts += _added(f"self.{block.attribute}.weight{part}", f".diagonal().add_({identity!r})", comment)
            if bias:
                starts.append(f"if self.{block.attribute}.bias is not None:")
                starts += _added(f"    self.{block.attribute}.bias{part}", f".add_({bias!r})", comment)
    after = ""
    if starts:
        after = "\n        with torch.no_grad():\n" + _indented(starts, 3)
    told = ", then add the formula's initial values" if starts else ""
    states = ", ".join(code.states)
    return (
        f'''\
class {name}Layer(nn.Module):
    """One layer. T steps, B sequences, I = input_size, H = hidden_size."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
{"".join(f"        {line}{chr(10)}" for line in blocks)}\
        self.reset_parameters()

    def reset_parameters(self, scale: float = 1.0) -> None:
        """Draw from U[-s, s] with s = scale / sqrt(H){told}."""
        bound = scale / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound){after}

    def prepare(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute what depends on x alone, (T, B, I) to (T, B, H), for all steps."""
{_indented(code.prepare)}

    def step(
        self, parts: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Take one step from its prepared parts and the states ({states}), (B, H) each."""
{_indented(code.step)}
'''
        + _SEQUENCE
    )


_SEQUENCE = '''
    def forward(
        self,
        x: Tensor,
        states: tuple[Tensor, ...],
        batch_sizes: list[int] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return outputs (T, B, H) and last states; packed input keeps its row order."""
        outputs: list[Tensor] = []
        ended: list[tuple[Tensor, ...]] = []
        if batch_sizes is None:
            steps = [part.unbind(0) for part in self.prepare(x)]
        else:
            steps = [torch.split(part, batch_sizes) for part in self.prepare(x)]
        for parts in zip(*steps, strict=True):
            if batch_sizes is not None and len(parts[0]) < len(states[0]):
                rows = len(parts[0])  # the shortest of the sequences have ended
                ended.append(tuple(state[rows:] for state in states))
                states = tuple(state[:rows] for state in states)
            states = self.step(parts, states)
            outputs.append(states[0])
        if batch_sizes is None:
            return torch.stack(outputs), states
        ended.append(states)
        last = tuple(torch.cat(rows[::-1]) for rows in zip(*ended, strict=True))
        return torch.cat(outputs), last'''


def _state_type(count: int) -> str:
    if count == 1:
        return "Tensor"
    return f"tuple[{', '.join(['Tensor'] * count)}]" if count <= 3 else "tuple[Tensor, ...]"


def _result(count: int) -> str:
    if count == 1:
        return "final[0]"
    return f"({', '.join(f'final[{k}]' for k in range(count))})" if count <= 3 else "tuple(final)"


def _fitting(head: str, inside: str, tail: str, depth: int) -> str:
    """Return one line if it fits, else three."""
    indent = "    " * depth
    if len(line := f"{indent}{head}{inside}{tail}") <= LINE_WIDTH:
        return line
    return f"{indent}{head}\n{indent}    {inside}\n{indent}{tail}"


def cell_class(name: str, code: LayerCode) -> str:
    """Return the class of a cell's layers, with the arguments, shapes and states of `torch.nn.LSTM`."""
    count = len(code.states)
    state, result = _state_type(count), _result(count)
    told = wrap(
        "input: (T, B, I), or (B, T, I) with batch_first, or (T, I) without a batch, or a packed sequence. "
        f"output: the same, with H in place of I. hx and the last states are {hidden_states(code)}: "
        f"{'each ' if count > 1 else ''}(num_layers, B, H), or "
        "(num_layers, H) without a batch. Initial states default to zeros. Unlike nn.LSTM, there is no bidirectional "
        "and no proj_size.",
        LINE_WIDTH - 4,
    )
    layers = _fitting("self.layers = nn.ModuleList(", f"{name}Layer(size, hidden_size, bias) for size in sizes", ")", 2)
    square = _SQUARE if code.square else ""
    states = "hx" if count > 1 else "None if hx is None else (hx,)"
    checked = _COUNTED.format(count=count) if count > 1 else ""
    return f'''\
class {name}(nn.Module):
    """`num_layers` layers with dropout between them, used like `torch.nn.LSTM`.

{_indented(told, 1)}
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
{square}        if min(input_size, hidden_size, num_layers) < 1:
            raise ValueError(
                f"input_size {{input_size}}, hidden_size {{hidden_size}} and num_layers "
                f"{{num_layers}} must all be at least 1"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = nn.Dropout(dropout)
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
{layers}
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
        self,
        input: Tensor | PackedSequence,
        hx: {state} | None = None,
    ) -> tuple[Tensor | PackedSequence, {state}]:
        """Return the last layer's output at all steps, and all layers' last states."""
{checked}        states: tuple[Tensor, ...] | None = {states}
        if isinstance(input, PackedSequence):
            return self._packed(input, states)
        if input.dim() not in (2, 3) or input.size(-1) != self.input_size:
            raise ValueError(
                f"input has shape {{tuple(input.shape)}}; it must have 2 or 3 dimensions, "
                f"the last of input_size {{self.input_size}}"
            )
        x = input
        batch = () if input.dim() == 2 else (x.size(0 if self.batch_first else 1),)
        first = self._states(states, batch, x)
        if input.dim() == 2:
            x, first = x.unsqueeze(1), [s.unsqueeze(1) for s in first]
        elif self.batch_first:
            x = x.transpose(0, 1)
        if not x.size(0):
            raise ValueError("input has no steps; a sequence needs at least one")
        x, final = self._run(x, first)
        if input.dim() == 2:
            x, final = x.squeeze(1), [s.squeeze(1) for s in final]
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, {result}

    def _packed(
        self, packed: PackedSequence, hx: tuple[Tensor, ...] | None
    ) -> tuple[PackedSequence, {state}]:
        x, sizes, order, back = packed
        if x.size(-1) != self.input_size:
            raise ValueError(
                f"input has {{x.size(-1)}} features; it must have input_size {{self.input_size}}"
            )
        batch_sizes: list[int] = sizes.tolist()
        states = self._states(hx, (batch_sizes[0],), x)
        if order is not None:
            states = [s.index_select(1, order) for s in states]
        x, final = self._run(x, states, batch_sizes)
        if back is not None:
            final = [s.index_select(1, back) for s in final]
        return PackedSequence(x, sizes, order, back), {result}

    def _states(
        self, given: tuple[Tensor, ...] | None, batch: tuple[int, ...], x: Tensor
    ) -> list[Tensor]:
        shape = (self.num_layers, *batch, self.hidden_size)
        if given is None:
            return [x.new_zeros(shape) for _ in range({count})]
        for state in given:
            if state.shape != shape:
                raise ValueError(
                    f"a state has shape {{tuple(state.shape)}}; it must be {{tuple(shape)}}"
                )
        return list(given)

    def _run(
        self, x: Tensor, states: list[Tensor], batch_sizes: list[int] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        finals: list[tuple[Tensor, ...]] = []
        for k, layer in enumerate(self.layers):
            x = self.dropout(x) if k else x
            x, final = layer(x, tuple(s[k] for s in states), batch_sizes)
            finals.append(final)
        return x, [torch.stack(layers) for layers in zip(*finals, strict=True)]'''


_SQUARE = """\
        if input_size != hidden_size:
            raise ValueError(
                f"input_size {input_size} must equal hidden_size {hidden_size}: "
                "this cell reads x itself; put nn.Linear in front"
            )
"""

_COUNTED = """\
        if hx is not None and len(hx) != {count}:
            raise ValueError(f"this cell has {count} states; hx has {{len(hx)}}")
"""


def network_class(name: str, code: LayerCode, network: Network) -> str:
    """Return the class of a whole network: embedding or projection, the cell, readout."""
    state = _state_type(len(code.states))
    what, entry = ("Embedding", "nn.Embedding") if network.symbols else ("Projection", "nn.Linear")
    shape = "symbols (T, B)" if network.symbols else "piano rolls (T, B, V)"
    signature = _fitting(
        "def forward(", f"self, x: Tensor, hx: {state} | None = None", f") -> tuple[Tensor, {state}]:", 1
    )
    return f'''\
class {name}Network(nn.Module):
    """{what}, layers of the cell, readout: {shape} to logits (T, B, V)."""

    def __init__(
        self,
        output_size: int = {network.output_size},
        hidden_size: int = {network.units},
        num_layers: int = {network.layers},
    ) -> None:
        super().__init__()
        self.entry = {entry}(output_size, hidden_size)
        self.cell = {name}(hidden_size, hidden_size, num_layers)
        self.readout = nn.Linear(hidden_size, output_size)

{signature}
        """Return logits, and the states after the last step to continue from."""
        output, hx = self.cell(self.entry(x), hx)
        return self.readout(output), hx'''
