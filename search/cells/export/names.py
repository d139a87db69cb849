"""Names of exported classes, and the licence of generated code."""

import builtins
import keyword
import re

from search.cells.errors import CellError
from search.cells.ids import digits_of, is_id
from search.cells.text import quoted

_ACRONYMS = re.compile(r"(.*?)(lstm|gru|grnn|rnn)", re.IGNORECASE)
_TYPES = ("Tensor", "PackedSequence", "Sequences", "States", "GroupedLinear", "Array", "Linear", "LayerNorm")
_MODULES = ("math", "torch", "nn", "jax", "jnp", "np", "eqx", "overload", "annotations", "TypeAlias", "TYPE_CHECKING")
_FUNCTIONS = ("from_torch", "drawn", "between", "orthogonal", "scan")
_OWN = frozenset({*_TYPES, *_MODULES, *_FUNCTIONS, "Mapping", "Any"})  # names in generated modules
_GIVEN_WIDTH = 32  # longer names leave too little room on their lines
_NAME_WIDTH = 24


LICENCE = "# SPDX-License-Identifier: MIT"
"""First line of generated code, which has the licence of this package."""


def class_name(label: str) -> str:
    """Return the class name for a cell's label: `GRUAfter` for gru-after, `Cell3fa2b6c1` for the id g3fa2b6c1."""
    if is_id(label):
        return f"Cell{digits_of(label)}"
    words = re.findall(r"[A-Za-z0-9]+", label)
    name = "".join(_capitalised(word) for word in words)
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in _OWN
    if not name or name[0].isdigit() or taken:
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
