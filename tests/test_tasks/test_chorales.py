"""Chorales: notes equal those that music21 reads, and each tune is in one split."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from itertools import chain, pairwise
from pathlib import Path

import pytest

from tasks.chorales import chorales, tunes
from tasks.errors import TaskError
from tasks.piano_rolls import Note
from tasks.scores import score_parts
from tasks.task import Split


def score_folder() -> Path:
    package = importlib.util.find_spec("music21")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "corpus" / "bach"


@pytest.mark.parametrize(
    "name",
    ["bwv10.7.mxl", "bwv67.4.xml", "bwv1.6.mxl", "bwv227.11.mxl", "bwv244.15.mxl", "bwv248.9-s.mxl", "bwv371.mxl"],
)
def test_scores_are_read_as_music21_reads_them(name: str) -> None:
    from music21 import converter

    path = score_folder() / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parse(path, forceSource=True)
    expected = [
        sorted(
            (pitch.midi, float(note.offset), float(note.offset + note.quarterLength))
            for note in part.flatten().notes
            for pitch in note.pitches
        )
        for part in score.parts
    ]
    parts = score_parts(path)
    assert len(parts) == len(expected)
    for part, notes in zip(parts, expected, strict=True):
        assert len(part) == len(notes) > 20
        for note, other in zip(sorted(part), notes, strict=True):
            assert note.pitch == other[0]
            assert (note.begin, note.end) == pytest.approx(other[1:], abs=1e-6)


def test_chords_voices_rests_transposition_and_grace_notes(tmp_path: Path) -> None:
    def note(pitch: str, duration: int, extra: str = "") -> str:
        parts = re.fullmatch(r"(.)(#?)(\d)", pitch)
        assert parts is not None
        alter = "<alter>1</alter>" if parts[2] else ""
        return (
            f"<note>{extra}<pitch><step>{parts[1]}</step>{alter}<octave>{parts[3]}</octave></pitch>"
            f"<duration>{duration}</duration></note>"
        )

    grace = "<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note>"
    rest = "<note><rest/><duration>2</duration></note>"
    first = note("C4", 2) + note("E4", 2, "<chord/>") + grace + rest + "<backup><duration>4</duration></backup>"
    first += "<forward><duration>1</duration></forward>" + note("G#3", 3)
    second = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>" + note("C4", 2)
    (tmp_path / "score.xml").write_text(
        "<score-partwise><part><measure><attributes><divisions>2</divisions></attributes>"
        f"{first}</measure><measure>{second}</measure></part></score-partwise>"
    )
    (part,) = score_parts(tmp_path / "score.xml")
    assert part == [Note(60, 0, 1), Note(64, 0, 1), Note(56, 0.5, 2), Note(58, 2, 3)]


def test_there_are_hundreds_and_an_eighth_is_validation_and_test_each() -> None:
    counts = {split: len(pieces) for split, pieces in chorales().items()}
    total = sum(counts.values())
    assert total > 350
    assert 0.08 < counts[Split.VALIDATION] / total < 0.17
    assert 0.08 < counts[Split.TEST] / total < 0.17
    for pieces in chorales().values():
        for piece in pieces:
            assert len(piece) > 10
            assert 1 <= piece.sum(axis=1).max() <= 4  # four voices


def test_no_melody_is_in_two_splits() -> None:
    """The highest voices of two splits share no 16 successive intervals."""
    runs: dict[Split, set[tuple[int, ...]]] = {}
    for split, pieces in chorales().items():
        found: set[tuple[int, ...]] = set()
        for piece in pieces:
            top = [int(keys.nonzero()[0].max()) for keys in piece if keys.any()]
            melody = [pitch for place, pitch in enumerate(top) if place == 0 or top[place - 1] != pitch]
            intervals = [b - a for a, b in pairwise(melody)]
            found |= {tuple(intervals[start : start + 16]) for start in range(len(intervals) - 15)}
        runs[split] = found
    assert all(len(found) > 300 for found in runs.values())
    assert not runs[Split.TRAIN] & runs[Split.VALIDATION]
    assert not runs[Split.TRAIN] & runs[Split.TEST]
    assert not runs[Split.VALIDATION] & runs[Split.TEST]


@pytest.mark.slow  # parses all scores again
def test_another_fold_trains_on_what_was_held_out() -> None:
    first, second = (
        {split: sorted(piece.tobytes() for piece in pieces) for split, pieces in chorales(fold).items()}
        for fold in (0, 1)
    )
    assert {*first[Split.VALIDATION], *first[Split.TEST]} <= {*second[Split.TRAIN]}
    assert sorted(chain.from_iterable(first.values())) == sorted(chain.from_iterable(second.values()))
    assert 0.08 < len(second[Split.TEST]) / sum(map(len, second.values())) < 0.17


def melody(*pitches: int, length: float = 1.0) -> list[list[Note]]:
    return [[Note(pitch, place * length, (place + 1) * length) for place, pitch in enumerate(pitches)]]


def test_a_tune_is_known_in_another_key_and_rhythm_and_by_its_number() -> None:
    tune = (60, 62, 64, 65, 67, 65, 64, 62, 60, 67, 69, 71, 72)
    other = (60, 61, 64, 65, 67, 65, 64, 62, 60, 67, 69, 71, 73)
    found = tunes(
        {
            "bwv5": melody(*tune),
            "bwv3": melody(50, *(pitch + 5 for pitch in tune), 60, length=2.0),
            "bwv4": melody(*other),
            "bwv4-b": melody(60, 61),
            "bwv9": melody(60, 61),
        }
    )
    assert found == {"bwv5": "bwv3", "bwv3": "bwv3", "bwv4": "bwv4", "bwv4-b": "bwv4", "bwv9": "bwv9"}


def test_known_settings_of_one_tune_are_together() -> None:
    """'Herzlich tut mich verlangen', five times in the St Matthew Passion (BWV 244)."""
    names = [f"bwv244.{number}" for number in (15, 17, 44, 54, 62)]
    voices = {name: score_parts(score_folder() / f"{name}.mxl") for name in [*names, "bwv244.3"]}
    found = tunes(voices)
    assert len({found[name] for name in names}) == 1
    assert found["bwv244.3"] != found[names[0]]


def test_a_package_without_scores_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "music21").mkdir()
    (tmp_path / "music21" / "__init__.py").write_text("")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "music21", raising=False)
    with pytest.raises(TaskError, match="installed without Bach's scores; run: pip install music21"):
        chorales()
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(TaskError, match="'music21', which is not installed; run: pip install music21"):
        chorales()
