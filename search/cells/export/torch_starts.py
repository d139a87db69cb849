"""Lines that give the parameters of a layer their starts in PyTorch, after the random draw."""

from collections.abc import Iterator

from search.cells.export.layer_parts import Block, LayerCode
from search.cells.export.lines import LINE_WIDTH
from search.cells.starts import RULES, Rule, Start, StartRule
from search.cells.text import number_text


def start_lines(code: LayerCode) -> list[str]:
    """Return the lines of `reset_parameters` after the random draw, without indentation; none if nothing is to do."""
    return _Starts(code).lines


def _added(tensor: str, what: str, comment: str, room: int) -> list[str]:
    """Return the lines that change a part of a parameter: one line if it fits."""
    if len(tensor + what + comment) <= room:
        return [tensor + what + comment]
    start = " " * (len(tensor) - len(tensor.lstrip()))
    return [f"{start}part = {tensor.lstrip()}", f"{start}part{what}"]


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
