"""How a cell is compared with the GRU: a ratio that is above 1 for the better one, whatever the metric's direction.

Jozefowicz et al. 2015, section 3.1: a cell's score is the smallest, over the tasks, of its best accuracy divided by the
GRU's. For a metric that is better when it is lower (nats per step) the ratio is turned over.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ratio(value: float | Floats, reference: float | Floats, higher_is_better: bool) -> Floats:
    """`value / reference`, or the reverse where lower is better; NaN where the denominator is not positive."""
    numerator, denominator = (value, reference) if higher_is_better else (reference, value)
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    safe = np.where(bottom > 0, bottom, np.nan)
    return np.asarray(top / safe, np.float64)


def ratio_error(
    value: float | Floats,
    reference: float | Floats,
    value_error: float | Floats,
    reference_error: float | Floats,
    higher_is_better: bool,
) -> Floats:
    """The standard error of `ratio` by the delta method, from the standard errors of both metrics.

    With r = a / b: se(r)^2 = (se(a) / b)^2 + (r se(b) / b)^2. It takes the two errors as independent. Both cells are
    evaluated on the same set, where their errors tend to go together, so this errs on the side of caution. It knows
    nothing of the luck of the seed, nor of having picked the best of many settings.
    """
    if higher_is_better:
        denominator, error_above, error_below = reference, value_error, reference_error
    else:
        denominator, error_above, error_below = value, reference_error, value_error
    bottom = np.asarray(denominator, np.float64)
    safe = np.where(bottom > 0, bottom, np.nan)
    above = np.asarray(error_above, np.float64) / safe
    below = ratio(value, reference, higher_is_better) * np.asarray(error_below, np.float64) / safe
    return np.asarray(np.hypot(above, below), np.float64)
