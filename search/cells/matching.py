"""Smallest edit distance between two gate graphs, and the matching of their nodes that attains it.

A matching pairs nodes of two canonical graphs; each node is in at most one pair, and both nodes of a pair belong to one
class: the input, the state h, the other states, `param`, numbers, `linear`, the other operations of one input, or the
operations of two.
The cost of a matching is its number of edits:

- 1 for each node that is in no pair (a node removed or added; a state counts through the node that reads it);
- 1 for a pair with different operations, and 1 for each of its numbers that differs: the factor of the identity, the
  bias, the random part, the groups, the start of a vector, the value of a number;
- 1 for each input of a pair, and for each new value of a state, that the matching does not take to its counterpart. The
  inputs of `add` and `mul` have no order.

The distance is the smallest cost. It is symmetric, 0 only between graphs of equal id, and obeys the triangle
inequality. It is a graph edit distance (Sanfeliu and Fu 1983) in which the lines into a removed or added node are free.

The search is depth-first branch and bound over the nodes of one graph, readers before the nodes that they read, and
starts from the best result of a beam search. It ends after a fixed number of visits. The result says whether it was
proven to be the smallest; otherwise it is an upper bound. Nothing depends on the clock.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from search.cells.graph import GateGraph
from search.cells.operations import ARITY, COMMUTATIVE, Node, Op

VISITS = 5000
"""Limit of partial matchings that the proof visits; tens of milliseconds."""

BEAM = 8
"""Partial matchings that the beam search keeps at each node."""

_EDIT = 1000
"""Price of an edit in the search. A pair that is read by no other pair has the price 1, so that of the cheapest
matchings those that leave parts in their places are preferred."""

_INPUT, _HIDDEN, _STATE, _PARAM, _NUMBER, _LINEAR, _ONE, _TWO = range(8)
_CLASSES = 8
_LEAVES = _INPUT, _HIDDEN, _STATE, _PARAM, _NUMBER


@dataclass(frozen=True)
class Matching:
    """Matching of two canonical graphs: pairs of positions in order, their cost, and whether no cost is smaller."""

    pairs: tuple[tuple[int, int], ...]
    cost: int
    proven: bool


def match(a: GateGraph, b: GateGraph, visits: int = VISITS) -> Matching:
    """Return the cheapest matching of two cells' canonical graphs that the search finds.

    Args:
        a: a cell, in any form.
        b: another cell.
        visits: limit of partial matchings that the proof visits; with 0, the result is that of the beam search.

    Raises:
        GraphError: a graph is too symmetric to have a canonical form.
    """
    a, b = a.canonical(), b.canonical()
    if a == b:
        return Matching(tuple((i, i) for i in range(len(a))), 0, True)
    # One direction for both orders of the arguments, so that the result is symmetric where it is not proven, too.
    if (len(a), a.id) > (len(b), b.id):
        turned = _Search(_prepared(b), _prepared(a), visits).run()
        return Matching(tuple(sorted((i, j) for j, i in turned.pairs)), turned.cost, turned.proven)
    return _Search(_prepared(a), _prepared(b), visits).run()


def fewest_edits(a: GateGraph, b: GateGraph) -> int:
    """Return a quick lower bound of the distance between two cells. Raises `GraphError` as `match` does."""
    return _Search(_prepared(a.canonical()), _prepared(b.canonical()), 0).bound()


@lru_cache(maxsize=256)
def _prepared(graph: GateGraph) -> "_Prepared":
    return _Prepared(graph)


class _Prepared:
    """View of a graph for the search: classes, labels, readers, and the order of the nodes."""

    def __init__(self, graph: GateGraph) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        self.classes = [_class(graph, i) for i in range(len(graph))]
        self.inputs = [Counter(node.inputs) for node in graph]
        self.numbers = [_numbers(node) for node in graph]
        self.labels = [self._label(i) for i in range(len(graph))]
        self.states_of: list[list[int]] = [[] for _ in graph]  # states whose new value the node computes
        for state, i in enumerate(graph.outputs):
            self.states_of[i].append(state)
        consumers = graph.consumers
        self.readers = [tuple(set(readers)) for readers in consumers]
        self.near = [{s for r in readers for s in (r, *consumers[r])} for readers in consumers]
        self.of_class: list[list[int]] = [[] for _ in range(_CLASSES)]
        for i, c in enumerate(self.classes):
            self.of_class[c].append(i)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Nodes, each after all its readers, one branch after another."""
        waiting = [len(set(readers)) for readers in self.graph.consumers]
        ready = [i for i in reversed(range(len(waiting))) if not waiting[i]]
        ready.sort(key=lambda i: i != self.graph.outputs[0], reverse=True)
        found = []
        while ready:
            i = ready.pop()
            found.append(i)
            for j in sorted(self.inputs[i]):
                waiting[j] -= 1
                if not waiting[j]:
                    # States come last: what their new value costs is known only when it is matched.
                    ready.insert(0, j) if self.classes[j] in _LEAVES else ready.append(j)
        return tuple(sorted(found, key=lambda i: self.classes[i] in _LEAVES))

    def _label(self, i: int) -> tuple[object, ...]:
        """Return what costs at least one edit if it differs: operation, numbers, and the classes of the inputs."""
        node = self.nodes[i]
        classes: Sequence[int] = [self.classes[j] for j in node.inputs]
        # With a difference on the other side, an order may cost nothing: differences alone have one.
        classes = classes if node.op is Op.SUB else sorted(classes)
        return node.op, self.numbers[i], tuple(classes), len(set(node.inputs))


def _class(graph: GateGraph, i: int) -> int:
    node = graph.nodes[i]
    if node.op is Op.INPUT:
        return _INPUT
    if node.op is Op.STATE:
        return _STATE if node.state else _HIDDEN
    if node.op in _OWN_CLASS:
        return _OWN_CLASS[node.op]
    return _ONE if ARITY[node.op] == 1 else _TWO


_OWN_CLASS = {Op.PARAM: _PARAM, Op.NUMBER: _NUMBER, Op.LINEAR: _LINEAR}


def _numbers(node: Node) -> tuple[object, ...]:
    """Return the numbers of a node, each of which costs an edit if it differs."""
    return node.identity, node.bias, (node.random, node.orthogonal), node.groups, node.start, node.value


def _different(one: Node, two: Node) -> int:
    return sum(a != b for a, b in zip(_numbers(one), _numbers(two), strict=True))


class _Search:
    """Search for the cheapest matching of two graphs."""

    def __init__(self, a: _Prepared, b: _Prepared, visits: int) -> None:
        self.a, self.b, self.visits = a, b, visits
        self.order = a.order
        self.image: list[int | None] = [None] * len(a.nodes)
        self.origin: list[int | None] = [None] * len(b.nodes)
        self.decided = [False] * len(a.nodes)
        # Numbers of the nodes' classes with labels: a label itself is slow to compare.
        numbers: dict[tuple[int, tuple[object, ...]], int] = {}
        self.labels_a, self.labels_b = (
            [numbers.setdefault(key, len(numbers)) for key in zip(part.classes, part.labels, strict=True)]
            for part in (a, b)
        )
        # Per label, nodes of a that are open less nodes of b that are free; per class, their sums above and below 0.
        self.surplus = [0] * len(numbers)
        self.more, self.less = [0] * _CLASSES, [0] * _CLASSES
        self.fewest = 0
        for part, labels, step in ((a, self.labels_a, 1), (b, self.labels_b, -1)):
            for c, label in zip(part.classes, labels, strict=True):
                self._move(c, label, step)
        self.best: list[int | None] = [None] * len(a.nodes)
        self.best_price = _EDIT * (cost(a.graph, b.graph, ()) + 1)
        self.patience = visits // 2  # visits that are left when the search no longer looks for equal costs

    def run(self) -> Matching:
        self._beam()
        proven = self._descend(0, 0)
        pairs = tuple((i, j) for i, j in enumerate(self.best) if j is not None)
        return Matching(pairs, self.best_price // _EDIT, proven or self.bound() >= self.best_price // _EDIT)

    def bound(self) -> int:
        """Return the fewest edits that the open nodes of a and the free nodes of b can cost."""
        return self.fewest

    def _choices(self, i: int) -> list[tuple[int, int | None]]:
        """Return the free counterparts of node i of a, or None for its removal, each after its cost, in order."""
        c = self.a.classes[i]
        found: list[tuple[int, int, int | None]] = [(self._cost(i, None), 2, None)]
        for j in self.b.of_class[c]:
            if self.origin[j] is None:
                alike = self.labels_a[i] == self.labels_b[j]
                found.append((self._cost(i, j), 0 if alike else 1, j))
        found.sort(key=lambda choice: (choice[0] + _EDIT * choice[1], -1 if choice[2] is None else choice[2]))
        return [(price, j) for price, _, j in found]

    def _cost(self, i: int, j: int | None) -> int:
        """Return the price that is settled by matching node i of a, whose readers are decided, with j of b, or none."""
        a, b = self.a, self.b
        price = 1
        if j is not None:
            price = int(a.nodes[i].op is not b.nodes[j].op)
            if a.numbers[i] != b.numbers[j]:  # mostly they are equal
                price += _different(a.nodes[i], b.nodes[j])
        for r in a.readers[i]:
            s = self.image[r]
            if s is not None:
                price += _mismatches(a, b, r, s, i, j)
        if a.graph.outputs[0] == i:
            price += j != b.graph.outputs[0]
        if j is not None and a.classes[i] == _STATE:
            price += self.image[a.graph.outputs[a.nodes[i].state]] != b.graph.outputs[b.nodes[j].state]
        return price * _EDIT + (j is not None and self._misplaced(i, j))

    def _misplaced(self, i: int, j: int) -> bool:
        """Return whether a pair of operations is read by no other pair, directly or through one node between."""
        if not self.a.nodes[i].inputs or (self.a.states_of[i] and self.b.states_of[j]):
            return False
        near = self.b.near[j]
        pending = list(self.a.graph.consumers[i])
        while pending:
            r = pending.pop()
            s = self.image[r]
            if s is None:
                pending += self.a.graph.consumers[r]  # beyond a removed node
            elif s in near:
                return False
        return True

    def _set(self, i: int, j: int | None) -> None:
        self.image[i] = j
        self.decided[i] = True
        self._move(self.a.classes[i], self.labels_a[i], -1)
        if j is not None:
            self.origin[j] = i
            self._move(self.b.classes[j], self.labels_b[j], 1)

    def _unset(self, i: int, j: int | None) -> None:
        self.image[i] = None
        self.decided[i] = False
        self._move(self.a.classes[i], self.labels_a[i], 1)
        if j is not None:
            self.origin[j] = None
            self._move(self.b.classes[j], self.labels_b[j], -1)

    def _move(self, c: int, label: int, step: int) -> None:
        """Change the surplus of a label by 1 or -1, and with it the fewest edits: the larger sum of each class."""
        more, less = self.more, self.less
        gap, before = more[c] - less[c], self.surplus[label]
        self.surplus[label] = before + step
        if before > 0 or (not before and step > 0):
            more[c] += step
            if gap > 0 or (not gap and step > 0):
                self.fewest += step
        else:
            less[c] -= step
            if gap < 0 or (not gap and step < 0):
                self.fewest -= step

    def _keep(self, total: int) -> None:
        if total < self.best_price:
            self.best_price, self.best = total, list(self.image)

    def _descend(self, depth: int, spent: int) -> bool:
        """Visit all extensions of the partial matching that may be cheaper than the best; return if visits last."""
        if depth == len(self.order):
            self._keep(spent + _EDIT * self.bound())
            return True
        i = self.order[depth]
        for price, j in self._choices(i):
            if not self.visits:
                return False
            self.visits -= 1
            self._set(i, j)
            going = not self._promising(spent + price) or self._descend(depth + 1, spent + price)
            self._unset(i, j)
            if not going:
                return False
        return True

    def _promising(self, spent: int) -> bool:
        """Return whether extensions of the partial matching may be better than the best."""
        if self.visits < self.patience:
            return spent // _EDIT + self.bound() < self.best_price // _EDIT
        return spent + _EDIT * self.bound() < self.best_price

    def _beam(self) -> None:
        """Find a good matching: at each node the cheapest partial matchings go on."""
        beam: list[tuple[int, tuple[int | None, ...]]] = [(0, ())]
        for depth, i in enumerate(self.order):
            grown: list[tuple[int, int, tuple[int | None, ...]]] = []
            for spent, chosen in beam:
                self._replay(chosen, depth)
                choices, c = self._choices(i), self.a.classes[i]
                self._move(c, self.labels_a[i], -1)
                alone = self.fewest
                gap = self.more[c] - self.less[c]
                for price, j in choices:
                    fewest = alone
                    if j is not None:  # as `_move` changes it
                        free = self.surplus[self.labels_b[j]] < 0
                        fewest += -(gap < 0) if free else gap >= 0
                    grown.append((spent + price + _EDIT * fewest, spent + price, (*chosen, j)))
                self._move(c, self.labels_a[i], 1)
                self._undo(chosen, depth)
            grown.sort(key=lambda entry: entry[0])  # stable: of equal ones the first stays first
            beam = [(spent, chosen) for _, spent, chosen in grown[:BEAM]]
        spent, chosen = beam[0]
        self._replay(chosen, len(self.order))
        self._keep(spent + _EDIT * self.bound())
        self._undo(chosen, len(self.order))

    def _replay(self, chosen: Sequence[int | None], depth: int) -> None:
        for i, j in zip(self.order[:depth], chosen, strict=True):
            self._set(i, j)

    def _undo(self, chosen: Sequence[int | None], depth: int) -> None:
        for i, j in zip(self.order[:depth], chosen, strict=True):
            self._unset(i, j)


def _mismatches(a: _Prepared, b: _Prepared, r: int, s: int, i: int, j: int | None) -> int:
    """Return how many of the places at which r reads node i are not places at which its counterpart s reads j."""
    one, two = a.nodes[r], b.nodes[s]
    if one.op in COMMUTATIVE or two.op in COMMUTATIVE:
        return a.inputs[r][i] - min(a.inputs[r][i], 0 if j is None else b.inputs[s][j])
    return sum(k == i and two.inputs[place] != j for place, k in enumerate(one.inputs))


def cost(a: GateGraph, b: GateGraph, pairs: Sequence[tuple[int, int]]) -> int:
    """Return the cost of a matching of two graphs, counted from its pairs by the rules of the module."""
    image = dict(pairs)
    total = len(a) + len(b) - 2 * len(pairs)
    for i, j in pairs:
        one, two = a.nodes[i], b.nodes[j]
        total += (one.op is not two.op) + _different(one, two)
        total += len(unmatched_inputs(a, b, image, i, j)[0])
        if one.op is Op.STATE and one.state:
            total += image.get(a.outputs[one.state]) != b.outputs[two.state]
    return total + (image.get(a.outputs[0]) != b.outputs[0])


def unmatched_inputs(
    a: GateGraph, b: GateGraph, image: dict[int, int], i: int, j: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the inputs of the pair (i, j) that have no counterpart: those of i, and as many of j, in order."""
    one, two = a.nodes[i], b.nodes[j]
    if one.op in COMMUTATIVE or two.op in COMMUTATIVE:
        left, free = [], Counter(two.inputs)
        for k in one.inputs:
            target = image.get(k)
            if target is not None and free[target] > 0:
                free[target] -= 1
            else:
                left.append(k)
        return tuple(left), tuple(k for k in dict.fromkeys(two.inputs) for _ in range(free[k]))
    apart = [p for p, k in enumerate(one.inputs) if image.get(k) != two.inputs[p]]
    return tuple(one.inputs[p] for p in apart), tuple(two.inputs[p] for p in apart)
