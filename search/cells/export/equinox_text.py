"""Source of the classes of an Equinox module: one time step, the layers of a cell, and what loads a state dict.

Code that is the same for all cells is written here; `layer_code` supplies the equations of the cell.
"""

from search.cells.export.equinox_starts import start_lines
from search.cells.export.layer_parts import LayerCode
from search.cells.export.layer_text import is_grouped
from search.cells.export.lines import fitting, indented
from search.cells.operations import NORM_EPSILON


def imports(code: LayerCode) -> str:
    """Return the import statements of a module, and the draws of its parameters."""
    orthogonal = any(node.orthogonal for block in code.blocks for node in block.nodes)
    text = _IMPORTS if code.blocks else _IMPORTS.replace("import math\n", "")
    ranges = any("between(" in line for line in start_lines(code))
    return text + (_BETWEEN if ranges else "") + (_ORTHOGONAL if orthogonal else "")


_IMPORTS = '''\
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def drawn(key: Array, bound: float, *shape: int) -> Array:
    """Draw from U[-bound, bound]."""
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)'''

_BETWEEN = '''


def between(key: Array, low: float, high: float, size: int) -> Array:
    """Draw a vector from U[low, high]."""
    return jax.random.uniform(key, (size,), minval=low, maxval=high)'''

_ORTHOGONAL = '''


def orthogonal(key: Array, *shape: int) -> Array:
    """Draw orthogonal matrices of the last two axes."""
    draw = jax.nn.initializers.orthogonal()
    if len(shape) == 2:
        return draw(key, shape)
    return jnp.stack([draw(k, shape[1:]) for k in jax.random.split(key, shape[0])])'''

_LINEAR = '''\
class Linear(eqx.Module):
    """Matrices one above the other, (count * out, in), with biases if there are any."""

    weight: Array
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        """Map (..., in) to (..., count * out)."""
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias'''

_GROUPED = '''\
class GroupedLinear(eqx.Module):
    """Block-diagonal matrices side by side, (count, groups, rows, columns)."""

    weight: Array
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        """Map (..., in) to (..., count * out)."""
        parts = x.reshape(*x.shape[:-1], self.weight.shape[1], self.weight.shape[3])
        y = jnp.einsum("...gi,ngoi->...ngo", parts, self.weight)
        y = y.reshape(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias'''

_NORM = f'''\
class LayerNorm(eqx.Module):
    """Layer norm with a gain and, if there is one, an offset."""

    weight: Array
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        """Normalise the last axis."""
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred * centred).mean(-1, keepdims=True)
        y = centred / jnp.sqrt(variance + {NORM_EPSILON!r}) * self.weight
        return y if self.bias is None else y + self.bias'''


def support_classes(code: LayerCode) -> list[str]:
    """Return the classes of the parts that a layer has."""
    plain = any(block.groups == 1 for block in code.blocks)
    grouped, norms = is_grouped(code), bool(code.norms)
    return [text for text, used in ((_LINEAR, plain), (_GROUPED, grouped), (_NORM, norms)) if used]


def step_class(name: str, code: LayerCode) -> str:
    """Return the class of a single time step: the parameters of a layer, their starts, and its equations."""
    count = len(code.states)
    fields = [f"{block.attribute}: {'GroupedLinear' if block.groups > 1 else 'Linear'}" for block in code.blocks]
    fields += [f"{norm.attribute}: LayerNorm" for norm in code.norms]
    fields += [f"{vector.attribute}: Array" for vector in code.vectors]
    fields += [f"{size}: int = eqx.field(static=True)" for size in ("input_size", "hidden_size")]
    sizes = [f"self.{size} = {size}" for size in ("input_size", "hidden_size")]
    square = _SQUARE if code.square else ""
    groups = sorted({block.groups for block in code.blocks if block.groups > 1})
    checked = "".join(_MULTIPLES.format(groups=number) for number in groups)
    return f'''\
class {name}Cell(eqx.Module):
    """One time step. I = input_size, H = hidden_size."""

{indented(fields, 1)}

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, key: Array
    ) -> None:
        if min(input_size, hidden_size) < 1:
            raise ValueError(
                f"input_size {{input_size}} and hidden_size {{hidden_size}} "
                "must both be at least 1"
            )
{square}{checked}{indented([*sizes, *start_lines(code)], 2)}

    def prepare(self, x: Array) -> list[Array]:
        """Compute what depends on x alone, (..., I) to (..., H), for all steps."""
{indented(code.prepare)}

    def step(self, parts: list[Array], states: list[Array]) -> list[Array]:
        """Take one step from its prepared parts and the states, (..., H) each."""
{indented(code.step)}

    def sequence(self, x: Array, states: list[Array]) -> tuple[list[Array], Array]:
        """Go through x (T, ..., I); return last states and outputs (T, ..., H)."""

        def next_step(
            now: list[Array], parts: list[Array]
        ) -> tuple[list[Array], Array]:
            after = self.step(parts, now)
            return after, after[0]

        return jax.lax.scan(next_step, states, self.prepare(x))

    def __call__(
        self, x: Array, states: tuple[Array, ...] | None = None
    ) -> tuple[Array, ...]:
        """Return the {count} new state{"s" if count > 1 else ""} after x (..., I); they start from zeros."""
        if x.shape[-1] != self.input_size:
            raise ValueError(
                f"x has shape {{x.shape}}; its last axis must be {{self.input_size}}"
            )
        shape = (*x.shape[:-1], self.hidden_size)
        if states is None:
            states = (jnp.zeros(shape, x.dtype),) * {count}
        if [state.shape for state in states] != [shape] * {count}:
            raise ValueError(
                f"states have shapes {{[state.shape for state in states]}}; "
                f"this cell has {count} of {{shape}}"
            )
        return tuple(self.step(self.prepare(x), list(states)))'''


_SQUARE = """\
        if input_size != hidden_size:
            raise ValueError(
                f"input_size {input_size} must equal hidden_size {hidden_size}: "
                "this cell reads x itself; put a linear layer in front"
            )
"""

_MULTIPLES = """\
        if input_size % {groups} or hidden_size % {groups}:
            raise ValueError(
                f"input_size and hidden_size are {{input_size}} and {{hidden_size}}; "
                "this cell's blocks need multiples of {groups}"
            )
"""


def cell_class(name: str, code: LayerCode) -> str:
    """Return the class of a cell's layers, and the function that takes over a state dict of PyTorch."""
    count = len(code.states)
    loads = fitting("def from_torch(", f"cell: {name}, state: Mapping[str, Any]", f") -> {name}:", 0)
    return f'''\
class {name}(eqx.Module):
    """`num_layers` layers. T steps, B sequences; the axis of the batch may be left out."""

    layers: tuple[{name}Cell, ...]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        *,
        key: Array,
    ) -> None:
        if num_layers < 1:
            raise ValueError(f"num_layers {{num_layers}} must be at least 1")
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        keys = jax.random.split(key, num_layers)
        layer = {name}Cell
        self.layers = tuple(
            layer(size, hidden_size, bias, key=own)
            for size, own in zip(sizes, keys, strict=True)
        )

    def __call__(
        self, x: Array, states: tuple[Array, ...] | None = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """Return outputs (T, B, H) of the last layer, and last states, (num_layers, B, H) each.

        x is (T, B, I); states, {count} of (num_layers, B, H), default to zeros.
        """
        first = self.layers[0]
        if x.ndim < 2 or x.shape[-1] != first.input_size:
            raise ValueError(
                f"x has shape {{x.shape}}; it must have at least 2 axes, "
                f"the last of {{first.input_size}}"
            )
        shape = (len(self.layers), *x.shape[1:-1], first.hidden_size)
        if states is None:
            states = (jnp.zeros(shape, x.dtype),) * {count}
        if [state.shape for state in states] != [shape] * {count}:
            raise ValueError(
                f"states have shapes {{[state.shape for state in states]}}; "
                f"this cell has {count} of {{shape}}"
            )
        finals = []
        for k, layer in enumerate(self.layers):
            final, x = layer.sequence(x, [state[k] for state in states])
            finals.append(final)
        return x, tuple(jnp.stack(own) for own in zip(*finals, strict=True))


{loads}
    """Return the cell with the parameters of a PyTorch module's state dict."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(cell)
    found = []
    for path, own in leaves:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if name not in state:
            raise ValueError(f"the state dict has no {{name}}")
        given = jnp.asarray(np.asarray(state[name]), own.dtype)
        if given.shape != own.shape:
            raise ValueError(f"{{name}} is {{given.shape}}; it must be {{own.shape}}")
        found.append(given)
    if len(state) != len(found):
        raise ValueError(
            f"the state dict has {{len(state)}} parameters; this cell has {{len(found)}}"
        )
    return jax.tree_util.tree_unflatten(tree, found)'''
