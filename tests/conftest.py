"""What holds for all tests."""

import gc


def pytest_configure() -> None:
    """Collect no garbage while tests are collected: what is imported and collected then stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from here on, but less often: what was imported and collected is much to go through each time."""
    gc.enable()
    gc.set_threshold(50_000, 20, 50)
