"""Printer of graphs as formulas; `formula` and `display` decide which graph and which names."""

from collections import Counter
from collections.abc import Callable

from search.cells.graph import GateGraph
from search.cells.operations import ACTIVATIONS, COMMUTATIVE, ELEMENTWISE, OPERATIONS, Node, Op
from search.cells.starts import Start, StartRule
from search.cells.text import number_text, state_name

_ATOMS = frozenset({Op.INPUT, Op.STATE, Op.NUMBER})
"""Operations that are written as a name or a number, and never get a line of their own."""

_CONSTANTS = {Op.NUMBER: 2, Op.PARAM: 1}
"""Rank of what is written first in products and last in sums."""

LINE_WIDTH = 72
"""Longest expression on one line; parts of longer ones get a name and a line of their own."""


class Printer:
    """Printer of one graph as it is, without dead nodes.

    Sigmoids are named g1, g2, ...; learned vectors that are read more than once p1, p2, ...; other values that are read
    more than once, or whose expression is too long, v1, v2, ... Numbers come first in products and last in sums, and
    learned vectors next to them. Subclasses may read other nodes than a node's inputs, write another expression, and
    choose names.
    """

    def __init__(self, graph: GateGraph) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        self.outputs = graph.outputs
        self.counts = [len(readers) for readers in graph.consumers]
        self.state_of: dict[int, int] = {}
        for k, i in enumerate(graph.outputs):
            self.state_of.setdefault(i, k)
        self.names: Counter[str] = Counter()

    def text(self) -> str:
        """Return the formula, one assignment a line."""
        lines: list[str] = []
        expressions: dict[int, str] = {}
        for i in self.order():
            node = self.nodes[i]
            if node.op in _ATOMS:
                expressions[i] = atom_text(node)
                continue
            expression = self.expression(i, [expressions[j] for j in self.reads(i)])
            letter = self.letter(i)
            if i in self.state_of:
                name = state_name(self.state_of[i]) + "'"
            elif letter or self.counts[i] > 1 or len(expression) > LINE_WIDTH:
                name = self.numbered(letter or ("p" if node.op is Op.PARAM else "v"))
            else:
                expressions[i] = expression
                continue
            lines.append(f"{name} = {expression}")
            expressions[i] = name
        for k, i in enumerate(self.outputs):
            if self.state_of[i] != k or self.nodes[i].op in _ATOMS:
                lines.append(f"{state_name(k)}' = {expressions[i]}")
        return "\n".join(lines)

    def order(self) -> list[int]:
        """Return the nodes that are printed, in topological order: those that some output reads."""
        live: set[int] = set()
        pending = list(self.outputs)
        while pending:
            i = pending.pop()
            if i not in live:
                live.add(i)
                pending += self.reads(i)
        return sorted(live)

    def reads(self, i: int) -> tuple[int, ...]:
        """Return the nodes whose expressions node `i` is written with, in the order of writing."""
        node = self.nodes[i]
        if node.op not in COMMUTATIVE:
            return node.inputs
        left, right = (_CONSTANTS.get(self.nodes[j].op, 0) for j in node.inputs)
        swapped = right > left if node.op is Op.MUL else left > right
        return node.inputs[::-1] if swapped else node.inputs

    def letter(self, i: int) -> str:
        """Return the letter of a node that always has a line of its own, else an empty text."""
        return "g" if self.nodes[i].op is Op.SIGMOID else ""

    def numbered(self, letter: str) -> str:
        """Return the next name with this letter."""
        self.names[letter] += 1
        return f"{letter}{self.names[letter]}"

    def expression(self, i: int, inputs: list[str]) -> str:
        """Return the expression of node `i` over the expressions of the nodes that it reads."""
        node = self.nodes[i]
        if node.op is Op.PARAM:
            return f"{node.op.value}({start_text(node.start)})"
        if node.op in ACTIVATIONS:
            return f"{OPERATIONS[node.op].functions[0]}({inputs[0]}{linear_options(node)})"
        assert node.op in ELEMENTWISE
        left, right = inputs
        if node.op is Op.MUL:
            if left == "-1":
                return f"-{bracket(right, '+-*')}"
            return f"{bracket(left, '+-', minus=True)} * {bracket(right, '+-*')}"
        if node.op is Op.SUB and left == "0":
            return f"-{bracket(right, '+-*')}"
        minus = node.op is Op.SUB
        if right.startswith("-") and bracket(right, "+-", minus=True) == right:  # + -2 * v is - 2 * v
            minus, right = not minus, right[1:]
        return f"{left} {'-' if minus else '+'} {bracket(right, '+-')}"


def start_text(start: Start) -> str:
    """Return the text of a start: a number, or a rule."""
    return str(start) if isinstance(start, StartRule) else number_text(start)


def linear_options(node: Node, number: Callable[[float], str] = repr) -> str:
    """Return the arguments of `linear` after its value, as far as they are not the defaults; empty for others.

    `number` is the text of the identity's factor and of a number as a bias.
    """
    identity = f", {number(node.identity)}" if node.identity else ""
    if node.bias is None:
        bias = ", bias=False"
    elif isinstance(node.bias, StartRule):
        bias = f", bias={node.bias}"
    else:
        bias = f", bias={number(node.bias)}" if node.bias else ""
    groups = f", groups={node.groups}" if node.groups != 1 else ""
    random = "orthogonal" if node.orthogonal else "" if node.random == 1.0 else number_text(node.random)
    return identity + bias + groups + (f", random={random}" if random else "")


def atom_text(node: Node) -> str:
    """Return the text of the input, a state or a number."""
    if node.op is Op.NUMBER:
        return number_text(node.value)
    return "x" if node.op is Op.INPUT else state_name(node.state)


def bracket(expression: str, operators: str, *, minus: bool = False) -> str:
    """Return the expression, in brackets if it contains one of the operators outside any brackets.

    With `minus`, a minus sign that it begins with needs no brackets.
    """
    depth = 0
    for place, character in enumerate(expression):
        depth += (character == "(") - (character == ")")
        before = expression[place - 1] if place else "" if minus else " "
        if depth == 0 and before == " " and character in operators:
            return f"({expression})"
    return expression
