"""Writing of a canonical graph as the nodes of a recipe; `search.cells.notation.recipe` has the format."""

from collections import Counter
from typing import NoReturn, TypeAlias

from search.cells.errors import RecipeError
from search.cells.graph import GateGraph
from search.cells.notation.blends import Blend, Product, find_blends
from search.cells.operations import OPERATIONS, Node, Op

MOST_REPETITIONS = 64
"""Largest number factor that is written as a sum of equal inputs."""

_Value: TypeAlias = "int | tuple[str, tuple[_Value, ...]]"
"""A node of the graph by its position, or an operation of the recipe on values, for what is no node of the graph."""

_Line: TypeAlias = tuple[str, tuple[_Value, ...]]


class RecipeWriter:
    """Writer of one canonical graph. A sum is written with `linear` and `blend` where it has their terms."""

    def __init__(self, graph: GateGraph) -> None:
        self.graph, self.nodes, self.outputs = graph, graph.nodes, graph.outputs
        self.products = {self._factors(i): i for i, node in enumerate(graph) if node.op is Op.MUL}
        self.found: dict[int, tuple[list[Blend], Counter[Product]] | None] = {}
        self.lines: dict[str, tuple[str, list[str]]] = {}
        self.names: dict[_Value, str] = {}

    def recipe(self) -> dict[str, tuple[str, list[str]]]:
        """Return the operation and inputs of each node by name.

        Raises:
            RecipeError: a recipe cannot express the cell.
        """
        for k, i in enumerate(self.outputs):
            if self.nodes[i].op in (Op.INPUT, Op.STATE):
                self._refuse(f"the new value of state {k} is a state or the input", "an operation for each new state")
            if self.outputs.index(i) == k:
                self.names.setdefault(i, f"h_new_{k}")
        for k, i in enumerate(self.outputs):
            self._write(i, f"h_new_{k}")
        inner = [name for name in self.lines if name.startswith("node_")]
        number = {name: f"node_{k}" for k, name in enumerate(inner)}  # in the order of the lines
        return {
            number.get(name, name): (op, [number.get(item, item) for item in inputs])
            for name, (op, inputs) in self.lines.items()
        }

    def _refuse(self, what: str, known: str) -> NoReturn:
        raise RecipeError(f"the cell cannot be written as a recipe: {what}, and recipes have only {known}")

    def _name(self, value: _Value) -> str:
        """Return the name of a value; write its node first if that has not happened yet."""
        if isinstance(value, int) and self.nodes[value].op in (Op.INPUT, Op.STATE):
            node = self.nodes[value]
            return "x" if node.op is Op.INPUT else f"h_prev_{node.state}"
        if value not in self.names:
            self.names[value] = f"node_{sum(name.startswith('node_') for name in self.names.values())}"
        self._write(value, self.names[value])
        return self.names[value]

    def _write(self, value: _Value, name: str) -> None:
        if name in self.lines:
            return
        op, inputs = value if isinstance(value, tuple) else self._operation(value)
        self.lines[name] = op, [self._name(each) for each in inputs]

    def _operation(self, i: int) -> _Line:
        node = self.nodes[i]
        match node.op:
            case Op.ADD | Op.SUB:
                return self._sum(i)
            case Op.MUL:
                number = next((k for k in node.inputs if self.nodes[k].op is Op.NUMBER), None)
                return self._sum(i) if number is not None else (OPERATIONS[node.op].recipe, node.inputs)
            case Op.LINEAR:
                self._check_linear(node)
                if self.outputs.count(i) > 1:
                    self._refuse(
                        "one matrix computes two states", "an operation for each, and each linear is a new matrix"
                    )
                return "linear", node.inputs
            case Op.PARAM | Op.NUMBER:
                what = "a learned vector" if node.op is Op.PARAM else f"the number {node.value:g}"
                self._refuse(f"it has {what}", "x and the states")
            case _:
                if not OPERATIONS[node.op].recipe:
                    self._refuse(f"it has {node.op}", "tanh, sigm and leaky_relu")
                return OPERATIONS[node.op].recipe, node.inputs

    def _check_linear(self, node: Node) -> None:
        if node.groups != 1:
            self._refuse("a linear has a matrix of blocks", "full ones")
        if node.bias is None:
            self._refuse("a linear has no bias", "linears with one")
        if node != Node(Op.LINEAR, node.inputs):
            self._refuse("a linear starts from other values than random ones", "those")

    def _sum(self, i: int) -> _Line:
        """Return the operation of a sum, or of a product with a number, from its terms."""
        positive, negative = self._terms(i)
        if not negative:
            return self._added(positive, private=self.outputs.count(i) < 2)
        found = self._blends(i)
        if found is None:
            self._refuse("it has a difference outside z * a + (1 - z) * b", "blend, sums and products")
        blends, left = found
        parts = [self._product(part) for blend in blends for part in blend]
        written: list[_Line] = [("blend", tuple(parts[k : k + 3])) for k in range(0, len(parts), 3)]
        if not left and len(written) == 1:
            return written[0]
        op, inputs = self._added(
            Counter({self._position(product): count for product, count in left.items()}),
            private=self.outputs.count(i) < 2,
        )
        rest = inputs if op == "elementwise_sum" else ((op, inputs),) if inputs else ()
        return "elementwise_sum", (*written, *rest)

    def _blends(self, i: int) -> tuple[list[Blend], Counter[Product]] | None:
        """Return the blends of a sum, and the products that are left; None if its differences are no blends."""
        if i not in self.found:
            positive, negative = self._terms(i)
            self.found[i] = find_blends(
                Counter({self._factors(j): count for j, count in positive.items()}),
                Counter({self._factors(j): count for j, count in negative.items()}),
            )
        return self.found[i]

    def _added(self, terms: Counter[int], private: bool) -> _Line:
        """Return the operation that adds terms; linears that nothing else reads become one, if that is `private`."""
        linears = [j for j in terms if private and terms[j] == 1 and self._is_private_linear(j)]
        others = tuple(j for j in terms.elements() if j not in linears)
        merged = "linear", tuple(self.nodes[j].inputs[0] for j in linears)
        if len(linears) > 1 and not others:
            return merged
        first: tuple[_Value, ...] = (merged,) if len(linears) > 1 else tuple(linears)
        return "elementwise_sum", (*first, *others)

    def _terms(self, i: int) -> tuple[Counter[int], Counter[int]]:
        """Return the positions of the terms that a sum adds and those that it subtracts, with their numbers."""
        counts: Counter[int] = Counter()
        pending = [(i, 1.0)]
        while pending:
            j, factor = pending.pop()
            node = self.nodes[j]
            number = (
                next((k for k in node.inputs if self.nodes[k].op is Op.NUMBER), None) if node.op is Op.MUL else None
            )
            if number is not None:
                other = node.inputs[0] if node.inputs[1] == number else node.inputs[1]
                pending.append((other, factor * self.nodes[number].value))
            elif node.op in (Op.ADD, Op.SUB) and (j == i or self.graph.uses[j] == 1 or self._blends(j) is None):
                left, right = node.inputs
                pending += [(right, factor if node.op is Op.ADD else -factor), (left, factor)]
            else:
                if node.op is Op.NUMBER or not factor.is_integer() or abs(factor) > MOST_REPETITIONS:
                    value = node.value * factor if node.op is Op.NUMBER else factor
                    self._refuse(f"it has the number {value:g}", "x and the states")
                counts[j] += int(factor)
        return +counts, -counts

    def _is_private_linear(self, i: int) -> bool:
        node = self.nodes[i]
        return node == Node(Op.LINEAR, node.inputs) and self.graph.uses[i] == 1

    def _factors(self, i: int) -> Product:
        """Return the factors of a product, or the node itself."""
        if self.nodes[i].op is not Op.MUL:
            return (i,)
        return tuple(sorted(factor for j in self.nodes[i].inputs for factor in self._factors(j)))

    def _position(self, product: Product) -> int:
        return product[0] if len(product) == 1 else self.products[product]

    def _product(self, product: Product) -> _Value:
        """Return the value of a product, which need not be a node of the graph."""
        if len(product) == 1 or product in self.products:
            return self._position(product)
        return OPERATIONS[Op.MUL].recipe, product
