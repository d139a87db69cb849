"""Values of a cell's nodes as sums of products, which do not depend on how the sums and products were nested.

Every value is a sum of terms, each a number times a product of *literals*. A literal is an atom, or one minus an atom.
Atoms are what sums and products are made of: the input, old states, learned vectors, the results of activations and
matrices, and sums that are multiplied. Sums are written out through all their parts, whoever else reads the parts, so
that equal sums are found equal: `(a + h) - h` is `a`, and `v + v` is `2 * v`. Products are not multiplied out:
`(a + b) * c` is no sum.

One minus an atom as a factor is the exception. `(1 - z) * n` and `n - z * n` are one term. In a sum, terms with up to
`MAX_MULTIPLIED` such factors are multiplied out, terms are collected, and each pair `c * m` and `-c * z * m` becomes
one term again if neither belongs to another pair, or if the order of putting pairs together does not matter. Thus
`z * a + (1 - z) * a` is `a`. In `a - z * a - r * a`, which has two pairs with one `a`, no term is put together. Other
short sums with a number are multiplied out for good: `(v + 2) * n` is `v * n + 2 * n`. A sum that is multiplied gives
its common factors to the product: `(a * b + a * c) * d` is `a * (b + c) * d`.

Numbers are exact decimal fractions; they are rounded when they are written.

Not found equal are, besides sums of products and products of sums: `(a - b) * c` and `-((b - a) * c)`, products of more
than `MAX_DEGREE` factors that are nested differently, and third powers of `1 - z`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations
from typing import TypeAlias

from search.cells.operations import OPERATIONS, PARAMETRIC, POINTWISE, Node, Op
from search.cells.simplify import Structure

Number: TypeAlias = Fraction | int
Monomial: TypeAlias = tuple[int, ...]
"""Sorted literals of a product; the empty one is the number 1. Literal 2 i is atom i, and 2 i + 1 is one minus it."""

Value: TypeAlias = tuple[tuple[Monomial, Number], ...]
"""Sorted terms of a sum, none with the factor 0; the empty sum is 0."""

MAX_DEGREE = 16
"""Most factors of a product. Products of more are products of products, whose nesting counts."""

STEP = 1000
"""Largest number of a node; larger ones are products."""

MAX_MULTIPLIED = 3
"""Most factors `1 - z` of a product that are multiplied out where the product is part of a sum."""

MAX_TERMS = 3
"""Most terms of a sum with a number that is multiplied out."""

_Pair: TypeAlias = tuple[Monomial, Monomial, Monomial]
"""Terms c * m, term -c * z * m, and z."""

_LARGEST, _FINEST = STEP**100, 10**200
ZERO: Value = ()
ONE: Value = (((), 1),)


@dataclass(frozen=True)
class Atom:
    """Part of sums and products.

    Attributes:
        node: Operation, without inputs; `ADD` for a sum that is multiplied, `MUL` for a product of too many factors.
        reads: What the operation is applied to; the value itself for `ADD` and `MUL`; None for a leaf.
    """

    node: Node
    reads: Value | None = None


def number_of(value: float) -> Number:
    """Return the exact decimal number that a float is printed as."""
    return int(value) if value == int(value) else Fraction(repr(float(value)))


def magnitude(number: Number) -> Number:
    """Return the number without its sign."""
    return -number if number < 0 else number


def limited(number: Number) -> Number:
    """Return the number itself; a very long one is rounded to a double, and one beyond all arithmetic is cut."""
    if -STEP <= number <= STEP and (isinstance(number, int) or number.denominator < _FINEST):
        return number
    if magnitude(number) >= _LARGEST:
        return _LARGEST if number > 0 else -_LARGEST
    if isinstance(number, Fraction) and number.denominator == 1:
        return int(number)
    return number_of(float(number)) if number.denominator >= _FINEST else number


class Polynomials:
    """Values of the nodes of a graph as sums of products.

    Attributes:
        atoms: The atoms found so far.
        values: Value of each node of the graph.
        nodes: Node of each matrix, learned vector and norm among the atoms, by atom.
    """

    def __init__(self) -> None:
        self.atoms: list[Atom] = []
        self.values: list[Value] = []
        self.nodes: dict[int, int] = {}
        self._known: dict[object, int] = {}

    @staticmethod
    def of(graph: Structure, zero_states: frozenset[int] = frozenset()) -> Polynomials:
        """Return the values of the nodes of a pruned graph, where `zero_states` are zero."""
        found = Polynomials()
        for i, node in enumerate(graph.nodes):
            found.values.append(found._value(i, node, [found.values[j] for j in node.inputs], zero_states))
        return found

    def _value(self, i: int, node: Node, inputs: list[Value], zero_states: frozenset[int]) -> Value:
        match node.op:
            case Op.NUMBER:
                return scaled(ONE, number_of(node.value))
            case Op.STATE if node.state in zero_states:
                return ZERO
            case Op.ADD:
                return self.sum([(1, inputs[0]), (1, inputs[1])])
            case Op.SUB:
                return self.sum([(1, inputs[0]), (-1, inputs[1])])
            case Op.MUL:
                return self.product(inputs)
            case _:
                return self.applied(i, node, inputs[0] if inputs else None)

    def applied(self, i: int, node: Node, value: Value | None) -> Value:
        """Return the value of node i of the graph, an operation of one input or a leaf."""
        label = node.reading(())
        if value is not None and is_number(value) and node.op in POINTWISE:
            return folded(node.op, value)
        if value == ZERO and node.op is Op.LINEAR:  # the matrix multiplies nothing
            if node.bias is None:
                return ZERO
            label = replace(label, identity=0.0, random=1.0, orthogonal=False, groups=1)
        if value is not None and node.op is Op.SIGMOID and all(c < 0 for _, c in value):
            return (((self._atom(Atom(label, scaled(value, -1))) + 1,), 1),)  # sigmoid(-v) = 1 - sigmoid(v)
        if node.op not in PARAMETRIC:
            return (((self._atom(Atom(label, value)),), 1),)
        self.atoms.append(Atom(label, value))
        self.nodes[len(self.atoms) - 1] = i
        return (((2 * (len(self.atoms) - 1),), 1),)

    def _atom(self, atom: Atom) -> int:
        """Return the literal of an atom, a new one or an equal one."""
        key = atom.node, atom.reads
        if key not in self._known:
            self._known[key] = len(self.atoms)
            self.atoms.append(atom)
        return 2 * self._known[key]

    def product(self, values: Iterable[Value]) -> Value:
        """Return the product of values."""
        values = list(values)
        sums = [value for value in values if not is_number(value)]
        if len(sums) == 1:
            for value in values:
                if is_number(value):
                    sums = [scaled(sums[0], value[0][1] if value else 0)]
            return sums[0]
        number: Number = 1
        parts: list[Monomial] = []
        for value in values:
            if not value:
                return ZERO
            if len(value) == 1:
                ((monomial, factor),) = value
            else:
                factor, monomial = self._as_factor(value)
            number *= factor
            parts.append(monomial)
        if sum(map(len, parts)) > MAX_DEGREE:
            parts = [(self._atom(Atom(Node(Op.MUL), ((part, 1),))),) if len(part) > 1 else part for part in parts]
        monomial = tuple(sorted(literal for part in parts for literal in part))
        if len(monomial) > 1 and all(literal & 1 for literal in monomial) and len(set(monomial)) == len(monomial):
            return _value_of({monomial: number})  # (1 - a) * (1 - b)
        if len(monomial) == 1 or any(literal & 1 or self._has_number(literal) for literal in monomial):
            return self.normal({monomial: number})
        return _value_of({monomial: number})

    def _as_factor(self, value: Value) -> tuple[Number, Monomial]:
        """Return a sum as a number times factors, such as 2, c and `a - b` for `2 * a * c - 2 * b * c`."""
        common = Counter(value[0][0])
        for monomial, _ in value[1:]:
            common &= Counter(monomial)
        if common:
            rest = self.normal({tuple(sorted((Counter(m) - common).elements())): factor for m, factor in value})
            number, part = self._as_factor(rest) if len(rest) > 1 else (rest[0][1], rest[0][0])
            return number, tuple(sorted([*common.elements(), *part]))
        number = _content([factor for _, factor in value])
        if number != 1:
            value = tuple((monomial, _exact(Fraction(factor) / number)) for monomial, factor in value)
        if value[0] == ((), 1):
            inner = self.normal({monomial: -factor for monomial, factor in value[1:]})
            if len(inner) == 1 and inner[0][1] == 1 and not any(literal & 1 for literal in inner[0][0]):
                return number, (self._whole(inner[0][0]) + 1,)  # 1 - x, or 1 - a * b
            if len(inner) > 1 and _content([factor for _, factor in inner]) == 1:
                return number, (self._whole(self._as_factor(inner)[1]) + 1,)  # 1 - (a + b)
        return number, (self._atom(Atom(Node(Op.ADD), value)),)

    def _whole(self, monomial: Monomial) -> int:
        """Return the literal of a product of plain literals."""
        return monomial[0] if len(monomial) == 1 else self._atom(Atom(Node(Op.MUL), ((monomial, 1),)))

    def sum(self, parts: Iterable[tuple[Number, Value]]) -> Value:
        """Return the sum of values, each times a number."""
        terms: dict[Monomial, Number] = {}
        for factor, value in parts:
            for monomial, number in value:
                terms[monomial] = terms.get(monomial, 0) + factor * number
        return self.normal(terms)

    def normal(self, terms: Mapping[Monomial, Number]) -> Value:
        """Return the value of a sum of terms."""
        found = self._spelled_out(dict(_value_of(terms)))
        if len(found) > 1:
            found = self._put_together(found)
        return tuple(sorted(found.items()))

    def at(self, value: Value, literals: Mapping[int, Value]) -> Value:
        """Return the value of a sum over other literals, given their values here."""
        parts: list[tuple[Number, Value]] = []
        for monomial, number in value:
            parts.append((number, self.product([literals[literal] for literal in monomial])))
        return self.sum(parts)

    def _has_number(self, literal: int) -> bool:
        """Return whether a literal is a short sum with a number, such as `v + 2`: such factors are multiplied out."""
        atom = self.atoms[literal >> 1]
        if atom.node.op is not Op.ADD or literal & 1 or atom.reads is None or len(atom.reads) > MAX_TERMS:
            return False
        return not atom.reads[0][0]

    def _inner(self, monomial: Monomial) -> Value | None:
        """Return the value of a single literal that is a sum or a product itself, else None."""
        if len(monomial) != 1:
            return None
        atom = self.atoms[monomial[0] >> 1]
        return atom.reads if atom.node.op in (Op.ADD, Op.MUL) else None

    def _spelled_out(self, terms: dict[Monomial, Number]) -> dict[Monomial, Number]:
        """Return terms with single sums written out, and with factors `1 - z` multiplied out."""
        while True:
            found: dict[Monomial, Number] = {}
            changed = False
            for monomial, number in terms.items():
                parts = self._parts(monomial)
                changed |= parts is not None
                for part, factor in ((monomial, 1),) if parts is None else parts:
                    found[part] = found.get(part, 0) + number * factor
            if not changed:
                return terms
            terms = dict(_value_of(found))

    def _parts(self, monomial: Monomial) -> Value | None:
        """Return the sum that a product is, one step further multiplied out, or None if it is none."""
        odd = [literal for literal in monomial if literal & 1 or self._has_number(literal)]
        if not odd or (len(monomial) == 1 and not odd[0] & 1):
            return self._inner(monomial)
        if len(odd) > MAX_MULTIPLIED:
            return None
        rest = _without(monomial, odd[0])
        atom = self.atoms[odd[0] >> 1]
        if not odd[0] & 1:
            assert atom.reads is not None
            (_, constant), *others = atom.reads
            factor, part = self._as_factor(tuple(others)) if len(others) > 1 else (others[0][1], others[0][0])
            return (rest, constant), (tuple(sorted([*rest, *part])), factor)
        whole: Monomial = (odd[0] - 1,)
        if atom.node.op is Op.MUL and atom.reads and len(rest) + len(atom.reads[0][0]) <= MAX_DEGREE:
            whole = atom.reads[0][0]
        return (rest, 1), (tuple(sorted([*rest, *whole])), -1)

    def _put_together(self, terms: dict[Monomial, Number]) -> dict[Monomial, Number]:
        """Return terms with each c * m and -c * z * m put together, unless the order of doing so matters."""
        wholes = self._sums_among(terms)
        while wholes:
            current = dict(terms)
            for literal, (number, parts) in wholes.items():
                for part in parts:
                    del current[part]
                current[(literal,)] = number
            current = self._joined(current)
            left = [literal for literal in wholes if (literal,) in current]
            if not left:
                return current
            wholes = {literal: whole for literal, whole in wholes.items() if literal not in left}
        return self._joined(terms)

    def _sums_among(self, terms: dict[Monomial, Number]) -> dict[int, tuple[Number, tuple[Monomial, ...]]]:
        """Return sums that are factors of terms and, times a number, among the terms: number and parts by literal."""
        found: dict[int, tuple[Number, tuple[Monomial, ...]]] = {}
        for monomial, number in terms.items():
            for literal in monomial:
                inner = self._inner((literal,)) if not literal & 1 and len(monomial) > 1 else None
                if inner is None or len(inner) == 1 or literal in found:
                    continue
                parts = self._spelled_out(dict(inner))
                for factor in (number, -number):
                    if all(terms.get(part) == factor * own for part, own in parts.items()):
                        found[literal] = factor, tuple(parts)
        # The longest first, without those that overlap with a longer one, or with one as long.
        chosen: dict[int, tuple[Number, tuple[Monomial, ...]]] = {}
        taken: set[Monomial] = set()
        for size in sorted({len(parts) for _, parts in found.values()}, reverse=True):
            alike = {i: whole for i, whole in found.items() if len(whole[1]) == size and taken.isdisjoint(whole[1])}
            times = Counter(part for _, parts in alike.values() for part in parts)
            chosen |= {i: whole for i, whole in alike.items() if all(times[part] == 1 for part in whole[1])}
            taken |= set(times)
        return chosen

    def _joined(self, terms: dict[Monomial, Number]) -> dict[Monomial, Number]:
        terms = self._squared(terms)
        pairs = self._pairs(terms)
        if not pairs:
            return terms
        if _are_apart(pairs):
            for pair in pairs:
                self._join(terms, pair)
            return dict(_value_of(terms))
        components = _components(pairs)
        found = {m: number for m, number in terms.items() if not any(m in component for component in components)}
        for component in components:
            found |= self._factored({m: terms[m] for m in component})
        return found

    def _squared(self, terms: dict[Monomial, Number]) -> dict[Monomial, Number]:
        """Return terms with c * m - 2 c * z * m + c * z * z * m as one term: c times m times the square of 1 - z."""
        for whole, number in list(terms.items()):
            for literal in {literal for literal in whole if whole.count(literal) > 1 and not literal & 1}:
                once = _without(whole, literal)
                never = _without(once, literal)
                if whole in terms and terms.get(once) == -2 * number and terms.get(never) == number:
                    terms = {m: other for m, other in terms.items() if m not in (whole, once, never)}
                    terms[tuple(sorted([*never, literal + 1, literal + 1]))] = number
        return terms

    def _factored(self, terms: dict[Monomial, Number]) -> dict[Monomial, Number]:
        """Return connected terms with all factors 1 - z taken out, if any order gives the same; else the terms."""
        factors = sorted({factor for *_, factor in self._pairs(terms)})
        if len(factors) > MAX_MULTIPLIED:
            return terms
        results = []
        for order in permutations(factors):
            current = dict(terms)
            for factor in order:
                pairs = [pair for pair in self._pairs(current) if pair[2] == factor]
                if not _are_apart(pairs):
                    return terms
                for pair in pairs:
                    self._join(current, pair)
            results.append(current)
        return results[0] if all(found == results[0] for found in results) else terms

    def _pairs(self, terms: dict[Monomial, Number]) -> list[_Pair]:
        """Return all pairs c * m and -c * z * m of terms. If m is a number, z is a sigmoid."""
        found: list[_Pair] = []
        for monomial, number in terms.items():
            for other, factor in terms.items():
                if factor == -number and len(other) < len(monomial):
                    rest = Counter(monomial) - Counter(other)
                    if rest.total() + len(other) != len(monomial):
                        continue
                    z = tuple(sorted(rest.elements()))
                    if all(not literal & 1 for literal in z) and (
                        other or (len(z) == 1 and self.atoms[z[0] >> 1].node.op is Op.SIGMOID)
                    ):
                        found.append((other, monomial, z))
        return found

    def _join(self, terms: dict[Monomial, Number], pair: _Pair) -> None:
        rest, whole, z = pair
        number = terms.pop(rest)
        del terms[whole]
        left = list(whole)
        for literal in z:
            left.remove(literal)
        together = tuple(sorted([*left, self._whole(z) + 1]))
        terms[together] = terms.get(together, 0) + number


def _are_apart(pairs: list[_Pair]) -> bool:
    """Return whether no term is in two pairs."""
    times = Counter(monomial for pair in pairs for monomial in pair[:2])
    return all(count == 1 for count in times.values())


def _components(pairs: list[_Pair]) -> list[list[Monomial]]:
    """Return the terms of pairs in groups that share terms."""
    groups: list[set[Monomial]] = []
    for rest, whole, _ in pairs:
        group = {rest, whole}
        apart = [other for other in groups if other.isdisjoint(group)]
        for other in groups:
            if not other.isdisjoint(group):
                group = group | other
        groups = [*apart, group]
    return [list(group) for group in groups]


def _content(numbers: list[Number]) -> Number:
    """Return the number that is taken out of a sum with these factors when it is multiplied.

    It is the smallest factor, unless another one divided by it is no decimal fraction; then whole numbers up to 4, or
    numbers up to 1, are left. Of negative factors alone, it is negative.
    """
    if numbers == [1] * len(numbers):
        return 1
    fractions = [Fraction(number) for number in numbers]
    sign = -1 if all(f < 0 for f in fractions) else 1
    smallest = min(abs(f) for f in fractions)
    if all(_is_decimal(f / smallest) for f in fractions):
        return _exact(smallest * sign)
    divisor = Fraction(math.gcd(*(f.numerator for f in fractions)), math.lcm(*(f.denominator for f in fractions)))
    largest = max(abs(f) for f in fractions) / divisor
    scale = 1
    while largest > 4 and scale < largest:
        scale *= 10
    return _exact(divisor * scale * sign)


def _is_decimal(number: Fraction) -> bool:
    left = number.denominator
    for prime in (2, 5):
        while left % prime == 0:
            left //= prime
    return left == 1


def _value_of(terms: Mapping[Monomial, Number]) -> Value:
    return tuple(
        sorted((monomial, found) for monomial, number in terms.items() if number and (found := limited(number)))
    )


def _without(monomial: Monomial, literal: int) -> Monomial:
    place = monomial.index(literal)
    return monomial[:place] + monomial[place + 1 :]


def _exact(number: Fraction) -> Number:
    return int(number) if number.denominator == 1 else number


def scaled(value: Value, number: Number) -> Value:
    """Return a value times a number."""
    return _value_of({monomial: number * factor for monomial, factor in value})


def is_number(value: Value) -> bool:
    """Return whether a value is a number."""
    return not value or (len(value) == 1 and not value[0][0])


def folded(op: Op, value: Value) -> Value:
    """Return an activation of a number, to 15 digits: mathematical libraries differ in the last ones."""
    compute = OPERATIONS[op].value
    assert compute is not None
    number = float(value[0][1]) if value else 0.0
    return scaled(ONE, number_of(float(f"{compute(number):.15g}"))) if math.isfinite(number) else ZERO
