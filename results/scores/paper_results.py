"""What the study found of the named cells, to be set beside what a run finds.

Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent Network Architectures", ICML 2015: next-step
accuracies of each cell's best setting. Their language task is the Penn Treebank, and its accuracies are far below what
argmax gives such a model, so that only their ratios say something. The sizes are ten to fifty times ours.
"""

from collections.abc import Mapping, Sequence

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
"""By the name of the library's cell and our name of the task."""

TASKS = ("arithmetic", "xml", "language")


def study_ratio(name: str, task: str) -> float | None:
    """The study's accuracy of a named cell over its GRU's; None for what it does not have."""
    found = ACCURACY.get(name, {}).get(task)
    return None if found is None else found / ACCURACY["gru"][task]


def study_score(name: str, tasks: Sequence[str] = TASKS) -> float | None:
    """The study's score of a named cell: the smallest of its ratios (section 3.1) on those of `tasks` that it has."""
    ratios = [ratio for task in tasks if (ratio := study_ratio(name, task)) is not None]
    return min(ratios, default=None)
