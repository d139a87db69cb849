"""Difference between a cell and a named cell, in the named cell's own words.

    name, difference = nearest_named(graph)
    describe(difference)   # GRU, with x instead of linear(x) in the candidate

The edits are those of the cheapest matching that `search.cells.matching` finds. Gates have the names of the literature,
taken from the letters in the library's formulas: r, z and n are the reset gate, the update gate and the candidate of
the GRU and of MUT1 to MUT3; i, f, g and o are the input gate, the forget gate, the candidate and the output gate of the
LSTM. As in drawings, W is a gate's matrix that multiplies what the input alone determines, and U any other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from search.cells.canonical import PRESENT, canonical_positions
from search.cells.earlier import zeros
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.matching import Matching, fewest_edits, match, unmatched_inputs
from search.cells.notation.formula import parse_written
from search.cells.notation.printing import linear_options, start_text
from search.cells.operations import ELEMENTWISE, SIGNS, Node, Op
from search.cells.patterns import complement, convex_combination
from search.cells.starts import StartRule
from search.cells.text import number_text, shorten

ROLES = {
    "r": "reset gate",
    "z": "update gate",
    "n": "candidate",
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate",
    "o": "output gate",
}
"""Names of gates by the letters of the library's formulas."""

MOST_EDITS = 6
"""Most phrases of a description; the rest are counted."""

_PROVED = 3  # the named cells, nearest first by the quick search, whose distance is then searched in full
_UPPER = {"gru": "GRU", "lstm": "LSTM", "mut1": "MUT1", "mut2": "MUT2", "mut3": "MUT3"}
_LONGEST = 48  # characters of an expression in a description
_STATE_NAMES = ("c", "d", "e", "p", "q", "s", "t", "u")


@dataclass(frozen=True)
class Edit:
    """One group of edits at one place: a `phrase`, and the `gate` that it concerns, empty outside gates.

    `old` and `new` are what the phrase exchanges: expressions, operations or numbers; one may be empty.
    """

    gate: str
    old: str
    new: str
    phrase: str


@dataclass(frozen=True)
class Difference:
    """Difference of the canonical graph `graph` from the library's cell `name`.

    `distance` is the number of edits (`search.cells.matching`), the smallest if `proven`, else an upper bound. `edits`
    group them by place, in the order of the named cell's computation.
    """

    name: str
    graph: GateGraph
    distance: int
    proven: bool
    edits: tuple[Edit, ...]


def difference(name: str, graph: GateGraph) -> Difference:
    """Return the difference of a cell from the library's cell of this name.

    Raises:
        UnknownCellError: there is no such named cell.
        GraphError: the graph is too symmetric to have a canonical form.
    """
    graph = graph.in_form(PRESENT)
    return _of_matching(name, graph, match(_named(name).graph, graph))


@lru_cache(maxsize=4096)
def nearest_named(graph: GateGraph) -> tuple[str, Difference]:
    """Return the library's cell with the smallest distance to a cell, and the difference from it.

    Of equally near ones, the first in the library's order. The distances are compared as far as the search finds them
    (`search.cells.matching`). Raises `GraphError` as `difference` does.
    """
    graph = graph.in_form(PRESENT)
    bounds = {name: fewest_edits(cell.graph, graph) for name, cell in STUDY.items()}
    quick: dict[str, int] = {}
    for name in sorted(STUDY, key=lambda name: bounds[name]):
        if not quick or bounds[name] <= min(quick.values()):
            quick[name] = match(LIBRARY[name].graph, graph, visits=0).cost
    closest = sorted((name for name in STUDY if name in quick), key=lambda name: quick[name])[:_PROVED]  # stable
    found = {name: match(LIBRARY[name].graph, graph) for name in closest}
    places = {name: place for place, name in enumerate(STUDY)}
    nearest = min(found, key=lambda name: (found[name].cost, places[name]))
    return nearest, _of_matching(nearest, graph, found[nearest])


def describe(found: Difference, most: int = MOST_EDITS) -> str:
    """Return the difference in one phrase: the named cell, and what is different in it.

    At most `most` phrases are written; the number of the others follows.
    """
    name = _UPPER.get(found.name, found.name)
    phrases = list(Counter(edit.phrase for edit in found.edits).items())
    if not phrases:
        return f"{name} itself"
    shown = [phrase if times == 1 else f"{phrase} ({times} times)" for phrase, times in phrases[:most]]
    if len(phrases) > most:
        left = len(phrases) - most
        shown.append(f"{left} more {'difference' if left == 1 else 'differences'}")
    return f"{name}, with {_joined(shown)}"


def difference_of(graph: GateGraph) -> str:
    """Return the difference of a cell from the nearest named cell in one phrase. Cached; raises as `nearest_named`."""
    return describe(nearest_named(graph)[1])


def _joined(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])}, and {phrases[-1]}"


def _of_matching(name: str, graph: GateGraph, matching: Matching) -> Difference:
    edits = _Script(_named(name), graph, dict(matching.pairs)).edits()
    return Difference(name, graph, matching.cost, matching.proven, tuple(edits))


class _Named:
    """Named cell with its letters and gates by position in the canonical graph."""

    def __init__(self, name: str) -> None:
        written = parse_written(LIBRARY[name].formula)
        self.graph = LIBRARY[name].graph
        position = canonical_positions(written.graph)
        self.letters = {position[i]: letter for i, letter in written.names_of_values.items() if i in position}
        self.states = {
            self.graph.nodes[position[i]].state: written.states[node.state]
            for i, node in enumerate(written.graph)
            if node.op is Op.STATE and i in position
        }
        self.states.setdefault(0, "h")
        self.gates = self._gates()
        self.by_x = inputs_alone(self.graph)

    def _gates(self) -> list[str]:
        """Return the gate that each node is a part of: that of all its readers, or an empty text."""
        gates = [""] * len(self.graph)
        for i in reversed(range(len(self.graph))):
            if self.letters.get(i) in ROLES:
                gates[i] = ROLES[self.letters[i]]
            elif i not in self.graph.outputs:
                above = {gates[reader] for reader in self.graph.consumers[i]}
                gates[i] = above.pop() if len(above) == 1 else ""
        return gates

    @cached_property
    def matrices(self) -> dict[int, str]:
        """W or U by position of a matrix, for the gates that have one of that letter."""
        letters = {i: "W" if self.graph.nodes[i].inputs[0] in self.by_x else "U" for i in self.graph.linears}
        count = Counter((self.gates[i], letter) for i, letter in letters.items())
        return {i: letter for i, letter in letters.items() if count[self.gates[i], letter] == 1}


def inputs_alone(graph: GateGraph) -> frozenset[int]:
    """Return the positions of the nodes that the input alone determines, besides parameters and numbers."""
    found: set[int] = set()
    for i, node in enumerate(graph):
        if node.op is not Op.STATE and all(j in found for j in node.inputs):
            found.add(i)
    return frozenset(found)


@lru_cache(maxsize=len(STUDY))
def _named(name: str) -> _Named:
    return _Named(name)


class _Script:
    """Writer of the edits from a named cell to a graph, given the matching of their nodes."""

    def __init__(self, named: _Named, graph: GateGraph, image: Mapping[int, int]) -> None:
        self.named, self.old, self.new, self.image = named, named.graph, graph, dict(image)
        self.origin = {j: i for i, j in image.items()}
        self.old_states = dict(named.states)
        self.new_states: dict[int, str] = {0: "h"}
        for i, node in enumerate(self.old):
            if node.op is Op.STATE and i in self.image:
                self.new_states[self.new.nodes[self.image[i]].state] = self.old_states[node.state]
        taken = {*self.old_states.values(), *named.letters.values()}
        free = [name for name in _STATE_NAMES if name not in taken]
        for state in range(self.new.states):
            if state not in self.new_states:
                self.new_states[state] = free.pop(0)

    def edits(self) -> list[Edit]:
        found: list[Edit] = []
        turned = self._turned()
        for i, node in enumerate(self.old):
            if i not in self.image:
                continue
            j = self.image[i]
            other = self.new.nodes[j]
            found += self._changed(i, node, other)
            if i in turned:
                edit = turned[i]
                found += [] if edit is None else [edit]
                continue
            before, after = unmatched_inputs(self.old, self.new, self.image, i, j)
            gate = self.named.gates[i]
            for k, m in zip(before, after, strict=True):
                seen = self._peephole(k, m)
                if seen:
                    found.append(Edit(gate, "", seen, f"a peephole from {seen} in {self._place(gate, i)}"))
                else:
                    found.append(self._exchanged(gate, self._value(k), self._new_value(m, gate), i))
        found += self._states()
        return found

    def _changed(self, i: int, node: Node, other: Node) -> list[Edit]:
        """Return the edits within one pair: operation, and numbers such as the identity's factor and the bias."""
        found = []
        gate = self.named.gates[i]
        if node.op is not other.op:
            old, new = (SIGNS.get(op, op.value) for op in (node.op, other.op))
            if node.op in ELEMENTWISE:
                where = f" in {self._expression(i)}{self._in_gate(gate, i)}"
                found.append(Edit(gate, old, new, f"{new} instead of {old}{where}"))
            else:
                on = self.named.letters.get(i) in ROLES
                where = f" on the {gate}" if on else f" of {self._value(node.inputs[0])} in {self._place(gate, i)}"
                found.append(Edit(gate, old, new, f"{new} instead of {old}{where}"))
        matrix = self._matrix(i) if node.op is Op.LINEAR else self._expression(i)
        if node.identity != other.identity:
            found.append(
                Edit(gate, _start(node.identity), _start(other.identity), f"{matrix} starting {_start(other.identity)}")
            )
        if node.bias != other.bias:
            found.append(Edit(gate, _bias(node), _bias(other), f"the bias of {matrix} {_bias_words(other)}"))
        if (node.random, node.orthogonal) != (other.random, other.orthogonal):
            words = f"{matrix} starting {_random(other)}"
            found.append(Edit(gate, _random(node), _random(other), words))
        if node.groups != other.groups:
            words = f"{matrix} with {_groups(other)}"
            found.append(Edit(gate, _groups(node), _groups(other), words))
        if (node.start, node.value) != (other.start, other.value):
            old, new = (_Expression(GateGraph((leaf,), (0,)), {}, {}).text(0) for leaf in (node, other))
            found.append(Edit(gate, old, new, f"{new} instead of {old}{self._in_gate(gate, i)}"))
        return found

    def _turned(self) -> dict[int, Edit | None]:
        """Return the edit of each z * a + (1 - z) * b that became z * b + (1 - z) * a, by one of its nodes.

        Its other nodes that read something else have None: they need no edit of their own.
        """
        found: dict[int, Edit | None] = {}
        for i, j in self.image.items():
            old, new = convex_combination(self.old, i), convex_combination(self.new, j)
            if old is None or new is None:
                continue
            inner = old.product, old.complement, self.old.nodes[old.complement].inputs[1]
            others = new.product, new.complement, self.new.nodes[new.complement].inputs[1]
            pairs = [(old.gate, new.gate), (old.a, new.b), (old.b, new.a), *zip(inner, others, strict=True)]
            if all(self.image.get(k) == m for k, m in pairs):
                gate = self._value(old.gate)
                phrase = f"{gate} and 1 - {gate} exchanged in {self._place(self.named.gates[i], i)}"
                found |= dict.fromkeys(inner) | {i: Edit(self.named.gates[i], gate, f"1 - {gate}", phrase)}
        return found

    def _peephole(self, k: int, m: int) -> str:
        """Return the state that node m of the new graph adds to node k, times a learned vector; empty if none."""
        if self.new.nodes[m].op is not Op.ADD or self.image.get(k) not in self.new.nodes[m].inputs:
            return ""
        for added in self.new.nodes[m].inputs:
            node = self.new.nodes[added]
            if added == self.image[k] or node.op is not Op.MUL:
                continue
            factors = {self.new.nodes[j].op: j for j in node.inputs}
            if Op.PARAM in factors and Op.STATE in factors and factors[Op.PARAM] not in self.origin:
                return self.new_states[self.new.nodes[factors[Op.STATE]].state]
        return ""

    def _states(self) -> list[Edit]:
        """Return the edits of the new values of states, and of states that are added or removed."""
        found = []
        old_leaf = {node.state: i for i, node in enumerate(self.old) if node.op is Op.STATE}
        new_leaf = {node.state: i for i, node in enumerate(self.new) if node.op is Op.STATE}
        for state, i in enumerate(self.old.outputs):
            name = self.old_states[state]
            leaf = old_leaf.get(state)
            if state and leaf not in self.image:
                found.append(Edit("", name, "", f"no state {name}"))
                continue
            target = self.new.nodes[self.image[leaf]].state if state and leaf is not None else 0
            j = self.new.outputs[target]
            if self.image.get(i) != j:
                old, new = self._value(i), self._new_value(j, "")
                phrase = f"{name}' = {new}" if i not in self.image else f"{new} instead of {old} as the new {name}"
                found.append(Edit("", old, new, phrase))
        for state, j in enumerate(self.new.outputs):
            if state and new_leaf[state] not in self.origin:
                value = self._new_value(j, "")
                name = self.new_states[state]
                found.append(Edit("", "", name, f"another state {name}, {name}' = {value}"))
        return found

    def _exchanged(self, gate: str, old: str, new: str, i: int) -> Edit:
        new = f"another {new}" if new == old else new
        return Edit(gate, old, new, f"{new} instead of {old} in {self._place(gate, i)}")

    def _place(self, gate: str, i: int) -> str:
        """Return where a node of the named cell is: in a gate, or in the new value of a state."""
        if gate:
            return f"the {gate}"
        names = [self.old_states[state] for state in self._computes(i)]
        return f"the new {' and '.join(names)}"

    def _in_gate(self, gate: str, i: int) -> str:
        return f" in the {gate}" if gate and self.named.letters.get(i) not in ROLES else ""

    def _computes(self, i: int) -> list[int]:
        """Return the states whose new value depends on node i of the named cell the most directly."""
        pending, seen = [i], {i}
        while pending:
            states = sorted({k for k, output in enumerate(self.old.outputs) if output in pending})
            if states:
                return states
            pending = [r for j in pending for r in self.old.consumers[j] if r not in seen]
            seen.update(pending)
        return [0]

    def _matrix(self, i: int) -> str:
        """Return a matrix of the named cell in words: the update gate's U."""
        gate, letter = self.named.gates[i], self.named.matrices.get(i)
        if gate and letter:
            return f"the {gate}'s {letter}"
        return f"the {gate}'s {self._expression(i)}" if gate else self._expression(i)

    def _value(self, i: int) -> str:
        """Return the value of a node of the named cell: its letter if it has one, else its expression."""
        return self.named.letters.get(i) or self._expression(i)

    def _expression(self, i: int) -> str:
        return shorten(_Expression(self.old, self.named.letters, self.old_states).text(i), _LONGEST)

    def _new_value(self, j: int, gate: str) -> str:
        """Return the value of a node of the new graph, with the named cell's letters for what is unchanged.

        A matrix that belongs to another gate of the named cell is said to.
        """
        letters = {m: self.named.letters[i] for m, i in self.origin.items() if i in self.named.letters}
        if j in letters:
            return letters[j]
        text = shorten(_Expression(self.new, letters, self.new_states).text(j), _LONGEST)
        i = self.origin.get(j)
        home = self.named.gates[i] if i is not None else ""
        return f"the {home}'s {text}" if home and home != gate and self.new.nodes[j].op is Op.LINEAR else text


def _bias(linear: Node) -> str:
    if linear.bias is None:
        return "none"
    return str(linear.bias) if isinstance(linear.bias, StartRule) else f"{linear.bias:+g}"


def _bias_words(linear: Node) -> str:
    if linear.bias is None:
        return "left out"
    if isinstance(linear.bias, StartRule):
        return f"drawn by {linear.bias}"
    return f"starting with {linear.bias:+g}" if linear.bias else "starting as it was drawn"


def _random(linear: Node) -> str:
    """Return what the random part of a matrix starts as."""
    if linear.orthogonal:
        return "orthogonal"
    if linear.random == 0.0:
        return "without random values"
    return "with random values" if linear.random == 1.0 else f"with {linear.random:g} times random values"


def _groups(linear: Node) -> str:
    return f"{linear.groups} blocks on its diagonal" if linear.groups > 1 else "all its entries"


def _start(identity: float) -> str:
    """Return what a matrix starts at besides its random values."""
    if identity == 0.0:
        return "at random values alone"
    return "at the identity" if identity == 1.0 else f"at {identity:g} times the identity"


class _Expression:
    """Printer of one value of a graph in one line, with letters for some of its nodes."""

    def __init__(self, graph: GateGraph, letters: Mapping[int, str], states: Mapping[int, str]) -> None:
        self.graph, self.letters, self.states = graph, letters, states
        self.zeros, self.by_x = zeros(graph), inputs_alone(graph)

    def text(self, i: int) -> str:
        """Return the expression of node i, in which other nodes with a letter are not expanded."""
        return self._text(i, top=True)[0]

    def _text(self, i: int, top: bool = False) -> tuple[str, int]:
        """Return an expression and how tightly it binds: 1 sums, 2 products, 3 others."""
        node = self.graph.nodes[i]
        if i in self.letters and not top:
            return self.letters[i], 3
        if node.op is Op.INPUT:
            return "x", 3
        if node.op is Op.STATE:
            return self.states[node.state], 3
        if i in self.zeros:
            return "0", 3
        if node.op is Op.NUMBER:
            return number_text(node.value), 3 if node.value >= 0.0 else 1
        if node.op is Op.PARAM:
            return f"param({start_text(node.start)})", 3
        parts = complement(self.graph, i)
        if parts is not None:
            return f"(1 - {self._bound(parts.gate, 1)}) * {self._bound(parts.value, 2)}", 2
        if node.op not in ELEMENTWISE:
            return f"{node.op.value}({self._text(node.inputs[0])[0]}{linear_options(node, number_text)})", 3
        binds = 2 if node.op is Op.MUL else 1
        left, right = node.inputs
        if node.op is Op.SUB and self.graph.nodes[left] == Node(Op.NUMBER):
            return f"-{self._bound(right, 2)}", 1
        if node.op is not Op.SUB:
            left, right = sorted(node.inputs, key=lambda j: (self._rank(j, node.op), self._text(j)[0]))
        return f"{self._bound(left, binds - 1)} {SIGNS[node.op]} {self._bound(right, binds)}", binds

    def _rank(self, i: int, reader: Op) -> int:
        """Return the place of a term or a factor: in sums x alone first, in products sigmoids, then letters."""
        if reader is Op.ADD:
            return 0 if i in self.by_x else 1
        return 0 if self.graph.nodes[i].op is Op.SIGMOID else 1 if i in self.letters else 2

    def _bound(self, i: int, above: int) -> str:
        """Return the expression, in brackets unless it binds more tightly than `above`."""
        text, strength = self._text(i)
        return text if strength > above else f"({text})"
