"""Crossover of two cells: a part of one is replaced by a part of the other.

A part is a value within a step, with all that it is computed from, or the whole update of a state. The part of the
other cell reads the parent's x and h as its own. Each further state that it reads becomes one of the parent's further
states, or is carried over with its own update, each with probability 1/2; carried over if the parent has none. Matrices
are copied: those of the part are the child's own.

The child's lineage names both: its parent is the first cell, and the mutation ends with `of ID`, the id of the other.
"""

import re
from dataclasses import replace

import numpy as np

from search.cells.draft import Draft, Rejection
from search.cells.graph import MAX_STATES, GateGraph
from search.cells.ids import printed_id
from search.cells.mutation import Child, child_of
from search.cells.operations import LEAVES, Node, Op
from search.cells.text import state_name
from search.cells.transformations import Mutation, Transformation

_OTHER = re.compile(rf"{Transformation.CROSSOVER}: .* of ([0-9a-f]{{16}})")


def crossed(
    parent: GateGraph,
    other: GateGraph,
    rng: np.random.Generator,
    *,
    max_nodes: int = 64,
    max_loop_products: int | None = None,
) -> Child | Rejection:
    """Draw once: replace a part of the parent's canonical graph by a part of the other cell's.

    All inner values and updates of the parent are equally likely to be replaced, a value by an inner value of the other
    cell, an update by an update.

    Args:
        parent: a cell, in any form.
        other: the other cell.
        rng: source of all draws.
        max_nodes: limit of nodes in the canonical child, at most 256.
        max_loop_products: limit of matrix products in loops of the child; None for no limit.

    Returns:
        The child, which has an operation of each parent, or the reason for rejecting the draw.
    """
    parent, other = parent.canonical(), other.in_form(parent.form)
    draft = Draft(parent)
    inner, theirs = _inner(parent), _inner(other)
    if not inner or not theirs:
        return Rejection.NO_OPERATION
    place = int(rng.integers(len(inner) + parent.states))
    graft = _Graft(draft, parent, other, rng)
    if place < len(inner):
        target = inner[place]
        donor = theirs[int(rng.integers(len(theirs)))]
        detail = f"{draft.describe(target)} replaced by {Draft(other).describe(donor)} of {other.id}"
        draft.replace(target, graft.copied(donor))
    else:
        state, source = place - len(inner), int(rng.integers(other.states))
        target = parent.outputs[state]
        detail = f"update of {state_name(state)} replaced by that of {state_name(source)} of {other.id}"
        draft.redirect(-1, state, graft.copied(other.outputs[source]))
    if not graft.carry():
        return Rejection.TOO_LARGE
    live = _alive(draft)
    if not live & set(inner) or not any(i >= len(parent) and draft.nodes[i].op not in LEAVES for i in live):
        return Rejection.UNCHANGED  # the child is one of the two, or nothing of the other cell is left
    child = child_of(draft, parent, max_nodes, max_loop_products)
    if isinstance(child, GateGraph) and child == other:
        return Rejection.UNCHANGED
    if isinstance(child, Rejection):
        return child
    return Child(child, (Mutation(Transformation.CROSSOVER, target, detail),))


def other_parent(mutations: tuple[str, ...]) -> str | None:
    """Return the id of the second parent from the mutations of a cell in words; None if it has only one."""
    found = [match[1] for text in mutations if (match := _OTHER.fullmatch(text))]
    return found[0] if found else None


def printed_mutations(mutations: tuple[str, ...]) -> tuple[str, ...]:
    """Return the mutations of a cell in words as people see them: a second parent by its printed id."""
    parents = [_OTHER.fullmatch(text) for text in mutations]
    return tuple(
        text if found is None else f"{text[: found.start(1)]}{printed_id(found[1])}"
        for text, found in zip(mutations, parents, strict=True)
    )


def _inner(graph: GateGraph) -> list[int]:
    return [i for i, node in enumerate(graph) if node.op not in LEAVES]


def _alive(draft: Draft) -> set[int]:
    """Return the nodes that the visible output depends on, at any step."""
    found: set[int] = set()
    pending = [draft.outputs[0]]
    while pending:
        i = pending.pop()
        if i not in found:
            found.add(i)
            node = draft.nodes[i]
            pending += (draft.outputs[node.state],) if node.op is Op.STATE else node.inputs
    return found


class _Graft:
    """Copy of a part of another cell within a draft, with the states that it brings along."""

    def __init__(self, draft: Draft, parent: GateGraph, other: GateGraph, rng: np.random.Generator) -> None:
        self._draft, self._other, self._rng = draft, other, rng
        self._own = parent.states
        self._leaves: dict[tuple[Op, int], int] = {}
        self._leaves |= {(node.op, node.state): i for i, node in enumerate(parent) if node.op in (Op.INPUT, Op.STATE)}
        self._copies: dict[int, int] = {}
        self._states = {0: 0}  # state of the other cell -> state of the child
        self._carried: list[int] = []  # states of the other cell whose updates are still to be added, in order
        self._count = parent.states

    def copied(self, i: int) -> int:
        """Return the node of the draft that stands for node `i` of the other cell; it is added at the first call."""
        for j in sorted({i} | self._other.ancestors(i)):
            if j not in self._copies:
                node = self._other.nodes[j]
                if node.op in (Op.INPUT, Op.STATE):
                    self._copies[j] = self._leaf(node)
                else:
                    self._copies[j] = self._draft.add(node.reading(tuple(self._copies[k] for k in node.inputs)))
        return self._copies[i]

    def carry(self) -> bool:
        """Add the updates of the states that the part brings along; return False if there are too many states."""
        while self._carried:
            source = self._carried.pop(0)
            self._draft.add_output(self.copied(self._other.outputs[source]))
        return len(self._draft.outputs) <= MAX_STATES

    def _leaf(self, node: Node) -> int:
        state = 0 if node.op is Op.INPUT else self._state(node.state)
        key = node.op, state
        if key not in self._leaves:
            self._leaves[key] = self._draft.add(replace(node, state=state))
        return self._leaves[key]

    def _state(self, source: int) -> int:
        if source not in self._states:
            further = self._own - 1
            if further and self._rng.random() < 0.5:
                self._states[source] = 1 + int(self._rng.integers(further))
            else:
                self._states[source] = self._count
                self._count += 1
                self._carried.append(source)
        return self._states[source]
