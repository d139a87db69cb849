"""The paper's results: its scores follow from its accuracies."""

import pytest

from results.scores.paper_results import ACCURACY, TASKS, paper_ratio, paper_score
from search.cells.library import STUDY
from tasks.registry import TASKS as OUR_TASKS


def test_the_scores_are_those_that_follow_from_the_published_accuracies() -> None:
    """Known to three digits: MUT3's smallest ratio is that of the Penn Treebank, .09161 / .09069, the LSTM's of XML."""
    known = {"gru": 1.0, "mut3": 1.010, "mut2": 0.996, "mut1": 0.989, "lstm-b": 0.967, "lstm": 0.924}
    assert {name: paper_score(name) for name in known} == pytest.approx(known, abs=5e-4)
    assert paper_ratio("lstm", "xml") == pytest.approx(0.42470 / 0.45963)


def test_a_cell_or_task_that_the_paper_lacks_is_none() -> None:
    assert paper_ratio("gru", "music") is None
    assert paper_ratio("gru-after", "xml") is None
    assert paper_score("lstm-ob") is None
    assert paper_score("") is None


def test_a_score_covers_the_given_tasks() -> None:
    assert paper_score("lstm-f", ("language", "music")) == paper_ratio("lstm-f", "language")
    assert paper_score("lstm-f", ("music",)) is None


def test_cells_and_tasks_have_the_names_used_here() -> None:
    assert set(ACCURACY) < set(STUDY)
    assert set(TASKS) < set(OUR_TASKS)
    assert all(set(found) == set(TASKS) for found in ACCURACY.values())
