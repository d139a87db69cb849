"""Cells as text: what people read and write.

One assignment a line. A name with a prime is a state's new value, and `h'` is the cell's output:

    r = sigmoid(linear(x) + linear(h))          # reset gate
    z = sigmoid(linear(x) + linear(h))          # update gate
    n = tanh(linear(x) + linear(r * h))
    h' = z * h + (1 - z) * n

- `x` is the input; `h` and any other name `c` with a line `c' = ...` are states, read as of the step before. A primed
  name may be read after its line: `h' = tanh(c') * o`.
- Functions: `sigmoid` (or `sigm`), `tanh`, `relu`, `leaky_relu` (0.01 times what is negative), and `linear(v)`, a
  matrix and a bias of its own wherever it is written: two `linear(x)` are two matrices, and a name given to one shares
  it. `linear(v, 0.9)` adds 0.9 times the identity to the random matrix at initialisation, `linear(v, bias=1)` adds 1 to
  the random bias.
- Operators: `+`, `-`, `*`. There is no constant, but `1 - z` is understood as a factor: `(1 - z) * n` is `n - z * n`.
- `#` starts a comment.

Text is read through Python's own parser but never executed: anything that is not listed here is refused.
"""

import ast
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from search.cells.errors import CellError, FormulaError, GraphError
from search.cells.graph import ACTIVATIONS, ELEMENTWISE, LEAVES, MAX_NODES, MAX_NUMBER, GateGraph, Node, Op

MAX_CHARACTERS = 32_768
"""Longer texts are refused before they are parsed; the largest graph prints shorter."""

MAX_DEPTH = 100
"""Expressions nested deeper than this are refused: give parts of them a name."""

LINE_WIDTH = 72
"""Printed expressions longer than this have parts of them named."""

_ASSIGNMENT = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)('?)\s*=(?!=)(.*)", re.DOTALL)
_PRIMED = re.compile(r"([A-Za-z][A-Za-z0-9_]*)'")
_NEW = "\N{MODIFIER LETTER PRIME}"
"""Stands for a name's prime while Python parses it: a letter to Python, and no formula may contain it itself."""
_FUNCTIONS = {
    "sigmoid": Op.SIGMOID,
    "sigm": Op.SIGMOID,
    "tanh": Op.TANH,
    "relu": Op.RELU,
    "leaky_relu": Op.LEAKY_RELU,
    "linear": Op.LINEAR,
}
_OPERATORS: dict[type[ast.operator], Op] = {ast.Add: Op.ADD, ast.Sub: Op.SUB, ast.Mult: Op.MUL}
_SYMBOLS = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*"}


@dataclass(frozen=True)
class _OneMinus:
    """`1 - v`: no node by itself, since a cell has no constants; a product with it is one."""

    node: int


@dataclass(frozen=True)
class Written:
    """A formula as its author wrote it: the graph, neither pruned nor merged, and what its parts are called.

    `names` says which node a name stands for, in the order of the lines; those of new states end in a prime. `states`
    are the states' names, `h` first.
    """

    graph: GateGraph
    names: dict[str, int]
    states: tuple[str, ...]

    @property
    def names_of_values(self) -> dict[int, str]:
        """By position, the names of nodes: of several the first; states and their new values are not among them."""
        names: dict[int, str] = {}
        for name, node in self.names.items():
            if not name.endswith("'") and self.graph.nodes[node].op not in LEAVES:
                names.setdefault(node, name)
        return names


def parse_formula(text: str) -> GateGraph:
    """The graph that a formula describes, as written: neither pruned nor merged.

    Raises `FormulaError`, naming the line, for everything that is not in the module's list, and for texts of more than
    32,768 characters or graphs of more than 256 nodes.
    """
    return parse_written(text).graph


def parse_written(text: str) -> Written:
    """A formula's graph with the names that its author gave. Raises `FormulaError` as `parse_formula` does."""
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(f"the formula has {len(text)} characters; at most {MAX_CHARACTERS} are read")
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("#", 1)[0]
        lines += [(number, part) for part in code.split(";") if part.strip()]
    if not lines:
        raise FormulaError(
            "the formula is empty; it needs at least a line for the output, such as h' = tanh(linear(x))"
        )
    states = ["h"]
    for number, line in lines:
        match = _ASSIGNMENT.fullmatch(line)
        if match is None:
            raise FormulaError(
                f"line {number}: {_shorten(line)!r} is not of the form NAME = EXPRESSION or NAME' = EXPRESSION"
            )
        if match[2] and match[1] not in states:
            states.append(match[1])
    builder = _Builder(states)
    for number, line in lines:
        match = _ASSIGNMENT.fullmatch(line)
        assert match is not None
        builder.assign(number, match[1], bool(match[2]), match[3])
    names = {name.replace(_NEW, "'"): node for name, node in builder.names.items() if isinstance(node, int)}
    return Written(builder.graph(), names, tuple(states))


def read_text(path: Path, most: int, error: type[CellError], what: str) -> str:
    """The text of a file (UTF-8), as far as it takes to see that it has more than `most` characters.

    Raises `error`, naming the file, for what is no text; `what` is what was expected there.
    """
    shown = repr(str(path))[1:-1]  # on one line, whatever it has in it
    try:
        with path.open("rb") as file:
            raw = file.read(most * 4 + 1)
        return raw.decode("utf-8-sig")  # some editors put a byte order mark first
    except OSError as reason:
        raise error(f"{shown}: cannot be read: {reason.strerror}") from reason
    except UnicodeDecodeError as reason:
        raise error(f"{shown}: byte {reason.start} is not UTF-8 text; {what} file is plain text") from reason
    except ValueError as reason:
        raise error(f"{str(path)!r} is no path of a file ({reason})") from reason


class _Builder:
    def __init__(self, states: list[str]) -> None:
        self.states = states
        self.nodes: list[Node] = []
        self.leaves: dict[Node, int] = {}
        self.names: dict[str, int | _OneMinus] = {}
        self.number = 0

    def assign(self, number: int, name: str, primed: bool, expression: str) -> None:
        self.number = number
        shown = _shorten(name)
        if name in _FUNCTIONS or name == "x":
            raise self.error(
                f"{name!r} cannot be assigned; it is the name of {'the input' if name == 'x' else 'a function'}"
            )
        if not primed and name in self.states:
            raise self.error(
                f"{shown!r} is a state and cannot be assigned without a prime; write {shown}' = ... or rename it"
            )
        key = name + _NEW if primed else name
        if key in self.names:
            raise self.error(f"{shown + chr(39) * primed!r} is assigned twice; each name has one line")
        expression = expression.strip()
        if not expression:
            raise self.error("nothing follows the '='")
        shown = _shorten(expression)
        if not expression.isascii():
            raise self.error(f"{shown!r} has a letter or sign that is not ASCII; replace it, or move it to a comment")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's advice on odd code: whatever is odd is refused below
                tree = ast.parse(_PRIMED.sub(lambda m: m[1] + _NEW, expression), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = "too deep" if isinstance(error, (RecursionError, MemoryError)) else str(error.args[0])
            reason = _shorten(reason.replace(_NEW, "'"))
            raise self.error(f"{shown!r} is not an expression ({reason})") from None
        value = self.value(tree.body, 0)
        if primed and isinstance(value, _OneMinus):
            raise self.error(_ONE_MINUS_ALONE)
        self.names[key] = value

    def value(self, tree: ast.expr, depth: int) -> int | _OneMinus:
        if depth > MAX_DEPTH:
            raise self.error(f"the expression is nested deeper than {MAX_DEPTH}; give parts of it a name")
        if isinstance(tree, ast.Name):
            return self.name(tree.id)
        if isinstance(tree, ast.Call):
            return self.call(tree, depth)
        if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
            return self.operator(_OPERATORS[type(tree.op)], tree, depth)
        if isinstance(tree, ast.Constant):
            raise self.error(
                f"{_shorten(_source(tree))} stands alone; a cell has no constants but the 1 in (1 - z) * n"
            )
        raise self.error(
            f"{_shorten(_source(tree))!r} is not allowed; use names, + - *, and {', '.join(sorted(_FUNCTIONS))}"
        )

    def name(self, name: str) -> int | _OneMinus:
        if name in self.names:
            return self.names[name]
        if name == "x":
            return self.leaf(Node(Op.INPUT))
        if name in self.states:
            return self.leaf(Node(Op.STATE, state=self.states.index(name)))
        shown = name.replace(_NEW, "'")
        if shown.endswith("'"):
            raise self.error(f"{_shorten(shown)!r} is read before its line; put {_shorten(shown)} = ... above")
        raise self.error(
            f"{_shorten(shown)!r} is not known here; give it a line above, or for a state {_shorten(shown)}' = ..."
        )

    def call(self, tree: ast.Call, depth: int) -> int:
        function = tree.func.id if isinstance(tree.func, ast.Name) else None
        if function not in _FUNCTIONS:
            raise self.error(
                f"{_shorten(_source(tree.func))!r} is no function; known are {', '.join(sorted(_FUNCTIONS))}"
            )
        op = _FUNCTIONS[function]
        identity = bias = 0.0
        if op is Op.LINEAR:
            if not 1 <= len(tree.args) <= 2 or any(k.arg not in ("identity", "bias") for k in tree.keywords):
                raise self.error(
                    "linear takes a value and, where wanted, the identity's factor and a bias: linear(x, 0.9, bias=1)"
                )
            given = ["identity"] * (len(tree.args) - 1) + [k.arg for k in tree.keywords]
            if len(given) != len(set(given)):
                raise self.error("linear is given the identity's factor or the bias twice; give each once")
            numbers = {k.arg: self.constant(k.value) for k in tree.keywords}
            identity = self.constant(tree.args[1]) if len(tree.args) == 2 else numbers.get("identity", 0.0)
            bias = numbers.get("bias", 0.0)
        elif len(tree.args) != 1 or tree.keywords:
            raise self.error(f"{function} takes one value, not {len(tree.args) + len(tree.keywords)}")
        return self.add(Node(op, (self.node(tree.args[0], depth + 1),), identity=identity, bias=bias))

    def operator(self, op: Op, tree: ast.BinOp, depth: int) -> int | _OneMinus:
        if isinstance(tree.left, ast.Constant) and op in (Op.SUB, Op.MUL) and _is_one(tree.left):
            right = self.value(tree.right, depth + 1)
            if op is Op.MUL:
                return right
            return right.node if isinstance(right, _OneMinus) else _OneMinus(right)
        left, right = self.value(tree.left, depth + 1), self.value(tree.right, depth + 1)
        if op is Op.MUL and isinstance(left, _OneMinus) != isinstance(right, _OneMinus):
            minus, other = (left, right) if isinstance(left, _OneMinus) else (right, left)
            assert isinstance(minus, _OneMinus)
            assert isinstance(other, int)
            product = self.add(Node(Op.MUL, (minus.node, other)))
            return self.add(Node(Op.SUB, (other, product)))
        if isinstance(left, _OneMinus) or isinstance(right, _OneMinus):
            raise self.error(_ONE_MINUS_ALONE)
        return self.add(Node(op, (left, right)))

    def node(self, tree: ast.expr, depth: int) -> int:
        value = self.value(tree, depth)
        if isinstance(value, _OneMinus):
            raise self.error(_ONE_MINUS_ALONE)
        return value

    def constant(self, tree: ast.expr) -> float:
        sign, written = 1.0, tree
        while isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            sign, tree = -sign, tree.operand
        if isinstance(tree, ast.Constant) and isinstance(tree.value, (int, float)) and not isinstance(tree.value, bool):
            try:
                number = sign * float(tree.value)
            except OverflowError:
                number = float("inf")
            if abs(number) <= MAX_NUMBER:
                return number
        raise self.error(
            f"{_shorten(_source(written))!r} must be a plain number between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
        )

    def leaf(self, node: Node) -> int:
        if node not in self.leaves:
            self.leaves[node] = self.add(node)
        return self.leaves[node]

    def add(self, node: Node) -> int:
        if len(self.nodes) >= MAX_NODES:
            raise self.error(f"the cell has more than {MAX_NODES} nodes")
        self.nodes.append(node)
        return len(self.nodes) - 1

    def graph(self) -> GateGraph:
        outputs = []
        for state in self.states:
            value = self.names.get(state + _NEW)
            if not isinstance(value, int):
                raise FormulaError(f"there is no line {state}' = ...; every cell computes its output h'")
            outputs.append(value)
        try:
            return GateGraph(tuple(self.nodes), tuple(outputs))
        except GraphError as error:
            raise FormulaError(str(error)) from error

    def error(self, message: str) -> FormulaError:
        return FormulaError(f"line {self.number}: {message}")


_ONE_MINUS_ALONE = "1 - v is only understood as one factor of a product, as in (1 - z) * n; a cell has no constants"


def _is_one(tree: ast.Constant) -> bool:
    return isinstance(tree.value, (int, float)) and not isinstance(tree.value, bool) and tree.value == 1


def _source(tree: ast.AST) -> str:
    try:
        return ast.unparse(tree).replace(_NEW, "'")
    except (RecursionError, ValueError):
        return type(tree).__name__


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def format_formula(graph: GateGraph) -> str:
    """The text of a graph's canonical form; parsing it gives the same cell back.

    States are named h, c, c2, c3, ... Sigmoids are the gates g1, g2, ...; other values that are read more than once, or
    that would make a line too long, are v1, v2, ...
    """
    return _Printer(graph.canonical()).text()


def format_graph(graph: GateGraph) -> str:
    """The text of a graph as it stands: not pruned, not merged, dead nodes left out."""
    return _Printer(graph).text()


class _Printer:
    def __init__(self, graph: GateGraph) -> None:
        self.nodes = graph.nodes
        self.outputs = graph.outputs
        self.reads = [len(readers) for readers in graph.consumers]
        self.state_of: dict[int, int] = {}
        for k, i in enumerate(graph.outputs):
            self.state_of.setdefault(i, k)
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.gates = self.values = 0
        live = set(graph.outputs).union(*(graph.ancestors(i) for i in graph.outputs))
        self.order = [i for i in range(len(graph.nodes)) if i in live]

    def text(self) -> str:
        expressions: dict[int, str] = {}
        for i in self.order:
            node = self.nodes[i]
            if node.op in LEAVES:
                expressions[i] = "x" if node.op is Op.INPUT else _state_name(node.state)
                continue
            expression = self.expression(node, expressions)
            if i in self.state_of:
                name = _state_name(self.state_of[i]) + "'"
            elif node.op is Op.SIGMOID:
                self.gates += 1
                name = f"g{self.gates}"
            elif self.reads[i] > 1 or len(expression) > LINE_WIDTH:
                self.values += 1
                name = f"v{self.values}"
            else:
                expressions[i] = expression
                continue
            self.lines.append(f"{name} = {expression}")
            expressions[i] = name
        for k, i in enumerate(self.outputs):
            if self.state_of[i] != k or self.nodes[i].op in LEAVES:
                self.lines.append(f"{_state_name(k)}' = {expressions[i]}")
        return "\n".join(self.lines)

    def expression(self, node: Node, expressions: dict[int, str]) -> str:
        inputs = [expressions[j] for j in node.inputs]
        if node.op in ACTIVATIONS:
            arguments = inputs[0]
            if node.op is Op.LINEAR:
                arguments += f", {node.identity!r}" if node.identity else ""
                arguments += f", bias={node.bias!r}" if node.bias else ""
            return f"{node.op.value}({arguments})"
        assert node.op in ELEMENTWISE
        left, right = inputs
        if node.op is Op.MUL:
            left, right = _bracket(left, "+-"), _bracket(right, "+-*")
        else:
            right = _bracket(right, "+-")
        return f"{left} {_SYMBOLS[node.op]} {right}"


def _state_name(state: int) -> str:
    return "h" if state == 0 else "c" if state == 1 else f"c{state}"


def _bracket(expression: str, operators: str) -> str:
    """In brackets where one of the operators stands outside of any."""
    depth = 0
    for before, character in zip(" " + expression, expression, strict=False):
        depth += (character == "(") - (character == ")")
        if depth == 0 and before == " " and character in operators:
            return f"({expression})"
    return expression
