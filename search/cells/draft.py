"""Draft: a graph whose nodes are being changed, by mutation or crossover, before it is a cell again."""

from dataclasses import replace
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from search.cells.graph import MAX_NODES, GateGraph
from search.cells.notation.printing import linear_options
from search.cells.operations import LEAVES, Node, Op
from search.cells.starts import StartRule
from search.cells.text import number_text, state_name
from search.cells.vocabulary import STUDY_VOCABULARY, Vocabulary


class Rejection(StrEnum):
    """Reason for rejecting a draw."""

    CYCLE = "cycle"
    UNCHANGED = "unchanged"
    IGNORES_INPUT = "ignores-input"
    STATELESS = "stateless"
    NO_OPERATION = "no-operation"
    TOO_LARGE = "too-large"
    LOOP_PRODUCTS = "loop-products"
    TOO_SYMMETRIC = "too-symmetric"
    DUPLICATE = "duplicate"


class Draft:
    """A graph under mutation: nodes keep their numbers, added nodes get new ones, and cycles may arise.

    Node numbers of the parent's canonical graph stay valid while the node is live.
    """

    def __init__(self, graph: GateGraph, vocabulary: Vocabulary = STUDY_VOCABULARY) -> None:
        self.vocabulary = vocabulary
        self.nodes: dict[int, Node] = dict(enumerate(graph.nodes))
        self.outputs: list[int] = list(graph.outputs)
        self._live: frozenset[int] | None = None

    def live(self) -> frozenset[int]:
        """Return the nodes that some output depends on."""
        if self._live is None:
            self._live = self._reach(self.outputs)
        return self._live

    def ancestors(self, i: int) -> frozenset[int]:
        """Return the nodes that node `i` depends on, itself not included."""
        return self._reach(self.nodes[i].inputs)

    def readers(self, i: int) -> list[tuple[int, int]]:
        """Return the readers of node `i` as (reader, index among its inputs); an output is (-1, its state)."""
        found = [(-1, k) for k, j in enumerate(self.outputs) if j == i]
        for reader in sorted(self.live()):
            found += [(reader, place) for place, j in enumerate(self.nodes[reader].inputs) if j == i]
        return found

    def add(self, node: Node) -> int:
        """Add a node and return its number."""
        number = max(self.nodes) + 1
        self.nodes[number] = node
        return number

    def add_output(self, i: int) -> None:
        """Add a state whose new value is node `i`."""
        self._live = None
        self.outputs.append(i)

    def change(self, i: int, node: Node) -> None:
        """Replace the operation of node `i`, with the same inputs."""
        self.nodes[i] = node.reading(self.nodes[i].inputs)

    def applied(self, choice: Node, value: int) -> Node:
        """Return an activation of a value; of a factor's leaf, which is added, it is the product."""
        if choice.op not in LEAVES:
            return choice.reading((value,))
        self._live = None
        return Node(Op.MUL, (self.add(choice), value))

    def redirect(self, reader: int, place: int, target: int) -> None:
        """Set one input of a reader, or an output, to node `target`."""
        self._live = None
        if reader == -1:
            self.outputs[place] = target
            return
        node = self.nodes[reader]
        inputs = tuple(target if p == place else j for p, j in enumerate(node.inputs))
        self.nodes[reader] = node.reading(inputs)

    def replace(self, i: int, target: int) -> None:
        """Redirect all readers of node `i` to node `target`."""
        for reader, place in self.readers(i):
            self.redirect(reader, place, target)

    def graph(self) -> GateGraph | Rejection:
        """Return the live nodes in topological order as a graph, or the reason why they form none."""
        live = self.live()
        if len(live) > MAX_NODES:
            return Rejection.TOO_LARGE
        try:
            order = list(TopologicalSorter({i: self.nodes[i].inputs for i in sorted(live)}).static_order())
        except CycleError:
            return Rejection.CYCLE
        position = {i: p for p, i in enumerate(order)}
        nodes = []
        for i in order:
            node = self.nodes[i]
            nodes.append(node.reading(tuple(position[j] for j in node.inputs)))
        return GateGraph(tuple(nodes), tuple(position[i] for i in self.outputs))

    def describe(self, i: int) -> str:
        """Return a description of a node, such as `sigmoid#7` or `linear(0.9)#12`."""
        return f"{described(self.nodes[i])}#{i}" if self.nodes[i].op not in LEAVES else described(self.nodes[i])

    def _reach(self, roots: tuple[int, ...] | list[int]) -> frozenset[int]:
        found: set[int] = set()
        pending = list(roots)
        while pending:
            i = pending.pop()
            if i not in found:
                found.add(i)
                pending.extend(self.nodes[i].inputs)
        return frozenset(found)


def described(node: Node) -> str:
    """Return the description of an operation, without its node's number."""
    match node.op:
        case Op.INPUT:
            return "x"
        case Op.STATE:
            return state_name(node.state)
        case Op.NUMBER:
            return number_text(node.value)
        case Op.PARAM:
            return f"param({node.start if isinstance(node.start, StartRule) else number_text(node.start)})"
        case Op.LINEAR:
            return f"linear({node.identity:g}{linear_options(replace(node, identity=0.0))})"
        case _:
            return node.op.value
