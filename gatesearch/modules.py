"""Classes of cells as PyTorch modules, made in this process from the source that `gatesearch export` writes."""

from __future__ import annotations

import linecache
import sys
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

from search.cells.export.module import export_module
from search.cells.graph import GateGraph
from search.cells.library import display_formula, label_of

if TYPE_CHECKING:
    from torch import nn


@lru_cache(maxsize=256)
def module_class(graph: GateGraph) -> type[nn.Module]:
    """Return the class of a cell's PyTorch module.

    The source is generated from the graph: its operations and numbers, and names of this package's own. No text that
    a user wrote is part of what is executed.
    """
    exported = export_module(display_formula(graph), label_of(graph.id))
    file = f"<gatesearch cell {graph.id}>"
    made = ModuleType(f"gatesearch_cell_{graph.id}")
    made.__file__ = file
    sys.modules[made.__name__] = made  # by which instances are pickled and copied
    # Tracebacks and inspect.getsource find the text there.
    linecache.cache[file] = len(exported.text), None, exported.text.splitlines(keepends=True), file
    exec(compile(exported.text, file, "exec"), made.__dict__)  # noqa: S102 - generated from a validated graph
    found: type[nn.Module] = getattr(made, exported.name)
    return found
