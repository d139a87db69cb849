"""Vocabulary of mutation: the activations, operations, blocks and biases that it may draw, with their weights."""

from dataclasses import dataclass
from functools import cached_property

from search.cells.operations import Node, Op
from search.cells.starts import Rule, Start, StartRule

IDENTITIES = (0.0, 1.0, 0.9, 1.1)
"""Factors of the identity that the study adds to a `linear` at initialisation."""

FACTORS = (0.5, 2.0, -1.0, 0.1)
"""Numbers that a value may be multiplied by."""

GROUPS = (1, 2, 4)
"""Numbers of blocks of a matrix that mutation changes."""

BIASES: tuple[Start | None, ...] = (
    *(0.0, 1.0, -1.0),
    StartRule(Rule.CHRONO, (100.0,)),
    StartRule(Rule.UNIFORM_GATE),
    None,
)
"""Starts of a bias that mutation changes: as drawn, higher, lower, by a rule, and no bias."""


@dataclass(frozen=True)
class Vocabulary:
    """Weights of all that mutation may draw; 0 means never. The default is the study's.

    Attributes:
        sigmoid: As an activation.
        tanh: As an activation.
        relu: As an activation.
        linear: As an activation, for each of the four starts in `IDENTITIES`.
        leaky_relu: As an activation.
        softplus: As an activation.
        norm: Layer norm, as an activation.
        param: `param(1) * v` as an activation: a learned factor, which does nothing at first.
        number: `c * v` as an activation, c being one of `FACTORS`.
        mul: As an operation of two inputs.
        add: As an operation of two inputs.
        sub: As an operation of two inputs.
        groups: Another number of blocks of a matrix, one of `GROUPS`.
        bias: Another start of the bias of a matrix, one of `BIASES`.
    """

    sigmoid: float = 1.0
    tanh: float = 1.0
    relu: float = 1.0
    linear: float = 1.0
    leaky_relu: float = 0.0
    softplus: float = 0.0
    norm: float = 0.0
    param: float = 0.0
    number: float = 0.0
    mul: float = 1.0
    add: float = 1.0
    sub: float = 1.0
    groups: float = 0.0
    bias: float = 0.0

    @cached_property
    def activations(self) -> tuple[tuple[Node, float], ...]:
        """Activations without inputs, and their weights; of a factor, its leaf."""
        found = [(Node(op), getattr(self, op.value)) for op in (Op.SIGMOID, Op.TANH, Op.RELU)]
        found += [(Node(Op.LINEAR, identity=identity), self.linear) for identity in IDENTITIES]
        found += [(Node(op), getattr(self, op.value)) for op in (Op.LEAKY_RELU, Op.SOFTPLUS, Op.NORM)]
        found += [(Node(Op.PARAM, start=1.0), self.param)]
        found += [(Node(Op.NUMBER, value=number), self.number / len(FACTORS)) for number in FACTORS]
        return tuple(choice for choice in found if choice[1])

    @cached_property
    def operations(self) -> tuple[tuple[Op, float], ...]:
        """Operations of two inputs, and their weights."""
        found = (Op.MUL, self.mul), (Op.ADD, self.add), (Op.SUB, self.sub)
        return tuple(choice for choice in found if choice[1])


STUDY_VOCABULARY = Vocabulary()
"""The study's vocabulary."""
