"""Public API of gatesearch: load runs, draw and build cells, search, ask and tell, train, and define tasks.

    import gatesearch

    run = gatesearch.load("quick-1")            # pandas frames of a run
    cell = gatesearch.cell("gru")               # formula, id, drawing
    layer = cell.module(units=128, layers=2)    # a torch.nn.Module, used as torch.nn.LSTM is

Everything that `__all__` lists is public and documented in docs/api.md. Names are imported when they are first used, so
that `import gatesearch` takes milliseconds.
"""

# Type checkers read it as True. It is not imported, so that no `typing.py` of the working directory can shadow it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatesearch.library import Cell as Cell
    from gatesearch.library import cell as cell
    from gatesearch.library import cells as cells
    from gatesearch.outside import Search as Search
    from gatesearch.outside import Suggestion as Suggestion
    from gatesearch.running import load as load
    from gatesearch.running import search as search
    from gatesearch.running import train as train
    from results.run import Run as Run
    from search.engine.answers import Answer as Answer
    from search.training.trial import TrialResult as TrialResult
    from tasks.errors import TaskError as TaskError
    from tasks.generated import GeneratedTask as GeneratedTask
    from tasks.generated import Sample as Sample
    from tasks.interface import Input as Input
    from tasks.metrics import ACCURACY as ACCURACY
    from tasks.metrics import BITS_PER_SYMBOL as BITS_PER_SYMBOL
    from tasks.metrics import CROSS_ENTROPY as CROSS_ENTROPY
    from tasks.metrics import MACRO_F1 as MACRO_F1
    from tasks.metrics import MEAN_ABSOLUTE_ERROR as MEAN_ABSOLUTE_ERROR
    from tasks.metrics import MEAN_SQUARED_ERROR as MEAN_SQUARED_ERROR
    from tasks.metrics import METRICS as METRICS
    from tasks.metrics import NATS_PER_STEP as NATS_PER_STEP
    from tasks.task import Batch as Batch
    from tasks.task import Metric as Metric
    from tasks.task import Output as Output
    from tasks.task import Split as Split
    from tasks.task import Task as Task

_HOMES = {
    "Cell": "gatesearch.library",
    "cell": "gatesearch.library",
    "cells": "gatesearch.library",
    "Answer": "search.engine.answers",
    "Search": "gatesearch.outside",
    "Suggestion": "gatesearch.outside",
    "load": "gatesearch.running",
    "search": "gatesearch.running",
    "train": "gatesearch.running",
    "Run": "results.run",
    "TrialResult": "search.training.trial",
    "ACCURACY": "tasks.metrics",
    "BITS_PER_SYMBOL": "tasks.metrics",
    "CROSS_ENTROPY": "tasks.metrics",
    "MACRO_F1": "tasks.metrics",
    "MEAN_ABSOLUTE_ERROR": "tasks.metrics",
    "MEAN_SQUARED_ERROR": "tasks.metrics",
    "METRICS": "tasks.metrics",
    "Batch": "tasks.task",
    "GeneratedTask": "tasks.generated",
    "Input": "tasks.interface",
    "Metric": "tasks.task",
    "NATS_PER_STEP": "tasks.metrics",
    "Output": "tasks.task",
    "Sample": "tasks.generated",
    "Split": "tasks.task",
    "Task": "tasks.task",
    "TaskError": "tasks.errors",
}
"""The module of each public name."""

__all__ = [*_HOMES]


def _use_own_packages() -> None:
    """Import `search`, `tasks` and `results` from beside this package, whatever precedes it on the import path.

    Python puts the folder of a script first on the path, and that folder may have a `search.py` or `tasks.py`.

    Raises:
        ImportError: another module of one of these names is imported already, or was installed over ours.
    """
    import os
    import sys

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if "search" not in sys.modules:
        from gatesearch.installation import fault_of

        fault = fault_of(root)
        if fault is not None:
            raise ImportError(fault)
        sys.path.insert(0, root)
        try:
            __import__("search")  # its `__init__` module imports nothing
        finally:
            sys.path.remove(root)
    for package in ("search", "tasks", "results"):
        file = getattr(sys.modules.get(package), "__file__", None)
        if package in sys.modules and os.path.dirname(os.path.dirname(os.path.abspath(file or ""))) != root:
            raise ImportError(
                f"the module {package!r} was imported from {file}, and gatesearch has a package of that name; "
                "rename your module"
            )
    from search.core import import_path

    import_path.use_own_packages()


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    _use_own_packages()
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
