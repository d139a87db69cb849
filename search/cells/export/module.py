"""Export of a cell as the source of a stand-alone PyTorch module that depends only on PyTorch.

The module follows `torch.nn.LSTM`: arguments, shapes of inputs, outputs and states, packed sequences, unbatched input.
Exporting does not import torch. Untrusted texts (a formula, its names, a description of its origin) only become checked
identifiers, or string literals that they cannot terminate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from search.cells.export.docstring import docstring, quoted_literal
from search.cells.export.layer_code import layer_code
from search.cells.export.layer_parts import LayerCode
from search.cells.export.layer_text import GROUPED, equations_class, is_grouped, layer_class, step_class
from search.cells.export.module_text import Network, cell_class, hidden_states, imports, network_class
from search.cells.export.names import LICENCE, check_class_name, class_name
from search.cells.notation.formula import parse_written


class Role(StrEnum):
    """Role of a parameter of a layer; a vector is that of a `param`."""

    WEIGHT = "weight"
    BIAS = "bias"
    VECTOR = "vector"
    GAIN = "gain"
    OFFSET = "offset"


@dataclass(frozen=True)
class Parameter:
    """Parameter of a layer of an exported module.

    Attributes:
        name: Name in the layer's state dict.
        role: What it is.
        sources: Positions in the canonical graph of the nodes that it belongs to: several for stacked matrices and
            their biases, from the top of the stack downwards.
        signs: For each, -1 if the parameter is minus the canonical one, else 1.
        grouped: Whether it holds the blocks of block-diagonal matrices.
    """

    name: str
    role: Role
    sources: tuple[int, ...]
    signs: tuple[float, ...]
    grouped: bool = False


@dataclass(frozen=True)
class Exported:
    """Source of a module, the name of its class, and what its parameters are in the canonical graph, layer by layer."""

    text: str
    name: str
    parameters: tuple[Parameter, ...]


def export_module(
    formula: str,
    label: str,
    origin: tuple[str, ...] = (),
    network: Network | None = None,
    *,
    name: str | None = None,
    bidirectional: bool = False,
) -> Exported:
    """Return the module of a cell, with the names of its formula.

    Args:
        formula: the cell.
        label: name of the cell, from which the class name derives.
        origin: paragraphs for the module's docstring, such as where the cell comes from and how it scored.
        network: with it, a further class is the whole network of a trial.
        name: name of the class, in place of the one that derives from the label.
        bidirectional: default of the argument `bidirectional` of the class.

    Raises:
        CellError: the formula or the name is invalid.
    """
    written = parse_written(formula)
    code = layer_code(written)
    name = class_name(label) if name is None else check_class_name(name)
    title = f"{name}: a recurrent cell as a PyTorch module, used like `torch.nn.LSTM`."
    told = docstring(formula, title, code, origin, "nn.Linear", _usage(name, code, network))
    head = f"{LICENCE}\n{told}\n\n{imports(code)}"
    parts = [head, *([GROUPED] if is_grouped(code) else []), equations_class(name, code), step_class(name, code)]
    parts += [layer_class(name), cell_class(name, code, bidirectional)]
    if network is not None:
        parts.append(network_class(name, code, network))
    return Exported("\n\n\n".join(parts) + "\n", name, tuple(_parameters(code)))


def _parameters(code: LayerCode) -> Iterator[Parameter]:
    for block in code.blocks:
        yield Parameter(f"{block.attribute}.weight", Role.WEIGHT, block.sources, block.signs, block.groups > 1)
        if block.biased:
            yield Parameter(f"{block.attribute}.bias", Role.BIAS, block.sources, block.signs)
    for norm in code.norms:
        yield Parameter(f"{norm.attribute}.weight", Role.GAIN, (norm.source,), (1.0,))
        yield Parameter(f"{norm.attribute}.bias", Role.OFFSET, (norm.source,), (1.0,))
    for vector in code.vectors:
        yield Parameter(vector.attribute, Role.VECTOR, (vector.source,), (vector.sign,))


def _usage(name: str, code: LayerCode, network: Network | None) -> list[str]:
    """Return the paragraphs on how the module is used."""
    found = [
        "torch.jit.script, torch.compile and torch.export take it; torch.export and ONNX (dynamo=True) keep the axes "
        "of time and batch dynamic if dynamic_shapes names them. torch.compile takes any length without gradients; to "
        "train on many lengths, let it compile the step: `layer.step = torch.compile(layer.step)` for each of "
        f"cell.layers. {name}Cell is one time step."
    ]
    if network is None:
        size = 128 if code.square else 64
        hidden = hidden_states(code) if len(code.states) <= 3 else "states"
        example = f"    cell = {name}(input_size={size}, hidden_size=128)\n    output, {hidden} = cell(x)"
        return [*found, f"{example}  # x: (T, B, {size}), output: (T, B, 128)"]
    loading = [
        "    from safetensors.torch import load_file",
        "",
        f"    network = {name}Network()",
        f"    network.load_state_dict(load_file({quoted_literal(network.weights)}))",
    ]
    told = f"{name}Network is the network that was trained. Load its weights with the package safetensors:"
    return [*found, told, "\n".join(loading)]
