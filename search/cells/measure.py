"""Size of a cell and its cost for each time step, counted from its graph."""

from dataclasses import dataclass

from search.cells.graph import GateGraph
from search.cells.operations import LEAVES, Op
from search.cells.parameters import ParameterLayout, layout_of


@dataclass(frozen=True)
class Measure:
    """Size of a cell: states, `products` with a matrix, `pointwise` operations on vectors (H,), and its parameters."""

    states: int
    products: int
    pointwise: int
    layout: ParameterLayout

    def parameters(self, units: int) -> int:
        """Return the number of parameters of one layer of `units` units."""
        return self.layout.count(units)


def measure(graph: GateGraph) -> Measure:
    """Return the size of a graph's canonical form. Raises `GraphError` as `GateGraph.canonical` does."""
    graph = graph.canonical()
    inner = [node for node in graph if node.op not in LEAVES]
    products = sum(node.op is Op.LINEAR for node in inner)
    return Measure(graph.states, products, len(inner) - products, layout_of(graph))
