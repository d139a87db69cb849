"""Lines that make the parameters of a layer in JAX: random draws, then the starts that the formula names."""

from collections.abc import Iterator

from search.cells.export.layer_parts import Block, LayerCode
from search.cells.starts import RULES, Rule, Start, StartRule
from search.cells.text import number_text


def start_lines(code: LayerCode) -> list[str]:
    """Return the lines that set the attributes of a layer, without indentation."""
    return _Starts(code).lines


class _Starts:
    """Writer of the lines, which counts the keys that they use."""

    def __init__(self, code: LayerCode) -> None:
        self.keys = 0
        self.shared: dict[tuple[Rule, tuple[float, ...]], str] = {}
        self.draws: list[str] = []
        made = [line for block in code.blocks for line in self._block(block)]
        for norm in code.norms:
            size = "input_size" if norm.reads_input else "hidden_size"
            made.append(f"offset = jnp.zeros({size}) if bias else None")
            made.append(f"self.{norm.attribute} = LayerNorm(jnp.ones({size}), offset)")
        made += [f"self.{vector.attribute} = {self._start(vector.start)}" for vector in code.vectors]
        head = ["bound = 1 / math.sqrt(hidden_size)"] if code.blocks else []
        if self.keys:
            head.append(f"keys = jax.random.split(key, {self.keys})")
        self.lines = [*head, *self.draws, *made]

    def _key(self) -> str:
        self.keys += 1
        return f"keys[{self.keys - 1}]"

    def _block(self, block: Block) -> Iterator[str]:
        size = "input_size" if block.reads_input else "hidden_size"
        count, grouped = len(block.nodes), block.groups > 1
        if grouped:
            yield f"rows, columns = hidden_size // {block.groups}, {size} // {block.groups}"
        shape = f"{block.groups}, rows, columns" if grouped else f"hidden_size, {size}"
        yield from self._parts(count, shape, f"  # {', '.join(block.targets)}")
        for k, node in enumerate(block.nodes):
            if node.orthogonal:
                yield f"parts[{k}] = orthogonal({self._key()}, {shape})"
            if node.random != 1.0:
                yield f"parts[{k}] *= {node.random!r}"
            if node.identity:
                yield f"parts[{k}] += {node.identity!r} * jnp.eye({'rows, columns' if grouped else shape})"
        yield f"weight = jnp.{'stack' if grouped else 'concatenate'}(parts)"
        if block.biased:
            yield from self._parts(count, "hidden_size", "")
            for k, node in enumerate(block.nodes):
                if isinstance(node.bias, StartRule):
                    yield f"parts[{k}] = {self._start(node.bias)}"
                elif node.bias:
                    yield f"parts[{k}] += {node.bias!r}"
            yield "offset = jnp.concatenate(parts) if bias else None"
        offset = "offset" if block.biased else "None"
        yield f"self.{block.attribute} = {'GroupedLinear' if grouped else 'Linear'}(weight, {offset})"

    def _parts(self, count: int, shape: str, comment: str) -> Iterator[str]:
        """Yield the lines for the random draw of several parameters of one shape."""
        if count > 1:
            yield f"own = keys[{self.keys}:{self.keys + count}]{comment if len(comment) < 40 else ''}"
            self.keys += count
            yield f"parts = [drawn(k, bound, {shape}) for k in own]"
        else:
            yield f"parts = [drawn({self._key()}, bound, {shape})]"

    def _start(self, start: Start) -> str:
        """Return the expression of a vector with this start."""
        if not isinstance(start, StartRule):
            return f"jnp.full(hidden_size, {start!r})" if start else "jnp.zeros(hidden_size)"
        if RULES[start.rule].shared:
            return f"{'-' if start.negative else ''}{self._draw(start)}"
        low, high = start.arguments
        if start.rule is Rule.LINSPACE:
            low, high = (-low, -high) if start.negative else (low, high)
            return f"jnp.linspace({low!r}, {high!r}, hidden_size)"
        low, high = (-high, -low) if start.negative else (low, high)
        return f"between({self._key()}, {low!r}, {high!r}, hidden_size)"

    def _draw(self, start: StartRule) -> str:
        """Return the name of the draw of a rule that vectors share."""
        key = start.rule, start.arguments
        if key not in self.shared:
            earlier = sum(rule is start.rule for rule, _ in self.shared)
            name = self.shared[key] = f"{start.rule.value}{earlier + 1 if earlier else ''}"
            own = self._key()
            if start.rule is Rule.CHRONO:
                self.draws.append(f"{name} = jnp.log(between({own}, 1.0, {start.arguments[0] - 1.0!r}, hidden_size))")
            else:
                assert start.rule is Rule.UNIFORM_GATE
                low = f"1 / {number_text(start.arguments[0])}" if start.arguments else "1 / max(hidden_size, 2)"
                self.draws += [f"low = {low}", f"{name} = between({own}, low, 1 - low, hidden_size)"]
                self.draws.append(f"{name} = jnp.log({name} / (1 - {name}))")
        return self.shared[key]
