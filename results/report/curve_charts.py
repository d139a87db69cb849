"""Learning curves of a task as charts, kept: most curves of a page that is renewed are those of the page before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import pandas as pd

from results.report.chart_parts import Spec
from results.report.curve_plots import curves_chart, differences_chart
from results.report.curves import difference_curves, mean_curves


@dataclass(frozen=True)
class _Wanted:
    """Charts that are wanted; two are the same if all but the frame is, of which `digest` tells."""

    digest: bytes
    labels: tuple[tuple[str, str], ...]
    order: tuple[str, ...]
    metric: str
    higher: bool
    curves: pd.DataFrame = field(compare=False)


def curve_charts(
    curves: pd.DataFrame, labels: Mapping[str, str], order: Sequence[str], metric: str, *, higher: bool
) -> tuple[Spec, Spec | None]:
    """Return a chart of curves and one of the differences from the GRU's, None if there are none; not to be changed.

    Args:
        curves: as `results.report.curves.curves_of` returns them.
        labels: labels of the cells by whole id.
        order: all labels of the page in order, so that a cell has one colour in all charts.
        metric: name of the metric.
        higher: whether a higher metric is better.
    """
    digest = pd.util.hash_pandas_object(curves, index=False).to_numpy().tobytes()
    return _made(_Wanted(digest, tuple(labels.items()), tuple(order), metric, higher, curves))


@lru_cache(maxsize=64)
def _made(wanted: _Wanted) -> tuple[Spec, Spec | None]:
    labels, frames = dict(wanted.labels), (wanted.curves, mean_curves(wanted.curves))
    gaps = difference_curves(wanted.curves, higher=wanted.higher)
    named, means, differences = (frame.assign(cell=frame["cell"].map(labels)) for frame in (*frames, gaps))
    chart = curves_chart(named, means, wanted.metric, wanted.order)
    return chart, None if gaps.empty else differences_chart(differences, wanted.metric, wanted.order)
