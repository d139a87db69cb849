"""Which files are recordings, and how they are divided: by folders, by content, by time; and by labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.audio.mu_law import MuLaw, encoded
from tasks.audio.recordings import Recordings, load_recordings
from tasks.errors import TaskError
from tasks.task import Split
from tests.test_tasks.test_audio.sounds import noise, read_wave, write_folder, write_sound, write_wave


def load(path: Path, *, labelled: bool = False) -> Recordings:
    return load_recordings(path, 8000, MuLaw, ["mu-law"], labelled=labelled)


def counts(recordings: Recordings) -> list[int]:
    return [len(recordings.parts[split].numbers) for split in Split]


def levels(recordings: Recordings, split: Split) -> list[list[int]]:
    with recordings.rows.open() as reader:
        spans = recordings.parts[split].spans.tolist()
        return [reader.read(begin, end)[:, 0].tolist() for begin, end in spans]


def digests(recordings: Recordings, split: Split) -> set[str]:
    return set(recordings.measures["digest"][recordings.parts[split].numbers].tolist())


def test_folders_divide_recordings_in_any_case(tmp_path: Path) -> None:
    write_folder(tmp_path / "Train" / "deep", 3)
    write_wave(tmp_path / "DEV" / "x.WAV", noise(100, 50))
    write_sound(tmp_path / "test" / "y.flac", noise(120, 51))
    found = load(tmp_path)
    assert counts(found) == [3, 1, 1]
    expected = encoded(read_wave(tmp_path / "DEV" / "x.WAV") / 32768)
    assert levels(found, Split.VALIDATION) == [expected.tolist()]
    assert [len(one) for one in levels(found, Split.TRAIN)] == [3000, 3010, 3020]


def test_content_divides_recordings_and_names_do_not(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", 24, 200)
    found = load(tmp_path / "a")
    assert counts(found) == [18, 3, 3]
    for number, path in enumerate(sorted((tmp_path / "a").iterdir())):
        (tmp_path / "b" / str(number % 5)).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "b" / str(number % 5) / f"{99 - number}.wav")
    renamed = load(tmp_path / "b")
    for split in Split:
        assert digests(renamed, split) == digests(found, split)
    assert not digests(found, Split.TRAIN) & (digests(found, Split.VALIDATION) | digests(found, Split.TEST))


def test_copies_are_in_one_split_in_any_format(tmp_path: Path) -> None:
    write_folder(tmp_path, 12, 200)
    for number in range(12):
        samples = read_wave(tmp_path / f"{number}.wav") / 32768
        write_sound(tmp_path / "copies" / f"copy-{number}.flac", samples)
        shutil.copy(tmp_path / f"{number}.wav", tmp_path / f"again-{number}.wav")
    found = load(tmp_path)
    assert sum(counts(found)) == 36
    assert [count % 3 for count in counts(found)] == [0, 0, 0]
    splits = [digests(found, split) for split in Split]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 12


@pytest.mark.parametrize(("count", "expected"), [(3, [1, 1, 1]), (8, [6, 1, 1]), (16, [12, 2, 2])])
def test_an_eighth_is_validation_and_an_eighth_test_at_least_one_each(
    tmp_path: Path, count: int, expected: list[int]
) -> None:
    assert counts(load(write_folder(tmp_path, count, 100))) == expected


@pytest.mark.parametrize("seed", range(6))
def test_the_longest_recording_trains_where_others_are_much_shorter(tmp_path: Path, seed: int) -> None:
    for number, samples in enumerate((5000, 775, 775)):
        write_wave(tmp_path / f"{number}.wav", noise(samples, seed=10 * seed + number))
    lengths = {split: [len(one) for one in levels(load(tmp_path), split)] for split in Split}
    assert lengths == {Split.TRAIN: [5000], Split.VALIDATION: [775], Split.TEST: [775]}
    for label in ("dog", "cat"):
        for number, samples in enumerate((900, 100, 110, 120)):
            path = tmp_path / "labelled" / label / f"{number}.wav"
            write_wave(path, noise(samples, seed=100 * seed + 10 * (label == "dog") + number))
    found = load(tmp_path / "labelled", labelled=True)
    assert sorted(found.parts[Split.TRAIN].lengths.tolist())[-2:] == [900, 900]


def test_a_single_recording_is_divided_by_time(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", noise(8000))
    expected = encoded(read_wave(path) / 32768)
    for given in (path, tmp_path):
        found = load(given)
        parts = [levels(found, split)[0] for split in Split]
        assert [len(part) for part in parts] == [6000, 1000, 1000]
        assert np.concatenate(parts).tolist() == expected.tolist()
    with pytest.raises(TaskError, match=r"'.*b\.wav' has 10 samples, too few for three splits"):
        load(write_wave(tmp_path / "b.wav", noise(10)))


def test_too_few_recordings_are_refused_with_their_number(tmp_path: Path) -> None:
    write_folder(tmp_path, 2)
    shutil.copy(tmp_path / "0.wav", tmp_path / "copy.wav")
    with pytest.raises(
        TaskError, match="has 3 recordings, 2 of them different, too few for three splits; give at least three that"
    ):
        load(tmp_path)


def test_hidden_files_are_no_data_and_others_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", 3)
    write_folder(tmp_path / "valid", 1, 50)
    write_folder(tmp_path / "test", 1, 60)
    (tmp_path / "train" / "._0.wav").write_bytes(b"\0\5\x16\7")
    (tmp_path / "__MACOSX" / "train").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "train" / "0.wav").write_bytes(b"")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "train" / "song.mp3").write_bytes(b"")
    (tmp_path / "readme.txt").write_text("hello")
    write_wave(tmp_path / "beside.wav", noise(70))
    found = load(tmp_path)
    assert counts(found) == [3, 1, 1]
    (fact,) = found.facts
    assert (fact.name, fact.value, fact.limit) == ("files not read", 3, 0)
    for name in ("'beside.wav'", "'readme.txt'", "song.mp3"):
        assert name in fact.remedy


def test_all_files_that_cannot_be_used_are_named_at_once(tmp_path: Path) -> None:
    write_folder(tmp_path, 6)
    for name in ("empty.wav", "empty-too.flac"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "text.wav").write_text("hello" * 100)
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    bad = ["empty.wav", "empty-too.flac", "text.wav", "broken.wav"]
    while bad:
        message = (
            rf"^{len(bad)} of {6 + len(bad)} files of data = " if len(bad) > 1 else "'.*empty.wav' is no sound file"
        )
        with pytest.raises(TaskError, match=message) as caught:
            load(tmp_path)
        assert all(name in str(caught.value) for name in bad)
        assert "\n" not in str(caught.value)
        (tmp_path / bad.pop()).unlink()
    assert counts(load(tmp_path)) == [4, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "does not exist; give a folder of .wav or .flac files"),
        (lambda folder: (folder / "a").mkdir(parents=True), "has no .wav or .flac file among 0 files"),
        (
            lambda folder: (write_folder(folder / "train", 2), write_folder(folder / "valid", 1)),
            "has no .wav or .flac file for test; put some into train, valid and test",
        ),
    ],
)
def test_folders_without_recordings_are_refused(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "sounds")
    with pytest.raises(TaskError, match=message):
        load(tmp_path / "sounds")


def write_labelled(folder: Path, labels: list[str], count: int = 8) -> Path:
    for place, label in enumerate(labels):
        for number in range(count):
            write_wave(folder / label / f"{number}.wav", noise(100 + number, 100 * place + number))
    return folder


def test_labels_are_folders_and_each_is_divided(tmp_path: Path) -> None:
    found = load(write_labelled(tmp_path, ["dog", "cat", "a bird"]), labelled=True)
    assert found.classes == ("a bird", "cat", "dog")
    for split, expected in zip(Split, (6, 1, 1), strict=True):
        assert np.bincount(found.parts[split].labels).tolist() == [expected] * 3
    lengths = {  # a recording's length is 100 and its number
        label: sorted(
            length
            for split in Split
            for length, own in zip(found.parts[split].lengths.tolist(), found.parts[split].labels, strict=True)
            if own == label
        )
        for label in range(3)
    }
    assert lengths == {label: list(range(100, 108)) for label in range(3)}


def test_labels_may_stand_below_or_above_the_folders_of_the_splits(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        write_labelled(tmp_path / "below" / split, [f"dog/{split}", f"cat/{split}"], 2)  # deeper folders are no labels
        for label in ("dog", "cat"):
            shutil.copytree(tmp_path / "below" / split / label / split, tmp_path / "above" / label / split)
    below, above = (load(tmp_path / name, labelled=True) for name in ("below", "above"))
    assert below.classes == above.classes == ("cat", "dog")
    for split in Split:
        assert sorted(below.parts[split].labels.tolist()) == [0, 0, 1, 1]
        assert sorted(above.parts[split].labels.tolist()) == [0, 0, 1, 1]


def test_labels_that_cannot_be_learnt_are_refused(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "one", ["dog"])
    with pytest.raises(TaskError, match="has the single label 'dog'"):
        load(folder, labelled=True)
    write_labelled(folder, ["cat"], 2)
    with pytest.raises(TaskError, match="has 2 recordings with label 'cat', too few for three splits; give"):
        load(folder, labelled=True)
    shutil.move(folder / "cat" / "0.wav", folder / "0.wav")
    with pytest.raises(TaskError, match=r"has recordings without a label \('.*0\.wav'\); labels are the names of"):
        load(folder, labelled=True)
    with pytest.raises(TaskError, match="is a file; labels need a folder"):
        load(folder / "0.wav", labelled=True)
    for split in ("train", "valid", "test"):
        write_labelled(tmp_path / "two" / split, ["dog", "cat"] if split != "train" else ["dog", "owl"], 1)
    with pytest.raises(TaskError, match="has no training recording with label 'cat'"):
        load(tmp_path / "two", labelled=True)
