"""Write 600 recordings of tones that fall, rise or stay into the folder `sounds`, a subfolder for each kind."""

import wave
from pathlib import Path

import numpy as np

RATE = 8000  # samples per second

rng = np.random.default_rng(0)
for number in range(600):
    label, octaves = (("falling", -1.0), ("rising", 1.0), ("steady", 0.0))[number % 3]
    time = np.linspace(0, 1, rng.integers(2400, 6400))  # 0.3 to 0.8 seconds
    pitch = rng.uniform(300, 900) * 2 ** (octaves * time)  # Hz
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.02 * rng.normal(size=len(time))
    path = Path("sounds", label, f"{number:03}.wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((32767 * sound).astype("<i2").tobytes())
