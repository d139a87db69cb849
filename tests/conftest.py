"""What holds for all tests."""

import gc


def pytest_configure() -> None:
    """Collect no garbage while tests are collected: what is imported and collected then stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of all later searches for garbage, and search less often."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)
