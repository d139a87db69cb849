"""Libraries that equations of a cell are written for, each with its functions, splits of stacks, and constants."""

from collections.abc import Mapping
from dataclasses import dataclass

from search.cells.operations import OPERATIONS, POINTWISE, Op


@dataclass(frozen=True)
class Dialect:
    """Words of generated code for what is not arithmetic.

    Attributes:
        functions: names of the pointwise functions.
        split: a stack into its parts along the last axis, with the fields `value` and `count`.
        zeros: vector of H zeros like a tensor, with the field `like`.
        full: vector of H equal numbers, with the fields `like` and `number`.
        zeros_like: zeros of the shape of a tensor, with the field `like`.
        full_like: equal numbers of the shape of a tensor, with the fields `like` and `number`.
        expanded: a value repeated to the shape of a tensor, with the fields `value` and `like`.
    """

    functions: Mapping[Op, str]
    split: str
    zeros: str
    full: str
    zeros_like: str
    full_like: str
    expanded: str


_CALLED = [op for op, operation in OPERATIONS.items() if op in POINTWISE and not operation.sign]

TORCH = Dialect(
    functions={op: OPERATIONS[op].torch.replace("torch.nn.", "nn.") for op in _CALLED},
    split="{value}.chunk({count}, dim=-1)",
    zeros="{like}.new_zeros([self.hidden_size])",
    full="{like}.new_full([self.hidden_size], {number!r})",
    zeros_like="torch.zeros_like({like})",
    full_like="torch.full_like({like}, {number!r})",
    expanded="{value}.expand_as({like})",
)
"""PyTorch, within what `torch.jit.script` compiles."""

JAX = Dialect(
    functions={op: OPERATIONS[op].jax.replace("jax.numpy.", "jnp.") for op in _CALLED},
    split="jnp.split({value}, {count}, axis=-1)",
    zeros="jnp.zeros(self.hidden_size, {like}.dtype)",
    full="jnp.full(self.hidden_size, {number!r}, {like}.dtype)",
    zeros_like="jnp.zeros_like({like})",
    full_like="jnp.full_like({like}, {number!r})",
    expanded="jnp.broadcast_to({value}, {like}.shape)",
)
"""JAX."""
