"""A planted optimum: simulated cells whose worth rises as their graphs get closer to that of a known best cell.

Such a space shows how fast a search method finds the best cell: all methods climb the same hill, and the top is known.

Closeness compares the neighbourhoods of two graphs' nodes: an operation alone, with what it reads and what reads it,
and so for those again (the subtree kernel of Shervashidze et al. 2011, "Weisfeiler-Lehman graph kernels", section 3.2,
with reading and being read kept apart). A state is read where its leaf is and computed where its output is. Each
mutation changes the neighbourhoods near it alone, so that one towards the optimum is worth something by itself.
"""

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS, named_cell
from search.cells.notation.formula import parse_formula
from search.cells.operations import COMMUTATIVE, Op
from search.cells.text import shorten
from search.core.errors import SearchError

RADIUS_WEIGHTS = (2, 2, 1)
"""Weights of the neighbourhoods of radius 0, 1 and 2 in the closeness."""

SEED_ABILITY, NEAR_ABILITY, TOP_ABILITY, LEAST_ABILITY = 0.75, 0.95, 1.0, 0.3
"""Ability of the closer one of the seeds, the limit for cells close to the optimum, that of the optimum itself, and the
least. The luck of a simulated trial has a standard deviation of 0.02 on this scale."""

FARTHEST_SEED = 0.9
"""Closeness from which on a seed counts as no closer, so that an optimum beside it leaves something to gain."""


def optimum_graph(text: str) -> GateGraph:
    """Return the canonical graph of an optimum: a named cell, or a formula.

    Raises:
        SearchError: the text is neither.
    """
    try:
        return _graph(text)
    except CellError as error:
        raise SearchError(
            f"the optimum {shorten(text, 60)!r} is neither a named cell nor a formula ({error}); "
            "`gatesearch cells` lists the names"
        ) from error


@lru_cache(maxsize=16)
def _graph(text: str) -> GateGraph:
    graph = parse_formula(text) if "=" in text else named_cell(text).graph
    return graph.canonical()


def optimum_ability(graph: GateGraph, optimum: GateGraph) -> float:
    """Return the ability, 0 to 1, of a canonical graph: the largest is that of the optimum alone."""
    if graph.id == optimum.id:
        return TOP_ABILITY
    seed = _seed_closeness(optimum)
    rise = (closeness(graph, optimum) - seed) / (1.0 - seed)
    return max(LEAST_ABILITY, SEED_ABILITY + (NEAR_ABILITY - SEED_ABILITY) * rise)


@lru_cache(maxsize=4096)
def closeness(one: GateGraph, other: GateGraph) -> float:
    """Return how close two canonical graphs are: the share of neighbourhoods that both have, 0 to 1.

    It is 1 for equal graphs, and may be for others: no count of neighbourhoods tells all graphs apart.
    """
    total = 0.0
    for weight, a, b in zip(RADIUS_WEIGHTS, _neighbourhoods(one), _neighbourhoods(other), strict=True):
        total += weight * 2.0 * (a & b).total() / (a.total() + b.total())
    return total / sum(RADIUS_WEIGHTS)


@lru_cache(maxsize=16)
def _seed_closeness(optimum: GateGraph) -> float:
    """Return the closeness of the seed that is closer to the optimum, and not the optimum itself."""
    seeds = [LIBRARY[name].graph.canonical() for name in SEEDS]
    return min(FARTHEST_SEED, max(closeness(seed, optimum) for seed in seeds if seed.id != optimum.id))


@lru_cache(maxsize=4096)
def _neighbourhoods(graph: GateGraph) -> tuple[Counter[int], ...]:
    """Count the neighbourhoods of each radius, by their hashes."""
    inputs = [(graph.outputs[node.state],) if node.op is Op.STATE else node.inputs for node in graph]
    readers: list[list[int]] = [[] for _ in graph]
    for i, read in enumerate(inputs):
        for j in read:
            readers[j].append(i)
    # All states but the visible one are alike: their numbers mean nothing.
    colours = [hash(replace(node, inputs=(), state=min(node.state, 1))) for node in graph]
    found = [Counter(colours)]
    for _ in RADIUS_WEIGHTS[1:]:
        before = colours
        colours = []
        for i, read in enumerate(inputs):
            below = [before[j] for j in read]
            if graph.nodes[i].op in COMMUTATIVE:
                below.sort()
            above = sorted(before[j] for j in readers[i])
            colours.append(hash((before[i], *below, "read by", *above, i == graph.outputs[0])))
        found.append(Counter(colours))
    return tuple(found)
