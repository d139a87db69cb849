"""Random generators by key: everything that is drawn belongs to a name, so that nothing depends on the order of work.

Proposal k of a run draws from a generator of its own, made of the run's seed and k; a trial's seed is made of the run's
seed, the cell, the task, the setting and the repeat. Whatever the number of workers, and however often the run was
interrupted, the same names give the same draws.
"""

import hashlib

import numpy as np


def seed_of(*parts: str | int) -> int:
    """A number from 0 to 2^63 - 1 that is a function of the parts alone."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_of(*parts: str | int) -> np.random.Generator:
    """A generator whose stream is a function of the parts alone."""
    return np.random.default_rng(seed_of(*parts))


def trial_seed(run_seed: int, cell: str, task: str, setting: str, repeat: int) -> int:
    """The seed of a trial's initial weights and training data."""
    return seed_of(run_seed, "trial", cell, task, setting, repeat)


def finalist_seed(run_seed: int, task: str, repeat: int) -> int:
    """The seed of a finalist's trial: one for all cells, so that they see the same data in the same order."""
    return seed_of(run_seed, "finalist", task, repeat)
