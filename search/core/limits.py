"""Limits of a trial: how long it may stall, how much memory it may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a trial may not exceed: seconds without a batch of data being asked for, bytes of resident memory."""

    stalled_seconds: float = 600.0
    memory_bytes: int = 8 * 2**30


DEFAULT_LIMITS = Limits()
"""Ten minutes without a step where one takes milliseconds; the study's largest models need a gigabyte or two."""
