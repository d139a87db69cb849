"""Where the checkout is, for tests that read its files or start processes on it."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The root of the checkout."""
