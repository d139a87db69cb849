"""Interface of a model: what it reads at each step, and what it predicts.

Inputs and outputs are two choices, and every pair works. D input size, W output size, N steps in the loss mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Input(StrEnum):
    """Kind of input that a model reads at each step."""

    SYMBOLS = "symbols"  # one of D symbols: an embedding
    VALUES = "values"  # D real values: a projection; a piano roll is one of zeros and ones


class Output(StrEnum):
    """Kind of output that a model predicts at each step."""

    SYMBOLS = "symbols"  # one of W symbols: softmax over the vocabulary
    MULTI_LABEL = "multi-label"  # any subset of W notes: one sigmoid per note
    GAUSSIAN = "gaussian"  # W real values: a normal distribution each, with a learned scale for each
    SQUARED_ERROR = "squared-error"  # W real values: their means alone


@dataclass(frozen=True)
class OutputKind:
    """Facts of a kind of output, as far as a task knows them.

    Attributes:
        unit: what an output is, a plural noun.
        untrained_loss: returns the loss of a step of a model that predicts nothing yet, from W.
        symbols: whether a target is one integer, not W numbers.
        binary: whether the W numbers of a target are 0 or 1, not any real values.
    """

    unit: str
    untrained_loss: Callable[[int], float]
    symbols: bool = False
    binary: bool = False

    @property
    def real(self) -> bool:
        """True if a target is W real values."""
        return not (self.symbols or self.binary)


OUTPUTS: Mapping[Output, OutputKind] = {
    Output.SYMBOLS: OutputKind("symbols", math.log, symbols=True),
    Output.MULTI_LABEL: OutputKind("notes", lambda size: size * math.log(2.0), binary=True),
    Output.GAUSSIAN: OutputKind("values", lambda size: size * 0.5 * math.log(2.0 * math.pi * math.e)),
    Output.SQUARED_ERROR: OutputKind("values", lambda size: 0.5 * size),
}
"""Every kind of output. Without training, symbols and notes are uniform, and standardised values are predicted as 0."""


@dataclass(frozen=True)
class Interface:
    """Kinds and sizes of the inputs and outputs of a model.

    Attributes:
        input: kind of the inputs.
        input_size: D, number of symbols or values.
        output: kind of the outputs.
        output_size: W, number of symbols, notes or values.
    """

    input: Input
    input_size: int
    output: Output
    output_size: int

    @classmethod
    def same(cls, output: Output, size: int) -> Interface:
        """Return the interface of a model that predicts its own next input: symbols, or notes of a piano roll."""
        return cls(Input.SYMBOLS if OUTPUTS[output].symbols else Input.VALUES, size, output, size)

    @property
    def reads_symbols(self) -> bool:
        """True if an input is one symbol, not D values."""
        return self.input is Input.SYMBOLS
