"""Changes from a parent to a child in the lines of their formulas, for the family tree."""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

LIKE = 0.6
"""Least likeness of two expressions, 0 to 1, of lines with different names that correspond."""

MOST_CHANGES = 8
"""Most changed lines of one step of a family tree; the rest are counted."""


@dataclass(frozen=True)
class Change:
    """Line of a formula before and after; `before` is empty for a new line, `after` for a removed one."""

    before: str
    after: str


def changes(parent: str, child: str) -> list[Change]:
    """Return how the lines of a formula changed, in the order of the child's lines, removed lines last.

    Lines correspond if they assign to the same name, or else if their expressions are much alike: a gate gets another
    letter if its role changes. A line that is only renamed, or has its terms in another order, is no change.
    """
    old, new = _assignments(parent), _assignments(child)
    matched = {name: name for name in new if name in old}
    free = [name for name in old if name not in new]
    for name in (name for name in new if name not in old):
        likeness = {other: SequenceMatcher(None, old[other], new[name], False).ratio() for other in free}
        if likeness and max(likeness.values()) >= LIKE:
            matched[name] = max(likeness, key=lambda other: likeness[other])
            free.remove(matched[name])
    found = []
    for name, expression in new.items():
        other = matched.get(name)
        if other is None:
            found.append(Change("", f"{name} = {expression}"))
        elif in_order(old[other]) != in_order(expression):
            found.append(Change(f"{other} = {old[other]}", f"{name} = {expression}"))
    return found + [Change(f"{name} = {old[name]}", "") for name in free]


def in_order(expression: str) -> str:
    """Return an expression with the terms of its sums and the factors of its products sorted, for comparison.

    Text that is no expression is returned as it is. It is only parsed, never evaluated.
    """
    try:
        return _sorted_text(ast.parse(expression.replace("'", "_new"), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return expression


def _sorted_text(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
        sign = " + " if isinstance(node.op, ast.Add) else " * "
        return f"({sign.join(sorted(_sorted_text(part) for part in _parts(node, type(node.op))))})"
    if isinstance(node, ast.BinOp):
        return f"({_sorted_text(node.left)} {type(node.op).__name__} {_sorted_text(node.right)})"
    if isinstance(node, ast.Call):
        named = [f"{word.arg}={ast.unparse(word.value)}" for word in node.keywords]
        return f"{ast.unparse(node.func)}({', '.join([*(_sorted_text(part) for part in node.args), *named])})"
    return ast.unparse(node)


def _parts(node: ast.expr, kind: type[ast.operator]) -> list[ast.expr]:
    """Return the terms of a sum, or the factors of a product, from left to right."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, kind):
        return [*_parts(node.left, kind), *_parts(node.right, kind)]
    return [node]


def mutation_kinds(mutations: Sequence[str]) -> str:
    """Return the kinds of mutations in words, each once, with its number if it is more than one."""
    kinds = Counter(text.partition(":")[0].replace("-", " ") for text in mutations)
    return ", ".join(kind if times == 1 else f"{kind} ({times} times)" for kind, times in kinds.items())


def _assignments(formula: str) -> dict[str, str]:
    """Return the expressions of a formula by the names that they are assigned to."""
    found = {}
    for line in formula.splitlines():
        name, equals, expression = line.partition(" = ")
        if equals:
            found[name.strip()] = expression.strip()
    return found
