"""Loops of a cell: its matrix products on a cycle through time, and whether its states follow linear recurrences.

Both are properties of the graph over all time steps, in which the new value of a state leads to its old value at the
next step. They decide how fast a cell can be trained: what is on no cycle can be computed for all steps at once, or one
loop after the other, and a linear recurrence is a fused multiply-add for each step, or a parallel scan.
"""

from collections.abc import Iterator

from search.cells.graph import GateGraph
from search.cells.operations import Op

_AFFINE, _OTHER = 1, 2
"""Classes of a value as a function of the states of one loop; 0 is a value that does not depend on them."""


def loop_products(graph: GateGraph) -> int:
    """Return the number of matrix products in loops.

    A product is in a loop if its result has an effect, over any number of steps, on its own input. Products of the
    input, of delayed inputs, of states that are computed in a loop before, and of outputs that are not read again are
    in none.

    Raises:
        GraphError: as `GateGraph.canonical` does.
    """
    graph = graph.canonical()
    follows = _followers(graph)
    return sum(bool(follows[i] >> i & 1) for i in graph.linears)


def linear_in_state(graph: GateGraph) -> bool:
    """Return whether every state follows a recurrence s' = a * s + b, element by element.

    Here a and b depend on the input, on earlier inputs, and on states that do not depend on s; several states may form
    one such recurrence. A state whose old value is not read, or is read only by what it has no effect on, needs no
    recurrence. The paper of the parallel linear recurrence is Martin and Cundy 2018 (arXiv 1709.04057).

    Raises:
        GraphError: as `GateGraph.canonical` does.
    """
    graph = graph.canonical()
    return all(
        max(_classes(graph, loop)[graph.outputs[k]] for k in loop) <= _AFFINE for loop in _loops_of_states(graph)
    )


def _followers(graph: GateGraph) -> list[int]:
    """Return a bit mask for each node: the nodes that its value has an effect on, over any number of steps.

    A node is its own follower if it is on a cycle.
    """
    readers = [0] * len(graph)
    for i, node in enumerate(graph):
        for j in node.inputs:
            readers[j] |= 1 << i
        if node.op is Op.STATE:
            readers[graph.outputs[node.state]] |= 1 << i
    found = [0] * len(graph)
    for i, first in enumerate(readers):
        pending = first
        while pending:
            found[i] |= pending
            step = 0
            for j in _bits(pending):
                step |= readers[j]
            pending = step & ~found[i]
    return found


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _loops_of_states(graph: GateGraph) -> list[frozenset[int]]:
    """Return the sets of states whose old values have an effect on each other's, and on their own."""
    leaves = {node.state: i for i, node in enumerate(graph) if node.op is Op.STATE}
    follows = _followers(graph)
    loops = {
        frozenset(k for k, j in leaves.items() if follows[i] >> j & 1 and follows[j] >> i & 1)
        for i in leaves.values()
        if follows[i] >> i & 1
    }
    return sorted(loops, key=min)


def _classes(graph: GateGraph, loop: frozenset[int]) -> list[int]:
    """Return how each node depends on the old values of these states: not at all, affinely by element, or otherwise."""
    found: list[int] = []
    for node in graph:
        inputs = [found[j] for j in node.inputs]
        if node.op is Op.STATE:
            found.append(_AFFINE if node.state in loop else 0)
        elif node.op in (Op.ADD, Op.SUB):
            found.append(max(inputs))
        elif node.op is Op.MUL:
            found.append(max(inputs) if min(inputs) == 0 else _OTHER)
        else:
            found.append(_OTHER if any(inputs) else 0)
    return found
