"""A fresh run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from results.store.store import Store
from tests.test_results.rows import make_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_store(tmp_path / "run") as opened:
        yield opened
