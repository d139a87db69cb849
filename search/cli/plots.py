"""Plots in the terminal."""

from collections.abc import Sequence

from results.store.sanitize import printable
from tasks.interface import OUTPUTS
from tasks.task import Split, Task

WIDEST = 90
"""Columns of the widest plot."""

PLOTTED_STEPS, PLOTTED_OUTPUTS = 200, 3
"""Steps and outputs of a task that are plotted."""


def line_plot(title: str, label: str, x: Sequence[float], y: Sequence[float], *, width: int, height: int) -> str:
    """Return a line through points as text.

    Args:
        title: text above the plot.
        label: text below the horizontal axis.
        x: horizontal coordinates.
        y: vertical coordinates.
        width: columns of the terminal.
        height: lines of the plot.
    """
    import plotext  # slow to import

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(min(width, WIDEST), height)
    figure.title(title)
    figure.label(label)
    figure.draw(figure.signal(list(x), list(y), marker="braille").lines())
    text: str = plotext.uncolorize(str(figure.build()))
    return text


def target_plots(task: Task, width: int) -> list[str]:
    """Return plots of the first targets of validation, one for each output; none unless these are real values."""
    if not OUTPUTS[task.output].real:
        return []
    window = next(iter(task.evaluation(Split.VALIDATION, 1, PLOTTED_STEPS)))
    targets = window.targets[window.loss_mask[:, 0] > 0, 0]
    if len(targets) < 2:
        return []
    steps = range(1, len(targets) + 1)
    return [
        line_plot(
            f"validation, {printable(task.label(place))}, in the unit that the model predicts",
            "step" if place == last else "",
            steps,
            targets[:, place].tolist(),
            width=width,
            height=12,
        )
        for last in [min(task.output_size, PLOTTED_OUTPUTS) - 1]
        for place in range(last + 1)
    ]
