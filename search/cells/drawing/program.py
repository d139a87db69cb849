"""Linear and integer programs that the columns and the heights of a drawing are."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

Row = tuple[tuple[tuple[int, float], ...], float]
"""Variables with their factors, and the most that their sum may be, or what it is in an equation."""

Vector = npt.NDArray[np.float64]

_GAP, _MOST_NODES = 0.0005, 20  # per whole number, and in all: of large programs, a first solution is taken


def below(a: int, b: int, by: float) -> Row:
    """Return the row of a <= b - by, or of a == b - by."""
    return ((a, 1.0), (b, -1.0)), -by


def solve(
    cost: Vector, less: Sequence[Row], bounds: Sequence[tuple[float, float]], equal: Sequence[Row] = ()
) -> list[float] | None:
    """Return the variables of the least cost, None if there are none.

    Args:
        cost: the cost of each variable.
        less: inequalities.
        bounds: least and largest value of each variable.
        equal: equations.
    """
    from scipy.optimize import linprog  # slow to import

    found = linprog(
        cost,
        _matrix(less, len(cost)),
        [most for _, most in less],
        _matrix(equal, len(cost)) if equal else None,
        [value for _, value in equal] if equal else None,
        bounds=bounds,
        method="highs-ds",
    )
    return None if found.x is None else [float(value) for value in found.x]


def solve_whole(
    cost: Vector, less: Sequence[Row], bounds: Sequence[tuple[float, float]], whole: Sequence[int]
) -> list[float] | None:
    """Return variables of little cost of which some are whole numbers, None if none were found.

    The fewer numbers are whole, the nearer it is to the least one; of thousands, a first solution is taken.

    Args:
        cost: the cost of each variable.
        less: inequalities.
        bounds: least and largest value of each variable.
        whole: variables that are whole numbers.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # slow to import

    integrality = np.zeros(len(cost), dtype=np.int64)
    integrality[list(whole)] = 1
    found = milp(
        cost,
        integrality=integrality,
        bounds=Bounds(*np.transpose(bounds)),
        constraints=LinearConstraint(_matrix(less, len(cost)), -np.inf, [most for _, most in less]),
        options={"mip_rel_gap": _GAP * len(whole), "node_limit": _MOST_NODES},
    )
    return None if found.x is None else [float(value) for value in found.x]


def _matrix(rows: Sequence[Row], size: int) -> Any:  # SciPy accepts sparse arrays, its stubs do not
    from scipy.sparse import csr_array  # slow to import

    terms = list(chain.from_iterable(row for row, _ in rows))
    starts = np.cumsum([0, *(len(row) for row, _ in rows)])
    return csr_array(([by for _, by in terms], [i for i, _ in terms], starts), shape=(len(rows), size))
