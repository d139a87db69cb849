"""Export of a cell as the source of a stand-alone PyTorch module that depends only on PyTorch.

The module follows `torch.nn.LSTM`: arguments, shapes of inputs, outputs and states, packed sequences, unbatched input.
Exporting does not import torch. Untrusted texts (a formula, its names, a description of its origin) only become checked
identifiers, or string literals that they cannot terminate.
"""

import builtins
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap

from search.cells.errors import CellError
from search.cells.export.layer_code import layer_code
from search.cells.export.layer_parts import LayerCode
from search.cells.export.layer_text import GROUPED, equations_class, is_grouped, layer_class, step_class
from search.cells.export.lines import LINE_WIDTH
from search.cells.export.module_text import Network, cell_class, hidden_states, imports, network_class
from search.cells.notation.formula import parse_written
from search.cells.text import quoted

_ACRONYMS = re.compile(r"(.*?)(lstm|gru|grnn|rnn)", re.IGNORECASE)
_TYPES = ("Tensor", "PackedSequence", "Sequences", "States", "GroupedLinear", "Array", "Linear", "LayerNorm")
_MODULES = ("math", "torch", "nn", "jax", "jnp", "eqx", "overload", "annotations", "TypeAlias", "TYPE_CHECKING")
_OWN = frozenset({*_TYPES, *_MODULES, "from_torch"})  # names in generated modules
_GIVEN_WIDTH = 40  # longer names leave too little room on their lines
_NAME_WIDTH = 24


LICENCE = "# SPDX-License-Identifier: MIT"
"""First line of generated code, which has the licence of this package."""


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


def class_name(label: str) -> str:
    """Return the class name for a cell's label: `GRUAfter` for gru-after, `Cell3fa2b6c1` for an id, else `Cell`."""
    words = re.findall(r"[A-Za-z0-9]+", label)
    name = "".join(_capitalised(word) for word in words)
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in _OWN
    if not name or name[0].isdigit() or taken or re.fullmatch(r"[0-9a-f]{8,16}", label):
        name = f"Cell{''.join(words)}"
    return name[:_NAME_WIDTH]


def check_class_name(name: str) -> str:
    """Return a class name that a user gives.

    Raises:
        CellError: it is no identifier, is taken, or is too long.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        reason = "it must begin with a letter of A-Z and have only letters, digits and _"
    elif keyword.iskeyword(name) or keyword.issoftkeyword(name):
        reason = "it is a word of Python"
    elif hasattr(builtins, name) or name in _OWN:
        reason = "the module or Python has this name already"
    elif len(name) > _GIVEN_WIDTH:
        reason = f"it has {len(name)} letters, at most {_GIVEN_WIDTH} are possible"
    else:
        return name
    raise CellError(f"class name {quoted(name)}: {reason}; give another name")


def _capitalised(word: str) -> str:
    """Return a word that begins with a capital, with an acronym at its end in capitals: IndRNN, FastGRNN, SLSTM."""
    found = _ACRONYMS.fullmatch(word)
    start, end = (found[1], found[2].upper()) if found else (word, "")
    letters = len(start) if end and len(start) < 3 else 1
    return start[:letters].upper() + start[letters:] + end


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
    head = f"{LICENCE}\n{_docstring(formula, name, code, origin, network)}\n\n{imports(code)}"
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


def _docstring(formula: str, name: str, code: LayerCode, origin: tuple[str, ...], network: Network | None) -> str:
    states = _listed(code.states)
    paragraphs = [
        f"{name}: a recurrent cell as a PyTorch module, used like `torch.nn.LSTM`.",
        "\n".join(f"    {line.rstrip()}".rstrip() for line in formula.strip().splitlines()),
        "Each linear(v) has its own matrix and bias; x is the input, "
        f"{states} {'are the states' if len(code.states) > 1 else 'is the state'}, and a prime marks a new value. "
        "Matrices that read the same value are stacked in one `nn.Linear`."
        + (" Each param(start) is a learned vector of its own." if code.vectors else "")
        + (" norm(v) is a layer norm with its own gain and offset." if code.norms else "")
        + (" groups=g makes a matrix block-diagonal with g equal blocks." if is_grouped(code) else ""),
        *origin,
    ]
    if code.square:
        paragraphs.append(
            "The cell combines x itself, not only products with it, with vectors of hidden_size: input_size must "
            "equal hidden_size; put an `nn.Linear` or `nn.Embedding` in front."
        )
    paragraphs.append(
        "torch.jit.script, torch.compile and torch.export take it; torch.export and ONNX (dynamo=True) keep the axes "
        f"of time and batch dynamic if dynamic_shapes names them. {name}Cell is one time step."
    )
    if network is None:
        size = 128 if code.square else 64
        hidden = hidden_states(code) if len(code.states) <= 3 else "states"
        example = f"    cell = {name}(input_size={size}, hidden_size=128)\n    output, {hidden} = cell(x)"
        paragraphs.append(f"{example}  # x: (T, B, {size}), output: (T, B, 128)")
    else:
        paragraphs += [
            f"{name}Network is the network that was trained. Load its weights with the package safetensors:",
            "\n".join(
                [
                    "    from safetensors.torch import load_file",
                    "",
                    f"    network = {name}Network()",
                    f"    network.load_state_dict(load_file({_quoted(network.weights)}))",
                ]
            ),
        ]
    lines: list[str] = []
    for paragraph in paragraphs:
        kept = paragraph.startswith("    ")
        lines += ["", *(paragraph.splitlines() if kept else wrap(_plain(paragraph), LINE_WIDTH))]
    body = "\n".join(_plain(line) for line in lines[1:])
    return f'"""{_escaped(body)}\n"""'


def _plain(text: str) -> str:
    """Return the text with unprintable characters, line ends among them, replaced by spaces."""
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def _escaped(text: str) -> str:
    """Return the text escaped for a triple-quoted string, which it then cannot terminate."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _quoted(text: str) -> str:
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
