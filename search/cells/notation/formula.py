"""Formulas: the text notation of cells, parsed and printed.

Each line is an assignment. A name with a prime is the new value of a state, and `h'` is the cell's output:

    r = sigmoid(linear(x) + linear(h))          # reset gate
    z = sigmoid(linear(x) + linear(h))          # update gate
    n = tanh(linear(x) + linear(r * h))
    h' = z * h + (1 - z) * n

- `x` is the input; `h`, and any other name `c` with a line `c' = ...`, are states and denote their values at the
  previous time step. A primed name may be read after its line: `h' = o * tanh(c')`.
- Functions: `sigmoid` (or `sigm`), `tanh`, `relu`, `leaky_relu` (slope 0.01 for negative numbers), `softplus`
  (log(1 + e^v)), and `norm` (layer norm with a gain and an offset of its own).
- `linear(v)` is a product by a matrix plus a bias. Every `linear` has its own matrix and bias: two `linear(x)` are two
  matrices; a name assigned to one shares it. Options describe the matrix and its start:
  `linear(v, 0.9)` or `linear(v, identity=0.9)` adds 0.9 times the identity to the random matrix, `random=0.1` scales
  the random part, and `random=orthogonal` starts from a random orthogonal matrix. `bias=1` adds 1 to the random bias,
  `bias=RULE` draws the bias by a rule, `bias=False` leaves it out. `groups=4` makes the matrix block-diagonal.
- `param(START)` is a learned vector, the same at all steps. Every `param` is a vector of its own.
- START is a number or a RULE: `uniform(a, b)`, `chrono(T)`, `uniform_gate`, `uniform_gate(n)` or `linspace(a, b)`,
  possibly with a minus sign (`search.cells.starts`).
- Operators: `+`, `-`, `*`, and numbers: `0.5 * v`, `v + 1`, `1 - z`.
- `#` starts a comment.

Python's own parser reads the text, but nothing is executed: anything not listed here is rejected.
"""

import ast
import re
import warnings
from dataclasses import dataclass

from search.cells.errors import FormulaError, GraphError
from search.cells.graph import MAX_GROUPS, MAX_NODES, GateGraph
from search.cells.notation.printing import Printer
from search.cells.operations import LEAVES, OPERATIONS, Node, Op
from search.cells.patterns import has_number
from search.cells.starts import MAX_NUMBER, RULES, Rule, Start, StartRule, broken_rule
from search.cells.text import quoted, shorten

MAX_CHARACTERS = 32_768
"""Longest text that is parsed; the largest graph prints shorter."""

MAX_DEPTH = 100
"""Deepest nesting of an expression that is parsed."""

_ASSIGNMENT = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)('?)\s*=(?!=)(.*)", re.DOTALL)
_PRIMED = re.compile(r"([A-Za-z][A-Za-z0-9_]*)'")
_SHOWN = 60  # characters of a user's text in a message
_NEW = "\N{MODIFIER LETTER PRIME}"
"""Replacement of a name's prime while Python parses it: a letter to Python, and not ASCII, so not in any formula."""
_FUNCTIONS = {name: op for op, operation in OPERATIONS.items() for name in operation.functions}
_OPTIONS = ("identity", "bias", "groups", "random")  # of linear
_OPERATORS: dict[type[ast.operator], Op] = {ast.Add: Op.ADD, ast.Sub: Op.SUB, ast.Mult: Op.MUL}


@dataclass(frozen=True)
class _OneMinus:
    """The value `1 - v`: as a factor of a product with `n` it becomes `n - v * n`, which needs no number.

    If v has a number among its terms and factors, such as `2 * z`, it stays a factor: `(1 - 2 * z) * n`. The canonical
    form has such factors where v is a sum of many terms, and they must be read back as they are printed.
    """

    node: int


@dataclass(frozen=True)
class Written:
    """A formula with its author's names: the graph, neither pruned nor merged, and the names of its parts.

    `names` maps names to nodes, in the order of the lines; names of new states end in a prime. `states` are the names
    of the states, `h` first.
    """

    graph: GateGraph
    names: dict[str, int]
    states: tuple[str, ...]

    @property
    def names_of_values(self) -> dict[int, str]:
        """First name of each named node by position, without states and their new values."""
        names: dict[int, str] = {}
        for name, node in self.names.items():
            if not name.endswith("'") and self.graph.nodes[node].op not in LEAVES:
                names.setdefault(node, name)
        return names


def parse_formula(text: str) -> GateGraph:
    """Return the graph of a formula as written: neither pruned nor merged.

    Raises:
        FormulaError: the text contains something that the module's docstring does not list, is longer than
            `MAX_CHARACTERS`, or makes more than `MAX_NODES` nodes; the message names the line.
    """
    return parse_written(text).graph


def parse_written(text: str) -> Written:
    """Return a formula's graph with its author's names. Raises `FormulaError` as `parse_formula` does."""
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(f"the formula has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
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
                f"line {number}: {quoted(line, _SHOWN)} is not of the form NAME = EXPRESSION or NAME' = EXPRESSION"
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


class _Builder:
    def __init__(self, states: list[str]) -> None:
        self.states = states
        self.nodes: list[Node] = []
        self.leaves: dict[Node, int] = {}
        self.names: dict[str, int | _OneMinus] = {}
        self.number = 0

    def assign(self, number: int, name: str, primed: bool, expression: str) -> None:
        self.number = number
        shown = shorten(name, _SHOWN)
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
        shown = shorten(expression, _SHOWN)
        if not expression.isascii():
            raise self.error(f"{shown!r} has a letter or sign that is not ASCII; replace it, or move it to a comment")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python warns about odd code, which is rejected below
                tree = ast.parse(_PRIMED.sub(lambda m: m[1] + _NEW, expression), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = "too deep" if isinstance(error, (RecursionError, MemoryError)) else str(error.args[0])
            reason = shorten(reason.replace(_NEW, "'"), _SHOWN)
            raise self.error(f"{shown!r} is not an expression ({reason})") from None
        value = self.value(tree.body, 0)
        self.names[key] = self.plain(value) if primed else value

    def value(self, tree: ast.expr, depth: int) -> int | _OneMinus:
        if depth > MAX_DEPTH:
            raise self.error(f"the expression is nested deeper than {MAX_DEPTH}; give parts of it a name")
        if isinstance(tree, ast.Name):
            return self.name(tree.id)
        if isinstance(tree, ast.Call):
            return self.call(tree, depth)
        if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
            return self.operator(_OPERATORS[type(tree.op)], tree, depth)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub) and not _is_number(tree.operand):
            return self.add(Node(Op.SUB, (self.constant_node(0.0), self.node(tree.operand, depth + 1))))
        if _is_number(tree):
            return self.constant_node(self.constant(tree))
        raise self.error(
            f"{quoted(_source(tree), _SHOWN)} is not allowed; use names, numbers, + - *, and "
            f"{', '.join(sorted(_FUNCTIONS))}"
        )

    def name(self, name: str) -> int | _OneMinus:
        if name in self.names:
            return self.names[name]
        if name == "x":
            return self.leaf(Node(Op.INPUT))
        if name in self.states:
            return self.leaf(Node(Op.STATE, state=self.states.index(name)))
        shown = shorten(name.replace(_NEW, "'"), _SHOWN)
        if name.endswith(_NEW):
            raise self.error(f"{shown!r} is read before its line; put {shown} = ... above")
        raise self.error(f"{shown!r} is undefined; assign it on a line above, or define a state with {shown}' = ...")

    def call(self, tree: ast.Call, depth: int) -> int:
        function = tree.func.id if isinstance(tree.func, ast.Name) else None
        if function not in _FUNCTIONS:
            raise self.error(
                f"{quoted(_source(tree.func), _SHOWN)} is not a function; "
                f"the functions are {', '.join(sorted(_FUNCTIONS))}"
            )
        op = _FUNCTIONS[function]
        if op is Op.LINEAR:
            return self.linear(tree, depth)
        if len(tree.args) != 1 or tree.keywords:
            raise self.error(f"{function} takes one value, not {len(tree.args) + len(tree.keywords)}")
        if op is Op.PARAM:
            return self.add(Node(op, start=self.start(tree.args[0])))
        return self.add(Node(op, (self.node(tree.args[0], depth + 1),)))

    def linear(self, tree: ast.Call, depth: int) -> int:
        if not 1 <= len(tree.args) <= 2 or any(k.arg not in _OPTIONS for k in tree.keywords):
            raise self.error(
                "linear takes a value and optionally the identity's factor, a bias, groups and random: "
                "linear(x, 0.9, bias=1)"
            )
        given = ["identity"] * (len(tree.args) - 1) + [str(k.arg) for k in tree.keywords]
        if len(given) != len(set(given)):
            twice = next(name for name in given if given.count(name) > 1)
            raise self.error(f"linear is given {twice} twice; give each option once")
        options = {str(k.arg): k.value for k in tree.keywords}
        if len(tree.args) == 2:
            options["identity"] = tree.args[1]
        identity = self.constant(options["identity"]) if "identity" in options else 0.0
        bias: Start | None = 0.0
        if "bias" in options:
            given_bias = options["bias"]
            none = isinstance(given_bias, ast.Constant) and given_bias.value is False
            if isinstance(given_bias, ast.Constant) and given_bias.value is True:
                raise self.error("linear has bias=True, which is the default; write a number, a start rule or False")
            bias = None if none else self.start(given_bias)
        groups = self.constant(options["groups"]) if "groups" in options else 1.0
        if groups != int(groups) or not 1 <= groups <= MAX_GROUPS:
            raise self.error(f"linear has groups={groups:g}; it must be a whole number from 1 to {MAX_GROUPS}")
        written = options.get("random", ast.Constant(1.0))
        orthogonal = isinstance(written, ast.Name) and written.id == "orthogonal"
        random = 1.0 if orthogonal else self.constant(written)
        if random < 0.0:
            raise self.error(f"linear has random={random:g}; it must not be negative")
        if orthogonal and identity:
            raise self.error("linear is given random=orthogonal and the identity's factor; give one of them")
        value = self.node(tree.args[0], depth + 1)
        return self.add(
            Node(
                Op.LINEAR, (value,), identity=identity, bias=bias, random=random, orthogonal=orthogonal,
                groups=int(groups),
            )
        )  # fmt: skip

    def start(self, tree: ast.expr) -> Start:
        """Return the start that is written: a number, or a rule with a sign."""
        if _is_number(tree):
            return self.constant(tree)
        written, negative = tree, False
        while isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            negative, tree = not negative, tree.operand
        name = tree.func if isinstance(tree, ast.Call) else tree
        known = isinstance(name, ast.Name) and name.id in list(Rule)
        if not known or (isinstance(tree, ast.Call) and tree.keywords):
            rules = ", ".join(f"{rule.value}({found.arguments})" for rule, found in RULES.items())
            raise self.error(f"{quoted(_source(written), _SHOWN)} is not a start; write a number, or one of {rules}")
        assert isinstance(name, ast.Name)
        arguments = tuple(self.constant(a) for a in tree.args) if isinstance(tree, ast.Call) else ()
        rule = StartRule(Rule(name.id), arguments, negative)
        if broken := broken_rule(rule):
            raise self.error(f"{quoted(_source(written), _SHOWN)} {broken}")
        return rule

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
            if has_number(self.nodes, minus.node):
                return self.add(Node(Op.MUL, (self.plain(minus), other)))
            product = self.add(Node(Op.MUL, (minus.node, other)))
            return self.add(Node(Op.SUB, (other, product)))
        return self.add(Node(op, (self.plain(left), self.plain(right))))

    def node(self, tree: ast.expr, depth: int) -> int:
        return self.plain(self.value(tree, depth))

    def plain(self, value: int | _OneMinus) -> int:
        if isinstance(value, int):
            return value
        return self.add(Node(Op.SUB, (self.constant_node(1.0), value.node)))

    def constant_node(self, number: float) -> int:
        return self.leaf(Node(Op.NUMBER, value=number))

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
            f"{quoted(_source(written), _SHOWN)} must be a plain number between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
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


def _is_number(tree: ast.expr) -> bool:
    """Return whether an expression is a number, possibly with signs."""
    while isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        tree = tree.operand
    return isinstance(tree, ast.Constant)


def _is_one(tree: ast.Constant) -> bool:
    return isinstance(tree.value, (int, float)) and not isinstance(tree.value, bool) and tree.value == 1


def _source(tree: ast.AST) -> str:
    try:
        return ast.unparse(tree).replace(_NEW, "'")
    except (RecursionError, ValueError):
        return type(tree).__name__


def format_formula(graph: GateGraph) -> str:
    """Return the text of a graph's canonical form, as stores keep it; parsing it gives a graph with the same id.

    States are named h, c, c2, c3, ... Sigmoids are named g1, g2, ...; other values that are read more than once, or
    that would make a line too long, v1, v2, ... People read `search.cells.library.display_formula` instead.

    Raises:
        GraphError: the graph is too symmetric to have a canonical form.
    """
    return Printer(graph.canonical()).text()


def format_graph(graph: GateGraph) -> str:
    """Return the text of a graph in its own order: neither pruned nor merged, but without nodes that nothing reads."""
    return Printer(graph).text()
