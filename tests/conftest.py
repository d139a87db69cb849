"""What holds for all tests."""

import gc


def pytest_collection_finish() -> None:
    """Collect garbage less often: what was imported and collected stays, and is much to go through each time."""
    gc.set_threshold(50_000, 20, 50)
