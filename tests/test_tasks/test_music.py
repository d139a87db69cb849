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
from tests.test_tasks.midi_files import melody, write

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
    write(path, melody(*pitches))


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


@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.bool_])
def test_lists_of_pieces_of_one_length_are_read_as_scipy_saves_them(tmp_path: Path, kind: type) -> None:
    rolls = random_rolls(6, 6, 6, seed=5)
    one = random_rolls(4, seed=6)
    path = write_mat(tmp_path / "music.mat", traindata=[roll.astype(kind) for roll in rolls], testdata=one)
    task = Music(data=str(path))
    for split, expected in ((Split.TRAIN, rolls), (Split.TEST, one)):
        for piece, roll in zip(pieces_of(task, split), expected, strict=True):
            np.testing.assert_array_equal(piece, roll)


def test_the_lines_of_the_message_save_a_file_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "music.mat"
    with pytest.raises(TaskError) as caught:
        Music(data=str(write_mat(path, traindata=np.zeros((4, 88)))))
    lines = str(caught.value).partition("in Python, save it with: ")[2].split("; ")
    assert len(lines) == 3
    for pieces in (random_rolls(6, 6), random_rolls(6), random_rolls(4, 6)):
        names: dict[str, Any] = {"numpy": np, "pieces": pieces, "path": path}
        names["savemat"] = lambda to, content: write_mat(to, **content)
        exec("\n".join(lines).replace(", ...", ""), names)  # noqa: S102 - the lines that a user would run
        for piece, roll in zip(pieces_of(Music(data=str(path)), Split.TRAIN), pieces, strict=True):
            np.testing.assert_array_equal(piece, roll)


def test_all_bad_pieces_are_named_at_once(tmp_path: Path) -> None:
    path = write_mat(
        tmp_path / "music.mat",
        traindata=cells([*random_rolls(3), np.zeros((4, 87))]),
        testdata=cells([np.full((3, 88), 2)]),
    )
    with pytest.raises(TaskError) as caught:
        Music(data=str(path))
    assert str(caught.value) == (
        f"'{path}': piece 2 of 'traindata' has shape (4, 87), piece 1 of 'testdata' has the value 2; a piece must be "
        "(steps, 88) with 1 to 100,000 steps of 0 and 1"
    )


def test_files_beside_a_matlab_file_are_named_and_its_twin_is_no_data(tmp_path: Path) -> None:
    write_mat(tmp_path / "music.mat")
    (tmp_path / "._music.mat").write_bytes(b"\0\5\x16\7")
    write_midi(tmp_path / "train" / "a.mid", 60)
    facts = {fact.name: fact for fact in Music(data=str(tmp_path)).description(Split.TRAIN).facts}
    assert facts["files not read"].value == 1
    assert facts["files not read"].remedy == "only 'music.mat' was read: 'train/a.mid'"
    assert "files not read" not in {
        fact.name for fact in Music(data=str(tmp_path / "music.mat")).description(Split.TRAIN).facts
    }
    with pytest.raises(TaskError, match=r"grid = 'eighth', but the steps of a .mat file are those of its rows; leave"):
        Music(data=str(tmp_path), grid="eighth")


@pytest.mark.exact
def test_the_chorales_have_more_notes_on_finer_grids() -> None:
    dropped, steps = [], []
    for grid in ("quarter", "eighth", "sixteenth", "file"):
        described = Music(grid=grid).description(Split.TEST)
        facts = {fact.name: fact.value for fact in described.facts}
        assert facts["notes"] == 8583
        dropped.append(facts["notes dropped by the grid"])
        steps.append(described.steps)
    assert 1000 < dropped[0] < 2000
    assert dropped[0] > 5 * dropped[1] > 0
    assert dropped[3] == 0
    assert steps[1] == pytest.approx(2 * steps[0], rel=0.01)
    assert steps[2] == pytest.approx(4 * steps[0], rel=0.01)


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
        ({"traindata": "words"}, r"'traindata' must be a cell array of at least one piece, but it is char of shape"),
        (
            {"validdata": np.zeros((2, 4, 87))},
            r"it is float64 of shape \(2, 4, 87\); in Python, save it with: cells = ",
        ),
        ({"testdata": [np.full((3, 88), 3)]}, r"piece 1 of 'testdata' has the value 3; all values must be 0 or 1"),
        ({"testdata": None, "validdata": None}, r"has no 'validdata', 'testdata'; it must have traindata"),
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


def test_a_plain_midi_folder_is_split_by_the_content_of_its_files(tmp_path: Path) -> None:
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


def as_level_4(folder: Path) -> Path:
    roll = np.zeros((3, 88))
    savemat(folder / "music.mat", {"traindata": roll, "validdata": roll, "testdata": roll}, format="4")
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
        (as_level_4, r"music.mat' is a MATLAB 4 file, which is not supported; save it with -v7, as cell arrays"),
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
