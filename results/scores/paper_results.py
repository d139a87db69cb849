"""Results of the paper on the named cells, for comparison with those of a run.

Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent Network Architectures", ICML 2015: next-step
accuracies of each cell's best setting. Their language task is the Penn Treebank. Its accuracies are far below those of
the argmax of such a model, so only their ratios are comparable. The paper's models are ten to fifty times larger.
"""

from collections.abc import Mapping, Sequence

from results.scores.score import score

ACCURACY: Mapping[str, Mapping[str, float]] = {
    "tanh": {"arithmetic": 0.29493, "xml": 0.32050, "language": 0.08782},
    "lstm": {"arithmetic": 0.89228, "xml": 0.42470, "language": 0.08912},
    "lstm-f": {"arithmetic": 0.29292, "xml": 0.23356, "language": 0.08808},
    "lstm-i": {"arithmetic": 0.75109, "xml": 0.41371, "language": 0.08662},
    "lstm-o": {"arithmetic": 0.86747, "xml": 0.42117, "language": 0.08933},
    "lstm-b": {"arithmetic": 0.90163, "xml": 0.44434, "language": 0.08952},
    "gru": {"arithmetic": 0.89565, "xml": 0.45963, "language": 0.09069},
    "mut1": {"arithmetic": 0.92135, "xml": 0.47483, "language": 0.08968},
    "mut2": {"arithmetic": 0.89735, "xml": 0.47324, "language": 0.09036},
    "mut3": {"arithmetic": 0.90728, "xml": 0.46478, "language": 0.09161},
}
"""Accuracy by name of the library's cell and name of the task here."""

TASKS = ("arithmetic", "xml", "language")


def paper_ratio(name: str, task: str) -> float | None:
    """Return the paper's accuracy of a named cell over its GRU's, or None if the paper has none."""
    found = ACCURACY.get(name, {}).get(task)
    return None if found is None else found / ACCURACY["gru"][task]


def paper_score(name: str, tasks: Sequence[str] = TASKS) -> float | None:
    """Return the paper's score of a named cell: its smallest ratio (section 3.1) over those of `tasks` that it has."""
    return score(ratio for task in tasks if (ratio := paper_ratio(name, task)) is not None)
