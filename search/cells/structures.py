"""Structures of a cell in plain words: what its gates and candidates read, how its states are carried, its matrices.

They describe any graph, not only relatives of the named cells:

- a *gate* is a sigmoid that is a factor of a product;
- a *candidate* is what a gate lets into a state: in the new value of a state, a sum, the factors of each term other
  than gates, states and functions of another state's new value;
- *raw* x or a raw state is read without a matrix in between, as a term of the sum that an activation is applied to.
"""

from collections.abc import Iterator

from search.cells.graph import GateGraph
from search.cells.operations import ACTIVATIONS, LEAVES, Op
from search.cells.patterns import complement, convex_combination

_SQUASHING = ACTIVATIONS - {Op.LINEAR}


def structures(graph: GateGraph) -> frozenset[str]:
    """Return the structures in a cell's canonical form. Raises `GraphError` as `GateGraph.canonical` does."""
    return frozenset(_Reader(graph.canonical()).found())


class _Reader:
    def __init__(self, graph: GateGraph) -> None:
        self.graph, self.nodes = graph, graph.nodes
        self.reach = [graph.ancestors(i) | {i} for i in range(len(graph))]
        self.gates = [
            i
            for i, node in enumerate(graph)
            if node.op is Op.SIGMOID and any(graph.nodes[r].op is Op.MUL for r in graph.consumers[i])
        ]
        self.candidates = sorted({i for output in graph.outputs for i in self._candidates(output)})

    def found(self) -> Iterator[str]:
        graph, nodes = self.graph, self.nodes
        for name, parts in (("gate", self.gates), ("candidate", self.candidates)):
            for i in parts:
                yield from self._of_part(i, "a gate" if name == "gate" else "the candidate")
        count = min(len(self.gates), 4)
        yield ("no gate", "one gate", "two gates", "three gates", "four gates or more")[count]
        states = graph.states
        yield "one state" if states == 1 else "two states" if states == 2 else "three states or more"
        if any(convex_combination(graph, i) for i in range(len(graph))):
            yield "z * a + (1 - z) * b"
        for i in graph.linears:
            if len(graph.consumers[i]) > 1:
                yield "a matrix that is read twice"
            source = nodes[nodes[i].inputs[0]]
            if source.op is Op.LINEAR:
                yield "a matrix of a matrix"
        if any(node.op is Op.RELU for node in graph):
            yield "relu"
        if any(
            nodes[r].op is Op.MUL for i, node in enumerate(graph) if node.op is Op.PARAM for r in graph.consumers[i]
        ):
            yield "a learned factor"
        if any(node.op is Op.NORM for node in graph):
            yield "layer norm"
        if any(node.groups > 1 for node in graph):
            yield "a matrix in blocks"
        for state, output in enumerate(graph.outputs):
            if any(nodes[i].op is Op.STATE and nodes[i].state == state for i in self._terms(output)):
                yield "a state that is added to itself"
        last = nodes[graph.outputs[0]].op
        if last in _SQUASHING:
            yield f"{last.value} on the output"

    def _of_part(self, i: int, where: str) -> Iterator[str]:
        node = self.nodes[i]
        inner = node.inputs[0] if node.op in _SQUASHING else i
        leaves = {self.nodes[j].op for j in self.reach[i]} & LEAVES
        for j in self._terms(inner):
            if self.nodes[j].op in (Op.INPUT, Op.STATE):
                yield f"raw {'x' if self.nodes[j].op is Op.INPUT else 'state'} in {where}"
            elif self.nodes[j].op is Op.MUL:
                yield f"a product in the sum of {where}"
            elif self.nodes[j].op is Op.LINEAR and self.nodes[j].identity:
                yield f"a matrix of {where} that starts at the identity"
        if where == "a gate":
            if Op.INPUT not in leaves:
                yield "a gate without x"
            if Op.STATE not in leaves:
                yield "a gate without a state"
        elif node.op is not Op.TANH:
            yield f"{node.op.value if node.op in _SQUASHING else 'no activation'} on the candidate"

    def _terms(self, i: int) -> list[int]:
        """Return the terms of nested sums and differences; (1 - z) * v is one term."""
        node = self.nodes[i]
        if node.op not in (Op.ADD, Op.SUB) or complement(self.graph, i) is not None:
            return [i]
        return [term for j in node.inputs for term in self._terms(j)]

    def _factors(self, i: int) -> list[int]:
        """Return the factors of nested products other than gates."""
        parts = complement(self.graph, i)
        if parts is not None:
            return self._factors(parts.value)
        if self.nodes[i].op is Op.MUL:
            return [factor for j in self.nodes[i].inputs for factor in self._factors(j)]
        return [] if i in self.gates else [i]

    def _candidates(self, output: int) -> Iterator[int]:
        for term in self._terms(output):
            for i in self._factors(term):
                node = self.nodes[i]
                source = node.inputs[0] if node.op in _SQUASHING else i
                if node.op not in LEAVES and (source == output or source not in self.graph.outputs):
                    yield i
