"""Words of the report for states, reasons and verdicts."""

import pytest

from results.report.wording import REJECTIONS, STATES, reason_words, verdict_words, worse_tasks
from results.scores.finding import Standing
from results.scores.match import Match
from results.scores.units import GAIN
from results.scores.verdict import Kind, RunVerdict
from results.store.words import TrialState
from search.cells.draft import Rejection


def test_every_state_and_reason_of_a_rejection_is_explained() -> None:
    assert set(STATES) == set(TrialState)
    assert set(REJECTIONS) == set(Rejection)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("not above the best constant guess, N at step N", "not above the best constant guess"),
        (
            "not better than a constant prediction, N, by more than N standard errors at step N",
            "not better than a constant prediction beyond the noise",
        ),
        ("the gradient is not finite at step N", "the gradient is not finite"),
        ("killed by signal N", "killed by signal"),
        (
            "given up after N tries: the process ended",
            "given up after \N{HORIZONTAL ELLIPSIS} tries: the process ended",
        ),
        ("task 'mine': KeyError", "task 'mine': KeyError"),
        ("NaN in the loss", "NaN in the loss"),
        ("N", "N"),
    ],
)
def test_reasons_have_no_numbers_that_differ_between_trials(reason: str, words: str) -> None:
    assert reason_words(reason) == words


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_verdict_has_a_tile(kind: Kind) -> None:
    verdict = RunVerdict(kind, ("A sentence.",), cell="g1234abcd", better=("xml", "music"))
    title, note = verdict_words(verdict, (), searched=True)
    assert title
    assert note
    assert ("xml, music" in note) == (kind is Kind.BETTER)


def test_a_cell_that_is_better_on_some_tasks_and_worse_on_others_is_not_called_better() -> None:
    verdict = RunVerdict(Kind.BETTER, ("A sentence.",), cell="mine", better=("xml",))

    def match(cell: str, task: str, standing: Standing) -> Match:
        return Match(task, cell, "gru", standing, 0.0, -0.1, 0.1, unit=GAIN, repeats=5)

    matches = [match("mine", "music", Standing.WORSE), match("mine", "xml", Standing.BETTER)]
    matches += [match("other", "language", Standing.WORSE)]
    assert worse_tasks(verdict, matches) == ("music",)
    title, note = verdict_words(verdict, ("music",), searched=True)
    assert title == "mine is better on some tasks"
    assert note == "than GRU and LSTM on xml; worse than one of them on music"
