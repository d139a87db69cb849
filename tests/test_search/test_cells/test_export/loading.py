"""Import of exported modules from files, as a user would."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TypeAlias

import pytest

from search.cells.export.module import Exported

Load: TypeAlias = Callable[[Exported], ModuleType]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Return a function that imports a module from its text, through a file as a user would."""
    folder = tmp_path_factory.mktemp("exported")

    def loaded(exported: Exported) -> ModuleType:
        path = folder / f"m{len(list(folder.iterdir()))}.py"
        path.write_text(exported.text, "utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module

    return loaded
