"""Descriptions of recordings: how much sound there is, and what stands out in it, by split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from tasks.audio.log_mel import HOP_SECONDS
from tasks.audio.mu_law import LEVELS
from tasks.audio.recordings import Part, Recordings
from tasks.audio.samples import Samples, Stretch, markov_bits, transitions
from tasks.audio.spectra import Spectra
from tasks.description import ALARMING, Description, Fact, Kind
from tasks.row_file import RowReader
from tasks.task import Split

CLIPPED = 0.001
"""Share of values at full scale above which sound is distorted."""


def sample_descriptions(
    source: str,
    recordings: Recordings,
    samples: Mapping[Split, Samples],
    evaluated: Mapping[Split, Stretch],
    reader: RowReader,
    rate: int,
) -> dict[Split, Description]:
    """Return the descriptions of samples.

    The steps of validation and test are those that evaluation reads. The Markov chain is that of training, of evenly
    spaced parts of it if it is long.
    """
    chain = transitions(samples[Split.TRAIN].passed(reader))
    found = {}
    for split, part in recordings.parts.items():
        whole, stretch = samples[split], evaluated[split]
        steps, counted, counts = whole.count - 1, whole.count - len(part.numbers), chain
        if split is not Split.TRAIN:
            steps, counted = len(stretch.levels) - 1, int(np.count_nonzero(~stretch.firsts[1:]))
            counts = transitions([stretch])
        facts = (
            Fact("seconds", whole.count / rate, Kind.COUNT),
            Fact("seconds in evaluation", len(stretch.levels) / rate, Kind.COUNT),
            *_facts(recordings, part, rate),
            Fact("bits per sample of the best constant", _constant_bits(counts), Kind.METRIC),
            Fact("bits per sample of a first-order Markov chain", markov_bits(chain, counts), Kind.METRIC),
        )
        repeated = _in_another_split(recordings, split)
        found[split] = Description(
            source=source,
            sequences=len(part.numbers),
            unit="recordings",
            steps=steps,
            counted=counted,
            seen=int(np.count_nonzero(np.bincount(stretch.levels[1:], minlength=LEVELS))),
            repeated=int(repeated.sum()),
            repeated_steps=round(steps * int(part.lengths[repeated].sum()) / whole.count),
            facts=(*facts, *recordings.facts),
        )
    return found


def spectrum_descriptions(
    source: str, recordings: Recordings, spectra: Mapping[Split, Spectra], evaluated: Mapping[Split, Spectra], rate: int
) -> dict[Split, Description]:
    """Return the descriptions of log-mel frames. The steps of validation and test are those that evaluation reads."""
    names: dict[str, set[str]] = {}
    for part in recordings.parts.values():
        for digest, label in zip(
            recordings.measures["digest"][part.numbers].tolist(), part.labels.tolist(), strict=True
        ):
            names.setdefault(digest, set()).add(recordings.classes[label])
    ambiguous = [digest for digest, own in names.items() if len(own) > 1]
    found = {}
    for split, part in recordings.parts.items():
        whole = spectra[split]
        read = whole if split is Split.TRAIN else evaluated[split]
        missing = [label for number, label in enumerate(recordings.classes) if number not in read.labels]
        cut = int(np.count_nonzero(whole.lengths < part.lengths))
        two = int(np.isin(recordings.measures["digest"][part.numbers], ambiguous).sum())
        facts = (
            Fact("seconds", float(part.lengths.sum()) * HOP_SECONDS, Kind.COUNT),
            Fact("seconds in evaluation", float(evaluated[split].lengths.sum()) * HOP_SECONDS, Kind.COUNT),
            *_facts(recordings, part, rate),
            *_counted("recordings cut to max_seconds", cut, "give a larger max_seconds, or cut them into pieces"),
            *_counted("labels missing", len(missing), f"there is no recording of {', '.join(missing[:20])}"),
            *_counted("recordings with two labels", two, "keep each in the folder of one label"),
        )
        repeated = _in_another_split(recordings, split)
        steps = int(read.lengths.sum())
        found[split] = Description(
            source=source,
            sequences=len(part.numbers) if split is Split.TRAIN else len(read.lengths),
            unit="recordings",
            steps=steps,
            counted=len(read.lengths),
            seen=len(np.unique(read.labels)),
            repeated=int(repeated.sum()),
            repeated_steps=round(steps * int(whole.lengths[repeated].sum()) / int(whole.lengths.sum())),
            facts=(*facts, *recordings.facts),
        )
    return found


def _facts(recordings: Recordings, part: Part, rate: int) -> Iterator[Fact]:
    """Yield what is known of the files of a part."""
    own = {name: values[part.numbers] for name, values in recordings.measures.items()}
    rates, channels, frames = own["rate"], own["channels"], own["frames"]
    silent = float((own["silent"] / rates).sum() / (frames / rates).sum())
    clipped = float(own["clipped"].sum() / (frames * channels).sum())
    yield Fact("silence", silent, Kind.SHARE, ALARMING, "cut it out, or leave out the recordings that have it")
    yield Fact("values at full scale", clipped, Kind.SHARE, CLIPPED, "record at a lower level: these are distorted")
    yield Fact("recordings mixed to one channel", int(np.count_nonzero(channels > 1)), Kind.COUNT)
    yield Fact("recordings resampled", int(np.count_nonzero(rates != rate)), Kind.COUNT)
    lower = int(np.count_nonzero(rates < rate))
    yield from _counted("recordings of a lower rate", lower, f"give rate = {rates.min()}, since they have no more")
    yield from _counted("recordings that end early", int(own["cut"].sum()), "their files were cut; copy them again")
    remedy = "their headers may say too few samples, so write them again from their source"
    yield from _counted("recordings with unknown bytes behind their samples", int(own["behind"].sum()), remedy)
    copies = len(part.numbers) - len(np.unique(own["digest"]))
    yield from _counted("copies of recordings", copies, "they count more than once; leave them out")


def _counted(name: str, count: int, remedy: str) -> Iterator[Fact]:
    """Yield the fact of something that is warned about, if there is any."""
    if count:
        yield Fact(name, count, Kind.COUNT, 0, remedy)


def _in_another_split(recordings: Recordings, split: Split) -> npt.NDArray[np.bool_]:
    """Return which recordings of a split are in another one too; parts of one that is divided by time are not."""
    digests = recordings.measures["digest"]
    if len(digests) == 1:
        return np.zeros(len(recordings.parts[split].numbers), np.bool_)
    others = [part.numbers for other, part in recordings.parts.items() if other is not split]
    return np.isin(digests[recordings.parts[split].numbers], digests[np.concatenate(others)])


def _constant_bits(counts: npt.NDArray[np.float64]) -> float:
    """Return the bits per sample of the frequencies of the levels that are predicted."""
    shares = counts.sum(axis=0) / counts.sum()
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())
