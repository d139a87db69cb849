"""Decoded sound equals what was written; resampling keeps a tone's frequency; damaged files are named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tasks.audio import decoding
from tasks.audio.decoding import Measures, decode
from tasks.errors import TaskError
from tests.test_tasks.test_audio.sounds import noise, read_wave, tone, write_sound, write_wave

Floats = npt.NDArray[np.float32]


def decoded(path: Path, rate: int = 8000) -> tuple[Floats, Measures]:
    blocks: list[Floats] = []
    measures = decode(path, rate, blocks.append)
    return np.concatenate(blocks), measures


def frequency_of(samples: Floats, rate: int) -> float:
    """Return the frequency of a tone, by the peak of its windowed spectrum with parabolic interpolation."""
    spectrum = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-12)
    peak = int(spectrum.argmax())
    left, middle, right = spectrum[peak - 1 : peak + 2]
    return float((peak + 0.5 * (left - right) / (left - 2 * middle + right)) * rate / len(samples))


def test_samples_of_sixteen_bits_come_back_exactly(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", noise(5000))
    found, measures = decoded(path)
    np.testing.assert_array_equal(found * 32768, read_wave(path))
    assert (measures.rate, measures.channels, measures.frames, measures.cut) == (8000, 1, 5000, False)


def test_channels_are_mixed_by_their_mean(tmp_path: Path) -> None:
    both = np.stack([noise(3000, 1), noise(3000, 2), noise(3000, 3)], axis=1)
    found, measures = decoded(write_sound(tmp_path / "a.flac", both, subtype="PCM_24"))
    np.testing.assert_allclose(found, both.mean(axis=1), atol=1e-6)
    assert measures.channels == 3


@pytest.mark.parametrize("given", [8000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("wanted", [8000, 16_000])
def test_resampling_keeps_frequency_and_amplitude(tmp_path: Path, given: int, wanted: int) -> None:
    path = write_sound(tmp_path / "a.wav", tone(3 * given, 1234.5, given), given, subtype="FLOAT")
    found, _ = decoded(path, wanted)
    assert abs(len(found) - 3 * wanted) <= 1
    middle = found[wanted // 2 : -wanted // 2]
    assert frequency_of(middle, wanted) == pytest.approx(1234.5, abs=0.01)
    assert np.sqrt(2 * np.mean(np.square(middle, dtype=np.float64))) == pytest.approx(0.5, rel=1e-3)


def test_what_is_above_half_of_the_rate_does_not_fold_back(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(96_000, 9000.0, 48_000), 48_000, subtype="FLOAT")
    found, _ = decoded(path)
    assert np.abs(found[2000:-2000]).max() < 1e-4


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.stack([noise(30_000, 1), noise(30_000, 2)], axis=1)
    samples[4000:9000] = 0
    path = write_wave(tmp_path / "a.wav", samples, 22_050)
    whole = decoded(path)
    monkeypatch.setattr(decoding, "BLOCK", 1000)
    parts = decoded(path)
    np.testing.assert_array_equal(parts[0], whole[0])
    assert parts[1] == whole[1]


def test_equal_sound_has_one_checksum_in_any_format(tmp_path: Path) -> None:
    samples = np.round(noise(4000) * 32768) / 32768
    files = [write_wave(tmp_path / "a.wav", samples)]
    files += [write_sound(tmp_path / f"{kind}.wav", samples, subtype=kind) for kind in ("PCM_16", "PCM_24", "FLOAT")]
    files.append(write_sound(tmp_path / "b.flac", samples))
    assert len({decoded(path)[1].digest for path in files}) == 1
    others = [
        write_wave(tmp_path / "c.wav", samples, 8001),
        write_wave(tmp_path / "d.wav", samples[:-1]),
        write_wave(tmp_path / "e.wav", samples.reshape(-1, 2)),
    ]
    assert len({decoded(path)[1].digest for path in [*files, *others]}) == 4


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_silence_is_counted_in_stretches_of_a_fiftieth_second(tmp_path: Path, rate: int) -> None:
    stretch = rate // 50
    samples = tone(50 * stretch, 440.0, rate)
    samples[10 * stretch : 30 * stretch] *= 0.0018  # peak 0.0009, below a thousandth
    samples[30 * stretch : 35 * stretch] *= 0.0022  # peak 0.0011
    found = decoded(write_sound(tmp_path / "a.wav", samples, rate, subtype="FLOAT"), rate)[1]
    assert found.silent == 20 * stretch
    tail = np.append(samples, np.zeros(stretch // 2))
    assert decoded(write_sound(tmp_path / "b.wav", tail, rate), rate)[1].silent == 20 * stretch + stretch // 2


@pytest.mark.parametrize(("subtype", "top"), [("PCM_16", 32767 / 32768), ("PCM_24", 1 - 2**-23), ("FLOAT", 1.0)])
def test_values_at_full_scale_are_counted(tmp_path: Path, subtype: str, top: float) -> None:
    samples = noise(2000).reshape(-1, 2)
    samples[10:15, 0] = top
    samples[20:22] = -1.0
    samples[30:40, 1] = 0.999
    assert decoded(write_sound(tmp_path / "a.wav", samples, subtype=subtype))[1].clipped == 5 + 4


def test_a_file_that_ends_early_is_told(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", noise(5000))
    data = path.read_bytes()
    path.write_bytes(data[: 44 + 2 * 3000 + 1])
    found, measures = decoded(path)
    assert (len(found), measures.cut) == (3000, True)
    streamed = bytearray(data)
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"  # a program that did not know the length yet
    path.write_bytes(streamed)
    assert decoded(path)[1].cut is False


def test_samples_behind_the_end_that_the_header_says_are_told(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", noise(5000))
    data = path.read_bytes()
    assert decoded(path)[1].behind is False
    short = bytearray(data)
    short[40:44] = (2 * 2000).to_bytes(4, "little")
    path.write_bytes(short)
    found, measures = decoded(path)
    assert (len(found), measures.cut, measures.behind) == (2000, False, True)
    for behind in (
        b"LIST" + (10).to_bytes(4, "little") + b"INFOabcdef",
        b"id3 " + (3).to_bytes(4, "little") + b"abc\0" + b"LIST" + (4).to_bytes(4, "little") + b"INFO",
        b"id3 " + (3).to_bytes(4, "little") + b"abc" + b"LIST" + (4).to_bytes(4, "little") + b"INFO",
        b"TAG" + bytes(125),
        b"ID3\4" + bytes(500),
        b"\0" * 40,  # less than 20 ms
        b"x",
    ):
        path.write_bytes(data + behind)
        found, measures = decoded(path)
        assert (len(found), measures.behind) == (5000, False)


def broken_flac(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damaged_flac(data: bytes) -> bytes:
    return data[: len(data) // 2] + b"\x55" * 500 + data[len(data) // 2 + 500 :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", r"is no sound file, is damaged or ends early \(Format not recognised\)"),
        (lambda data: b"hello" * 100, "is no sound file"),
        (lambda data: data[:20], "is no sound file, is damaged"),
        (broken_flac, "is no sound file, is damaged or ends early|ends after"),
        (damaged_flac, "is no sound file, is damaged or ends early|ends after"),
        (lambda data: data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:], "does not say how long it is"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    path = write_sound(tmp_path / "a.flac", noise(20_000))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(TaskError, match=rf"^'.*a\.flac' .*({message}).*; ") as caught:
        decoded(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e7])
def test_samples_that_are_no_numbers_are_refused_with_their_place(tmp_path: Path, value: float) -> None:
    samples = noise(16_000).reshape(-1, 2)
    samples[6000, 1] = value
    with pytest.raises(
        TaskError, match=rf"has the sample {re.escape(f'{value:g}')} \(second 0\.750\); samples must be n"
    ):
        decoded(write_sound(tmp_path / "a.wav", samples, subtype="DOUBLE"))


def test_files_without_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="has no samples; leave it out"):
        decoded(write_wave(tmp_path / "a.wav", np.empty(0)))
    with pytest.raises(TaskError, match=r"has 2 samples at 48,000 Hz, none at 8,000 Hz"):
        decoded(write_wave(tmp_path / "b.wav", np.ones(2), 48_000))


def test_a_rate_far_above_that_of_the_file_is_refused(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", noise(1000), 500)
    assert len(decoded(path, 8000)[0]) == pytest.approx(16_000, abs=16)
    with pytest.raises(
        TaskError, match=r"has 500 samples per second, of which rate = 8,001 is more than 16 times; give"
    ):
        decoded(path, 8001)


def test_names_in_other_encodings_work(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", noise(100))
    other = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc\xdfe.wav"))  # Latin-1
    path.rename(other)
    assert len(decoded(other)[0]) == 100


def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with pytest.raises(TaskError, match=r"'soundfile' and 'soxr' \(.*soxr.*\); run: pip install 'gatesearch\[audio\]'"):
        decoded(write_wave(tmp_path / "a.wav", noise(100)))
    assert soundfile.__version__
