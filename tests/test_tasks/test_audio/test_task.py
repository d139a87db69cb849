"""The audio task: its batches equal what was recorded, its baselines what is known, its descriptions counts by hand."""

from __future__ import annotations

import math
import pickle
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tasks.audio.log_mel import LogMel
from tasks.audio.mu_law import encoded
from tasks.audio.task import Audio
from tasks.checking import check_task
from tasks.description import Description
from tasks.errors import TaskError
from tasks.registry import load_task, parameters_of
from tasks.task import ACCURACY, METRICS, Batch, Input, Interface, Output, Split
from tests.test_tasks.test_audio.sounds import noise, read_wave, tone, write_folder, write_sound, write_wave


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("noise"), 16)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of two pitches and noise, of 0.2 to 0.6 seconds."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    for number in range(60):
        label = ("high", "low", "noise")[number % 3]
        count = int(rng.integers(1600, 4800))
        pitch = {"high": 1500.0, "low": 300.0}.get(label)
        sound = noise(count, number, 0.1) if pitch is None else tone(count, pitch * rng.uniform(0.9, 1.1), 8000, 0.2)
        write_wave(folder / label / f"{number}.wav", sound + noise(count, 100 + number, 0.01))
    return folder


def split_columns(task: Audio, split: Split) -> npt.NDArray[np.int64]:
    """Return the symbols of an evaluation of one column."""
    windows = list(task.evaluation(split, 1, 100))
    return np.concatenate([windows[0].inputs[:1, 0], *(window.targets[:, 0] for window in windows)])


def facts_of(description: Description) -> dict[str, float]:
    return {fact.name: fact.value for fact in description.facts}


def test_every_rule_of_tasks_is_kept(folder: Path, labelled: Path) -> None:
    for task in (
        load_task("audio", data=str(folder)),
        load_task("audio", data=str(labelled), features="log-mel"),
        load_task("audio", data=str(labelled), max_evaluation_seconds=0.5),
    ):
        found = check_task(task, thorough=True)
        assert found.unpicklable is None
        assert load_task("audio", **parameters_of(task)).checksum == task.checksum


def test_evaluation_predicts_every_sample_but_the_first_of_each_recording(folder: Path) -> None:
    task = Audio(data=str(folder))
    names: dict[int, Path] = {3000 + 10 * number: folder / f"{number}.wav" for number in range(16)}
    for split in (Split.VALIDATION, Split.TEST):
        lengths = task._recordings.parts[split].lengths.tolist()
        assert len(lengths) == 2
        expected = np.concatenate([encoded(read_wave(names[length]) / 32768) for length in lengths])
        np.testing.assert_array_equal(split_columns(task, split), expected)
        for batch, steps in ((1, 100), (7, 33), (50, 50)):
            windows = list(task.evaluation(split, batch, steps))
            assert sum(window.loss_mask.sum() for window in windows) == sum(lengths) - 2
            assert [window.starts for window in windows] == [True] + [False] * (len(windows) - 1)


def test_longer_data_are_evaluated_in_evenly_spaced_stretches(folder: Path) -> None:
    whole = split_columns(Audio(data=str(folder), max_evaluation_seconds=100.0), Split.TRAIN)
    task = Audio(data=str(folder), max_evaluation_seconds=1.6)
    read = split_columns(task, Split.TRAIN)
    assert len(read) == 3 * 4000  # as many stretches of half a second as 1.6 seconds have
    begins = np.linspace(0, len(whole) - 4000, 3).round().astype(int)
    np.testing.assert_array_equal(read, np.concatenate([whole[begin : begin + 4000] for begin in begins]))
    lengths = np.cumsum(task._recordings.parts[Split.TRAIN].lengths)[:-1]  # the first samples of the recordings
    inside = sum(int(((lengths > begin) & (lengths < begin + 4000)).sum()) for begin in begins)
    counted = sum(float(window.loss_mask.sum()) for window in task.evaluation(Split.TRAIN, 3, 50))
    assert counted == len(read) - 3 - inside


def test_training_reads_successive_samples_from_random_places(folder: Path) -> None:
    task = Audio(data=str(folder))
    whole = split_columns(Audio(data=str(folder), max_evaluation_seconds=100.0), Split.TRAIN).astype(np.uint8).tobytes()
    windows = list(islice(task.training(5, 64, np.random.default_rng(3)), 3 * 63))  # 4,000 steps are 63 windows
    assert [number for number, window in enumerate(windows) if window.starts] == [0, 63, 126]
    places = set()
    for first in (0, 63, 126):
        run = windows[first : first + 63]
        for column in range(5):
            symbols = [run[0].inputs[:1, column], *(window.targets[:, column] for window in run)]
            stretch = np.concatenate(symbols).astype(np.uint8).tobytes()
            assert len(stretch) == 4001
            assert stretch in whole
            places.add(whole.index(stretch))
        masked = sum(int((window.loss_mask == 0).sum()) for window in run)
        assert masked <= 5 * 2  # the first samples of recordings, of which one is 3,000 samples or longer
    assert len(places) == 15
    assert max(places) - min(places) > len(whole) / 2


def test_bits_per_sample_of_uniform_noise_are_those_of_its_levels(tmp_path: Path) -> None:
    """Levels drawn uniformly have 8 bits, which neither a constant nor a Markov chain improves."""
    rng = np.random.default_rng(0)
    compressed = 2 * rng.integers(256, size=400_000) / 255 - 1
    samples = np.sign(compressed) * (256 ** np.abs(compressed) - 1) / 255
    task = Audio(data=str(write_sound(tmp_path / "noise.wav", samples, subtype="FLOAT")))
    assert task.metric is METRICS["bits_per_symbol"]
    assert task.constant_baseline() == pytest.approx(8.0, abs=0.01)
    assert task.uniform_loss() == pytest.approx(8.0 * math.log(2.0))
    facts = facts_of(task.description(Split.VALIDATION))
    assert facts["bits per sample of the best constant"] == pytest.approx(task.constant_baseline(), rel=1e-9)
    assert facts["bits per sample of a first-order Markov chain"] >= 8.0


def test_bits_per_sample_of_a_chain_of_two_levels(tmp_path: Path) -> None:
    """Samples that keep their sign with probability 0.9: the chain has the entropy of 0.9, the constant that of 0.5."""
    signs = np.cumprod(np.where(np.random.default_rng(0).random(80_000) < 0.9, 1, -1))
    task = Audio(data=str(write_wave(tmp_path / "a.wav", 0.25 * signs)))
    facts = facts_of(task.description(Split.TEST))
    entropy = -(0.9 * math.log2(0.9) + 0.1 * math.log2(0.1))
    assert facts["bits per sample of a first-order Markov chain"] == pytest.approx(entropy, abs=0.03)
    assert facts["bits per sample of the best constant"] == pytest.approx(1.0, abs=0.01)


def test_gaussian_noise_has_the_entropy_of_its_levels(tmp_path: Path) -> None:
    """The levels' probabilities are differences of the normal distribution at their edges."""
    samples = 0.1 * np.random.default_rng(1).normal(size=800_000)
    task = Audio(data=str(write_sound(tmp_path / "noise.wav", samples, subtype="FLOAT")))
    edges = 2 * (np.arange(257) - 0.5) / 255 - 1
    amplitudes = np.sign(edges) * (256 ** np.abs(edges) - 1) / 255
    below = np.array([0.5 * (1 + math.erf(edge / 0.1 / math.sqrt(2))) for edge in amplitudes])
    shares = np.diff(below)
    shares = shares[shares > 0]
    assert task.constant_baseline() == pytest.approx(float(-(shares * np.log2(shares)).sum()), abs=0.01)


def test_descriptions_are_counts_by_hand(tmp_path: Path) -> None:
    for number in range(4):
        write_wave(tmp_path / "train" / f"{number}.wav", noise(8000, number))
    write_wave(tmp_path / "train" / "copy.wav", noise(8000, 3))
    silent = np.stack([np.append(noise(12_000, 7), np.zeros(4000))] * 2, axis=1)
    write_wave(tmp_path / "valid" / "stereo.wav", silent, 16_000)
    write_wave(tmp_path / "test" / "leak.wav", noise(8000, 0))
    write_wave(tmp_path / "test" / "slow.wav", noise(4000, 9), 4000)
    loud = noise(8000, 8)
    loud[:40] = -1.0
    write_wave(tmp_path / "test" / "loud.wav", loud)
    task = Audio(data=str(tmp_path))
    train, valid, test = (task.description(split) for split in Split)
    assert (train.sequences, train.steps, train.counted) == (5, 39_999, 40_000 - 5)
    assert (valid.sequences, valid.steps, valid.counted) == (1, 7999, 7999)
    assert (test.sequences, test.steps, test.counted) == (3, 23_999, 24_000 - 3)
    assert (train.repeated, valid.repeated, test.repeated) == (1, 0, 1)
    assert test.repeated_share == pytest.approx(1 / 3, abs=1e-4)
    assert facts_of(train)["seconds"] == 5.0
    assert facts_of(train)["copies of recordings"] == 1
    assert facts_of(valid)["silence"] == pytest.approx(0.25, abs=0.02)
    assert facts_of(valid)["recordings mixed to one channel"] == 1
    assert [facts_of(each)["recordings resampled"] for each in (train, valid, test)] == [0, 1, 1]
    assert facts_of(test)["recordings of a lower rate"] == 1
    assert facts_of(test)["values at full scale"] == pytest.approx(40 / 20_000)
    warned = {fact.name: fact.remedy for fact in test.facts if fact.value > fact.limit}
    assert set(warned) == {"values at full scale", "recordings of a lower rate"}
    assert "give rate = 4000" in warned["recordings of a lower rate"]


def test_frames_are_standardised_by_training_and_the_label_counts_at_the_last_step(labelled: Path) -> None:
    task = load_task("audio", data=str(labelled), features="log-mel", bands=12)
    assert task.interface == Interface(Input.VALUES, 12, Output.SYMBOLS, 3)
    assert task.metric is ACCURACY
    assert [metric.name for metric in task.also] == ["macro_f1"]
    assert [task.label(index) for index in range(3)] == ["high", "low", "noise"]

    def frames(path: Path) -> npt.NDArray[np.float64]:
        made = LogMel(8000, 12)
        samples = (read_wave(path) / 32768).astype(np.float32)
        return np.concatenate([made.feed(samples), made.end()]).astype(np.float64)

    own = {split: list(task.evaluation(split, 1, 50)) for split in Split}
    assert [len(windows) for windows in own.values()] == [48, 6, 6]
    lengths = [len(window.inputs) for windows in own.values() for window in windows]
    known = {path: frames(path) for path in sorted(labelled.rglob("*.wav"))}
    assert sorted(lengths) == sorted(map(len, known.values()))
    train = np.concatenate([window.inputs[:, 0] for window in own[Split.TRAIN]])
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-4)
    # The standardisation of the whole task is one affine map of the frames, found here from one recording.
    window = own[Split.VALIDATION][-1]
    (path,) = (path for path, one in known.items() if len(one) == len(window.inputs) and _alike(one, window))
    assert task.label(int(window.targets[-1, 0])) == path.parent.name
    for windows in own.values():
        for window in windows:
            assert window.loss_mask[:, 0].tolist() == [0.0] * (len(window.inputs) - 1) + [1.0]
            assert len(set(window.targets[:, 0].tolist())) == 1


def _alike(frames: npt.NDArray[np.float64], window: Batch) -> bool:
    """Return whether a window is an affine map of each band of frames."""
    found = [np.corrcoef(frames[:, band], window.inputs[:, 0, band])[0, 1] for band in range(frames.shape[1])]
    return bool(min(found) > 0.9999)


def test_batches_of_recordings_have_each_once_and_are_padded_at_the_end(labelled: Path) -> None:
    task = Audio(data=str(labelled), features="log-mel")
    single = {window.inputs.tobytes() for window in task.evaluation(Split.VALIDATION, 1, 50)}
    found = []
    for window in task.evaluation(Split.VALIDATION, 4, 50):
        for column in np.flatnonzero(window.loss_mask.any(axis=0)):
            length = int(np.flatnonzero(window.loss_mask[:, column])[0]) + 1
            assert not window.inputs[length:, column].any()
            found.append(window.inputs[:length, column].tobytes())
    assert len(found) == len(set(found)) == 6
    assert set(found) == single
    first = list(islice(task.training(8, 50, np.random.default_rng(0)), 6))  # a pass over 48 recordings
    assert sum(window.loss_mask.sum() for window in first) == 48
    assert all(window.starts for window in first)


def test_long_recordings_are_cut_and_few_are_evaluated_with_notice(labelled: Path) -> None:
    task = Audio(data=str(labelled), features="log-mel", max_seconds=0.3, max_evaluation_seconds=0.9)
    lengths = [len(window.inputs) for window in task.evaluation(Split.TEST, 1, 50)]
    assert max(lengths) == 30
    assert len(lengths) in (3, 4)
    described = task.description(Split.TEST)
    assert (described.sequences, described.steps, described.counted) == (len(lengths), sum(lengths), len(lengths))
    whole = Audio(data=str(labelled), features="log-mel")._recordings.parts[Split.TEST].lengths
    assert facts_of(described)["recordings cut to max_seconds"] == int((whole > 30).sum())


def test_a_pickled_copy_reads_the_same_and_converts_again_where_the_cache_is_gone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "one"))
    task = Audio(data=str(folder))
    data = pickle.dumps(task)
    assert len(data) < 20_000  # places of the recordings, not their samples
    expected = [window.targets for window in islice(task.training(3, 40, np.random.default_rng(0)), 5)]
    monkeypatch.setenv("GATESEARCH_CACHE", str(tmp_path / "two"))
    for path in (tmp_path / "one").iterdir():
        path.unlink()
    copy = pickle.loads(data)  # noqa: S301
    found = [window.targets for window in islice(copy.training(3, 40, np.random.default_rng(0)), 5)]
    np.testing.assert_array_equal(found, expected)
    assert copy.checksum == task.checksum


def test_the_checksum_depends_on_sound_and_parameters(folder: Path, labelled: Path) -> None:
    sums = [
        Audio(data=str(folder)).checksum,
        Audio(data=str(folder), rate=4000).checksum,
        Audio(data=str(labelled)).checksum,
        Audio(data=str(labelled), features="log-mel").checksum,
        Audio(data=str(labelled), features="log-mel", bands=39).checksum,
        Audio(data=str(labelled), features="log-mel", max_seconds=0.3).checksum,
    ]
    assert len(set(sums)) == 6


def test_pictures_show_waves_and_spectra(tmp_path: Path, labelled: Path) -> None:
    task = Audio(data=str(write_wave(tmp_path / "a.wav", np.repeat([0.9, -0.9, 0.0], 8000))))
    shown = task.render(next(task.evaluation(Split.TRAIN, 1, 30)))
    bars, text = shown.split("\n")
    assert bars == "█" * 31
    compressed = 2 * 253 / 255 - 1  # of the level that is nearest to 0.9
    assert text == f"3.9 ms, peak {(256**compressed - 1) / 255:.3f}"
    task = Audio(data=str(labelled), features="log-mel")
    for window in task.evaluation(Split.TEST, 1, 50):
        *rows, label = task.render(window).split("\n")
        assert len(rows) == 10
        dark = [sum(row.count(shade) for shade in "▓█") for row in reversed(rows)]  # from low to high bands
        if label == "noise":
            assert sum(count > 0 for count in dark) > 5
        else:
            middle = {"low": 1, "high": 5}[label]  # 300 Hz is at 0.19 of the mel scale up to 4 kHz, 1,500 Hz at 0.60
            assert abs(int(np.argmax(dark)) - middle) <= 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": "mfcc"}, "features = 'mfcc', but it must be mu-law or log-mel"),
        ({"rate": 10}, "rate = 10, but it must be an integer from 1000 to 192000"),
        ({"rate": 8000.5}, "rate = 8000.5, but"),
        (
            {"features": "log-mel", "bands": 200},
            r"bands = 200, but at rate = 8000 some bands would be empty; give at m",
        ),
        ({"max_seconds": 0}, "max_seconds = 0, but"),
        ({"max_evaluation_seconds": -1}, "max_evaluation_seconds = -1, but"),
        ({"ranked_by": "nats_per_step"}, "ranked_by = 'nats_per_step', but it must be one of accuracy, cross_entropy"),
        ({"data": None}, "task 'audio' needs the path of your data; give --data PATH"),
        ({"data": 3}, "data = 3, but it must be the path of a file or folder"),
    ],
)
def test_wrong_parameters_are_refused(folder: Path, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        load_task("audio", **({"data": str(folder)} | parameters))  # type: ignore[arg-type]


def test_the_metric_that_ranks_can_be_chosen(labelled: Path) -> None:
    for name in ("accuracy", "cross_entropy", "bits_per_symbol", "macro_f1"):
        task = load_task("audio", data=str(labelled), features="log-mel", ranked_by=name)
        assert task.metric is METRICS[name]
