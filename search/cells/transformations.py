"""Transformations of a node: the six of Jozefowicz et al. 2015, section 3.3, and a seventh.

The seventh changes the blocks or the bias of a matrix, which no vocabulary of the study has. Each is one entry of
`APPLICABLE`, which says where it applies, and of `APPLY`, which applies it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, TypeVar

import numpy as np

from search.cells.draft import Draft, described
from search.cells.operations import ACTIVATIONS, ELEMENTWISE, LEAVES, Node, Op
from search.cells.vocabulary import BIASES, GROUPS


class Transformation(StrEnum):
    """The six transformations, in the paper's order, and two further ones.

    Crossover takes a part of another cell (`search.cells.crossover`); `mutate` does not draw it.
    """

    REPLACE_ACTIVATION = "replace-activation"
    REPLACE_ELEMENTWISE = "replace-elementwise"
    INSERT_ACTIVATION = "insert-activation"
    REMOVE_NODE = "remove-node"
    REPLACE_BY_ANCESTOR = "replace-by-ancestor"
    REPLACE_BY_COMBINATION = "replace-by-combination"
    CHANGE_MATRIX = "change-matrix"
    CROSSOVER = "crossover"


Weights: TypeAlias = Mapping[Transformation, float]
"""Weights by which `transform` draws a transformation."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One applied transformation: `node` is a position in the parent's canonical graph, `detail` a description."""

    transformation: Transformation
    node: int
    detail: str


_Choice = TypeVar("_Choice")


def transform(draft: Draft, i: int, rng: np.random.Generator, weights: Weights | None = None) -> Mutation | None:
    """Apply to node `i` one of the transformations that apply to it, and return it; None if it would make a cycle.

    Args:
        draft: the graph, which is changed.
        i: a live node that is no leaf.
        rng: source of all draws.
        weights: weight of each transformation; all are equal if None.
    """
    allowed = [(t, 1.0 if weights is None else weights[t]) for t in APPLICABLE if APPLICABLE[t](draft, i)]
    transformation = _drawn(allowed, rng)
    detail = APPLY[transformation](draft, i, rng)
    return None if detail is None else Mutation(transformation, i, detail)


def _drawn(choices: Sequence[tuple[_Choice, float]], rng: np.random.Generator) -> _Choice:
    """Draw one of the choices by their weights; of equal ones as the study's searches have always drawn them."""
    weights = [weight for _, weight in choices]
    if weights.count(weights[0]) == len(weights):
        return choices[int(rng.integers(len(choices)))][0]
    shares = np.cumsum(weights)
    return choices[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))][0]


def _other_activations(draft: Draft, i: int) -> list[tuple[Node, float]]:
    node = draft.nodes[i]
    same = node.op, node.identity
    return [choice for choice in draft.vocabulary.activations if (choice[0].op, choice[0].identity) != same]


def _replace_activation(draft: Draft, i: int, rng: np.random.Generator) -> str:
    choice = _drawn(_other_activations(draft, i), rng)
    before = draft.describe(i)
    draft.nodes[i] = draft.applied(choice, draft.nodes[i].inputs[0])
    return f"{before} becomes {described(choice)}{' *' * (choice.op in LEAVES)}"


def _other_operations(draft: Draft, i: int) -> list[tuple[Op, float]]:
    return [choice for choice in draft.vocabulary.operations if choice[0] is not draft.nodes[i].op]


def _replace_elementwise(draft: Draft, i: int, rng: np.random.Generator) -> str:
    op = _drawn(_other_operations(draft, i), rng)
    before = draft.describe(i)
    draft.change(i, Node(op))
    return f"{before} becomes {op.value}"


def _insert_activation(draft: Draft, i: int, rng: np.random.Generator) -> str:
    choice = _drawn(draft.vocabulary.activations, rng)
    inputs = draft.nodes[i].inputs
    place = int(rng.integers(len(inputs)))
    new = draft.add(draft.applied(choice, inputs[place]))
    draft.redirect(i, place, new)
    what = f"{described(choice)}{' *' * (choice.op in LEAVES)}"
    return f"{what} between {draft.describe(inputs[place])} and {draft.describe(i)}"


def _remove_node(draft: Draft, i: int, rng: np.random.Generator) -> str:
    before = draft.describe(i)
    (source,) = draft.nodes[i].inputs
    draft.replace(i, source)
    return f"{before} removed"


def _replace_by_ancestor(draft: Draft, i: int, rng: np.random.Generator) -> str:
    ancestors = sorted(draft.ancestors(i))
    target = ancestors[rng.integers(len(ancestors))]
    before = draft.describe(i)
    draft.replace(i, target)
    return f"{before} replaced by its ancestor {draft.describe(target)}"


def _replace_by_combination(draft: Draft, i: int, rng: np.random.Generator) -> str | None:
    own = sorted(draft.ancestors(i))
    first = own[rng.integers(len(own))]
    inner = [j for j in sorted(draft.live()) if draft.nodes[j].inputs]
    other = inner[rng.integers(len(inner))]
    theirs = sorted(draft.ancestors(other))
    second = theirs[rng.integers(len(theirs))]
    op = _drawn(draft.vocabulary.operations, rng)
    if i in draft.ancestors(second):
        return None  # a reader of node i would depend on itself
    before = draft.describe(i)
    new = draft.add(Node(op, (first, second)))
    draft.replace(i, new)
    return f"{before} replaced by {draft.describe(first)} {op.value} {draft.describe(second)}"


def _change_matrix(draft: Draft, i: int, rng: np.random.Generator) -> str:
    node, words = draft.nodes[i], draft.vocabulary
    blocks = [(replace(node, groups=groups), words.groups) for groups in GROUPS if groups != node.groups]
    starts = [(replace(node, bias=bias), words.bias) for bias in BIASES if bias != node.bias]
    choices = [(choice, weight / len(some)) for some in (blocks, starts) for choice, weight in some if weight]
    before = draft.describe(i)
    draft.nodes[i] = _drawn(choices, rng)
    return f"{before} becomes {described(draft.nodes[i])}"


def _is_changeable(draft: Draft, i: int) -> bool:
    return draft.nodes[i].op is Op.LINEAR and draft.vocabulary.groups + draft.vocabulary.bias > 0.0


def _has_one_reader(draft: Draft, i: int) -> bool:
    return len(draft.nodes[i].inputs) == 1 and len(draft.readers(i)) == 1


APPLICABLE: Mapping[Transformation, Callable[[Draft, int], bool]] = {
    Transformation.REPLACE_ACTIVATION: lambda draft, i: (
        draft.nodes[i].op in ACTIVATIONS and bool(_other_activations(draft, i))
    ),
    Transformation.REPLACE_ELEMENTWISE: lambda draft, i: (
        draft.nodes[i].op in ELEMENTWISE and bool(_other_operations(draft, i))
    ),
    Transformation.INSERT_ACTIVATION: lambda draft, i: True,
    Transformation.REMOVE_NODE: _has_one_reader,
    Transformation.REPLACE_BY_ANCESTOR: lambda draft, i: True,
    Transformation.REPLACE_BY_COMBINATION: lambda draft, i: True,
    Transformation.CHANGE_MATRIX: _is_changeable,
}
"""Condition under which a transformation applies to a node of a draft."""

APPLY: Mapping[Transformation, Callable[[Draft, int, np.random.Generator], str | None]] = {
    Transformation.REPLACE_ACTIVATION: _replace_activation,
    Transformation.REPLACE_ELEMENTWISE: _replace_elementwise,
    Transformation.INSERT_ACTIVATION: _insert_activation,
    Transformation.REMOVE_NODE: _remove_node,
    Transformation.REPLACE_BY_ANCESTOR: _replace_by_ancestor,
    Transformation.REPLACE_BY_COMBINATION: _replace_by_combination,
    Transformation.CHANGE_MATRIX: _change_matrix,
}
"""Function of each transformation: changes a draft at a node, and returns what it did, or None for a cycle."""
