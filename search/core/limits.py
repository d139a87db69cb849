"""Limits of a trial: time without progress, and memory."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a trial: seconds between two batches of data, bytes of resident memory."""

    stalled_seconds: float = 600.0
    memory_bytes: int = 8 * 2**30


DEFAULT_LIMITS = Limits()
"""Generous limits: a step takes milliseconds, and the study's largest models need a gigabyte or two."""
