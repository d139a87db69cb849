"""A cell as a stand-alone PyTorch module: text that one could have written by hand, and that imports torch alone.

The module follows `torch.nn.LSTM`: arguments, shapes of inputs, outputs and states, packed sequences, unbatched input.
Nothing of torch is needed to write it. What comes from elsewhere (a formula, its names, words about its origin) only
ever becomes names that were checked, or text between quotes that it cannot end.
"""

import builtins
import keyword
import re
from dataclasses import dataclass
from textwrap import wrap

from search.cells.export.layer_code import LINE_WIDTH, Block, LayerCode, layer_code
from search.cells.export.module_text import IMPORTS, Network, cell_class, hidden_states, layer_class, network_class
from search.cells.notation.formula import parse_written

_ACRONYMS = frozenset({"lstm", "gru", "rnn"})
_IMPORTED = ("Tensor", "PackedSequence")
_NAME_WIDTH = 24


@dataclass(frozen=True)
class Exported:
    """The text of a module, the name of its class, and how its parameters come from the cell's matrices."""

    text: str
    name: str
    blocks: tuple[Block, ...]


def class_name(label: str) -> str:
    """A class's name for a cell's: `GRUAfter` for gru-after, `Cell3fa2b6c1` for an id, `Cell` where nothing is left."""
    words = re.findall(r"[A-Za-z0-9]+", label)
    name = "".join(w.upper() if w.lower() in _ACRONYMS else w[:1].upper() + w[1:] for w in words)
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in _IMPORTED
    if not name or name[0].isdigit() or taken or re.fullmatch(r"[0-9a-f]{8,16}", label):
        name = f"Cell{''.join(words)}"
    return name[:_NAME_WIDTH]


def export_module(formula: str, label: str, origin: tuple[str, ...] = (), network: Network | None = None) -> Exported:
    """The module of a cell's formula, in its author's names.

    `label` becomes the name of the class; `origin` are paragraphs for the docstring: where the cell comes from and how
    it scored. With `network`, a second class is the whole network of a trial. Raises `CellError` for what is no cell.
    """
    written = parse_written(formula)
    code = layer_code(written)
    name = class_name(label)
    head = f"{_docstring(formula, name, code, origin, network)}\n\n{IMPORTS}"
    parts = [head, layer_class(name, code), cell_class(name, code)]
    if network is not None:
        parts.append(network_class(name, code, network))
    return Exported("\n\n\n".join(parts) + "\n", name, code.blocks)


def _docstring(formula: str, name: str, code: LayerCode, origin: tuple[str, ...], network: Network | None) -> str:
    states = _listed(code.states)
    paragraphs = [
        f"{name}: a recurrent cell as a PyTorch module, used as `torch.nn.LSTM` is.",
        "\n".join(f"    {line.rstrip()}".rstrip() for line in formula.strip().splitlines()),
        "Each linear(v) is a matrix and a bias of its own; x is the input, "
        f"{states} {'are the states' if len(code.states) > 1 else 'is the state'}, and a prime marks a new value. "
        "Matrices that read the same value are stacked in one `nn.Linear`.",
        *origin,
    ]
    if code.square:
        paragraphs.append(
            "x itself, not only a matrix of it, meets vectors of the cell's size, so input_size must equal "
            "hidden_size: put an `nn.Linear` or `nn.Embedding` in front."
        )
    paragraphs.append(
        "The loop over time is plain Python. `torch.export` and ONNX unroll it, to a fixed number of steps; for "
        "sequences of any length, export one step (T = 1) with the states as inputs and outputs."
    )
    if network is None:
        size = 128 if code.square else 64
        hidden = hidden_states(code) if len(code.states) <= 3 else "states"
        example = f"    cell = {name}(input_size={size}, hidden_size=128)\n    output, {hidden} = cell(x)"
        paragraphs.append(f"{example}  # x: (T, B, {size}), output: (T, B, 128)")
    else:
        paragraphs += [
            f"{name}Network is the network that was trained. Its weights are read with the package safetensors:",
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
    """Without characters that would not show, or end a line where a reader sees none."""
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def _escaped(text: str) -> str:
    """As the inside of a string in three quotes, which it cannot end."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _quoted(text: str) -> str:
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
