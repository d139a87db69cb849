"""Recipes: the JSON notation of cells of NAS-Bench-NLP (Klyuchnikov et al. 2020), parsed and printed.

A recipe is an object of nodes, each with an operation and the names it reads:

    {"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}

Files in which recipes are published, such as logs and lists, are read by `search.cells.notation.recipe_file`.

`x` is the input, `h_prev_k` is state k at the previous time step, `h_new_k` its new value, and `h_new_0` the output.

| recipe | graph |
|---|---|
| `linear` of one or more | the sum of one `linear` each; each has a bias here, while a recipe has one bias in all |
| `blend` of z, a, b | z * a + (1 - z) * b |
| `elementwise_sum`, `elementwise_prod` of two or more | the same, from left to right |
| `activation_tanh`, `activation_sigm`, `activation_leaky_relu` | the same, with slope 0.01 |

The biases of one `linear` add up, so both notations express the same functions. Parsing a printed recipe gives a cell
with the same id. A recipe cannot express relu, softplus, a layer norm, a learned vector, a number, a difference outside
a blend, a matrix without a bias or of blocks or with a start of its own, or a state whose new value is a state or the
input. Recipes may come from untrusted sources: nothing in
them is executed, and their size, depth and names are bounded.
"""

import json
import re
from graphlib import CycleError, TopologicalSorter
from typing import Any

from search.cells.errors import RecipeError
from search.cells.graph import MAX_NODES, MAX_STATES, GateGraph
from search.cells.notation.recipe_writer import RecipeWriter
from search.cells.operations import ARITY, OPERATIONS, Node, Op
from search.cells.text import shorten

MAX_CHARACTERS = 262_144
"""Longest text that is parsed; the largest graph's recipe is shorter."""

_NAMED = {operation.recipe: op for op, operation in OPERATIONS.items() if operation.recipe and op is not Op.LINEAR}
_ACTIVATIONS = {name: op for name, op in _NAMED.items() if ARITY[op] == 1}
_FOLDED = {name: op for name, op in _NAMED.items() if ARITY[op] == 2}
_LEAST = {"linear": 1, "elementwise_sum": 2, "elementwise_prod": 2}
_OPERATIONS = ("linear", "blend", *_FOLDED, *_ACTIVATIONS)
_STATE = re.compile(r"h_(prev|new)_(0|[1-9][0-9]{0,5})")


def parse_recipe(text: str) -> GateGraph:
    """Return the graph of a recipe, neither pruned nor merged.

    Raises:
        RecipeError: the text contains something that the module's docstring does not list; the message names the node
            and the rule.
    """
    return graph_of_recipe(load_json(text, MAX_CHARACTERS, "the recipe"))


class JsonObject(dict[str, Any]):
    """A JSON object, and the first name that occurs twice in it, if one does."""

    repeated: str | None = None

    def check(self) -> None:
        """Raise `RecipeError` if a name occurs twice."""
        if self.repeated is not None:
            raise RecipeError(f"{shown(self.repeated)} occurs twice; names must be unique")


def load_json(text: str, most: int, what: str) -> Any:
    """Return the values of a JSON text of at most `most` characters; its objects are `JsonObject`.

    Args:
        text: the text.
        most: limit of its length.
        what: name of the text in the message about that limit.

    Raises:
        RecipeError: the text is too long, is not JSON, or is nested too deeply.
    """
    if len(text) > most:
        raise RecipeError(f"{what} has {len(text)} characters; at most {most} are allowed")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise RecipeError("the JSON is nested too deeply; a recipe is an object of nodes, two levels deep") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RecipeError(f"{where}: invalid JSON ({error.msg})") from None
    except ValueError as error:  # a number of thousands of digits
        raise RecipeError(f"the JSON cannot be read ({error})") from None


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found.repeated = next(name for i, name in enumerate(names) if name in names[:i])
    return found


def graph_of_recipe(recipe: Any) -> GateGraph:
    """Return the graph of a recipe that `load_json` read. Raises `RecipeError` as `parse_recipe` does."""
    if not isinstance(recipe, JsonObject):
        raise RecipeError(f"a recipe is an object of nodes, not {shown(recipe)}")
    recipe.check()
    return _Reader(recipe).graph()


def shown(value: object) -> str:
    """Return a value from the JSON for a message."""
    return shorten(ascii(value), 60)


class _Reader:
    def __init__(self, recipe: dict[str, Any]) -> None:
        self.recipe = {name: self._checked(name, node) for name, node in recipe.items()}
        self.states = self._count_states()
        self.nodes: list[Node] = []
        self.known: dict[str, int] = {}

    def _checked(self, name: str, node: Any) -> tuple[str, list[str]]:
        """Return the operation and inputs of a node, checked."""
        where = f"node {shown(name)}"
        match = _STATE.fullmatch(name)
        if name == "x" or (match and match[1] == "prev"):
            raise RecipeError(f"{where} is defined, but x and h_prev_0, h_prev_1, ... are inputs; rename it")
        if isinstance(node, JsonObject):
            node.check()
        if not isinstance(node, dict) or set(node) != {"op", "input"}:
            raise RecipeError(f'{where} is {shown(node)}; it must be of the form {{"op": ..., "input": [...]}}')
        op, inputs = node["op"], node["input"]
        if not isinstance(op, str) or op not in _OPERATIONS:
            raise RecipeError(f"{where} has the operation {shown(op)}; the operations are {', '.join(_OPERATIONS)}")
        if not isinstance(inputs, list) or not all(isinstance(item, str) for item in inputs):
            raise RecipeError(f"{where} has the input {shown(inputs)}; it must be a list of names")
        exact = 3 if op == "blend" else 1 if op in _ACTIVATIONS else None
        if len(inputs) != exact if exact else len(inputs) < _LEAST[op]:
            rule = exact or f"at least {_LEAST[op]}"
            raise RecipeError(f"{where}: number of inputs is {len(inputs)}; {op} takes {rule}")
        return op, inputs

    def _count_states(self) -> int:
        given = {int(match[2]) for name in self.recipe if (match := _STATE.fullmatch(name))}
        if 0 not in given:
            raise RecipeError("there is no node h_new_0; every cell computes its output h_new_0")
        missing = next(k for k in range(len(given) + 1) if k not in given)
        if missing < len(given):
            raise RecipeError(
                f"there is h_new_{max(given)} but no h_new_{missing}; states are numbered from 0 without gaps"
            )
        if len(given) > MAX_STATES:
            raise RecipeError(f"the recipe has {len(given)} states; at most {MAX_STATES} are allowed")
        return len(given)

    def graph(self) -> GateGraph:
        for name, (_, inputs) in self.recipe.items():
            for item in inputs:
                self._check_known(name, item)
        try:
            order = list(TopologicalSorter({name: inputs for name, (_, inputs) in self.recipe.items()}).static_order())
        except CycleError as error:
            path = " -> ".join(shown(name) for name in error.args[1][:6])
            raise RecipeError(f"nodes form a cycle: {path}; a time step has no cycles") from None
        for name in order:
            self.known[name] = self._node(name) if name in self.recipe else self._leaf(name)
        return GateGraph(tuple(self.nodes), tuple(self.known[f"h_new_{k}"] for k in range(self.states)))

    def _check_known(self, name: str, item: str) -> None:
        match = _STATE.fullmatch(item)
        if item in self.recipe or item == "x":
            return
        if match and match[1] == "prev":
            if int(match[2]) >= self.states:
                raise RecipeError(
                    f"node {shown(name)} reads {item}, but nothing computes h_new_{match[2]}; add it, or read another"
                )
            return
        raise RecipeError(
            f"node {shown(name)} reads {shown(item)}, which is neither a node, nor x, nor a state h_prev_k"
        )

    def _leaf(self, name: str) -> int:
        match = _STATE.fullmatch(name)
        return self._add(Node(Op.STATE, state=int(match[2])) if match else Node(Op.INPUT))

    def _node(self, name: str) -> int:
        op, inputs = self.recipe[name]
        values = [self.known[item] for item in inputs]
        if op == "blend":
            z, a, b = values
            taken, kept = self._add(Node(Op.MUL, (z, a))), self._add(Node(Op.MUL, (z, b)))
            return self._add(Node(Op.ADD, (taken, self._add(Node(Op.SUB, (b, kept))))))
        if op in _ACTIVATIONS:
            return self._add(Node(_ACTIVATIONS[op], (values[0],)))
        if op == "linear":
            values = [self._add(Node(Op.LINEAR, (value,))) for value in values]
        total = values[0]
        for value in values[1:]:
            total = self._add(Node(_FOLDED.get(op, Op.ADD), (total, value)))
        return total

    def _add(self, node: Node) -> int:
        if len(self.nodes) >= MAX_NODES:
            raise RecipeError(f"the recipe makes more than {MAX_NODES} nodes, counting each matrix and each sum")
        self.nodes.append(node)
        return len(self.nodes) - 1


def format_recipe(graph: GateGraph) -> str:
    """Return the recipe of a graph's canonical form, one node a line; parsing it gives a graph with the same id.

    Raises:
        RecipeError: a recipe cannot express the cell; the message names the reason.
        GraphError: the graph is too symmetric to have a canonical form.
    """
    lines = [
        f'  "{name}": {json.dumps({"op": op, "input": inputs})}'
        for name, (op, inputs) in RecipeWriter(graph.canonical()).recipe().items()
    ]
    text = "\n".join(["{", ",\n".join(lines), "}"])
    if parse_recipe(text).id != graph.id:
        raise RecipeError("the cell cannot be written as a recipe: no recipe of the same canonical form was found")
    return text
