"""`gatesearch tasks`, `train` and `search` say what was read, and warn of data that are mostly unknown or silent."""

import json
from pathlib import Path

import pytest

from search.cli.descriptions import summary_line, warnings_of
from tasks.registry import load_task
from tasks.task import Split
from tests.test_search.test_cli.conftest import Gatesearch


def texts(path: Path, before: str) -> Path:
    """Write a folder of three texts; each line is these words, and two that occur once."""
    path.mkdir()
    for number, split in enumerate(("train", "valid", "test")):
        lines = (f"{before} a{number}-{k} b{number}-{k}\n" for k in range(40 + number))
        (path / f"{split}.txt").write_text("".join(lines))
    return path


def midi(path: Path, pause: int) -> Path:
    """Write a folder with a MIDI file for each split: two quarter notes with a pause of quarter notes between them."""
    wait = bytes([0x80 | pause >> 14, 0x80 | pause >> 7 & 127, pause & 127])
    for number, split in enumerate(("train", "valid", "test")):
        note = bytes([60 + number])
        first = b"\0\x90" + note + b"\x40" + b"\1\x80" + note + b"\0"
        track = first + wait + b"\x90" + note + b"\x40\1\x80" + note + b"\0" + b"\0\xff\x2f\0"
        (path / split).mkdir(parents=True)
        (path / split / "a.mid").write_bytes(b"MThd\0\0\0\6\0\0\0\1\0\1MTrk" + len(track).to_bytes(4, "big") + track)
    return path


def test_the_table_of_a_task_has_what_was_read_by_split(gatesearch: Gatesearch) -> None:
    said = gatesearch("tasks", "xml", "--profile", "tiny.toml")
    rows = {line[:30].strip(): line[30:].split() for line in said.out.splitlines() if line.startswith(("s", "c", "in"))}
    (row,) = json.loads(gatesearch("tasks", "xml", "--profile", "tiny.toml", "--json").out)
    task = load_task("xml", **row["parameters"])
    for position, split in ((1, Split.VALIDATION), (2, Split.TEST)):
        described, stored = task.description(split), row["splits"][split.value]
        assert rows["samples"][position] == f"{described.sequences:,}"
        assert rows["steps"][position] == f"{described.steps:,}"
        assert float(rows["ceiling, accuracy"][position]) == pytest.approx(task.ceiling(split), abs=6e-5)
        assert float(rows["constant baseline, accuracy"][position - 1]) == pytest.approx(
            task.constant_baseline(split), abs=6e-5
        )
        assert (stored["steps"], stored["sequences"]) == (described.steps, described.sequences)
        assert stored["ceiling"] == task.ceiling(split)
        assert stored["loss_mask_share"] == 1.0
        assert stored["facts"] == {}
    assert row["splits"]["train"]["endless"] is True
    assert "train (sample)" in said.out
    assert "xml: 29 symbols, endless + " in said.out


def test_text_of_words_that_are_not_in_the_training_text_is_refused(gatesearch: Gatesearch, here: Path) -> None:
    """So is text without blanks between words: each line is then a word that occurs once."""
    said = gatesearch("tasks", "language", "--data", str(texts(here / "texts", "")))
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "all 82 words of validation are unknown: none is among the 82 of the vocabulary; separate the" in said.err


def test_text_of_mostly_unknown_words_is_warned_of(gatesearch: Gatesearch, here: Path) -> None:
    folder = texts(here / "texts", "the")
    said = gatesearch("tasks", "language", "--data", str(folder))
    assert (said.status, said.err) == (0, "")
    assert "warning: language: 66.7 % unknown words in validation; separate the words by blanks" in said.out
    assert "warning: language: of 41 lines in validation, 41 are in another split, too (100 % of the steps)" in said.out
    quick = ("--epochs", "1", "--epoch-steps", "1", "--parameters", "2000")
    said = gatesearch("train", "gru", "language", "--data", str(folder), *quick)
    assert "warning: language: 66.7 % unknown words in validation" in said.out


def test_an_error_in_the_description_or_the_ceiling_of_ones_own_task_names_it(
    gatesearch: Gatesearch, here: Path
) -> None:
    for method in ("describe(self)", "ceiling(self, split, batch=50)"):
        name = method.partition("(")[0]
        (here / f"own{name}.py").write_text(
            "from tasks.memorization import Memorization\n\n\nclass Copy(Memorization):\n"
            f'    name = "copy"\n\n    def {method}:\n        return 1 / 0\n'
        )
        said = gatesearch("tasks", f"own{name}:Copy")
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
        assert f"task 'copy' raised ZeroDivisionError in {name}" in said.err


def test_music_that_is_mostly_silent_is_warned_of(here: Path) -> None:
    task = load_task("music", data=str(midi(here / "pause", 500)))
    assert summary_line("music", task) == (
        f"music: 88 notes, 502 + 502 + 502 steps, 99.6 % silent steps, 0.00 notes per step, "
        f"0 % of the notes dropped by the grid, from {here / 'pause'}"
    )
    silent, longest = warnings_of("music", task)
    assert silent.startswith("music: 99.6 % silent steps in train; cut the rests out")
    assert (
        longest
        == "music: quarter notes in the longest silence: 500 in train; cut it out, or leave out the piece that has it"
    )
    assert warnings_of("music", load_task("music", data=str(midi(here / "short", 1)))) == []


def test_samples_of_a_text_cannot_control_the_terminal(gatesearch: Gatesearch, here: Path) -> None:
    folder = texts(here / "texts", "\x1b[31mred \x9b2J \u202eback the \x07 dog")
    said = gatesearch("tasks", "language", "--data", str(folder))
    assert said.status == 0
    assert "?[31mred ?2J ?back the ? dog" in said.out
    assert all(character.isprintable() or character == "\n" for character in said.out + said.err)


def test_files_that_are_not_read_are_warned_of_once(gatesearch: Gatesearch, here: Path) -> None:
    folder = midi(here / "music", 1)
    (folder / "more").mkdir()
    (folder / "more" / "a\x1b[2J.mid").write_bytes((folder / "train" / "a.mid").read_bytes())
    said = gatesearch("tasks", "music", "--data", str(folder))
    (warning,) = (line for line in said.out.splitlines() if line.startswith("warning"))
    assert warning.startswith("warning: music: files not read: 1; they lie beside the folders of the splits")
    assert "\x1b" not in said.out


def test_a_share_that_is_not_zero_or_one_does_not_look_so(here: Path) -> None:
    task = load_task("music", data=str(midi(here / "pause", 16_000)))
    assert "> 99.9 % silent steps" in summary_line("music", task)


def test_tasks_of_a_profile_raise_no_warning() -> None:
    for name in ("memorization", "arithmetic", "xml", "language", "music"):
        assert warnings_of(name, load_task(name)) == []


def test_a_search_begins_with_what_was_read(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("search", "r", "--profile", "tiny.toml", "--proposals", "0", "--workers", "0", "--simulate")
    assert said.status == 0
    found = said.out.splitlines()
    assert found[2].startswith("memorization: 26 symbols, endless + 225 + 225 steps, 66.7 % of them in the loss mask")
    assert [line.partition(":")[0] for line in found[3:5]] == ["xml", "arithmetic"]
    assert (here / "runs" / "r" / "run.sqlite").exists()


def test_a_class_with_the_name_of_an_emoji_is_shown_by_its_name(
    gatesearch: Gatesearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich shows `:sound:` as a picture unless it is told not to."""
    (tmp_path / "own_parity.py").write_text(PARITY)
    monkeypatch.chdir(tmp_path)
    said = gatesearch("tasks", "own_parity:Sound")
    assert "own_parity:Sound: 3 symbols" in said.out


PARITY = """
from gatesearch import GeneratedTask, Sample
class Sound(GeneratedTask):
    name = "parity"
    vocabulary = "01="
    def samples(self, rng):
        while True:
            bits = rng.integers(2, size=10)
            yield Sample("".join(map(str, bits)) + f"={bits.sum() % 2}", counts_from=11)
"""
