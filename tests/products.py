"""Products of a cell's matrices, for equations that are written as plain loops."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from torch import Tensor
from torch.nn.functional import linear

from tests.published import Weights

Product: TypeAlias = Callable[[Tensor], Tensor]
"""Product of a vector with one matrix, plus its bias if it has one."""


def products(w: Weights, biased: str) -> Iterator[Product]:
    """Yield the products with a cell's matrices in the order of its formula.

    Args:
        w: Parameters of the cell; all of its matrices and biases must be used.
        biased: A character for each matrix, `b` if it has a bias and `-` if it has none; spaces are skipped.
    """
    kinds = biased.replace(" ", "")
    assert (len(kinds), kinds.count("b")) == (len(w.matrices), len(w.biases))
    biases = iter(w.biases)
    for matrix, kind in zip(w.matrices, kinds, strict=True):
        yield _product(matrix, next(biases) if kind == "b" else None)


def _product(matrix: Tensor, bias: Tensor | None) -> Product:
    return lambda v: linear(v, matrix, bias)
