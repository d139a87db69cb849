"""Source of the classes of one layer in PyTorch: its parameters and equations, one time step, and a whole sequence.

Code that is the same for all cells is written here; `layer_code` supplies the equations of the cell. All of it is
within what `torch.jit.script` compiles, but for packed sequences and the graph that `torch.export` is given.
"""

from search.cells.export.layer_parts import LayerCode
from search.cells.export.lines import LINE_WIDTH, fitting, indented
from search.cells.export.torch_starts import start_lines

GROUPED = '''\
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
        return y if self.bias is None else y + self.bias'''
"""Class of block-diagonal matrices, for modules that have any."""


def is_grouped(code: LayerCode) -> bool:
    """Return whether a layer has block-diagonal matrices."""
    return any(block.groups > 1 for block in code.blocks)


def state_type(count: int) -> str:
    """Return the type of the states of a cell; more than three have a name, `States`."""
    if count == 1:
        return "Tensor"
    return f"tuple[{', '.join(['Tensor'] * count)}]" if count <= 3 else "States"


def state_alias(count: int) -> str:
    """Return the line that defines `States`; empty if the type is short enough to be written where it is used."""
    if count <= 3:
        return ""
    return "\n\n" + fitting("States: TypeAlias = tuple[", ", ".join(["Tensor"] * count), "]", 0)


def unpacked(name: str, count: int) -> str:
    """Return the states in a variable as a list."""
    return f"[{name}]" if count == 1 else f"list({name})"


def packed(name: str, count: int) -> str:
    """Return the states in a list as they are given back."""
    if count == 1:
        return f"{name}[0]"
    return f"{', '.join(f'{name}[{k}]' for k in range(count))}"


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


def equations_class(name: str, code: LayerCode) -> str:
    """Return the class of the parameters of a layer, their initialisation, and its equations."""
    starts = start_lines(code)
    after = ""
    if code.norms:
        after += """
        for module in self.children():
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()  # gain 1, offset 0"""
    if starts:
        after += "\n        with torch.no_grad():\n" + indented(starts, 3)
    told = ", then apply the formula's starts" if starts else ""
    square = _SQUARE if code.square else ""
    return f'''\
class {name}Equations(nn.Module):
    """Parameters and equations of a layer. I = input_size, H = hidden_size."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ValueError(
                f"input_size {{input_size}} and hidden_size {{hidden_size}} "
                "must both be at least 1"
            )
{square}        self.input_size = input_size
        self.hidden_size = hidden_size
{"".join(f"        {line}{chr(10)}" for line in _parameter_lines(code))}\
        self.reset_parameters()

    def reset_parameters(self, scale: float = 1.0) -> None:
        """Draw from U[-s, s] with s = scale / sqrt(H){told}."""
        bound = scale / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound){after}

    def prepare(self, x: Tensor) -> list[Tensor]:
        """Compute what depends on x alone, (..., I) to (..., H), for all steps."""
{indented(code.prepare)}

    def step(self, parts: list[Tensor], states: list[Tensor]) -> list[Tensor]:
        """Take one step from its prepared parts and the states {_listed(code)}."""
{indented(code.step)}'''


def _listed(code: LayerCode) -> str:
    """Return the names of the states in brackets, cut in the middle if there are many."""
    names = code.states if len(code.states) <= 6 else (code.states[0], "...", code.states[-1])
    return f"[{', '.join(names)}]"


_SQUARE = """\
        if input_size != hidden_size:
            raise ValueError(
                f"input_size {input_size} must equal hidden_size {hidden_size}: "
                "this cell reads x itself; put nn.Linear in front"
            )
"""


def step_class(name: str, code: LayerCode) -> str:
    """Return the class of a single time step, with the arguments, shapes and states of `torch.nn.LSTMCell`."""
    count = len(code.states)
    state = state_type(count)
    peer = "GRUCell" if count == 1 else "LSTMCell"
    each = "each " if count > 1 else ""
    result = packed("after", count)
    back = f"return {result}"
    if len(back) + 8 > LINE_WIDTH:
        back = "return (\n" + "".join(f"            after[{k}],\n" for k in range(count)) + "        )"
    counted = COUNTED.format(count=count) if count > 1 else ""
    signature = fitting("def forward(", f"self, input: Tensor, hx: {state} | None = None", f") -> {state}:", 1)
    return f'''\
class {name}Cell({name}Equations):
    """One time step, used like `torch.nn.{peer}`: input (B, I) or (I,)."""

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

{signature}
        """Return the new states, {each}(B, H) or (H,). They start from zeros."""
        if (input.dim() != 1 and input.dim() != 2) or input.size(-1) != self.input_size:
            raise ValueError(
                f"input has shape {{list(input.shape)}}; it must have 1 or 2 dimensions, "
                f"the last of input_size {{self.input_size}}"
            )
        shape = [input.size(k) for k in range(input.dim() - 1)] + [self.hidden_size]
        if hx is None:
            states = [input.new_zeros(shape) for _ in range({count})]
        else:
{counted}            states = {unpacked("hx", count)}
{CHECKED}
        after = self.step(self.prepare(input), states)
        {back}'''


COUNTED = """\
            if len(hx) != {count}:
                raise ValueError(f"this cell has {count} states; hx has {{len(hx)}}")
"""
"""Check of the number of states that are given."""

CHECKED = """\
            for state in states:
                if list(state.shape) != shape:
                    raise ValueError(
                        f"a state has shape {list(state.shape)}; it must be {shape}"
                    )"""
"""Check of the shapes of states that are given."""


def layer_class(name: str) -> str:
    """Return the class of a layer that goes through a sequence."""
    return f'''\
class {name}Layer({name}Equations):
    """One layer over a sequence. T steps, B sequences."""

{_SEQUENCE}'''


_SEQUENCE = '''\
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
        return torch.cat(outputs), last'''
