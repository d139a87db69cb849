"""Docstring of a generated module: the formula, where the cell comes from, and how the module is used.

Untrusted texts become part of a string literal that they cannot terminate.
"""

from collections.abc import Sequence

from search.cells.export.layer_parts import LayerCode
from search.cells.export.layer_text import is_grouped
from search.cells.export.lines import wrapped


def docstring(
    formula: str, title: str, code: LayerCode, origin: Sequence[str], linear: str, usage: Sequence[str]
) -> str:
    """Return the docstring of a module as a string literal.

    Args:
        formula: the cell.
        title: the first line.
        code: the cell as code.
        origin: paragraphs on where the cell comes from. Lines with four leading spaces are verbatim.
        linear: name of the class of stacked matrices.
        usage: paragraphs on how the module is used.
    """
    states = _listed(code.states)
    paragraphs = [
        title,
        "\n".join(f"    {line.rstrip()}".rstrip() for line in formula.strip().splitlines()),
        "Each linear(v) has its own matrix and bias; x is the input, "
        f"{states} {'are the states' if len(code.states) > 1 else 'is the state'}, and a prime marks a new value. "
        f"Matrices that read the same value are stacked in one `{linear}`."
        + (" Each param(start) is a learned vector of its own." if code.vectors else "")
        + (" norm(v) is a layer norm with its own gain and offset." if code.norms else "")
        + (" groups=g makes a matrix block-diagonal with g equal blocks." if is_grouped(code) else ""),
        *origin,
    ]
    if code.square:
        paragraphs.append(
            "The cell combines x itself, not only products with it, with vectors of hidden_size: input_size must "
            "equal hidden_size; put a linear layer or an embedding in front."
        )
    lines: list[str] = []
    for paragraph in (*paragraphs, *usage):
        kept = paragraph.startswith("    ")
        lines += ["", *(paragraph.splitlines() if kept else wrapped(_plain(paragraph)))]
    body = "\n".join(_plain(line) for line in lines[1:])
    return f'"""{_escaped(body)}\n"""'


def _plain(text: str) -> str:
    """Return the text with unprintable characters, line ends among them, replaced by spaces."""
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def _escaped(text: str) -> str:
    """Return the text escaped for a triple-quoted string, which it then cannot terminate."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def quoted_literal(text: str) -> str:
    """Return a text as a string literal of one line."""
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
