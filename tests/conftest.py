"""What holds for all tests."""

import gc


def pytest_collection_finish() -> None:
    """Leave what was imported and collected, which stays until the end, out of all garbage collections."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
