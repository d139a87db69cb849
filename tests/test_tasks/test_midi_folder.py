"""Folders of MIDI files: splits, files that are not read or cannot be, grids and what they drop."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tasks.description import Fact
from tasks.errors import TaskError
from tasks.music import Music
from tasks.task import Split
from tests.test_tasks.midi_files import header, melody, midi, write
from tests.test_tasks.test_music import pieces_of

SPLITS = ("train", "valid", "test")


def fact(task: Music, split: Split, name: str) -> Fact:
    return next(fact for fact in task.description(split).facts if fact.name == name)


def value(task: Music, split: Split, name: str) -> float:
    return fact(task, split, name).value


def three(folder: Path, *files: bytes) -> Path:
    """Write one file, or three, into the folders of the splits."""
    for place, split in enumerate(SPLITS):
        write(folder / split / "a.mid", files[place % len(files)])
    return folder


def pitches_of(task: Music) -> dict[Split, list[list[int]]]:
    return {split: [(np.argwhere(piece)[:, 1] + 21).tolist() for piece in pieces_of(task, split)] for split in Split}


def test_folders_in_any_case_are_read_as_they_are_and_files_beside_them_are_named(tmp_path: Path) -> None:
    for place, split in enumerate(("Train", "Validation", "TEST")):
        write(tmp_path / split / "song.mid", melody(60 + place, 70))
        write(tmp_path / split / "._song.mid", b"\0\5\x16\7" + bytes(80))
    write(tmp_path / "__MACOSX" / "Train" / "song.mid", b"nothing")
    write(tmp_path / "more" / "b.mid", melody(50))
    write(tmp_path / "Train" / "notes.txt", b"words")
    task = Music(data=str(tmp_path))
    assert pitches_of(task) == {Split.TRAIN: [[60, 70]], Split.VALIDATION: [[61, 70]], Split.TEST: [[62, 70]]}
    unread = fact(task, Split.TRAIN, "files not read")
    assert unread.value == 2
    assert unread.value > unread.limit
    assert unread.remedy.endswith("no .mid files: 'Train/notes.txt', 'more/b.mid'")


def test_one_file_name_throughout_is_divided_by_content(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"piece {number}" / "song.mid", melody(*range(40, 54 + number)))
    counts = {split: len(pieces) for split, pieces in pitches_of(Music(data=str(tmp_path))).items()}
    assert sum(counts.values()) == 40
    assert min(counts.values()) >= 1
    assert counts[Split.TRAIN] > 20


def test_copies_in_one_heap_are_in_one_split(tmp_path: Path) -> None:
    """Copies with other names, resolutions, keys and lengths of notes."""
    tunes = [[40 + (number * k * k + k) % 37 for k in range(14)] for number in range(1, 31)]
    for number, tune in enumerate(tunes):
        write(tmp_path / f"{number}.mid", melody(*tune))
        write(tmp_path / f"Copy (2) of {number}.mid", melody(*tune, ticks=480, division=480))
        write(tmp_path / "high" / f"{number}.MID", melody(*(pitch + 3 for pitch in tune)))
    found = {
        split: {tuple(np.diff(piece)) for piece in pieces}
        for split, pieces in pitches_of(Music(data=str(tmp_path))).items()
    }
    assert sum(map(len, found.values())) == 30
    assert set().union(*found.values()) == {tuple(np.diff(tune)) for tune in tunes}
    described = Music(data=str(tmp_path)).description
    assert [described(split).repeated for split in Split] == [0, 0, 0]
    assert sum(described(split).sequences for split in Split) == 90


def test_a_heap_of_copies_is_refused_with_numbers(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / f"{number}.mid", melody(60, 62))
    with pytest.raises(TaskError, match=r"has no .mid file for \w+ among 12 \(1 different\); put some into subfolders"):
        Music(data=str(tmp_path))


def test_copies_in_folders_of_splits_are_told(tmp_path: Path) -> None:
    tune = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64]
    three(tmp_path, melody(*tune), melody(*(pitch - 2 for pitch in tune)), melody(*tune[::-1]))
    write(tmp_path / "train" / "b.mid", melody(50, 51, 52))
    task = Music(data=str(tmp_path))
    assert [task.description(split).repeated for split in Split] == [1, 1, 0]
    assert task.description(Split.TRAIN).repeated_steps == 13
    assert task.description(Split.VALIDATION).repeated_share == 1.0


def test_names_of_files_may_be_latin_1(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / split).mkdir()
        path = os.path.join(os.fsencode(tmp_path / split), b"Pr\xe9lude.mid")
        with open(path, "wb") as file:
            file.write(melody(60, 61))
    assert pitches_of(Music(data=str(tmp_path)))[Split.TEST] == [[60, 61]]
    with open(os.path.join(os.fsencode(tmp_path), b"test", b"\xfcber.mid"), "wb") as file:
        file.write(b"nothing")
    with pytest.raises(TaskError, match=r"\\udcfcber.mid' is not a readable MIDI file") as caught:
        Music(data=str(tmp_path))
    str(caught.value).encode()


def test_all_bad_files_are_named_at_once(tmp_path: Path) -> None:
    three(tmp_path, melody(60))
    write(tmp_path / "train" / "b (1).mid", b"<html>")
    write(tmp_path / "valid" / "c.mid", b"")
    write(tmp_path / "test" / "d.mid", melody(3))
    (tmp_path / "test" / "e.mid").symlink_to("nowhere")
    with pytest.raises(TaskError) as caught:
        Music(data=str(tmp_path))
    assert str(caught.value) == (
        f"4 of 7 files of data = '{tmp_path}' cannot be used: "
        f"'{tmp_path}/test/d.mid' has no note of a piano on any beat, "
        f"'{tmp_path}/test/e.mid' cannot be read: No such file or directory, "
        f"'{tmp_path}/train/b (1).mid' is not a readable MIDI file (it does not begin with MThd), "
        f"'{tmp_path}/valid/c.mid' is not a readable MIDI file (it is empty); leave them out, or correct them"
    )


def test_a_single_file_of_midi_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"a.mid' is one MIDI file; give a folder of them, or a .mat file"):
        Music(data=str(write(tmp_path / "a.mid", melody(60))))


SIXTEENTHS = midi([byte for k in range(4) for byte in (0, 0x90, 60 + k, 64, 1, 0x80, 60 + k, 0)])
TRIPLETS = midi([byte for k in range(6) for byte in (0, 0x90, 60 + k, 64, 4, 0x80, 60 + k, 0)], division=12)


@pytest.mark.parametrize(
    ("grid", "steps", "dropped"), [("quarter", 1, 3), ("eighth", 2, 2), ("sixteenth", 4, 0), ("file", 4, 0)]
)
def test_what_the_grid_drops_is_counted(tmp_path: Path, grid: str, steps: int, dropped: int) -> None:
    task = Music(data=str(three(tmp_path, SIXTEENTHS)), grid=grid)
    (piece,) = pieces_of(task, Split.VALIDATION)
    assert len(piece) == piece.sum() == steps
    assert value(task, Split.VALIDATION, "notes") == 4
    assert value(task, Split.VALIDATION, "notes dropped by the grid") == dropped
    share = fact(task, Split.VALIDATION, "of the notes dropped by the grid")
    assert share.value == dropped / 4
    assert (share.value > share.limit) == (dropped > 1)


def test_the_remedy_for_dropped_notes_is_a_finer_grid(tmp_path: Path) -> None:
    task = Music(data=str(three(tmp_path, SIXTEENTHS)), grid="eighth")
    remedy = fact(task, Split.TRAIN, "of the notes dropped by the grid").remedy
    assert remedy == "set the option grid, now eighth, to sixteenth or file"


def test_each_piece_has_the_grid_that_its_notes_need(tmp_path: Path) -> None:
    task = Music(data=str(three(tmp_path, TRIPLETS, SIXTEENTHS, melody(60, 62))), grid="file")
    assert [len(pieces_of(task, split)[0]) for split in Split] == [6, 4, 2]
    assert [value(task, split, "steps in a quarter note, most") for split in Split] == [3, 4, 1]
    assert [value(task, split, "notes dropped by the grid") for split in Split] == [0, 0, 0]


def test_the_grid_does_not_change_the_splits_of_pieces_that_differ_on_it(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / f"{number}.mid", melody(*range(40, 45 + 2 * number), ticks=2))
    lengths = {
        grid: {split: sorted(len(p) for p in pieces_of(Music(data=str(tmp_path), grid=grid), split)) for split in Split}
        for grid in ("quarter", "eighth", "sixteenth")
    }
    for split in Split:
        notes = [length // 2 for length in lengths["sixteenth"][split]]
        assert lengths["eighth"][split] == notes
        assert lengths["quarter"][split] == [(count + 1) // 2 for count in notes]


def test_silence_percussion_and_other_losses_are_told(tmp_path: Path) -> None:
    track = [0, 0x99, 35, 64, 0, 0x90, 110, 64, 0, 0x90, 60, 64, 4, 0x80, 60, 0, 0, 0x90, 60, 64, 4, 0x80, 60, 0]
    track += [0xA0, 0x00, 0x90, 60, 64, 4, 0x80, 60, 0]  # after 4096 ticks, 1024 quarter notes
    quiet = midi(track)
    data = three(tmp_path, quiet, quiet[:18] + (len(track) + 9).to_bytes(4, "big") + quiet[22:], melody(60))
    for grid in ("quarter", "sixteenth", "file"):
        task = Music(data=str(data), grid=grid)
        longest = fact(task, Split.TRAIN, "quarter notes in the longest silence")
        assert longest.value == 1024 > longest.limit
        assert value(task, Split.TEST, "quarter notes in the longest silence") == 0
        assert value(task, Split.TRAIN, "silent steps") == pytest.approx(1024 / 1027)
        assert value(task, Split.TRAIN, "notes") == 4
        assert value(task, Split.TRAIN, "notes merged with the one before") == 1
        assert value(task, Split.TRAIN, "notes that a piano does not have, left out") == 1
        assert value(task, Split.TRAIN, "percussion notes, left out") == 1
        assert [value(task, s, "files with wrong lengths, read nevertheless") for s in Split] == [0, 1, 0]


def test_a_grid_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="grid = 'bar', but it must be one of quarter, eighth, sixteenth, file"):
        Music(grid="bar")
    with pytest.raises(TaskError, match="grid = 3, but"):
        Music(grid=3)  # type: ignore[arg-type]
    three(tmp_path, header())
    with pytest.raises(TaskError, match="has no note of a piano on any step of 1/2 quarter note"):
        Music(data=str(tmp_path), grid="eighth")


def test_notes_that_something_else_ends_are_counted(tmp_path: Path) -> None:
    elsewhere = midi([0, 0x90, 60, 64, 16, 0xB0, 7, 64], [4, 0x80, 60, 0])
    never = midi([0, 0x90, 60, 64, 16, 0xB0, 7, 64])
    task = Music(data=str(three(tmp_path, elsewhere, never, melody(60, 62))))
    assert [len(pieces[0]) for pieces in pitches_of(task).values()] == [1, 4, 2]
    ended = [value(task, split, "notes that another track or all notes off ended") for split in Split]
    assert ended == [1, 0, 0]
    assert [value(task, split, "notes that are never released") for split in Split] == [0, 1, 0]
    assert fact(task, Split.VALIDATION, "notes that are never released").limit == 0
