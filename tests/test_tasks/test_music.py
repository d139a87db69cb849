"""User's music: MATLAB files, MIDI folders, and refused files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import savemat

from tasks.errors import TaskError
from tasks.music import Music
from tasks.task import Split

Rolls = list[npt.NDArray[Any]]


def cells(pieces: Rolls) -> npt.NDArray[np.object_]:
    """Return pieces of any shapes as a MATLAB cell array."""
    row = np.empty((1, len(pieces)), object)
    for place, piece in enumerate(pieces):
        row[0, place] = piece
    return row


def random_rolls(*lengths: int, seed: int = 0) -> Rolls:
    rng = np.random.default_rng(seed)
    return [(rng.random((length, 88)) < 0.05).astype(np.uint8) for length in lengths]


def write_mat(path: Path, **changed: object) -> Path:
    content: dict[str, object] = {
        "traindata": cells(random_rolls(9, 9, 30, 12, 11)),
        "validdata": cells(random_rolls(7, 4, seed=1)),
        "testdata": cells(random_rolls(5, seed=2)),
    }
    savemat(path, {key: value for key, value in (content | changed).items() if value is not None})
    return path


def write_midi(path: Path, *pitches: int) -> None:
    """Write a MIDI file of successive quarter notes."""
    track = b"".join(bytes([0, 0x90, pitch, 64, 4, 0x80, pitch, 0]) for pitch in pitches) + b"\x00\xff\x2f\x00"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"MThd\0\0\0\6\0\0\0\1\0\4MTrk" + len(track).to_bytes(4, "big") + track)


def pieces_of(task: Music, split: Split) -> Rolls:
    """Return the pieces of a split, read with one piece per batch."""
    pieces: list[Rolls] = []
    for window in task.evaluation(split, 1, 8):
        if window.starts:
            pieces.append([])
        pieces[-1].append(window.targets[:, 0])
    return [np.concatenate(parts) for parts in pieces]


@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.bool_, np.int16])
def test_published_matlab_files_are_read(tmp_path: Path, kind: type) -> None:
    rolls = random_rolls(3, 8, 8, seed=5)
    path = write_mat(tmp_path / "music.mat", traindata=cells([roll.astype(kind) for roll in rolls]))
    for data in (path, tmp_path):  # the file, or the folder with nothing else of the kind
        read = pieces_of(Music(data=str(data)), Split.TRAIN)
        assert len(read) == 3
        for piece, roll in zip(read, rolls, strict=True):
            np.testing.assert_array_equal(piece, roll)


def test_the_checksum_is_of_the_pieces_and_not_of_their_place(tmp_path: Path) -> None:
    (first, second, other) = (
        Music(data=str(write_mat(tmp_path / "a.mat"))),
        Music(data=str(write_mat(tmp_path / "b.mat"))),
        Music(data=str(write_mat(tmp_path / "c.mat", testdata=cells(random_rolls(5, seed=3))))),
    )
    assert first.checksum == second.checksum
    assert first.checksum != other.checksum


def test_a_training_pass_has_every_piece_and_fills_up_with_some_again(tmp_path: Path) -> None:
    task = Music(data=str(write_mat(tmp_path / "music.mat")))
    windows = task.training(2, 100, np.random.default_rng(3))
    heard = [next(windows) for _ in range(3)]  # five pieces, two a batch
    assert all(window.starts for window in heard)
    columns = [window.targets[window.loss_mask[:, c] > 0, c] for window in heard for c in range(2)]
    known = [roll.tobytes() for roll in random_rolls(9, 9, 30, 12, 11)]
    found = [known.index(column.astype(np.uint8).tobytes()) for column in columns]
    assert set(found) == set(range(5))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"testdata": None}, r"has no 'testdata'; it must have traindata, validdata, testdata"),
        ({"validdata": np.zeros((4, 88))}, r"'validdata' must be a cell array of at least one piece"),
        ({"validdata": np.empty((1, 0), object)}, r"'validdata' must be a cell array of at least one piece"),
        (
            {"testdata": cells([np.zeros((4, 87))])},
            r"piece 1 of 'testdata' has shape \(4, 87\); it must be \(steps, 88\)",
        ),
        ({"testdata": cells([np.zeros((0, 88))])}, r"piece 1 of 'testdata' has shape \(0, \d+\)"),
        ({"testdata": cells([*random_rolls(3), np.full((3, 88), 2)])}, r"piece 2 of 'testdata' has the value 2"),
        ({"testdata": cells([np.full((3, 88), np.nan)])}, r"has the value nan; all values must be 0 or 1"),
        ({"testdata": cells([np.full((3, 88), 1j)])}, r"has elements of type complex128"),
        ({"testdata": cells([np.array([["x" * 88]])])}, r"piece 1 of 'testdata' has"),
    ],
)
def test_wrong_matlab_files_are_one_line(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    path = write_mat(tmp_path / "music.mat", **changed)
    with pytest.raises(TaskError, match=message) as caught:
        Music(data=str(path))
    assert "\n" not in str(caught.value)
    assert "music.mat" in str(caught.value)


def test_midi_folders_of_three_parts_are_read(tmp_path: Path) -> None:
    write_midi(tmp_path / "train" / "deep" / "a.mid", 60, 62)
    write_midi(tmp_path / "train" / "b.MID", 64)
    write_midi(tmp_path / "valid" / "c.midi", 65, 65)
    write_midi(tmp_path / "test" / "d.mid", 67)
    task = Music(data=str(tmp_path))
    found = {split: [np.argwhere(piece)[:, 1] + 21 for piece in pieces_of(task, split)] for split in Split}
    assert [piece.tolist() for piece in found[Split.TRAIN]] == [[64], [60, 62]]
    assert [piece.tolist() for piece in found[Split.VALIDATION]] == [[65, 65]]
    assert [piece.tolist() for piece in found[Split.TEST]] == [[67]]
    assert task.render(next(task.evaluation(Split.TRAIN, 2, 8)), 1) == "C4\nD4"
    assert Music(data=str(tmp_path)).checksum == task.checksum  # from the cache now


def test_a_plain_midi_folder_is_split_by_the_files_names(tmp_path: Path) -> None:
    for number in range(40):
        write_midi(tmp_path / f"{number}.mid", *(60 + number % 12 for _ in range(number + 1)))
    before = {split: {len(piece) for piece in pieces_of(Music(data=str(tmp_path)), split)} for split in Split}
    assert sum(map(len, before.values())) == 40
    assert len(before[Split.TRAIN]) > 20
    write_midi(tmp_path / "another.mid", *[60] * 50)
    after = {split: {len(piece) for piece in pieces_of(Music(data=str(tmp_path)), split)} for split in Split}
    assert {split: lengths - {50} for split, lengths in after.items()} == before


def as_pickle(folder: Path) -> Path:
    (folder / "JSB Chorales.pickle").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    return folder / "JSB Chorales.pickle"


def as_text(folder: Path) -> Path:
    (folder / "music.mat").write_text("not a MATLAB file\n" * 20)
    return folder / "music.mat"


def as_hdf(folder: Path) -> Path:
    (folder / "music.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    return folder / "music.mat"


def as_two_files(folder: Path) -> Path:
    write_mat(folder / "a.mat")
    write_mat(folder / "b.mat")
    return folder


def as_half_a_folder(folder: Path) -> Path:
    write_midi(folder / "train" / "a.mid", 60)
    return folder


def as_broken_midi(folder: Path) -> Path:
    for name in ("train", "valid", "test"):
        write_midi(folder / name / "a.mid", 60)
    (folder / "valid" / "b.mid").write_text("MThd, or so")
    return folder


def as_drums(folder: Path) -> Path:
    for name in ("train", "valid", "test"):
        write_midi(folder / name / "a.mid", 60)
    write_midi(folder / "test" / "b.mid", 3, 5, 120)
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing", r"does not exist; give a .mat file or a folder of MIDI files"),
        (lambda folder: folder, r"has no .mid file for train; put some into subfolders train, valid and test"),
        (as_pickle, r"is a pickle, which can run code when it is loaded; give a .mat file or MIDI files"),
        (as_text, r"music.mat' is not a readable MATLAB file \(.*\); check it"),
        (as_hdf, r"is a MATLAB 7.3 file, which is not supported; save it with -v7"),
        (as_two_files, r"has 2 .mat files; name one of them"),
        (as_half_a_folder, r"has no .mid file for validation"),
        (as_broken_midi, r"b.mid' is not a readable MIDI file \(it does not begin with MThd\); leave it out"),
        (as_drums, r"b.mid' has no note of a piano on any beat; leave it out"),
    ],
)
def test_what_is_no_music_is_one_line(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        Music(data=str(make(tmp_path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "fold", "words"),
    [
        (None, 4, "task 'music': fold = 4, but it must be an integer from 0 to 3"),
        (None, True, "fold = True"),
        ("my.mat", 1, "task 'music': fold = 1, but your data has a division of its own"),
    ],
)
def test_a_fold_that_there_is_not_is_refused(data: str | None, fold: int, words: str) -> None:
    with pytest.raises(TaskError) as error:
        Music(data=data, fold=fold)
    assert words in str(error.value)


def test_data_that_is_no_path_is_refused() -> None:
    with pytest.raises(TaskError, match="data = 3, but it must be the path"):
        Music(data=3)  # type: ignore[arg-type]
