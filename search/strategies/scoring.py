"""Score of a cell from the validation metrics of the search's own trials."""

from collections.abc import Iterable, Mapping, Sequence

from results.scores.score import finite_ratio, score
from tasks.task import Metric


def best_values(results: Mapping[str, Iterable[float | None]], metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Return the best value of each task that has a metric and at least one value."""
    bests = {}
    for task, values in results.items():
        known = [value for value in values if value is not None]
        if known and task in metrics:
            bests[task] = metrics[task].best(known)
    return bests


def score_of(
    bests: Mapping[str, float], reference: Mapping[str, float], ranked: Sequence[str], metrics: Mapping[str, Metric]
) -> float | None:
    """Return the smallest ratio to the reference over the ranked tasks, or None if a task has no ratio.

    Args:
        bests: best validation metric of the cell on each task.
        reference: best validation metric of the reference cell on each ranked task.
        ranked: names of the ranked tasks.
        metrics: metric of each task.
    """
    if not all(name in bests for name in ranked):
        return None
    return score(finite_ratio(bests[name], reference[name], metrics[name].higher_is_better) for name in ranked)
