"""Operations of a cell, and the node that applies one of them."""

from dataclasses import dataclass
from enum import StrEnum

LEAKY_SLOPE = 0.01
"""Factor that `LEAKY_RELU` applies to negative numbers."""


class Op(StrEnum):
    """Operation of a node. All but `LINEAR` work element by element.

    The canonical order of a graph's nodes, and therefore a cell's id, depends on the order of the members: append new
    operations at the end.
    """

    INPUT = "input"
    STATE = "state"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    LINEAR = "linear"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    LEAKY_RELU = "leaky_relu"


ARITY = {
    Op.INPUT: 0,
    Op.STATE: 0,
    Op.SIGMOID: 1,
    Op.TANH: 1,
    Op.RELU: 1,
    Op.LINEAR: 1,
    Op.ADD: 2,
    Op.SUB: 2,
    Op.MUL: 2,
    Op.LEAKY_RELU: 1,
}
"""Number of inputs of each operation."""

LEAVES = frozenset({Op.INPUT, Op.STATE})
"""Operations without inputs: they read a value from outside the step."""

ACTIVATIONS = frozenset({Op.SIGMOID, Op.TANH, Op.RELU, Op.LEAKY_RELU, Op.LINEAR})
"""Operations of one input. Jozefowicz et al. 2015, section 3.3, call all of them activations, matrices included."""

ELEMENTWISE = frozenset({Op.ADD, Op.SUB, Op.MUL})
"""Operations of two inputs."""

COMMUTATIVE = frozenset({Op.ADD, Op.MUL})
"""Operations whose two inputs may be swapped."""

SIGNS = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*"}
"""Signs of the operations of two inputs, in formulas and in code."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation and the positions of the nodes it reads.

    `state` is the number of the state that a `STATE` node reads. `identity` and `bias` belong to `LINEAR` alone, which
    computes W v + b with its own matrix and bias: initialisation adds `identity` times the identity matrix to the
    random W, and `bias` to the random b. They express Linear(a, v) of Jozefowicz et al. 2015, section 3.3, and the
    forget-gate bias of `lstm-b`.
    """

    op: Op
    inputs: tuple[int, ...] = ()
    state: int = 0
    identity: float = 0.0
    bias: float = 0.0
