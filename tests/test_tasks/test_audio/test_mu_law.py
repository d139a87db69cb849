"""Mu-law equals the formula of G.711, worked out number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.audio.mu_law import MuLaw, decoded, encoded


def level_of(amplitude: float) -> int:
    """Return the level of an amplitude by the formula of G.711 and 256 equal steps."""
    amplitude = min(max(amplitude, -1.0), 1.0)
    compressed = math.copysign(math.log(1 + 255 * abs(amplitude)) / math.log(256), amplitude)
    return math.floor((compressed + 1) / 2 * 255 + 0.5)


def test_levels_equal_the_formula() -> None:
    amplitudes = np.concatenate([np.linspace(-1.2, 1.2, 4001), 10.0 ** np.arange(-7, 0), [0.0, -0.0, 1.0, -1.0]])
    assert encoded(amplitudes).tolist() == [level_of(one) for one in amplitudes.tolist()]
    assert encoded(np.array([-1.0, 0.0, 1.0])).tolist() == [0, 128, 255]


def test_an_amplitude_comes_back_within_half_a_step_of_its_level() -> None:
    levels = np.arange(256)
    assert encoded(decoded(levels)).tolist() == levels.tolist()
    amplitudes = np.linspace(-1, 1, 5001)
    steps = np.diff(decoded(levels)).max()
    assert np.abs(decoded(encoded(amplitudes)) - amplitudes).max() <= steps / 2 * 1.02


@pytest.mark.parametrize(("level", "amplitude"), [(0, -1.0), (255, 1.0), (128, (256 ** (1 / 255) - 1) / 255)])
def test_amplitudes_are_the_inverse_of_the_formula(level: int, amplitude: float) -> None:
    assert decoded(np.array([level]))[0] == pytest.approx(amplitude, rel=1e-12)


def test_blocks_make_no_difference() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    made = MuLaw()
    rows = np.concatenate([made.feed(samples[:1]), made.feed(samples[1:400]), made.feed(samples[400:]), made.end()])
    assert rows.shape == (1000, 1)
    assert rows[:, 0].tolist() == [level_of(one) for one in samples.tolist()]
