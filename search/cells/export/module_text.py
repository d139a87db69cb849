"""Source of the classes of an exported module: one layer, the layers of a cell, and the network around them.

Code that is the same for all cells is written here; `layer_code` supplies the equations of the cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

from search.cells.export.layer_code import LINE_WIDTH, Block, LayerCode
from search.cells.starts import RULES, Rule, Start, StartRule
from search.cells.text import number_text


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


def _indented(lines: tuple[str, ...] | list[str], depth: int = 2) -> str:
    return "\n".join(f"{'    ' * depth}{line}" for line in lines)


IMPORTS = """\
from __future__ import annotations

import math
from typing import overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence"""


def _added(tensor: str, what: str, comment: str, room: int) -> list[str]:
    """Return the lines that change a part of a parameter: one line if it fits."""
    if len(tensor + what + comment) <= room:
        return [tensor + what + comment]
    start = " " * (len(tensor) - len(tensor.lstrip()))
    return [f"{start}part = {tensor.lstrip()}", f"{start}part{what}"]


GROUPED = """\
class GroupedLinear(nn.Module):
    \"\"\"`count` block-diagonal matrices side by side: `groups` equal blocks in each.\"\"\"

    def __init__(
        self, in_features: int, out_features: int, groups: int, count: int, bias: bool
    ) -> None:
        super().__init__()
        if in_features % groups or out_features % groups:
            raise ValueError(
                f"input_size and hidden_size are {in_features} and {out_features}; "
                f"this cell's blocks need multiples of {groups}"
            )
        rows, columns = out_features // groups, in_features // groups
        self.weight = nn.Parameter(torch.empty(count, groups, rows, columns))
        self.bias = nn.Parameter(torch.empty(count * out_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        \"\"\"Map (..., in_features) to (..., count * out_features).\"\"\"
        parts = x.reshape(*x.shape[:-1], self.weight.size(1), -1)
        y = torch.einsum("...gi,ngoi->...ngo", parts, self.weight).flatten(-3)
        return y if self.bias is None else y + self.bias"""
"""Class of block-diagonal matrices, for modules that have any."""


def is_grouped(code: LayerCode) -> bool:
    """Return whether a layer has block-diagonal matrices."""
    return any(block.groups > 1 for block in code.blocks)


def _parameter_lines(code: LayerCode) -> list[str]:
    """Return the lines that make the parameters of a layer."""
    lines = []
    for block in code.blocks:
        size = "input_size" if block.reads_input else "hidden_size"
        bias = "bias" if block.biased else "bias=False"
        count = len(block.nodes)
        out = f"{count} * hidden_size" if count > 1 else "hidden_size"
        line = f"self.{block.attribute} = nn.Linear({size}, {out}, {bias})"
        if block.groups > 1:
            options = f"groups={block.groups}, count={count}, bias={'bias' if block.biased else 'False'}"
            line = f"self.{block.attribute} = GroupedLinear({size}, hidden_size, {options})"
        comment = f"  # {', '.join(block.targets)}"
        if count > 1 and len(line + comment) <= LINE_WIDTH - 8:
            line += comment
        lines += [line] if len(line) <= LINE_WIDTH - 8 else _broken(line)
    for norm in code.norms:
        size = "input_size" if norm.reads_input else "hidden_size"
        lines.append(f"self.{norm.attribute} = nn.LayerNorm({size}, bias=bias)")
    lines += [f"self.{vector.attribute} = nn.Parameter(torch.empty(hidden_size))" for vector in code.vectors]
    return lines


def _broken(call: str) -> list[str]:
    """Return a call with its arguments on a line of their own."""
    head, _, arguments = call.removesuffix(")").partition("(")
    return [f"{head}(", f"    {arguments}", ")"]


class _Starts:
    """Lines of `reset_parameters` after the random draw, and the draws that several vectors share."""

    def __init__(self, code: LayerCode) -> None:
        self.shared: dict[tuple[Rule, tuple[float, ...]], str] = {}
        self.draws: list[str] = []
        lines = [line for block in code.blocks for line in self._matrices(block)]
        for block in code.blocks:
            inner = [line for k in range(len(block.nodes)) for line in self._bias(block, k)]
            if inner:
                lines += [f"if self.{block.attribute}.bias is not None:", *(f"    {line}" for line in inner)]
        for vector in code.vectors:
            lines.append(f"self.{vector.attribute}{self._start(vector.start)}")
        self.lines = [*self.draws, *lines]

    def _matrices(self, block: Block) -> Iterator[str]:
        """Yield the lines for the matrices of a block: one statement for all of them if they start alike."""
        count = len(block.nodes)
        starts = [(node.identity, node.random, node.orthogonal) for node in block.nodes]
        weight = f"self.{block.attribute}.weight"
        diagonal = ".diagonal(dim1=-2, dim2=-1)" if block.groups > 1 else ".diagonal()"
        if count > 1 and len(set(starts)) == 1 and starts[0] != _PLAIN:
            parts = weight if block.groups > 1 else f"{weight}.chunk({count})"
            comment = f"  # {', '.join(block.targets)}"
            head = f"for part in {parts}:"
            yield head + comment if len(head + comment) <= LINE_WIDTH - 12 else head
            for text in _matrix("part", diagonal, *starts[0], block.groups > 1, "", LINE_WIDTH - 16):
                yield f"    {text}"
            return
        for k, start in enumerate(starts):
            part = f"[{k}]" if block.groups > 1 else f".chunk({count})[{k}]" if count > 1 else ""
            comment = f"  # {block.targets[k]}" if count > 1 else ""
            yield from _matrix(weight + part, diagonal, *start, block.groups > 1, comment, LINE_WIDTH - 12)

    def _bias(self, block: Block, k: int) -> list[str]:
        """Return the lines for a bias, which follow a test that there is one."""
        bias = block.nodes[k].bias
        if bias is None or bias == 0.0:
            return []
        count = len(block.nodes)
        part = f".chunk({count})[{k}]" if count > 1 else ""
        what = self._start(bias) if isinstance(bias, StartRule) else f".add_({bias!r})"
        comment = f"  # {block.targets[k]}" if count > 1 else ""
        return _added(f"self.{block.attribute}.bias{part}", what, comment, LINE_WIDTH - 16)

    def _start(self, start: Start) -> str:
        """Return the call on a vector that gives it its start."""
        if not isinstance(start, StartRule):
            return f".fill_({start!r})" if start else ".zero_()"
        if RULES[start.rule].shared:
            return f".copy_({'-' if start.negative else ''}{self._draw(start)})"
        low, high = start.arguments
        if start.rule is Rule.LINSPACE:
            low, high = (-low, -high) if start.negative else (low, high)
            return f".copy_(torch.linspace({low!r}, {high!r}, self.hidden_size))"
        low, high = (-high, -low) if start.negative else (low, high)
        return f".uniform_({low!r}, {high!r})"

    def _draw(self, start: StartRule) -> str:
        """Return the name of the draw of a rule that vectors share."""
        key = start.rule, start.arguments
        if key not in self.shared:
            earlier = sum(rule is start.rule for rule, _ in self.shared)
            name = self.shared[key] = f"{start.rule.value}{earlier + 1 if earlier else ''}"
            empty = "torch.empty(self.hidden_size)"
            if start.rule is Rule.CHRONO:
                self.draws.append(f"{name} = {empty}.uniform_(1.0, {start.arguments[0] - 1.0!r}).log()")
            else:
                assert start.rule is Rule.UNIFORM_GATE
                low = f"1 / {number_text(start.arguments[0])}" if start.arguments else "1 / max(self.hidden_size, 2)"
                self.draws += [f"low = {low}", f"{name} = {empty}.uniform_(low, 1 - low).logit()"]
        return self.shared[key]


_PLAIN = 0.0, 1.0, False
"""Start of a matrix without options: identity, random, orthogonal."""


def _matrix(
    weight: str, diagonal: str, identity: float, random: float, orthogonal: bool, grouped: bool, comment: str, room: int
) -> Iterator[str]:
    """Yield the lines for the start of one matrix."""
    if orthogonal and grouped:
        yield f"for block in {weight}:{comment}"
        yield "    nn.init.orthogonal_(block)"
    elif orthogonal:
        yield f"nn.init.orthogonal_({weight}){comment}"
    if random != 1.0:
        yield from _added(weight, f".mul_({random!r})" if random else ".zero_()", comment, room)
    if identity:
        yield from _added(weight, f"{diagonal}.add_({identity!r})", comment, room)


def layer_class(name: str, code: LayerCode) -> str:
    """Return the class of one layer: its parameters, their initialisation, and a time step."""
    starts = _Starts(code).lines
    after = ""
    if code.norms:
        after += """
        for module in self.children():
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()  # gain 1, offset 0"""
    if starts:
        after += "\n        with torch.no_grad():\n" + _indented(starts, 3)
    told = ", then apply the formula's starts" if starts else ""
    states = ", ".join(code.states)
    return (
        f'''\
class {name}Layer(nn.Module):
    """One layer. T steps, B sequences, I = input_size, H = hidden_size."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
{"".join(f"        {line}{chr(10)}" for line in _parameter_lines(code))}\
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
        "and no proj_size."
        + (" Without `bias`, matrices have no biases" if code.vectors or code.norms else "")
        + (" and layer norms no offsets" if code.norms else "")
        + ("; learned vectors stay" if code.vectors else "")
        + ("." if code.vectors or code.norms else ""),
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
    shape = "symbols (T, B)" if network.symbols else "values (T, B, D)"
    what_out = "means (T, B, V) of normal distributions" if network.scaled else "outputs (T, B, V)"
    scales = "\n        self.log_scale = nn.Parameter(torch.zeros(output_size))" if network.scaled else ""
    signature = _fitting(
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
        self.cell = {name}(hidden_size, hidden_size, num_layers)
        self.readout = nn.Linear(hidden_size, output_size){scales}

{signature}
        """Return outputs, and the states after the last step to continue from."""
        output, hx = self.cell(self.entry(x), hx)
        return self.readout(output), hx'''
