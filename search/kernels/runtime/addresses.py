"""Where the arrays of a program's places lie: addresses, counted off from the blocks of memory that hold them.

T steps, B sequences, P units padded to whole vectors; a block holds float32 without gaps.
"""

from collections.abc import Sequence
from typing import TypeAlias

from search.kernels.plan.adjoint import Kind
from search.kernels.plan.program import Program

Where: TypeAlias = dict[tuple[Kind, int], int]
"""Addresses of the arrays of a program's places, values or gradients, each at its first step."""


def values_at(
    program: Program, blocks: tuple[int, int, int, int], count: int, steps: int, batch: int, padded: int
) -> Where:
    """Addresses of values in the blocks x (T, B, P), states (`count`, T + 1, B, P), sums (S, T, B, P), and values."""
    x, states, sums, values = blocks
    row = 4 * batch * padded
    found = {(Kind.X, 0): x}
    for k in range(count):
        found[Kind.OLD, k] = states + k * (steps + 1) * row
        found[Kind.NEW, k] = found[Kind.OLD, k] + row
    for s in range(program.sums):
        found[Kind.SUM, s] = sums + s * steps * row
    for v in range(program.values):
        found[Kind.VALUE, v] = values + v * steps * row
    return found


def gradients_at(
    program: Program, x: int, states: Sequence[int], free: int, output: int, steps: int, batch: int, padded: int
) -> Where:
    """Addresses of gradients; those of sums and values lie one after another from the address `free` on.

    Those of a state are for all steps, (T + 1, B, P), where the program tracks it, else for two steps in turn.
    """
    row = 4 * batch * padded
    found = {(Kind.X, 0): x, (Kind.OUTPUT, 0): output}
    for k, state in enumerate(states):
        found[Kind.OLD, k] = state
        found[Kind.NEW, k] = state + (row if k in program.tracked else 0)
    for s in range(program.sums):
        found[Kind.SUM, s] = free + s * steps * row
    free += program.sums * steps * row
    for v in range(program.values):
        found[Kind.VALUE, v] = free
        free += row * (1 if v in program.scratch else steps)
    return found


def gradient_floats(program: Program, steps: int, batch: int, padded: int) -> int:
    """How many floats `gradients_at` needs from `free` on."""
    lengths = sum(1 if v in program.scratch else steps for v in range(program.values))
    return (program.sums * steps + lengths) * batch * padded
