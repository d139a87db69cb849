"""Runs of the public API."""

from results.run import Run, load

__all__ = ["Run", "load"]
