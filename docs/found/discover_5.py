# SPDX-License-Identifier: MIT
"""Discover5: a recurrent cell as a PyTorch module, used like `torch.nn.LSTM`.

    g1 = sigmoid(linear(x))
    g2 = sigmoid(linear(h, groups=4) + linear(x, bias=1.0))
    c' = x * (h + linear(linear(h, groups=4) * x, 1.1) - linear(g1 * h)) + g2 * c
    g3 = sigmoid(linear(x) + linear(h))
    h' = g3 * tanh(c')

Each linear(v) has its own matrix and bias; x is the input, h and c are the states, and
a prime marks a new value. Matrices that read the same value are stacked in one
`nn.Linear`. groups=g makes a matrix block-diagonal with g equal blocks.

Written by gatesearch 0.1.0; cell g4b4bbf3d.

In run contenders: score 0.9682, rank 9 of 20 (the smallest share of the GRU's gain on
arithmetic, xml, language, music).

Best setting by validation in run contenders:

    arithmetic accuracy 0.6412 on validation, 0.6462 on test: 1 layer, learning rate
        0.4, gradient norm at most 2.5, parameters at most 20,000, initial scale 2, 48
        units
    language cross entropy 3.8069 on validation, 3.8379 on test: 1 layer, learning rate
        1.1, gradient norm at most 2.5, parameters at most 60,000, initial scale 2, 28
        units
    memorization accuracy 0.2325 on validation, 0.2355 on test: 1 layer, learning rate
        0.3, gradient norm at most 2.5, parameters at most 12,000, initial scale 2, 40
        units
    music nats per step 9.0114 on validation, 8.9647 on test: 1 layer, learning rate
        0.12, gradient norm at most 5, parameters at most 20,000, initial scale 2, 44
        units
    xml accuracy 0.5257 on validation, 0.5231 on test: 1 layer, learning rate 0.7,
        gradient norm at most 2.5, parameters at most 20,000, initial scale 2, 52 units

Verdict on discover-5 in run contenders: it is better than GRU and LSTM on xml (ahead of
the GRU, the closer one, by 6.3 % of the GRU's gain, 95 % interval 4.7 to 7.9 %), but
worse than the GRU and the LSTM on music (by 7.1 %, 6.1 to 8.0 %); it is undecided on
arithmetic and language.

    arithmetic: undecided at -2.4 % of the GRU's gain against the GRU (95 % interval
        -3.9 to -0.9 %, 24 seeds); undecided at +2.5 % of the GRU's gain against the
        LSTM (95 % interval +0.7 to +4.3 %, 24 seeds)
    xml: better at +6.3 % of the GRU's gain against the GRU (95 % interval +4.7 to +7.9
        %, 24 seeds); better at +43.8 % of the GRU's gain against the LSTM (95 %
        interval +42.3 to +45.3 %, 24 seeds)
    language: undecided at +1.4 % of the GRU's gain against the GRU (95 % interval +0.4
        to +2.4 %, 24 seeds); better at +6.8 % of the GRU's gain against the LSTM (95 %
        interval +6.1 to +7.5 %, 24 seeds)
    music: worse at -3.2 % of the GRU's gain against the GRU (95 % interval -4.2 to -2.2
        %, 24 seeds); worse at -7.1 % of the GRU's gain against the LSTM (95 % interval
        -8.0 to -6.1 %, 24 seeds)

Verdict of run contenders: The named cell discover-3 is better than GRU and LSTM on
arithmetic (ahead of the GRU, the closer one, by 8.9 % of the GRU's gain, 95 % interval
7.5 to 10.3 %), xml (ahead of the GRU by 2.6 %, 1.7 to 3.6 %) and language (ahead of the
GRU by 4.3 %, 3.5 to 5.1 %), but worse than the LSTM on music (by 2.0 %, 1.1 to 2.8 %).
Also better than GRU and LSTM: nbrc on language, gru-after on arithmetic and language,
discover-2 on arithmetic, xml and language, rhn-3 on arithmetic, sru-v1-tanh on language
and music, discover-5 on xml, g-lstm-4 on xml and music, discover-6 on arithmetic and
language, discover-1 on arithmetic and xml, discover-4 on arithmetic and xml; better
than the GRU: lstm on music. Worse than the GRU: fast-4 and fast-2 on all four tasks;
fast-3, lstm and fast-1 on arithmetic, xml and language; fast-5 on arithmetic, xml and
music; nbrc, sru-v1-tanh and brc on arithmetic and xml; lstm-b and g-lstm-4 on
arithmetic and language; discover-5 on music. discover-3 is at least as good as the GRU
on all four tasks (within 2 % of its gain) with 6 % fewer multiply-adds.

The cell combines x itself, not only products with it, with vectors of hidden_size:
input_size must equal hidden_size; put a linear layer or an embedding in front.

torch.jit.script, torch.compile and torch.export take it; torch.export and ONNX
(dynamo=True) keep the axes of time and batch dynamic if dynamic_shapes names them.
torch.compile takes any length without gradients; to train on many lengths, let it
compile the step: `layer.step = torch.compile(layer.step)` for each of cell.layers.
Discover5Cell is one time step.

    cell = Discover5(input_size=128, hidden_size=128)
    output, (h_n, c_n) = cell(x)  # x: (T, B, 128), output: (T, B, 128)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    Sequences: TypeAlias = Tensor | PackedSequence
else:
    Sequences = Tensor  # torch.jit.script compiles the code for tensors alone


class GroupedLinear(nn.Module):
    """`count` block-diagonal matrices side by side: `groups` equal blocks in each."""

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
        """Map (..., in_features) to (..., count * out_features)."""
        count, groups = self.weight.size(0), self.weight.size(1)
        parts = x.chunk(groups, -1)
        stacks: list[list[Tensor]] = []  # of each group, its results for all matrices
        for k in range(groups):
            matrix = self.weight[:, k].flatten(0, 1)
            stacks.append(list(nn.functional.linear(parts[k], matrix).chunk(count, -1)))
        results: list[Tensor] = []
        for m in range(count):
            for k in range(groups):
                results.append(stacks[k][m])
        y = torch.cat(results, -1)
        return y if self.bias is None else y + self.bias


class Discover5Equations(nn.Module):
    """Parameters and equations of a layer. I = input_size, H = hidden_size."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ValueError(
                f"input_size {input_size} and hidden_size {hidden_size} "
                "must both be at least 1"
            )
        if input_size != hidden_size:
            raise ValueError(
                f"input_size {input_size} must equal hidden_size {hidden_size}: "
                "this cell reads x itself; put nn.Linear in front"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.from_x = nn.Linear(input_size, 3 * hidden_size, bias)  # g1, g2, g3
        self.from_h = GroupedLinear(
            hidden_size, hidden_size, groups=4, count=2, bias=bias
        )
        self.from_h_linear_x = nn.Linear(hidden_size, hidden_size, bias)
        self.from_g1_h = nn.Linear(hidden_size, hidden_size, bias)
        self.from_h2 = nn.Linear(hidden_size, hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self, scale: float = 1.0) -> None:
        """Draw from U[-s, s] with s = scale / sqrt(H), then apply the formula's starts."""
        bound = scale / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        with torch.no_grad():
            self.from_h_linear_x.weight.diagonal().add_(1.1)
            if self.from_x.bias is not None:
                self.from_x.bias.chunk(3)[1].add_(1.0)  # g2

    def prepare(self, x: Tensor) -> list[Tensor]:
        """Compute what depends on x alone, (..., I) to (..., H), for all steps."""
        x_g1, x_g2, x_g3 = self.from_x(x).chunk(3, dim=-1)
        g1 = torch.sigmoid(x_g1)
        return [x, g1, x_g2, x_g3]

    def step(self, parts: list[Tensor], states: list[Tensor]) -> list[Tensor]:
        """Take one step from its prepared parts and the states [h, c]."""
        x, g1, x_g2, x_g3 = parts
        h, c = states
        h_g2, h_c = self.from_h(h).chunk(2, dim=-1)
        g2 = torch.sigmoid(h_g2 + x_g2)
        v1 = x * (h + self.from_h_linear_x(h_c * x) - self.from_g1_h(g1 * h))
        c = v1 + g2 * c
        g3 = torch.sigmoid(x_g3 + self.from_h2(h))
        h = g3 * torch.tanh(c)
        return [h, c]


class Discover5Cell(Discover5Equations):
    """One time step, used like `torch.nn.LSTMCell`: input (B, I) or (I,)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias)
        self.to(device=device, dtype=dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the new states, each (B, H) or (H,). They start from zeros."""
        if (input.dim() != 1 and input.dim() != 2) or input.size(-1) != self.input_size:
            raise ValueError(
                f"input has shape {list(input.shape)}; it must have 1 or 2 dimensions, "
                f"the last of input_size {self.input_size}"
            )
        shape = [input.size(k) for k in range(input.dim() - 1)] + [self.hidden_size]
        if hx is None:
            states = [input.new_zeros(shape) for _ in range(2)]
        else:
            if len(hx) != 2:
                raise ValueError(f"this cell has 2 states; hx has {len(hx)}")
            states = list(hx)
            for state in states:
                if list(state.shape) != shape:
                    raise ValueError(
                        f"a state has shape {list(state.shape)}; it must be {shape}"
                    )
        after = self.step(self.prepare(input), states)
        return after[0], after[1]


class Discover5Layer(Discover5Equations):
    """One layer over a sequence. T steps, B sequences."""

    def forward(
        self,
        x: Tensor,
        states: list[Tensor],
        sizes: list[int] | None = None,
        reverse: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return outputs (T, B, H) and last states; `reverse` begins at the end.

        With `sizes`, the batch size of each step, x has the rows of a packed sequence.
        """
        if sizes is not None:
            return self._packed(x, states, sizes, reverse)
        parts = self.prepare(x.flip(0) if reverse else x)
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            output, states = self._loop(parts, states)
        else:
            # Not to train: Inductor's gradients of one scan after another are wrong.
            inferring = torch.compiler.is_compiling() and not torch.is_grad_enabled()
            scans = torch.compiler.is_exporting() or inferring
            output, states = (self._scan if scans else self._loop)(parts, states)
        return output.flip(0) if reverse else output, states

    def _loop(
        self, parts: list[Tensor], states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        steps = [part.unbind(0) for part in parts]
        outputs: list[Tensor] = []
        for t in range(len(steps[0])):
            states = self.step([part[t] for part in steps], states)
            outputs.append(states[0])
        return torch.stack(outputs), states

    def _scan(
        self, parts: list[Tensor], states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Loop in one node of a graph of PyTorch, for any number of steps."""
        from torch._higher_order_ops.scan import scan

        def body(now: list[Tensor], given: list[Tensor]) -> tuple[list[Tensor], Tensor]:
            after = [state.clone() for state in self.step(given, now)]
            return after, after[0].clone()

        plain = torch.contiguous_format  # a view would fix the size of the batch
        first = [state.clone(memory_format=plain) for state in states]
        final, output = scan(body, first, [p.clone(memory_format=plain) for p in parts])
        return output, list(final)

    def _packed(
        self, x: Tensor, first: list[Tensor], sizes: list[int], reverse: bool
    ) -> tuple[Tensor, list[Tensor]]:
        steps = [torch.split(part, sizes) for part in self.prepare(x)]
        outputs: list[Tensor] = []
        if reverse:  # a sequence joins at its last step
            states = [state[:0] for state in first]
            for t in range(len(sizes) - 1, -1, -1):
                rows = states[0].size(0)
                if rows < sizes[t]:
                    new = [state[rows : sizes[t]] for state in first]
                    states = [torch.cat([states[k], new[k]]) for k in range(len(new))]
                states = self.step([part[t] for part in steps], states)
                outputs.append(states[0])
            return torch.cat(outputs[::-1]), states
        states = first
        ended: list[list[Tensor]] = []
        for t in range(len(sizes)):
            if sizes[t] < states[0].size(0):  # the shortest of the sequences have ended
                ended.append([state[sizes[t] :] for state in states])
                states = [state[: sizes[t]] for state in states]
            states = self.step([part[t] for part in steps], states)
            outputs.append(states[0])
        ended.append(states)
        last = [torch.cat([e[k] for e in ended[::-1]]) for k in range(len(states))]
        return torch.cat(outputs), last


class Discover5(nn.Module):
    """`num_layers` layers with dropout between them, used like `torch.nn.LSTM`.

    input: (T, B, I), or (B, T, I) with batch_first, or (T, I) without a batch, or a
    packed sequence. output: the same, with H in place of I. hx and the last states are
    (h_n, c_n): each (num_layers, B, H), or (num_layers, H) without a batch. Initial
    states default to zeros. With bidirectional, each layer also goes from the end to
    the start: outputs have 2 H, and states 2 num_layers in place of num_layers, as in
    nn.LSTM; layers[1], layers[3], ... are those that go back. Unlike nn.LSTM, there is
    no proj_size.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if min(input_size, hidden_size, num_layers) < 1:
            raise ValueError(
                f"input_size {input_size}, hidden_size {hidden_size} and num_layers "
                f"{num_layers} must all be at least 1"
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
                layer = Discover5Layer(size, hidden_size, bias)
                self.layers.append(layer)
        self.to(device=device, dtype=dtype)

    @overload
    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]: ...

    @overload
    def forward(
        self, input: PackedSequence, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[PackedSequence, tuple[Tensor, Tensor]]: ...

    def forward(
        self, input: Sequences, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Sequences, tuple[Tensor, Tensor]]:
        """Return the last layer's output at all steps, and all layers' last states."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        batched = input.dim() == 3
        if (not batched and input.dim() != 2) or input.size(-1) != self.input_size:
            raise ValueError(
                f"input has shape {list(input.shape)}; it must have 2 or 3 dimensions, "
                f"the last of input_size {self.input_size}"
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
        return output, (final[0], final[1])

    def _packed(
        self, input: PackedSequence, hx: tuple[Tensor, Tensor] | None
    ) -> tuple[PackedSequence, tuple[Tensor, Tensor]]:
        x, sizes, order, back = input
        if x.size(-1) != self.input_size:
            raise ValueError(
                f"input has {x.size(-1)} features; "
                f"it must have input_size {self.input_size}"
            )
        batch_sizes: list[int] = sizes.tolist()
        states = self._states(hx, [batch_sizes[0]], x)
        if order is not None:
            states = [state.index_select(1, order) for state in states]
        x, final = self._run(x, states, batch_sizes)
        if back is not None:
            final = [state.index_select(1, back) for state in final]
        return PackedSequence(x, sizes, order, back), (final[0], final[1])

    def _states(
        self, hx: tuple[Tensor, Tensor] | None, batch: list[int], x: Tensor
    ) -> list[Tensor]:
        shape = [self.num_layers * self.directions] + batch + [self.hidden_size]
        if hx is None:
            states = [x.new_zeros(shape) for _ in range(2)]
        else:
            if len(hx) != 2:
                raise ValueError(f"this cell has 2 states; hx has {len(hx)}")
            states = list(hx)
            for state in states:
                if list(state.shape) != shape:
                    raise ValueError(
                        f"a state has shape {list(state.shape)}; it must be {shape}"
                    )
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
        return x, [torch.stack([f[i] for f in finals]) for i in range(len(states))]
