"""Operations of a cell, each described once, and the node that applies one of them.

`OPERATIONS` has one entry for each operation, with all that any part of the project knows about it: notation, value,
PyTorch and JAX functions, machine code, derivative, drawing, recipe, cost, and whether mutation may draw it. To add an
operation of one or two inputs, add a member to `Op` and an entry to `OPERATIONS`; tests then cover its values,
gradients, saturation, NaN, notation, drawing, machine code and export.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from search.cells.starts import Start

LEAKY_SLOPE = 0.01
"""Factor that `leaky_relu` applies to negative numbers."""

NORM_EPSILON = 1e-5
"""Number that `norm` adds to the variance."""


class Op(StrEnum):
    """Operation of a node. All but `LINEAR` and `NORM` work element by element.

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
    SOFTPLUS = "softplus"
    NORM = "norm"
    PARAM = "param"
    NUMBER = "number"


class Arithmetic(Protocol):
    """Builder of vector arithmetic in machine code; values are named by texts. NaN fails every comparison."""

    def constant(self, number: float) -> str:
        """Return a vector of one number."""

    def binary(self, op: str, a: str, b: str) -> str:
        """Apply `fadd`, `fsub`, `fmul` or `fdiv`."""

    def where(self, test: str, a: str, b: str, then: str, otherwise: str) -> str:
        """Select `then` where the comparison `test` (such as `ogt`) of a and b holds, else `otherwise`."""

    def tanh(self, v: str) -> str:
        """Compute the hyperbolic tangent."""

    def sigmoid(self, v: str) -> str:
        """Compute 1 / (1 + exp(-v))."""

    def exp(self, v: str) -> str:
        """Compute the exponential."""

    def log1p(self, v: str) -> str:
        """Compute log(1 + v) for v from 0 to 1."""


class Derivation(Protocol):
    """Builder of a derivative out of instructions, which are named by numbers.

    An instruction is an operation by its name, or `neg`, `number`, `gate` (the second argument where the first is
    positive, else 0), or `choose` (the second argument where the first is positive, else the third).
    """

    @property
    def incoming(self) -> int:
        """Gradient of the loss with respect to the operation's result."""

    def output(self) -> int:
        """Return the operation's result."""

    def input(self, place: int) -> int:
        """Return the operation's input at `place`."""

    def number(self, value: float) -> int:
        """Return a constant."""

    def emit(self, op: str, *arguments: int) -> int:
        """Return the result of an instruction."""


@dataclass(frozen=True)
class Operation:
    """All that is known about an operation.

    Attributes:
        arity: Number of inputs.
        functions: Names in formulas; the first one is printed.
        sign: Sign between two inputs, in formulas and in code.
        commutative: Whether the two inputs may be swapped.
        own_parameters: Whether each use has parameters of its own, so that equal uses are not one.
        elementwise: Whether each number of the result depends on the inputs' numbers at the same place alone.
        value: Value for plain numbers.
        torch: Dotted name of the PyTorch function, as exported code calls it.
        jax: Dotted name of the JAX function.
        machine: Builder of the operation's machine code.
        derivative: Builder of the gradients with respect to the inputs, in their order.
        needs_input: Whether the derivative reads the inputs rather than the result alone.
        symbol: Label in drawings.
        recipe: Name in recipes of NAS-Bench-NLP; empty if the format lacks the operation.
        cost: Cost of a pointwise operation in units of an addition, about.
        drawn: Whether the study's mutations draw it.
    """

    arity: int
    functions: tuple[str, ...] = ()
    sign: str = ""
    commutative: bool = False
    own_parameters: bool = False
    elementwise: bool = True
    value: Callable[..., float] | None = None
    torch: str = ""
    jax: str = ""
    machine: Callable[..., str] | None = None
    derivative: Callable[[Derivation], Iterator[int]] | None = None
    needs_input: bool = False
    symbol: str = ""
    recipe: str = ""
    cost: float = 0.0
    drawn: bool = False


def _sigmoid(v: float) -> float:
    return 0.0 if v <= -700.0 else 1.0 / (1.0 + math.exp(-v))  # NaN stays


def _softplus(v: float) -> float:
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


def _relu(v: float) -> float:
    return v if math.isnan(v) else max(v, 0.0)


def _machine_relu(vectors: Arithmetic, v: str) -> str:
    zero = vectors.constant(0.0)
    return vectors.where("ole", v, zero, zero, v)  # NaN stays


def _machine_leaky_relu(vectors: Arithmetic, v: str) -> str:
    below = vectors.binary("fmul", v, vectors.constant(LEAKY_SLOPE))
    return vectors.where("ogt", v, vectors.constant(0.0), v, below)


def _machine_softplus(vectors: Arithmetic, v: str) -> str:
    """Return max(v, 0) + log(1 + exp(-|v|)), which neither overflows nor loses small values."""
    zero = vectors.constant(0.0)
    minus = vectors.binary("fsub", zero, v)
    above = vectors.where("ole", v, zero, zero, v)
    power = vectors.exp(vectors.where("ogt", v, zero, minus, v))
    return vectors.binary("fadd", above, vectors.log1p(power))


def _of_sigmoid(d: Derivation) -> Iterator[int]:
    y = d.output()
    yield d.emit("mul", d.incoming, d.emit("mul", y, d.emit("sub", d.number(1.0), y)))


def _of_tanh(d: Derivation) -> Iterator[int]:
    y = d.output()
    yield d.emit("mul", d.incoming, d.emit("sub", d.number(1.0), d.emit("mul", y, y)))


def _of_relu(d: Derivation) -> Iterator[int]:
    yield d.emit("gate", d.output(), d.incoming)


def _of_leaky_relu(d: Derivation) -> Iterator[int]:
    yield d.emit("choose", d.output(), d.incoming, d.emit("mul", d.incoming, d.number(LEAKY_SLOPE)))


def _of_softplus(d: Derivation) -> Iterator[int]:
    yield d.emit("mul", d.incoming, d.emit("sigmoid", d.input(0)))


def _of_add(d: Derivation) -> Iterator[int]:
    yield d.incoming
    yield d.incoming


def _of_sub(d: Derivation) -> Iterator[int]:
    yield d.incoming
    yield d.emit("neg", d.incoming)


def _of_mul(d: Derivation) -> Iterator[int]:
    yield d.emit("mul", d.incoming, d.input(1))
    yield d.emit("mul", d.incoming, d.input(0))


OPERATIONS: dict[Op, Operation] = {
    Op.INPUT: Operation(0, symbol="x"),
    Op.STATE: Operation(0, symbol="h"),
    Op.SIGMOID: Operation(
        1,
        functions=("sigmoid", "sigm"),
        value=_sigmoid,
        torch="torch.sigmoid",
        jax="jax.nn.sigmoid",
        machine=lambda vectors, v: vectors.sigmoid(v),
        derivative=_of_sigmoid,
        symbol="\N{GREEK SMALL LETTER SIGMA}",
        recipe="activation_sigm",
        cost=8.0,
        drawn=True,
    ),
    Op.TANH: Operation(
        1,
        functions=("tanh",),
        value=math.tanh,
        torch="torch.tanh",
        jax="jax.numpy.tanh",
        machine=lambda vectors, v: vectors.tanh(v),
        derivative=_of_tanh,
        symbol="tanh",
        recipe="activation_tanh",
        cost=8.0,
        drawn=True,
    ),
    Op.RELU: Operation(
        1,
        functions=("relu",),
        value=_relu,
        torch="torch.relu",
        jax="jax.nn.relu",
        machine=_machine_relu,
        derivative=_of_relu,
        symbol="relu",
        cost=1.0,
        drawn=True,
    ),
    Op.LINEAR: Operation(
        1, functions=("linear",), own_parameters=True, elementwise=False, symbol="linear", recipe="linear", drawn=True
    ),
    Op.ADD: Operation(
        2,
        sign="+",
        commutative=True,
        value=lambda a, b: a + b,
        torch="torch.add",
        jax="jax.numpy.add",
        machine=lambda vectors, a, b: vectors.binary("fadd", a, b),
        derivative=_of_add,
        symbol="+",
        recipe="elementwise_sum",
        cost=1.0,
        drawn=True,
    ),
    Op.SUB: Operation(
        2,
        sign="-",
        value=lambda a, b: a - b,
        torch="torch.sub",
        jax="jax.numpy.subtract",
        machine=lambda vectors, a, b: vectors.binary("fsub", a, b),
        derivative=_of_sub,
        symbol="-",
        cost=1.0,
        drawn=True,
    ),
    Op.MUL: Operation(
        2,
        sign="*",
        commutative=True,
        value=lambda a, b: a * b,
        torch="torch.mul",
        jax="jax.numpy.multiply",
        machine=lambda vectors, a, b: vectors.binary("fmul", a, b),
        derivative=_of_mul,
        needs_input=True,
        symbol="\N{MULTIPLICATION SIGN}",
        recipe="elementwise_prod",
        cost=1.0,
        drawn=True,
    ),
    Op.LEAKY_RELU: Operation(
        1,
        functions=("leaky_relu",),
        value=lambda v: v if v > 0.0 else LEAKY_SLOPE * v,
        torch="torch.nn.functional.leaky_relu",  # its default slope is LEAKY_SLOPE
        jax="jax.nn.leaky_relu",
        machine=_machine_leaky_relu,
        derivative=_of_leaky_relu,
        symbol="leaky relu",
        recipe="activation_leaky_relu",
        cost=2.0,
    ),
    Op.SOFTPLUS: Operation(
        1,
        functions=("softplus",),
        value=_softplus,
        torch="torch.nn.functional.softplus",
        jax="jax.nn.softplus",
        machine=_machine_softplus,
        derivative=_of_softplus,
        needs_input=True,
        symbol="softplus",
        cost=16.0,
    ),
    Op.NORM: Operation(
        1, functions=("norm",), own_parameters=True, elementwise=False, torch="torch.nn.functional.layer_norm",
        symbol="norm", cost=8.0,
    ),
    Op.PARAM: Operation(0, functions=("param",), own_parameters=True, symbol="param"),
    Op.NUMBER: Operation(0),
}  # fmt: skip
"""All operations. `LINEAR` and `NORM` have no machine code here: they are products and reductions over a whole row."""

ARITY = {op: operation.arity for op, operation in OPERATIONS.items()}
"""Number of inputs of each operation."""

LEAVES = frozenset(op for op, arity in ARITY.items() if arity == 0)
"""Operations without inputs: the input, a state, a learned vector, a number."""

ACTIVATIONS = frozenset(op for op, arity in ARITY.items() if arity == 1)
"""Operations of one input. Jozefowicz et al. 2015, section 3.3, call all of them activations, matrices included."""

ELEMENTWISE = frozenset(op for op, arity in ARITY.items() if arity == 2)
"""Operations of two inputs."""

COMMUTATIVE = frozenset(op for op, operation in OPERATIONS.items() if operation.commutative)
"""Operations whose two inputs may be swapped."""

PARAMETRIC = frozenset(op for op, operation in OPERATIONS.items() if operation.own_parameters)
"""Operations of which each use has parameters of its own: two of them on the same input are never one."""

POINTWISE = frozenset(op for op, operation in OPERATIONS.items() if operation.elementwise and operation.arity)
"""Operations that work element by element."""

SIGNS = {op: operation.sign for op, operation in OPERATIONS.items() if operation.sign}
"""Signs of the operations of two inputs, in formulas and in code."""


def _missing() -> Iterator[str]:
    """Yield what the table lacks, such as `tanh.jax`: each is needed by a part of the project."""
    yield from (op.value for op in Op if op not in OPERATIONS)
    for op, operation in OPERATIONS.items():
        needed = ["symbol"] if operation.arity else []
        needed += ["functions"] if operation.arity == 1 else ["sign"] if operation.arity == 2 else []
        needed += ["value", "torch", "jax", "machine", "derivative", "cost"] if op in POINTWISE else []
        yield from (f"{op.value}.{field}" for field in needed if not getattr(operation, field))
    words = [word for operation in OPERATIONS.values() for word in (*operation.functions, operation.sign) if word]
    yield from (f"a name other than {word!r}" for word in sorted(set(words)) if words.count(word) > 1)


assert not (lacks := [*_missing()]), f"the table of operations lacks {', '.join(lacks)}"


@dataclass(frozen=True, slots=True)
class Node:
    """One operation and the positions of the nodes it reads.

    Attributes:
        op: The operation.
        inputs: Positions of the nodes that it reads.
        state: Number of the state that a `STATE` node reads.
        identity: For `LINEAR`, which computes W v + b with its own matrix and bias: factor of the identity matrix that
            initialisation adds to the random W (Linear(a, v) of Jozefowicz et al. 2015, section 3.3).
        bias: For `LINEAR`: a number that initialisation adds to the random b, a rule that draws b instead, or None if
            there is no bias.
        random: For `LINEAR`: factor of the random part of W at initialisation.
        orthogonal: For `LINEAR`: whether W starts as a random orthogonal matrix.
        groups: For `LINEAR`: number of equal blocks on the diagonal of W, which is zero elsewhere.
        start: For `PARAM`: start of the learned vector.
        value: For `NUMBER`: the number.
    """

    op: Op
    inputs: tuple[int, ...] = ()
    state: int = 0
    identity: float = 0.0
    bias: Start | None = 0.0
    random: float = 1.0
    orthogonal: bool = False
    groups: int = 1
    start: Start = 0.0
    value: float = 0.0

    def reading(self, inputs: tuple[int, ...], *, state: int | None = None) -> Node:
        """Return the same operation on other inputs, or of another state."""
        # Written out: `dataclasses.replace` takes five times as long, and a search calls this 300 times for each child.
        return Node(
            self.op,
            inputs,
            self.state if state is None else state,
            self.identity,
            self.bias,
            self.random,
            self.orthogonal,
            self.groups,
            self.start,
            self.value,
        )
