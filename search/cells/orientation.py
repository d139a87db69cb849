"""Choice between a gate and its complement, where one cell can be written with either.

A sigmoid whose input is a sum of terms that each have a `linear` or a `param` of their own, which nothing else reads,
changes to its complement if these matrices and vectors are negated: sigmoid(-s) = 1 - sigmoid(s). Random starts are
symmetric, and numbers and rules of starts are negated with them (1 becomes -1, `chrono(T)` becomes `-chrono(T)`). So
`z * a + (1 - z) * b` and `z * b + (1 - z) * a` compute the same functions, from the same distribution of starts, with
the same gradients up to sign: training gives the same cell. The canonical form has the gate for which, in this order,

1. more terms have z than 1 - z as a factor,
2. more terms have z and an old state as factors than 1 - z and an old state,
3. the starts of its matrices and vectors are larger,
4. z comes before 1 - z in the canonical order of the cell in which the two are not told apart.

Where turning a gate changes the terms of a sum, as in `z + 0.5` and `1.5 - z`, both are written, and the one with fewer
nodes is taken. Left as they are: gates whose starts are exchanged among different matrices by the negation.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

from search.cells.operations import Node, Op
from search.cells.polynomials import Value
from search.cells.starts import Start, StartRule, start_key
from search.cells.sums import Sums, plain_start, private_parameters, rewritten

MAX_IRREGULAR = 3
"""Most gates of a cell, of those that change the terms of sums, that are turned."""

MAX_WAYS = 2**MAX_IRREGULAR
"""Most ways to turn these gates that are compared."""

_Key: TypeAlias = tuple[object, ...]


def candidates(sums: Sums) -> list[tuple[Sums, frozenset[int]]]:
    """Return the sums with gates turned by the first three rules, and the gates that the fourth decides.

    There are several results if turning a gate changes the terms of a sum: one for each way to turn such gates. The
    smallest canonical form is to be chosen. If there are more than `MAX_WAYS`, these gates are left as they are.
    """
    found: dict[frozenset[int], tuple[Sums, frozenset[int]]] = {}
    pending = [sums]
    while pending:
        turned, open_gates, irregular = _oriented(pending.pop())
        if len(irregular) > MAX_IRREGULAR:
            return [next(iter(found.values()), (turned, open_gates))]
        key = frozenset(turned.polynomials.nodes[i] for i in turned.negated)
        if key in found:
            continue
        found[key] = turned, open_gates
        if len(found) > MAX_WAYS or 2 ** len(irregular) > MAX_WAYS:
            return [next(iter(found.values()))]
        pending += [rewritten(turned, gate) for gate in irregular]
    return list(found.values())


def _oriented(sums: Sums) -> tuple[Sums, frozenset[int], list[int]]:
    turned, open_gates = set(), set()
    regular, irregular = turnable(sums)
    for gate in regular:
        choice = _preference(sums, gate)
        if choice is None:
            open_gates.add(gate)
        elif choice:
            turned.add(gate)
    return (sums.turn(turned) if turned else sums), frozenset(open_gates), irregular


def settled(sums: Sums, open_gates: Collection[int], ranks: dict[int, int]) -> Sums:
    """Return the sums with gates turned by the fourth rule, given the ranks of the literals."""
    turned = {gate for gate in open_gates if ranks[2 * gate + 1] < ranks[2 * gate]}
    return sums.turn(turned) if turned else sums


def turnable(sums: Sums) -> tuple[list[int], list[int]]:
    """Return the gates that may be replaced by one minus them: those with which sums keep their terms, and others."""
    gates = [i for i in sums.live if sums.atoms[i].node.op is Op.SIGMOID and private_parameters(sums, i) is not None]
    regular = [i for i in gates if _is_regular(sums, i)]
    return regular, [i for i in gates if i not in regular]


def _is_regular(sums: Sums, gate: int) -> bool:
    """Return whether all sums stay in normal form if the gate is turned."""
    literals = {2 * gate, 2 * gate + 1}
    for value in sums.values:
        if any(not literals.isdisjoint(monomial) for monomial, _ in value) and not _is_simple(value, literals):
            swapped = {
                tuple(sorted(literal ^ 1 if literal >> 1 == gate else literal for literal in monomial)): number
                for monomial, number in value
            }
            if sums.polynomials.normal(swapped) != tuple(sorted(swapped.items())):
                return False
    return True


def _is_simple(value: Value, literals: set[int]) -> bool:
    """Return whether a value is a product with the gate as one factor, which stays one whatever the gate is."""
    ((monomial, _), *others) = value
    odd = sum(literal & 1 for literal in monomial)
    return not others and sum(literal in literals for literal in monomial) == 1 and (odd < 2 or len(monomial) == 1)


def _preference(sums: Sums, gate: int) -> bool | None:
    """Return whether rules 1 to 3 turn the gate; None if they do not decide."""
    z, not_z = 2 * gate, 2 * gate + 1
    if sums.uses[z] != sums.uses[not_z]:
        return sums.uses[z] < sums.uses[not_z]
    carried = [_times_with_state(sums, literal) for literal in (z, not_z)]
    if carried[0] != carried[1]:
        return carried[0] < carried[1]
    nodes = [sums.atoms[i].node for i in private_parameters(sums, gate) or ()]
    keys, opposite = [_key(node) for node in nodes], [_key(node, negative=True) for node in nodes]
    if sorted(keys) != sorted(opposite):
        return sorted(keys) < sorted(opposite)
    return None if keys == opposite else False


def _times_with_state(sums: Sums, literal: int) -> int:
    reads = [sums.atoms[i].reads for i in sums.live]
    return sum(
        literal in monomial and any(sums.atoms[other >> 1].node.op is Op.STATE for other in monomial)
        for value in [*(value for value in reads if value is not None), *sums.outputs]
        for monomial, _ in value
    )


def _key(node: Node, negative: bool = False) -> _Key:
    sign = -1.0 if negative else 1.0
    return sign * node.identity + 0.0, _start(node.bias, sign), _start(node.start, sign)


def _start(start: Start | None, sign: float) -> _Key:
    if start is None or not isinstance(start, StartRule):
        return start_key(start if start is None else sign * start + 0.0)
    return start_key(plain_start(start) if sign > 0 else plain_start(_opposite(start)))


def _opposite(start: StartRule) -> StartRule:
    return StartRule(start.rule, start.arguments, not start.negative)
