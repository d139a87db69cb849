"""What a cell costs a step, counted from its graph."""

from dataclasses import dataclass

from search.cells.graph import LEAVES, GateGraph, Op


@dataclass(frozen=True)
class Measure:
    """Sizes of a cell: `products` matrices (H, H), each with a bias; `pointwise` operations on vectors of H."""

    states: int
    products: int
    pointwise: int

    def parameters(self, units: int) -> int:
        """Weights and biases of one layer of `units` units."""
        return self.products * (units * units + units)


def measure(graph: GateGraph) -> Measure:
    """The sizes of a graph's canonical form."""
    graph = graph.canonical()
    inner = [node for node in graph if node.op not in LEAVES]
    products = sum(node.op is Op.LINEAR for node in inner)
    return Measure(graph.states, products, len(inner) - products)
