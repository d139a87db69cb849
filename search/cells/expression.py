"""Sums of products as a graph of operations of two inputs, in an order that the ranks of the literals decide.

- In a sum, single matrices come first and together, so that their products can be added up in one buffer; then other
  terms; then terms with a factor, `2 * (a + b)` for all with the same one; then the number. Terms with a minus follow
  those without: `a - b`. A sum of negative terms alone is `0 - (a + b)`.
- A sum or product that is part of a longer one is computed once, and so are terms that occur together in several sums.
- `(1 - z) * n` is `n - z * n`; with several such factors, each is `1 - z`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property

from search.cells.operations import COMMUTATIVE, Node, Op
from search.cells.polynomials import STEP, Monomial, Number, Value, magnitude
from search.cells.simplify import Form
from search.cells.sums import Sums


def expression(sums: Sums, ranks: Mapping[int, int]) -> tuple[Form, dict[object, int]]:
    """Return a graph that computes the sums, and the position in it of each literal, product and sum."""
    writer = _Writer(sums, ranks)
    outputs = tuple(writer.value(value) for value in sums.outputs)
    return Form(tuple(writer.nodes), outputs), writer.inner | writer.positions


class _Writer:
    def __init__(self, sums: Sums, ranks: Mapping[int, int]) -> None:
        self.sums, self.ranks = sums, ranks
        self.nodes: list[Node] = []
        self.positions: dict[object, int] = {}
        self.inner: dict[object, int] = {}  # of products that are written only for a factor 1 - z
        self.known: dict[Node, int] = {}
        self.state = {state: k for k, state in enumerate(sums.states)}

    # --- What is read several times

    @cached_property
    def sums_by_size(self) -> list[Value]:
        """Values of two terms or more, the longest first."""
        inner = [self.sums.atoms[i].reads or () for i in self.sums.live if self.sums.atoms[i].node.op is Op.ADD]
        longer = [value for value in [*self.sums.values, *inner] if len(value) > 1]
        positive = [_signed(value, -1) if all(number < 0 for _, number in value) else value for value in longer]
        found = list(dict.fromkeys(positive))
        return sorted(found, key=lambda value: (-len(value), self._rank_of(value)))

    @cached_property
    def places(self) -> dict[tuple[Monomial, Number], frozenset[tuple[int, Number]]]:
        """Sums that contain a term or its negative, with the factors, by term."""
        found: dict[tuple[Monomial, Number], set[tuple[int, Number]]] = {}
        for k, value in enumerate(self.sums_by_size):
            for monomial, number in value:
                found.setdefault((monomial, magnitude(number)), set()).add((k, number))
        return {term: frozenset(places) for term, places in found.items()}

    @cached_property
    def products(self) -> list[Monomial]:
        """Products of two plain factors or more, the longest first."""
        found = {monomial for value in [*self.sums.values, *self.sums_by_size] for monomial, _ in value}
        plain = {tuple(literal for literal in monomial if not literal & 1) for monomial in found}
        longer = [monomial for monomial in plain if len(monomial) > 1]
        return sorted(longer, key=lambda monomial: (-len(monomial), self._order(monomial)))

    @cached_property
    def common(self) -> Counter[int]:
        """Number of products that contain each literal."""
        return Counter(literal for monomial in self.products for literal in set(monomial))

    def _order(self, monomial: Monomial) -> list[int]:
        return sorted(self._rank(literal) for literal in monomial)

    def _rank(self, literal: int) -> int:
        return self.ranks.get(literal, literal)

    def _rank_of(self, value: Value) -> list[tuple[list[int], Fraction]]:
        return sorted((self._order(monomial), Fraction(number)) for monomial, number in value)

    # --- Nodes

    def add(self, node: Node, *inputs: int) -> int:
        if node.op in COMMUTATIVE:
            inputs = tuple(sorted(inputs))
        node = node.reading(inputs)
        if node not in self.known:
            self.known[node] = len(self.nodes)
            self.nodes.append(node)
        return self.known[node]

    def number(self, number: Number) -> int:
        """Return a number; one larger than a node can hold is a product."""
        scale = 1
        while magnitude(number) > STEP * scale:
            scale *= STEP
        found = self.add(Node(Op.NUMBER, value=float(Fraction(number) / scale)))
        while scale > 1:
            found, scale = self.add(Node(Op.MUL), self.add(Node(Op.NUMBER, value=float(STEP))), found), scale // STEP
        return found

    def literal(self, literal: int) -> int:
        if literal in self.positions:
            return self.positions[literal]
        if literal & 1:
            found = self.add(Node(Op.SUB), self.number(1), self.literal(literal - 1))
        else:
            atom = self.sums.atoms[literal >> 1]
            node = atom.node
            if node.op in (Op.ADD, Op.MUL):
                assert atom.reads is not None
                found = self.value(atom.reads)
            elif atom.reads is None:
                found = self.atom(node.reading((), state=self.state[node.state] if node.op is Op.STATE else 0))
            else:
                found = self.atom(node.reading((self.value(atom.reads),)))
        self.positions[literal] = found
        return found

    def atom(self, node: Node) -> int:
        """Add the node of an atom: each atom has one of its own."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    # --- Products

    def product(self, monomial: Monomial) -> int:
        if monomial in self.positions:
            return self.positions[monomial]
        odd = [literal for literal in monomial if literal & 1]
        plain = tuple(literal for literal in monomial if not literal & 1)
        if len(monomial) == 1:
            found = self.literal(monomial[0])
        elif len(odd) == 1:
            found = self.add(Node(Op.SUB), self.product(plain), self._with(plain, odd[0] - 1))
        else:
            found = -1
            if plain:
                found = self.chain(Op.MUL, self._factors(plain))
            others = [self.literal(literal) for literal in sorted(odd, key=self._rank)]
            found = self.chain(Op.MUL, ([found] if plain else []) + others)
        self.positions[monomial] = found
        return found

    def _with(self, monomial: Monomial, literal: int) -> int:
        """Return a product, which may be empty, times a literal."""
        if not monomial:
            return self.literal(literal)
        product = self.add(Node(Op.MUL), self.product(monomial), self.literal(literal))
        self.inner[tuple(sorted([*monomial, literal]))] = product
        return product

    def _factors(self, monomial: Monomial) -> list[int]:
        """Return the factors of a product of plain literals: a part that is a product itself, then single ones."""
        if len(monomial) < 3:
            return [self.literal(literal) for literal in monomial]
        left, found = Counter(monomial), []
        for part in self.products:
            while len(part) < left.total() and not Counter(part) - left:
                left -= Counter(part)
                found.append(self.product(part))
        rest = sorted(left.elements(), key=lambda literal: (-self.common[literal], self._rank(literal)))
        return found + [self.literal(literal) for literal in rest]

    def chain(self, op: Op, parts: Sequence[int]) -> int:
        found = parts[0]
        for part in parts[1:]:
            found = self.add(Node(op), found, part)
        return found

    # --- Sums

    def value(self, value: Value) -> int:
        if len(value) == 1 and value[0][1] == 1 and value[0][0]:
            return self.product(value[0][0])
        if value not in self.positions:
            self.positions[value] = self._sum(value)
        return self.positions[value]

    def _sum(self, value: Value) -> int:
        if not value:
            return self.number(0)
        if len(value) == 1:
            ((monomial, number),) = value
            if not monomial:
                return self.number(number)
            odd = [literal for literal in monomial if literal & 1]
            if number == -1 and len(odd) == 1:  # -(1 - z) * n is z * n - n
                rest = self.product(plain) if (plain := tuple(m for m in monomial if not m & 1)) else self.number(1)
                return self.add(Node(Op.SUB), self._with(plain, odd[0] - 1), rest)
            if number == -1:
                return self.add(Node(Op.SUB), self.number(0), self.product(monomial))
            return self.add(Node(Op.MUL), self.number(number), self.product(monomial))
        if all(number < 0 for _, number in value):
            number = value[0][1]
            if number != -1 and value[0][0] and all(other == number for _, other in value):
                return self.add(Node(Op.MUL), self.number(number), self.value(_signed(value, 0)))
            return self.add(Node(Op.SUB), self.number(0), self.value(_signed(value, -1)))
        parts = self._parts(dict(value))
        plus, minus = ([part for sign, part in parts if sign == wanted] for wanted in (1, -1))
        found = self.chain(Op.ADD, plus)
        for part in minus:
            found = self.add(Node(Op.SUB), found, part)
        return found

    def _parts(self, left: dict[Monomial, Number]) -> list[tuple[int, int]]:
        """Return the parts of a sum in order, each with its sign."""
        total, inner = len(left), []
        if total > 2:  # sums that are computed anyway
            for other in self.sums_by_size:
                signs = (1, -1) if all(number > 0 for _, number in other) else (1,)
                for sign in signs:
                    if len(other) < total and all(left.get(m, 0) == sign * number for m, number in other):
                        inner.append((sign, self.value(other)))
                        for monomial, _ in other:
                            del left[monomial]
        constant = left.pop((), 0)
        groups: dict[Number, list[tuple[Monomial, int]]] = {}
        for monomial, number in sorted(left.items(), key=lambda term: self._order(term[0])):
            groups.setdefault(magnitude(number), []).append((monomial, 1 if number > 0 else -1))
        matrices, others = [], []
        for shared, terms in self._together(groups.pop(1, []), total):
            if shared:
                others.append(self._group(1, terms))
            elif self._is_matrix(terms[0][0]):
                matrices.append(terms[0])
            else:
                others.append((terms[0][1], self.product(terms[0][0])))
        found = []
        for wanted in (1, -1):
            chosen = [self.product(monomial) for monomial, sign in matrices if sign == wanted]
            if chosen:
                found.append((wanted, self.chain(Op.ADD, chosen)))
        found += inner + others
        found += [self._group(size, groups[size]) for size in sorted(groups)]
        if constant:
            found.append((1 if constant > 0 else -1, self.number(magnitude(constant))))
        return found

    def _together(self, terms: list[tuple[Monomial, int]], total: int) -> list[tuple[bool, list[tuple[Monomial, int]]]]:
        """Return terms that occur together in several sums as groups, and the others as groups of one."""
        if total < 3:
            return [(False, [term]) for term in terms]
        groups: dict[object, list[tuple[Monomial, int]]] = {}
        for monomial, sign in terms:
            places = self.places.get((monomial, 1), frozenset())
            key: object = places if len({k for k, _ in places}) > 1 else monomial
            groups.setdefault(key, []).append((monomial, sign))
        found: list[tuple[bool, list[tuple[Monomial, int]]]] = []
        for group in groups.values():
            if 1 < len(group) < total:
                found.append((True, group))
            else:
                found += [(False, [term]) for term in group]
        return found

    def _group(self, size: Number, terms: list[tuple[Monomial, int]]) -> tuple[int, int]:
        """Return the sign and the position of `size` times a sum of terms with signs."""
        sign = -1 if all(sign < 0 for _, sign in terms) else 1
        inner = self.value(tuple(sorted((monomial, sign * own) for monomial, own in terms)))
        return sign, inner if size == 1 else self.add(Node(Op.MUL), self.number(size), inner)

    def _is_matrix(self, monomial: Monomial) -> bool:
        return len(monomial) == 1 and self.sums.atoms[monomial[0] >> 1].node.op is Op.LINEAR and not monomial[0] & 1


def _signed(value: Value, sign: int) -> Value:
    """Return a sum times `sign`, or with all factors 1 if `sign` is 0."""
    return tuple((monomial, sign * number if sign else 1) for monomial, number in value)
