"""Seeds by name: what the same key gives, what different keys give, and that neither depends on the process."""

import hashlib
import subprocess
import sys

import numpy as np

from search.core.keys import finalist_seed, generator_of, seed_of, trial_seed


def test_a_seed_is_half_of_the_first_64_bits_of_a_sha_256() -> None:
    # A run is resumed by drawing the same numbers again, so this may never change.
    digest = hashlib.sha256(b"int:0\x1fstr:a").hexdigest()
    assert seed_of(0, "a") == int(digest[:16], 16) // 2


def test_seeds_fit_sqlite_and_differ_wherever_a_part_does() -> None:
    keys = [(k, word, n) for k in range(20) for word in ("proposal", "trial", "") for n in range(20)]
    seeds = {seed_of(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_parts_do_not_run_into_each_other_and_numbers_are_not_their_text() -> None:
    assert len({seed_of("ab", "c"), seed_of("a", "bc"), seed_of("abc"), seed_of("ab", "c", "")}) == 4
    assert seed_of(1, 2) != seed_of("1", "2")
    assert seed_of(12) != seed_of(1, 2)


def test_a_trials_seed_depends_on_each_of_its_five_parts() -> None:
    base = (0, "cell", "task", "setting", 0)
    others = [
        (1, *base[1:]),
        (0, "other", *base[2:]),
        (0, "cell", "other", *base[3:]),
        (*base[:3], "x", 0),
        (*base[:4], 1),
    ]
    assert len({trial_seed(*key) for key in [base, *others]}) == 6


def test_a_finalist_s_seed_depends_on_run_task_and_repeat() -> None:
    seeds = {finalist_seed(run, task, repeat) for run in (0, 1) for task in ("xml", "music") for repeat in (1, 2)}
    assert len(seeds) == 8
    assert finalist_seed(0, "xml", 1) == seed_of(0, "finalist", "xml", 1)  # may never change: repeats are resumed


def test_generators_of_equal_keys_draw_the_same_and_of_different_keys_unrelated_numbers() -> None:
    first, again, other = generator_of(0, "a"), generator_of(0, "a"), generator_of(0, "b")
    a, b = first.random(4000), other.random(4000)
    assert np.array_equal(a, again.random(4000))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(4000)


def test_another_process_gets_the_same_seed_whatever_its_hash_seed() -> None:
    code = "from search.core.keys import trial_seed; print(trial_seed(3, 'c', 't', 's', 1))"
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
        )
        assert int(done.stdout) == trial_seed(3, "c", "t", "s", 1)
