"""Export of a cell as the source of a module for Equinox, a library of neural networks in JAX.

The parameters have the names and shapes of the PyTorch module of the same formula, so `from_torch` in the generated
file takes over a state dict of that.
"""

from search.cells.export.dialect import JAX
from search.cells.export.docstring import docstring
from search.cells.export.equinox_text import cell_class, imports, step_class, support_classes
from search.cells.export.layer_code import layer_code
from search.cells.export.names import LICENCE, check_class_name, class_name
from search.cells.notation.formula import parse_written


def export_equinox(formula: str, label: str, origin: tuple[str, ...] = (), *, name: str | None = None) -> str:
    """Return the Equinox module of a cell, with the names of its formula.

    Args:
        formula: the cell.
        label: name of the cell, from which the class name derives.
        origin: paragraphs for the module's docstring.
        name: name of the class, in place of the one that derives from the label.

    Raises:
        CellError: the formula or the name is invalid.
    """
    code = layer_code(parse_written(formula), JAX)
    name = class_name(label) if name is None else check_class_name(name)
    size = 128 if code.square else 64
    usage = f"""\
    key = jax.random.key(0)
    cell = {name}(input_size={size}, hidden_size=128, key=key)
    outputs, states = cell(x)  # x: (T, B, {size}), outputs: (T, B, 128)
    cell = from_torch(cell, state_dict)  # of the PyTorch module, as arrays"""
    told = docstring(
        formula, f"{name}: a recurrent cell as an Equinox module for JAX.", code, origin, "Linear", [usage]
    )
    parts = [
        f"{LICENCE}\n{told}\n\n{imports(code)}",
        *support_classes(code),
        step_class(name, code),
        cell_class(name, code),
    ]
    return "\n\n\n".join(parts) + "\n"
