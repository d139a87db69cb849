"""Decoding of a recording, block by block: one channel, one rate, and measures of what was read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError

BLOCK = 1 << 17
"""Values that are decoded at once, of all channels."""

QUIET = 1e-3
"""Peak, as a part of full scale, below which a stretch is silent: -60 dB."""

STRETCH_SECONDS = 0.02

LARGEST = 1e6
"""Largest sample of a file of real numbers; those beyond full scale, 1, are clipped, and counted."""

MOST_CHANNELS = 64
MOST_RATE = 1_000_000
MOST_TIMES = 16  # more samples than the file has, that resampling may make

_UNKNOWN_FRAMES = 1 << 62  # libsndfile reports more than that if a file does not say its length
_STREAMED = 0x7FFF_0000  # lengths from here on are those that programs write which do not know the length yet
_CUT = re.compile(r"^data : (\d+) \(should be \d+\)", re.MULTILINE)
_NAME = re.compile(rb"[ -~]{4}")  # of a chunk
_TAGS = (b"ID3", b"TAG")  # of music, behind the last chunk
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24}

Take = Callable[[npt.NDArray[np.float32]], None]


@dataclass(frozen=True)
class Measures:
    """Facts of a recording as it is in its file.

    Attributes:
        rate: samples per second.
        channels: number of channels.
        frames: number of samples of each channel.
        silent: number of them in stretches of 20 ms whose peak is below `QUIET`, all channels mixed.
        clipped: number of values of all channels at full scale.
        cut: whether the file ends before its header says.
        behind: whether bytes that are no chunk follow the samples of a WAV file, as many as those of 20 ms: the header
            may say too few samples.
        digest: checksum of all values; equal for equal sound, whatever the file's format.
    """

    rate: int
    channels: int
    frames: int
    silent: int
    clipped: int
    cut: bool
    behind: bool
    digest: str


def libraries() -> tuple[ModuleType, ModuleType]:
    """Return the modules `soundfile` and `soxr`.

    Raises:
        TaskError: one of them is not installed.
    """
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as error:  # OSError: libsndfile is missing
        raise TaskError(
            f"the audio task reads recordings by the packages 'soundfile' and 'soxr' ({error}); "
            "run: pip install 'gatesearch[audio]'"
        ) from error
    return soundfile, soxr


def decode(path: Path, rate: int, take: Take) -> Measures:
    """Decode a recording, mix its channels to one by their mean, and resample it.

    Args:
        path: a WAV or FLAC file.
        rate: samples per second of what `take` is given.
        take: is called with successive samples, (n,).

    Raises:
        TaskError: the file is damaged or empty, or its samples are no numbers.
    """
    soundfile, _ = libraries()
    shown = repr(str(path))
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # a name in any encoding
    except OSError as error:
        raise TaskError(f"{shown} cannot be read: {error.strerror}; check the file") from error
    try:
        with soundfile.SoundFile(handle, closefd=False) as file:
            return _decode(file, shown, rate, take, _bytes_behind(path))
    except soundfile.SoundFileError as error:
        reason = re.sub(r"^Error opening \d+: ", "", str(error)).rstrip(".")
        raise TaskError(
            f"{shown} is no sound file, is damaged or ends early ({reason}); copy it again, or leave it out"
        ) from error
    finally:
        os.close(handle)


def _decode(file: Any, shown: str, rate: int, take: Take, behind: int) -> Measures:
    if not 1 <= file.samplerate <= MOST_RATE or not 1 <= file.channels <= MOST_CHANNELS:
        raise TaskError(
            f"{shown} has {file.channels} channels of {file.samplerate:,} Hz; the limits are {MOST_CHANNELS} and "
            f"{MOST_RATE:,}, so convert it"
        )
    if rate > MOST_TIMES * file.samplerate:
        raise TaskError(
            f"{shown} has {file.samplerate:,} samples per second, of which rate = {rate:,} is more than {MOST_TIMES} "
            "times; give a lower rate, or leave it out"
        )
    if file.frames > _UNKNOWN_FRAMES:
        raise TaskError(f"{shown} does not say how long it is; encode it again, as in: flac -d, then flac")
    resampler = _Resampler(file.samplerate, rate)
    silence = _Silence(file.samplerate)
    digest = hashlib.blake2b(digest_size=16)
    full = 1.0 - 2.0 ** (1 - _BITS.get(file.subtype, 64))
    frames = clipped = produced = 0

    def give(samples: npt.NDArray[np.float32]) -> None:
        nonlocal produced
        produced += len(samples)
        if len(samples):
            take(samples)

    while True:
        block = file.read(BLOCK // file.channels, dtype="float32", always_2d=True)
        if not len(block):
            break
        usable = np.abs(block) <= LARGEST  # false of what is no number
        if not usable.all():
            first = int(np.argmin(usable.all(axis=1)))
            value = block[first][~usable[first]][0]
            raise TaskError(
                f"{shown} has the sample {value:g} (second {(frames + first) / file.samplerate:.3f}); samples must be "
                f"numbers, full scale is 1 and {LARGEST:,.0f} the limit; cut it out"
            )
        frames += len(block)
        digest.update(np.ascontiguousarray(block, "<f4").data)
        clipped += int(np.count_nonzero(block >= full) + np.count_nonzero(block <= -1.0))
        mono = block[:, 0] if file.channels == 1 else block.mean(axis=1, dtype=np.float32)
        silence.feed(mono)
        give(resampler.feed(mono, last=False))
    if not frames:
        raise TaskError(f"{shown} has no samples; leave it out")
    if frames < file.frames:
        raise TaskError(f"{shown} ends after {frames:,} of {file.frames:,} samples; copy it again, or leave it out")
    give(resampler.feed(np.empty(0, np.float32), last=True))
    if not produced:
        raise TaskError(f"{shown} has {frames} samples at {file.samplerate:,} Hz, none at {rate:,} Hz; leave it out")
    digest.update(f"{file.samplerate} {file.channels}".encode())
    lengths = [int(length) for length in _CUT.findall(file.extra_info)]
    cut = any(length < _STREAMED for length in lengths)
    smallest = STRETCH_SECONDS * file.samplerate * file.channels * _BITS.get(file.subtype, 32) / 8
    return Measures(
        file.samplerate, file.channels, frames, silence.end(), clipped, cut, behind > smallest, digest.hexdigest()
    )


def _bytes_behind(path: Path) -> int:
    """Return the number of bytes behind the samples of a WAV file that belong to no chunk; 0 for other files."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0
        place, samples = 12, False
        while place + 8 <= end:
            file.seek(place)
            head = file.read(8)
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                if not 0 < size < end - place - 8:  # streamed, cut, or the last chunk
                    return 0
                samples = True
            elif samples and (head[:3] in _TAGS or not _NAME.fullmatch(head[:4]) or place + 8 + size > end):
                return 0 if head[:3] in _TAGS else end - place
            place += 8 + size
            if size % 2 and place + 4 <= end:  # a byte of padding, which some programs leave out
                file.seek(place)
                place += not _NAME.fullmatch(file.read(4))
        return 0


class _Resampler:
    """Band-limited change of the rate, the same for any division into blocks."""

    def __init__(self, given: int, wanted: int) -> None:
        _, soxr = libraries()
        self._stream = None if given == wanted else soxr.ResampleStream(given, wanted, 1, dtype="float32")

    def feed(self, samples: npt.NDArray[np.float32], *, last: bool) -> npt.NDArray[np.float32]:
        if self._stream is None:
            return samples
        found: npt.NDArray[np.float32] = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return found


class _Silence:
    """Count of the samples in silent stretches; the last stretch may be shorter."""

    def __init__(self, rate: int) -> None:
        self._length = max(1, round(rate * STRETCH_SECONDS))
        self._left = np.empty(0, np.float32)
        self._count = 0

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        known = np.abs(np.concatenate([self._left, samples]))
        whole = len(known) // self._length * self._length
        self._left = known[whole:]
        peaks = known[:whole].reshape(-1, self._length).max(axis=1, initial=0.0)
        self._count += int(np.count_nonzero(peaks < QUIET)) * self._length

    def end(self) -> int:
        if len(self._left) and self._left.max() < QUIET:
            self._count += len(self._left)
            self._left = self._left[:0]
        return self._count
