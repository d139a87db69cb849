"""Log-mel frames equal their definition, worked out by plain loops."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from tasks.audio.log_mel import FLOOR, LogMel, filter_bank, frame_samples, mel_of, most_bands, transform_size

RATE, BANDS = 8000, 20


def frames_of(samples: npt.NDArray[np.float32], sizes: list[int]) -> npt.NDArray[np.float32]:
    """Return the frames of samples that come in blocks of these sizes."""
    made = LogMel(RATE, BANDS)
    blocks = np.split(samples, np.cumsum(sizes))
    return np.concatenate([*map(made.feed, blocks), made.end()])


def test_the_scale_has_the_values_of_its_definition() -> None:
    """1,000 Hz is 1,000 mel by the scale's definition, up to rounding of its constants."""
    assert mel_of(1000.0) == pytest.approx(1000.0, abs=0.05)
    assert mel_of(0.0) == 0.0
    assert mel_of(4000.0) == pytest.approx(1127.01 * math.log(1 + 4000 / 700), rel=3e-5)  # its other usual form


def test_bands_are_triangles_between_the_centres_of_their_neighbours() -> None:
    weights = filter_bank(RATE, BANDS)
    size = transform_size(RATE)
    assert weights.shape == (BANDS, size // 2 + 1)
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    corners = [700 * (10 ** (top * k / (BANDS + 1) / 2595) - 1) for k in range(BANDS + 2)]
    for band in range(BANDS):
        low, centre, high = corners[band : band + 3]
        for k in range(size // 2 + 1):
            hertz = k * RATE / size
            if low < hertz <= centre:
                expected = (hertz - low) / (centre - low)
            elif centre < hertz < high:
                expected = (high - hertz) / (high - centre)
            else:
                expected = 0.0
            assert weights[band, k] == pytest.approx(expected, abs=1e-9)


def test_the_triangles_add_up_to_one_between_the_outer_centres() -> None:
    total = filter_bank(RATE, BANDS).sum(axis=0)
    hertz = np.arange(len(total)) * RATE / transform_size(RATE)
    top = float(mel_of(RATE / 2))
    inner = (mel_of(hertz) > top / (BANDS + 1)) & (mel_of(hertz) < top * BANDS / (BANDS + 1))
    np.testing.assert_allclose(total[inner], 1.0, atol=1e-12)


def test_frames_equal_a_plain_transform() -> None:
    samples = (0.3 * np.random.default_rng(1).normal(size=1000)).astype(np.float32)
    frame, hop = frame_samples(RATE)
    assert (frame, hop) == (200, 80)
    found = frames_of(samples, [])
    assert len(found) == 11  # the last one, of samples 800 to 1000, ends with the last sample
    weights, size = filter_bank(RATE, BANDS), transform_size(RATE)
    for number in (0, 4, 10):
        piece = samples[number * hop : number * hop + frame].astype(float)
        window = [0.5 - 0.5 * math.cos(2 * math.pi * n / frame) for n in range(frame)]
        phases = -2j * np.pi / size * np.outer(np.arange(size // 2 + 1), np.arange(frame))
        power = np.abs((np.exp(phases) * (piece * window)).sum(axis=1)) ** 2
        np.testing.assert_allclose(found[number], np.log(weights @ power), rtol=1e-5, atol=1e-5)


def test_frames_equal_those_of_scipys_short_time_transform() -> None:
    samples = 0.3 * np.random.default_rng(2).normal(size=2000)
    frame, hop = frame_samples(RATE)
    transform = ShortTimeFFT(hann(frame, sym=False), hop, RATE, mfft=transform_size(RATE))
    lead = frame // 2 % hop  # its frames are centred on multiples of the hop, ours begin at them
    power = np.abs(transform.stft(samples[lead:])) ** 2  # (frequencies, frames)
    first = 1 + (frame // 2 - lead) // hop - transform.p_min  # of our second frame: the first one lost its lead
    found = frames_of(samples.astype(np.float32), [])
    expected = np.log(filter_bank(RATE, BANDS) @ power[:, first : first + 20])
    np.testing.assert_allclose(found[1:21], expected.T, atol=1e-4)


@pytest.mark.parametrize(
    ("count", "frames"), [(1, 1), (199, 1), (200, 1), (201, 2), (280, 2), (281, 3), (1000, 11), (1001, 12)]
)
def test_every_sample_is_in_a_frame_and_none_is_empty(count: int, frames: int) -> None:
    """Frames are the first and one for each further 80 samples, begun or whole."""
    samples = np.ones(count, np.float32)
    assert len(frames_of(samples, [])) == frames
    padded = np.zeros(200 + 80 * (frames - 1), np.float32)
    padded[:count] = samples
    np.testing.assert_array_equal(frames_of(samples, []), frames_of(padded, []))


@pytest.mark.parametrize("sizes", [[1], [100, 150, 3], [79, 1, 80, 200], [0, 999], [1000]])
def test_blocks_make_no_difference(sizes: list[int]) -> None:
    samples = (0.3 * np.random.default_rng(3).normal(size=1010)).astype(np.float32)
    np.testing.assert_array_equal(frames_of(samples, sizes), frames_of(samples, []))


@pytest.mark.parametrize("hertz", [200.0, 700.0, 1500.0, 3000.0])
def test_a_tone_is_loudest_in_the_band_of_its_frequency(hertz: float) -> None:
    samples = (0.5 * np.sin(2 * np.pi * hertz / RATE * np.arange(4000))).astype(np.float32)
    place = float(mel_of(hertz) / (mel_of(RATE / 2) / (BANDS + 1))) - 1  # in bands, between the centres of two
    loudest = frames_of(samples, []).mean(axis=0).argmax()
    assert abs(loudest - place) <= 0.5


def test_silence_has_the_floor() -> None:
    np.testing.assert_allclose(frames_of(np.zeros(500, np.float32), []), math.log(FLOOR))


def test_no_band_is_empty_up_to_the_largest_number() -> None:
    most = most_bands(RATE)
    assert most >= 40
    assert filter_bank(RATE, most).any(axis=1).all()
    assert not filter_bank(RATE, most + 1).any(axis=1).all()
