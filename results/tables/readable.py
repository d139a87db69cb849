"""The leaderboard for people: in a terminal, as Markdown, as LaTeX.

`results.tables.leaderboard` has all columns and numbers.
A retrained cell's metrics are means over the repeats with their standard errors; `+` or `-` says that the cell is
better or worse than the GRU beyond the noise. A search estimate's score is in brackets, and nothing is said of noise.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from results.scores.comparison import Verdict
from results.scores.paper_results import TASKS as STUDIED
from results.scores.paper_results import study_ratio, study_score
from results.store.sanitize import printable
from results.store.words import COMPLETE
from results.tables.leaderboard import RETRAINED, SIMULATED

MARKS = {Verdict.BETTER: " +", Verdict.WORSE: " -"}


@dataclass(frozen=True)
class Layout:
    """How much is shown, and with how many spaces between two columns (1 or 2).

    `digits` after the point, standard `errors` or not, `sizes` and time at the end or not, where a cell `stopped` in
    full or in short.
    """

    digits: int = 4
    errors: bool = True
    sizes: bool = True
    stopped: bool = True
    gap: int = 2


LAYOUTS = (
    Layout(),
    Layout(sizes=False),
    Layout(sizes=False, stopped=False),
    Layout(3, sizes=False, stopped=False, gap=1),
    Layout(errors=False, sizes=False),
    Layout(errors=False, sizes=False, stopped=False),
    Layout(errors=False, sizes=False, stopped=False, gap=1),
    Layout(3, errors=False, sizes=False, stopped=False, gap=1),
)
"""The fullest first: the first one that fits a terminal is taken."""

_MARKDOWN = re.compile(r"[\\`\[\]<>|]")
"""What ends a cell of a Markdown table, or begins a link or HTML."""

_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "±": r"$\pm$"}
)

_SIZES = {"parameters": "parameters", "multiply_adds": "mult-adds", "relative_step_seconds": "time"}


def tasks_of(frame: pd.DataFrame) -> list[str]:
    """The ranked tasks of a leaderboard."""
    return [str(column).removesuffix("_ratio_se") for column in frame.columns if str(column).endswith("_ratio_se")]


def readable(
    frame: pd.DataFrame, tasks: Sequence[str], layout: Layout = LAYOUTS[0], study: bool = False
) -> pd.DataFrame:
    """The rows of a leaderboard as text, a few columns of them: rank, cell, name, score, the tasks, sizes and time.

    With `study`, a task's column has the ratio to the GRU and not the metric, and beside it and the score stands what
    the study has of the cell, where it has it.
    """
    rows = []
    ranked = [task for task in tasks_of(frame) if task in STUDIED]
    for row in frame.to_dict("records"):
        retrained = row["evidence"] == RETRAINED
        errors = retrained and layout.errors
        name = "" if pd.isna(row["name"]) else str(row["name"])
        known = name
        if row["stage"] != COMPLETE:
            stage = row["stage"] if layout.stopped else str(row["stage"]).removeprefix("stopped ")
            name = f"{name} {stage}".strip()
        name = printable(name)
        score = _measured(row["score"], row["score_se"] if errors else None, layout.digits)
        score = score if retrained or not score else f"({score})"
        shown = {
            "rank": _number(row["rank"], ".0f"),
            "cell": printable(row["cell"]),
            "name": name,
            "score": _beside(score, study_score(known, ranked), layout) if study else score,
        }
        for task in tasks:
            kind = "ratio" if study else "test"
            error = row[f"{task}_{kind}_se"] if errors else None
            metric = _measured(row[f"{task}_{kind}"], error, 3 if study else layout.digits)
            mark = MARKS.get(row[f"{task}_vs_gru"], "  ") if retrained else "  "
            shown[task] = metric and metric + mark
            if study:
                shown[task] = _beside(shown[task].rstrip(), study_ratio(known, task), layout)
        if layout.sizes:
            shown |= {
                "parameters": _number(row["parameters"], ",.0f"),
                "mult-adds": _number(row["multiply_adds"], ",.0f"),
                "time": _number(row["relative_step_seconds"], ".2f"),
            }
        rows.append(shown)
    headings = ["rank", "cell", "name", "score", *tasks, *(_SIZES.values() if layout.sizes else [])]
    return pd.DataFrame(rows, columns=headings, dtype=object)


def render_table(
    frame: pd.DataFrame,
    top: int | None,
    width: int | None = None,
    tasks: Sequence[str] | None = None,
    study: bool = False,
) -> Table:
    """What a terminal of `width` columns shows of the first `top` rows of `leaderboard` (all for None).

    The fullest of `LAYOUTS` that fits; red is below the GRU. A cell that did not complete says where it stopped. The
    caption says what the numbers are, and first of all where the run was simulated. `tasks`: these columns only.
    `study`: as in `readable`.
    """
    tasks = tasks_of(frame) if tasks is None else tasks
    shown = frame if top is None else frame.head(top)
    for layout in LAYOUTS:
        texts = readable(shown, tasks, layout, study)
        if width is None or _width(texts, layout.gap) <= width:
            break
    for task in tasks:
        if study:
            break
        # The numbers to the right, the marks after them; rich would strip the blanks of those that have no mark.
        widest = max((len(text) - 2 for text in texts[task]), default=0)
        texts[task] = [text and text[:-2].rjust(widest) + text[-2:] for text in texts[task]]
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, caption=caption(shown, layout, study), padding=(0, layout.gap - 1, 0, 0)
    )
    table.caption_justify = "left"
    for heading in texts.columns:
        left = heading in ("cell", "name", *tasks)
        table.add_column(Text(heading), justify="left" if left else "right", overflow="fold", no_wrap=heading != "name")
    evidence = list(shown["evidence"])
    for place, (row, values) in enumerate(zip(shown.to_dict("records"), texts.to_dict("records"), strict=True)):
        if place and evidence[place] != evidence[place - 1]:
            table.add_section()
        # `Text` shows brackets in a name as they are; a plain string would be read as markup.
        cells = {heading: Text(value) for heading, value in values.items()}
        cells["score"].stylize("bold" if row["evidence"] == RETRAINED else "dim")
        for task in tasks:
            if row[f"{task}_ratio"] < 1:
                cells[task].stylize("red")
        table.add_row(*cells.values())
    return table


def caption(frame: pd.DataFrame, layout: Layout = LAYOUTS[0], study: bool = False) -> str:
    """What the numbers of `readable` are, one fact a line."""
    lines = [SIMULATED] if frame["simulated"].any() else []
    retrained = frame["evidence"] == RETRAINED
    what = "ratio to the GRU's test metric" if study else "test metric"
    if retrained.any():
        seeds = int(frame.loc[retrained, [f"{task}_repeats" for task in tasks_of(frame)]].to_numpy().max())
        errors = " ± standard error" if layout.errors else ""
        lines.append(f"{what}, mean over {seeds} fresh seeds{errors}; + or -: beyond noise of the GRU's")
        if not retrained.all():
            lines.append("(in brackets): search estimates, not trained again; they flatter")
    else:
        lines.append(f"{what}; (scores) are search estimates, of validation metrics; they flatter")
    if study:
        lines.append(
            "after the stroke: the same in Jozefowicz et al. 2015, at their sizes, with the Penn Treebank as language"
        )
    if layout.sizes:
        lines.append("mult-adds: of a step in the cells' products; time: of a training step, over the LSTM's")
    mixed = int((frame["environments"] > 1).sum())
    if mixed:
        others = "other versions, processors or commits than the GRU's"
        lines.append(f"{mixed} cells with trials of {others}, see `environments`")
    return "\n".join(lines)


def to_markdown(frame: pd.DataFrame, tasks: Sequence[str], study: bool = False) -> str:
    """A Markdown table of the readable columns, and what its numbers are."""
    texts = readable(frame, tasks, study=study).map(lambda text: _MARKDOWN.sub(r"\\\g<0>", text.strip()))
    align = ["left" if heading in ("cell", "name") else "right" for heading in texts.columns]
    # A cell's id may be all digits, or look like 1e5: texts are kept as they are.
    table = texts.to_markdown(index=False, colalign=align, disable_numparse=True)
    return f"{table}\n\n{'; '.join(caption(frame, study=study).splitlines())}\n"


def to_latex(frame: pd.DataFrame, tasks: Sequence[str], study: bool = False) -> str:
    """A LaTeX table (package booktabs) of the readable columns, and what its numbers are."""
    texts = readable(frame, tasks, study=study).map(str.strip)
    columns = "".join("l" if heading in ("cell", "name") else "r" for heading in texts.columns)
    text = "; ".join(caption(frame, study=study).replace("_", r"\_").replace("`", "").splitlines())
    texts.columns = [str(heading).replace("_", r"\_") for heading in texts.columns]
    table = texts.map(_escaped).to_latex(index=False, column_format=columns, caption=text.replace("±", r"$\pm$"))
    return str(table)


def _beside(own: str, study: float | None, layout: Layout) -> str:
    """A figure and the study's."""
    stroke = " / " if layout.gap > 1 else "/"
    return own if study is None or not own else f"{own}{stroke}{study:.3f}"


def _escaped(text: str) -> str:
    return text.translate(_LATEX)


def _measured(value: Any, error: Any, digits: int) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.{digits}f}" + ("" if error is None or pd.isna(error) else f"±{error:.{digits}f}")


def _number(value: Any, style: str) -> str:
    return "" if pd.isna(value) else format(value, style)


def _width(texts: pd.DataFrame, gap: int) -> int:
    """Columns of a terminal that the rows take."""
    widths = [max(len(str(text)) for text in (heading, *texts[heading])) for heading in texts.columns]
    return sum(widths) + gap * len(widths)
