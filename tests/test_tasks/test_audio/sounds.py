"""Files of sound, written by the standard library or by soundfile."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float64]


def noise(count: int, seed: int = 0, scale: float = 0.2) -> Samples:
    return np.clip(scale * np.random.default_rng(seed).normal(size=count), -0.99, 0.99)


def tone(count: int, hertz: float, rate: int, amplitude: float = 0.5) -> Samples:
    return np.asarray(amplitude * np.sin(2 * np.pi * hertz / rate * np.arange(count)))


def write_wave(path: Path, samples: npt.NDArray[np.floating], rate: int = 8000) -> Path:
    """Write samples (n,) or (n, channels) as 16-bit PCM with the standard library alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(np.asarray(samples) * 32768).clip(-32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if whole.ndim == 1 else whole.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())
    return path


def write_sound(path: Path, samples: npt.NDArray[np.floating], rate: int = 8000, subtype: str | None = None) -> Path:
    """Write samples with soundfile, in the format of the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def read_wave(path: Path) -> npt.NDArray[np.int16]:
    """Read 16-bit PCM of one channel with the standard library alone."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def write_folder(folder: Path, count: int = 8, samples: int = 3000) -> Path:
    """Write different recordings of noise into a folder."""
    for number in range(count):
        write_wave(folder / f"{number}.wav", noise(samples + 10 * number, seed=number))
    return folder
