"""Recognition of a published cell in a graph that is written otherwise."""

from search.cells.canonical import correspondence
from search.cells.graph import GateGraph
from search.cells.notation.formula import parse_written
from search.cells.operations import Op
from search.cells.published.entry import NamedCell


def flipped_gates(written: GateGraph, cell: NamedCell) -> list[str]:
    """Return the gates of a published cell that a graph of the same id has flipped: 1 - z stands for z there.

    Args:
        written: the graph, not in canonical form.
        cell: the published cell with the graph's id.

    Returns:
        The names of the gates in the cell's formula; empty texts for gates that it does not name.

    Raises:
        GraphError: the graph is too symmetric to have a canonical form.
    """
    formula = parse_written(cell.formula)
    own, published = _gates(written), _gates(formula.graph)
    gates = [node for place, (node, flipped) in published.items() if place in own and own[place][1] != flipped]
    return [formula.names_of_values.get(node, "") for node in sorted(gates)]


def describe_flipped(gates: list[str]) -> str:
    """Return words on flipped gates, such as "with its gate z flipped"; empty if there are none."""
    if not gates:
        return ""
    if "" in gates:
        return "with its gate flipped" if len(gates) == 1 else f"with {len(gates)} of its gates flipped"
    return f"with its gate{'s' if len(gates) > 1 else ''} {' and '.join(gates)} flipped"


def _gates(graph: GateGraph) -> dict[int, tuple[int, bool]]:
    """Return the sigmoids of a graph by their places in the canonical form, with whether each is flipped there."""
    found = correspondence(graph)
    gates: dict[int, tuple[int, bool]] = {}
    for flipped, places in ((False, found.positions), (True, found.opposites)):
        for node, place in places.items():
            if graph.nodes[node].op is Op.SIGMOID:
                gates.setdefault(place, (node, flipped))
    return gates
