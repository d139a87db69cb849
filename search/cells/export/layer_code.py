"""Equations of a cell as lines of PyTorch or JAX code, written as by hand.

Names are those of the formula. Matrices that read the same value are stacked in one `nn.Linear`, block-diagonal ones in
one `GroupedLinear`; values that depend on `x` alone are computed for all time steps at once, the others step by step:

    def prepare(self, x):                                    def step(self, parts, states):
        x_r, x_z, x_n = self.from_x(x).chunk(3, dim=-1)          x_r, x_z, x_n = parts
        return [x_r, x_z, x_n]                                   (h,) = states
                                                                 h_r, h_z = self.from_h(h).chunk(2, dim=-1)
                                                                 r = torch.sigmoid(x_r + h_r)
                                                                 ...
                                                                 return [h]

A learned vector is an `nn.Parameter` of size H. What depends on learned vectors and numbers alone has this size too,
and is computed where it is used.

Lines are at most 88 characters wide after indentation by eight, in the layout of `ruff format`.
"""

import keyword
import re

from search.cells.canonical import correspondence
from search.cells.export.dialect import TORCH, Dialect
from search.cells.export.layer_parts import RESERVED, Block, LayerCode, Norm, Vector
from search.cells.export.lines import CODE_INDENT, LINE_WIDTH, assignment, in_place, returned
from search.cells.graph import GateGraph
from search.cells.notation.display import format_display
from search.cells.notation.formula import Written, parse_written
from search.cells.operations import LEAVES, PARAMETRIC, SIGNS, Node, Op
from search.cells.patterns import Complement, private_complement
from search.cells.simplify import live_states, simplify_positions
from search.cells.text import number_text

_NAME_WIDTH = 16
# One set for all libraries, so that parameters have the same names in each.
_TAKEN = frozenset({"self", "torch", "nn", "math", "parts", "states", "Tensor", "jax", "jnp", "eqx", "Array"})
_NUMBERED = re.compile(r"v\d*")  # names without a meaning
_AMBIGUOUS = frozenset("lOI")  # letters that linters reject as names


def layer_code(written: Written, dialect: Dialect = TORCH) -> LayerCode:
    """Return the code of a formula without its dead parts. Raises `GraphError` as `GateGraph.canonical` does."""
    return _Writer(written, dialect).code()


def _with_all_parameters(written: Written) -> Written:
    """Return the formula if it has the parameters and states of its canonical form, else that form's text."""
    _, kept = simplify_positions(written.graph)
    found = correspondence(written.graph)
    canonical, graph = found.opposites | found.positions, written.graph.canonical()
    own = [canonical.get(i) for i in kept if written.graph.nodes[i].op in PARAMETRIC]
    wanted = [i for i, node in enumerate(graph) if node.op in PARAMETRIC]
    same = len(own) == len(wanted) and set(own) == set(wanted) and len(live_states(written.graph)) == graph.states
    return written if same else parse_written(format_display(graph))


class _Writer:
    def __init__(self, written: Written, dialect: Dialect) -> None:
        self.dialect = dialect
        written = _with_all_parameters(written)
        form, kept = simplify_positions(written.graph)
        self.graph = GateGraph(*form)
        self.nodes = self.graph.nodes
        self.taken = {*_TAKEN, "x"}
        self.state_names = [self._fresh(self._clean(written.states[k])) for k in live_states(written.graph)]
        found = correspondence(written.graph)
        canonical = found.opposites | found.positions
        self.sign = {kept[i]: -1.0 if i in found.negated else 1.0 for i in kept}
        self.source = {kept[i]: canonical[i] for i in kept if i in canonical}
        given = {n: kept[i] for n, i in written.names.items() if i in kept}
        self.given = {i: n for n, i in given.items() if self.nodes[i].op is Op.PARAM and not n.endswith("'")}
        self.names = self._names(given)
        self.authored = frozenset(self.names)
        self.by_x, self.constant = self._dependence()
        self.complements = self._complements()
        self.statements = self._statements()
        self.groups = self._groups()
        self.attributes: dict[tuple[int, bool, int], str] = {}  # of blocks
        self.own: dict[int, str] = {}  # attributes of learned vectors and layer norms, by node
        self.lines: list[str] = []
        self.room = 0  # characters left for the expression on the current line
        self.like = "x"  # a tensor that constants take type and device from
        self.written: dict[int, str] = {}  # variables assigned so far, by node

    # --- Analysis of the graph

    def _clean(self, name: str) -> str:
        bad = keyword.iskeyword(name) or name in _TAKEN or name in _AMBIGUOUS or len(name) > _NAME_WIDTH
        return f"{name[: _NAME_WIDTH - 1]}_" if bad else name

    def _names(self, given: dict[str, int]) -> dict[int, str]:
        """Return the author's names by node, plain names first; the new value of a state is NAME_new at first."""
        names: dict[int, str] = {}
        for name, i in sorted(given.items(), key=lambda item: item[0].endswith("'")):
            if i in names or self.nodes[i].op in LEAVES:
                continue
            plain = f"{self._clean(name[:-1])}_new" if name.endswith("'") else self._clean(name)
            names[i] = self._fresh(plain)
        return names

    def _fresh(self, wish: str) -> str:
        name, count = wish, 1
        while name in self.taken:
            count += 1
            name = f"{wish}{count}"
        self.taken.add(name)
        return name

    def _dependence(self) -> tuple[set[int], set[int]]:
        """Return the nodes that depend on x and on no state, and those that depend on neither."""
        by_x: set[int] = set()
        constant: set[int] = set()
        for i, node in enumerate(self.nodes):
            if node.op in (Op.PARAM, Op.NUMBER) or (node.inputs and constant.issuperset(node.inputs)):
                constant.add(i)
            elif node.op is Op.INPUT or (node.inputs and (by_x | constant).issuperset(node.inputs)):
                by_x.add(i)
        return by_x, constant

    def _complements(self) -> dict[int, Complement]:
        """Return the nodes n - z * n that are written as (1 - z) * n, unless the author named the product."""
        found = ((i, private_complement(self.graph, i)) for i in range(len(self.nodes)))
        return {i: parts for i, parts in found if parts is not None and parts.product not in self.names}

    def _reads(self, i: int) -> tuple[int, ...]:
        parts = self.complements.get(i)
        return self.nodes[i].inputs if parts is None else (parts.gate, parts.value)

    def _statements(self) -> set[int]:
        """Return nodes with a line of their own: named, read twice, a new state, or computed before the loop."""
        absorbed = {parts.product for parts in self.complements.values()}
        count = [0] * len(self.nodes)
        crossing = set()
        for i in range(len(self.nodes)):
            if i in absorbed:
                continue
            for j in self._reads(i):
                count[j] += 1
                if j in self.by_x and i not in self.by_x:
                    crossing.add(j)
        crossing |= {i for i in self.graph.outputs if i in self.by_x}
        self.crossing = sorted(crossing)
        chosen = crossing | set(self.names) | set(self.graph.outputs)
        chosen |= {i for i, reads in enumerate(count) if reads > 1}
        return {i for i in chosen if self.nodes[i].op not in LEAVES and i not in absorbed}

    def _groups(self) -> dict[tuple[int, bool, int], list[int]]:
        """Return the linear nodes that are stacked, by the node that they read, whether biased, and groups."""
        groups: dict[tuple[int, bool, int], list[int]] = {}
        for i in self.graph.linears:
            groups.setdefault(self._key(i), []).append(i)
        return groups

    def _key(self, i: int) -> tuple[int, bool, int]:
        node = self.nodes[i]
        return node.inputs[0], node.bias is not None, node.groups

    def _stacked(self, i: int) -> list[int]:
        """Return the linear nodes of the block of a linear node."""
        return self.groups[self._key(i)]

    # --- Generated names

    def _home(self, i: int) -> int:
        """Return the statement that a node is part of: its own, or that of its first reader."""
        while True:
            readers = self.graph.consumers[i]
            if not readers:
                return i
            i = readers[0]
            if i in self.statements and (self.nodes[i].op not in (Op.LINEAR, Op.NORM) or i in self.authored):
                return i

    def _short(self, i: int, depth: int = 2) -> str:
        """Return a short name of a value for use in other names: r_h for r * h, tanh_h for tanh(h)."""
        node = self.nodes[i]
        if node.op is Op.INPUT:
            return "x"
        if node.op is Op.STATE:
            return self.state_names[node.state]
        if i in self.names:
            return self.names[i]
        if node.op is Op.PARAM:
            return self._clean(self.given.get(i, "p"))
        if node.op is Op.NUMBER:
            return "number" if node.value else "zero"
        if not depth:
            return "v"
        parts = [self._short(j, depth - 1) for j in node.inputs]
        if node.op is Op.LINEAR:
            return f"{parts[0]}_linear"
        return "_".join(parts if node.op is Op.MUL else [node.op.value, *parts])

    def _attribute(self, source: int) -> str:
        short = self._short(source).removesuffix("_new")
        return self._fresh_attribute(f"from_{short}" if len(short) <= _NAME_WIDTH else "from_value")

    def _fresh_attribute(self, wish: str) -> str:
        taken = {*self.attributes.values(), *self.own.values(), *RESERVED}
        name, count = wish, 1
        while name in taken:
            count += 1
            name = f"{wish}{count}"
        return name

    def _own_attributes(self) -> dict[int, str]:
        """Return the attributes of learned vectors and layer norms: as the author named them, or p_h, p_c_i, norm_c."""
        nodes = [i for i, node in enumerate(self.nodes) if node.op in (Op.PARAM, Op.NORM)]
        sources = {i: self._short_source(i) for i in nodes}
        for i in nodes:
            if i in self.given:
                self.own[i] = self._fresh_attribute(self._clean(self.given[i]))
                continue
            kind, source, target = "norm" if self.nodes[i].inputs else "p", sources[i], self._short_target(i)
            same = [j for j in nodes if sources[j] == source and self.nodes[j].op is self.nodes[i].op]
            parts = [kind, source]
            plain = source == target or source.endswith(f"_{target}") or _NUMBERED.fullmatch(target)
            if not plain and (len(same) > 1 or not source):
                parts.append(target)
            name = "_".join(part for part in parts if part)
            self.own[i] = self._fresh_attribute(name if len(name) <= _NAME_WIDTH else kind)
        return self.own

    def _short_source(self, i: int) -> str:
        """Return a short name of what a layer norm reads, or a learned vector multiplies; empty if it has none."""
        for j in self.nodes[i].inputs or self._multiplied(i):
            node = self.nodes[j]
            if j in self.names:
                return self.names[j].removesuffix("_new")
            if node.op is Op.LINEAR:
                target = self._short_target(j)
                return self._short(node.inputs[0], 1) + ("" if _NUMBERED.fullmatch(target) else f"_{target}")
            if node.op not in (Op.ADD, Op.SUB, Op.NUMBER):
                return self._short(j, 1)
        return ""

    def _multiplied(self, i: int) -> list[int]:
        """Return what the only reader of node `i` multiplies it with."""
        readers = self.graph.consumers[i]
        if len(readers) != 1 or self.nodes[readers[0]].op is not Op.MUL:
            return []
        return [j for j in self.nodes[readers[0]].inputs if j != i]

    def _name(self, i: int) -> str:
        if i in self.names:
            return self.names[i]
        node = self.nodes[i]
        if node.op is Op.LINEAR:
            source = self._short(node.inputs[0])
            wish = f"{source}_{self._short_target(i)}"
            self.names[i] = self._fresh(wish if len(wish) <= _NAME_WIDTH else f"{source[:8]}_1")
        elif node.op is Op.NORM and len(wish := f"{self._short(node.inputs[0])}_norm") <= _NAME_WIDTH:
            self.names[i] = self._fresh(wish.replace("_linear_", f"_{self._short_target(i)}_"))
        elif node.op in self.dialect.functions and len(self._short(i)) <= _NAME_WIDTH:
            self.names[i] = self._fresh(self._short(i))
        else:
            self.names[i] = self._numbered("v")
        return self.names[i]

    def _short_target(self, i: int) -> str:
        home = self._home(i)
        if home not in self.names:
            return "v"
        return self.names[home].removesuffix("_new")

    def _numbered(self, letter: str) -> str:
        count = 1
        while f"{letter}{count}" in self.taken:
            count += 1
        return self._fresh(f"{letter}{count}")

    # --- Lines

    def code(self) -> LayerCode:
        for key in self.groups:
            self.attributes[key] = self._attribute(key[0])
        for i in sorted(self.statements):
            if self.nodes[i].op is not Op.LINEAR:
                self._name(i)
        self.own = self._own_attributes()
        prepare = self._prepare()
        step = self._step()
        wide, square = self._widths()
        blocks = tuple(
            Block(
                self.attributes[key],
                wide[key[0]],
                tuple(self.nodes[i] for i in group),
                tuple(self.source[i] for i in group),
                tuple(self.sign[i] for i in group),
                tuple(self._short_target(i) for i in group),
            )
            for key, group in self.groups.items()
        )
        vectors = tuple(
            Vector(name, self.nodes[i].start, self.source[i], self.sign[i])
            for i, name in self.own.items()
            if self.nodes[i].op is Op.PARAM
        )
        norms = tuple(Norm(name, wide[i], self.source[i]) for i, name in self.own.items() if self.nodes[i].inputs)
        return LayerCode(tuple(self.state_names), blocks, vectors, norms, tuple(prepare), tuple(step), square)

    def _widths(self) -> tuple[list[bool], bool]:
        """Return for each node whether its size is that of x, and whether the sizes of x and the cell meet."""
        wide = [False] * len(self.nodes)
        square = False
        for i, node in enumerate(self.nodes):
            of_x = {wide[j] for j in node.inputs if self.nodes[j].op is not Op.NUMBER}
            if node.op is Op.INPUT:
                wide[i] = True
            elif node.op is Op.LINEAR:
                square |= True in of_x and node.identity != 0.0
            elif node.inputs:
                square |= len(of_x) > 1
                wide[i] = of_x == {True}
        return wide, square or any(wide[i] for i in self.graph.outputs)

    def _prepare(self) -> list[str]:
        self.lines, self.written, self.like = [], self._leaves(), "x"
        for i in sorted(self.statements & self.by_x):
            self._write(i)
        parts = [self._atom(i) for i in self.crossing] or ["x"]
        if len(parts) == len(self.lines) == 1 and self.lines[0].startswith(f"{parts[0]} = "):
            return [f"return [{self.lines[0].removeprefix(parts[0] + ' = ')}]"]
        return returned(self.lines, parts)

    def _step(self) -> list[str]:
        self.written = self._leaves() | {i: self._atom(i) for i in self.crossing}
        parts = [self.written[i] for i in self.crossing] or ["_"]
        self.lines, self.like = [], self.state_names[0]
        for i in sorted(self.statements - self.by_x - self.constant):
            self._write(i)
        results = [self._result(i) for i in self.graph.outputs]
        body = in_place(returned(self.lines, results), self.state_names)
        read = {name for line in body for name in re.findall(r"\b\w+\b", line)}
        states = [name if name in read else "_" for name in self.state_names]
        return [*assignment(parts, "parts"), *assignment(states, "states"), *body]

    def _leaves(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for i, node in enumerate(self.nodes):
            if node.op is Op.PARAM:
                found[i] = f"self.{self.own[i]}"
            elif node.op is Op.NUMBER:
                found[i] = number_text(node.value)
            elif node.op in LEAVES:
                found[i] = self._short(i)
        return found

    def _result(self, i: int) -> str:
        """Return the text of a new state (B, H)."""
        node = self.nodes[i]
        if node.op is Op.NUMBER:
            text = self.dialect.full_like if node.value else self.dialect.zeros_like
            return text.format(like=self.like, number=node.value)
        text = self._value(i)[0]
        return self.dialect.expanded.format(value=text, like=self.like) if i in self.constant else text

    def _atom(self, i: int) -> str:
        return self.written.get(i) or self._name(i)

    def _write(self, i: int) -> None:
        if i in self.written:
            return
        if self.nodes[i].op is Op.LINEAR and len(self._stacked(i)) > 1:
            self._unpack(i)
            return
        room = self.room
        self.room = LINE_WIDTH - CODE_INDENT - len(f"{self._name(i)} = ")
        expression = self._expression(i)[0]
        self.room = room
        self.written[i] = self._name(i)
        self.lines.append(f"{self.written[i]} = {expression}")

    def _unpack(self, linear: int) -> None:
        """Write the line that computes all results of the block of a linear node."""
        group = self._stacked(linear)
        value, strength = self._argument(self.nodes[linear].inputs[0])
        if len(value) > _NAME_WIDTH and strength < 3:
            name = self._numbered("v")
            self.lines.append(f"{name} = {value}")
            value = name
        for i in group:
            self.written[i] = self._name(i)
        names = [self.written[i] for i in group]
        attribute = self.attributes[self._key(linear)]
        self.lines += assignment(names, self.dialect.split.format(value=f"self.{attribute}({value})", count=len(group)))

    def _value(self, i: int) -> tuple[str, int]:
        """Return a node's variable or expression, and its precedence: 1 for sums, 2 for products, 3 for atoms."""
        if i in self.written:
            return self.written[i], 3
        if i in self.statements:
            self._write(i)
            return self.written[i], 3
        node = self.nodes[i]
        if node.op is Op.LINEAR and len(self._stacked(i)) > 1:
            self._unpack(i)
            return self.written[i], 3
        return self._expression(i)

    def _argument(self, i: int) -> tuple[str, int]:
        """Return a node's value as a tensor, a number as a vector of size H."""
        if self.nodes[i].op is not Op.NUMBER:
            return self._value(i)
        number = self.nodes[i].value
        text = self.dialect.full if number else self.dialect.zeros
        return text.format(like=self.like, number=number), 3

    def _expression(self, i: int) -> tuple[str, int]:
        node = self.nodes[i]
        reads = self._reads(i)
        numbers = all(self.nodes[j].op is Op.NUMBER for j in reads)
        values = [self._argument(reads[0]) if numbers else self._value(reads[0]), *map(self._value, reads[1:])]
        text, strength = self._joined(i, values)
        while len(text) > self.room and any(strength_ < 3 or "(" in part for part, strength_ in values):
            longest = max(
                range(len(values)), key=lambda k: len(values[k][0]) * ("(" in values[k][0] or values[k][1] < 3)
            )
            name = self._numbered("v")
            self.lines.append(f"{name} = {values[longest][0]}")
            values[longest] = name, 3
            text, strength = self._joined(i, values)
        return text, strength if node.op in SIGNS else 3

    def _joined(self, i: int, values: list[tuple[str, int]]) -> tuple[str, int]:
        node = self.nodes[i]
        if i in self.complements:
            (z, tight), (n, tight_n) = values
            return f"(1 - {z if tight > 1 else f'({z})'}) * {n if tight_n == 3 else f'({n})'}", 2
        if node.op is Op.LINEAR:
            return f"self.{self.attributes[self._key(i)]}({values[0][0]})", 3
        if node.op is Op.NORM:
            return f"self.{self.own[i]}({values[0][0]})", 3
        if node.op in self.dialect.functions:
            return f"{self.dialect.functions[node.op]}({values[0][0]})", 3
        (left, tight), (right, tight_right) = values
        if node.op is Op.SUB and self.nodes[node.inputs[0]] == Node(Op.NUMBER) and left == "0":
            return f"-{right if tight_right == 3 else f'({right})'}", 1
        if self.nodes[node.inputs[1]].op is Op.NUMBER and len(values) == len(node.inputs):
            if node.op is Op.MUL:
                left, tight, right, tight_right = right, tight_right, left, tight
            elif right.startswith("-"):
                return f"{left} {'-' if node.op is Op.ADD else '+'} {right[1:]}", 1
        binds = 2 if node.op is Op.MUL else 1
        left = left if tight >= binds else f"({left})"
        right = right if tight_right > binds else f"({right})"
        return f"{left} {SIGNS[node.op]} {right}", binds
