"""Random generators by key: every draw belongs to a name, so that no draw depends on the order of work.

Proposal k of a run draws from its own generator, derived from the run's seed and k. A trial's seed is derived from the
run's seed, the cell, the task, the setting and the repeat. The same names give the same draws for any number of workers
and of interruptions.
"""

import hashlib

import numpy as np


def seed_of(*parts: str | int) -> int:
    """Return a number from 0 to 2^63 - 1 that is a function of the parts alone."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_of(*parts: str | int) -> np.random.Generator:
    """Return a generator whose stream is a function of the parts alone."""
    return np.random.default_rng(seed_of(*parts))


def trial_seed(run_seed: int, cell: str, task: str, setting: str, repeat: int) -> int:
    """Return the seed of a trial's initial weights and training data."""
    return seed_of(run_seed, "trial", cell, task, setting, repeat)


def shared_seed(run_seed: int, task: str) -> int:
    """Return the seed of every cell's trials on a task, in a search whose trials are paired."""
    return seed_of(run_seed, "shared", task)


def finalist_seed(run_seed: int, task: str, repeat: int) -> int:
    """Return the seed of a further trial of a setting; all cells share it, so they see the same data in the same order.

    Repeats from 1 on are those of finalists, negative ones those of a search's own further seeds.
    """
    return seed_of(run_seed, "finalist", task, repeat)
