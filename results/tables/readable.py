"""Readable forms of the leaderboard: for a terminal, as Markdown, as LaTeX.

`results.tables.leaderboard` has all columns and full precision. A retrained cell's metrics are means over the repeats
with their standard errors; `+` in green or `-` in red marks a cell that is better or worse than the GRU beyond the
variation over seeds. The score of a search estimate is in brackets and has no mark and no colour.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from results.scores.comparison import Verdict
from results.scores.paper_results import TASKS as PAPER_TASKS
from results.scores.paper_results import paper_ratio, paper_score
from results.store.sanitize import printable
from results.store.words import COMPLETE, SIMULATED, Evidence, ScoreKind
from results.tables.frame import has_rank, is_retrained, kind_of, known_names
from results.tables.trial_figures import CROSS_ENTROPY
from search.cells.library import REFERENCE, name_of, named_cell
from search.cells.published.citation import address_of, short_citation
from search.cells.published.entry import Reference
from search.cells.text import counted

COLOURS = {Verdict.BETTER: "green", Verdict.WORSE: "red"}
"""Colours of a metric in a terminal. They mean the verdict of a corrected test, never that an estimate is larger."""

MARKS = {Verdict.BETTER: " +", Verdict.WORSE: " -"}


@dataclass(frozen=True)
class Layout:
    """Amount of detail of a table. Standard errors are always shown: a mean without one says too little.

    `digits`: decimals. `sizes`: with sizes and time at the end. `stopped`: with the full text of where a cell stopped.
    `gap`: spaces between two columns, 1 or 2. `named`: name and id have a column each, else the name stands in the
    place of the id. `ranked`: with the rank.
    """

    digits: int = 4
    sizes: bool = True
    stopped: bool = True
    gap: int = 2
    named: bool = True
    ranked: bool = True

    @property
    def hidden(self) -> tuple[str, ...]:
        """Columns that are left out."""
        sizes = () if self.sizes else tuple(_SIZES.values())
        return (*(() if self.ranked else ("rank",)), *(() if self.named else ("ids of named cells",)), *sizes)


LAYOUTS = (
    Layout(),
    Layout(sizes=False),
    Layout(sizes=False, stopped=False),
    Layout(3, sizes=False, stopped=False, gap=1),
    Layout(3, sizes=False, stopped=False, gap=1, named=False),
    Layout(3, sizes=False, stopped=False, gap=1, named=False, ranked=False),
)
"""Layouts from the most detailed one; the first that fits the terminal is used. In the last, tasks are left out."""

PERPLEXITY_DIGITS = 2
"""Decimals of a perplexity."""

_MARKDOWN = re.compile(r"[\\`\[\]<>|]")
"""Characters that end a cell of a Markdown table, or begin a link or HTML."""

_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "±": r"$\pm$"}
)

REFERENCES = "reference"
"""Heading of the column with publications."""

_LEFT = ("cell", "name", REFERENCES)
"""Columns that are aligned to the left in Markdown and LaTeX."""

_LARGEST_ERROR = 0.5
"""Standard error of a cross entropy from which on that of its perplexity is not shown."""

_LARGE = 1e6
"""Values from here on are written with an exponent."""

_SIZES = {"relative_parameters": "parameters", "relative_multiply_adds": "mult-adds", "relative_step_seconds": "time"}


def tasks_of(frame: pd.DataFrame) -> list[str]:
    """Return the ranked tasks of a leaderboard."""
    return [str(column).removesuffix("_ratio_se") for column in frame.columns if str(column).endswith("_ratio_se")]


def readable(
    frame: pd.DataFrame,
    tasks: Sequence[str],
    layout: Layout = LAYOUTS[0],
    paper: bool = False,
    references: bool = False,
) -> pd.DataFrame:
    """Return the rows of a leaderboard as text, with the columns rank, cell, name, score, the tasks, sizes and time.

    A name in brackets is that of a published cell with the same id. A task that cross entropy ranks shows the
    perplexity instead. With `paper`, a task's column has the ratio to the GRU instead of the metric, and the paper's
    score and ratios follow after a slash, if the paper has the cell. The paper's numbers are accuracies: see
    `with_study`. With `references`, the last column has the publications of published cells, as in "Cho et al. 2014".
    """
    rows = []
    ranked = [task for task in tasks_of(frame) if task in PAPER_TASKS]
    if paper and "study_score" not in frame:
        frame = with_study(frame)
    for row, name, has_place in zip(frame.to_dict("records"), known_names(frame), has_rank(frame), strict=True):
        retrained = Evidence(row["evidence"]).is_retrained
        errors = retrained
        known = "" if pd.isna(row["name"]) else str(row["name"])
        if row["stage"] != COMPLETE:
            stage = row["stage"] if layout.stopped else str(row["stage"]).removeprefix("stopped ")
            name = f"{name} {stage}".strip()
        name = printable(name)
        identity = printable(row["cell"])
        if not layout.named:
            identity = name if known or name.startswith("(") else f"{identity} {name}".strip()
        # The paper's score is a ratio, which has no error of its own in a run that gains rank.
        ranks = not paper or row["score"] == row["study_score"]
        found = row["study_score" if paper else "score"]
        score = _measured(found, row["score_se"] if errors and ranks else None, layout.digits)
        score = score if retrained or not score else f"({score})"
        shown = {
            "rank": str(row["rank"]) if has_place else "",
            "cell": identity,
            "name": name,
            "score": _with_paper(score, paper_score(known, ranked), layout) if paper else score,
        }
        for task in tasks:
            # The verdict is on the metric that ranks, as is the error.
            same = not paper or row[f"{task}_study"] == row[f"{task}_ratio"]
            error = row[f"{task}_{'ratio' if paper else 'test'}_se"] if errors and same else None
            if not paper and row.get(f"{task}_metric") == CROSS_ENTROPY and pd.notna(row[f"{task}_test"]):
                # Of the ranked value, in which a lost seed counts as the constant baseline; `TASK_perplexity` has none.
                with np.errstate(over="ignore"):
                    perplexity = float(np.exp(row[f"{task}_test"]))
                # By the delta method, which holds for small errors alone.
                spread = error * perplexity if error is not None and error < _LARGEST_ERROR else None
                metric = _measured(perplexity, spread, PERPLEXITY_DIGITS)
            else:
                metric = _measured(row[f"{task}_{'study' if paper else 'test'}"], error, 3 if paper else layout.digits)
            mark = MARKS.get(row[f"{task}_vs_gru"], "  ") if retrained and same else "  "
            shown[task] = metric and metric + mark
            if paper:
                shown[task] = _with_paper(shown[task].rstrip(), paper_ratio(known, task), layout)
        if layout.sizes:
            shown |= {
                heading: _number(row[column], ".2f") + _front_mark(row, column) for column, heading in _SIZES.items()
            }
        rows.append(shown)
    first = [*(["rank"] if layout.ranked else []), "cell", *(["name"] if layout.named else [])]
    headings = [*first, "score", *tasks, *(_SIZES.values() if layout.sizes else [])]
    if references:
        headings.append(REFERENCES)
        for shown, publication in zip(rows, publications(frame), strict=True):
            shown[REFERENCES] = "" if publication is None else short_citation(publication)
    return pd.DataFrame(rows, columns=headings, dtype=object)


def publications(frame: pd.DataFrame) -> list[Reference | None]:
    """Return the publication of each row of a leaderboard whose cell is published, found by its id."""
    names = [name_of(str(cell)) for cell in frame.index]
    return [None if name is None else named_cell(name).reference for name in names]


def with_study(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a whole leaderboard with the columns TASK_study and study_score, to be compared with the paper's ratios.

    The paper's numbers are accuracies. TASK_study is therefore the ratio of the accuracies, also where another metric
    ranks the task, as cross entropy does language; it is missing where accuracies were not measured. A task that the
    paper does not have keeps TASK_ratio. study_score is the smallest ratio over the paper's tasks.
    """
    frame = frame.copy()
    tasks = tasks_of(frame)
    gru = frame[frame["name"] == REFERENCE]
    for task in tasks:
        ratios = frame[f"{task}_ratio"]
        if task in PAPER_TASKS:
            own, reference = frame[f"{task}_accuracy"], gru[f"{task}_accuracy"].max()
            by_accuracy = bool(np.isclose(gru[f"{task}_test"], gru[f"{task}_accuracy"]).all()) and len(gru) > 0
            ratios = ratios if by_accuracy else own / reference
        frame[f"{task}_study"] = ratios.astype("float64")
    common = [f"{task}_study" for task in tasks if task in PAPER_TASKS] or [f"{task}_study" for task in tasks]
    frame["study_score"] = frame[common].min(axis=1, skipna=False)
    return frame


def _front_mark(row: Mapping[Any, Any], column: str) -> str:
    """Return `*` if the cell of a row is on the front of this cost, else a space, so that numbers stay aligned."""
    if column == "relative_step_seconds":
        return "*" if row["front_step_seconds"] else " "
    names = row["front"]
    return "*" if isinstance(names, str) and column.removeprefix("relative_") in names.split() else " "


def render_table(
    frame: pd.DataFrame,
    top: int | None,
    width: int | None = None,
    tasks: Sequence[str] | None = None,
    paper: bool = False,
    references: bool = False,
) -> Table:
    """Return the first `top` rows of a leaderboard (None: all) as a table for a terminal.

    The layout is the most detailed of `LAYOUTS` that fits. Metrics that are better or worse than the GRU's beyond the
    noise are green or red. A cell that did not pass every stage shows where it stopped. The caption explains the
    numbers, beginning with a warning if they are simulated.

    Args:
        frame: a leaderboard.
        top: number of rows.
        width: columns of the terminal; None: any number.
        tasks: the tasks to show; None: all.
        paper: as for `readable`.
        references: as for `readable`.
    """
    tasks = wanted = list(tasks_of(frame) if tasks is None else tasks)
    shown = frame if top is None else frame.head(top)
    for layout, kept in [*((layout, len(wanted)) for layout in LAYOUTS), *_fewer(wanted)]:
        tasks = wanted[:kept]
        texts = readable(shown, tasks, layout, paper, references)
        if width is None or _width(texts, layout.gap) <= width:
            break
    hidden = (*wanted[len(tasks) :], *layout.hidden)
    for task in tasks:
        if paper:
            break
        # Numbers are aligned to the right with room for marks; rich would strip trailing spaces.
        widest = max((len(text) - 2 for text in texts[task]), default=0)
        texts[task] = [text and text[:-2].rjust(widest) + text[-2:] for text in texts[task]]
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, caption=caption(shown, paper, hidden), padding=(0, layout.gap - 1, 0, 0)
    )
    table.caption_justify = "left"
    where = "name" if layout.named else "cell"  # a cell that did not pass every stage has many words there
    for heading in texts.columns:
        left = heading in ("cell", "name", REFERENCES, *tasks)
        table.add_column(Text(heading), justify="left" if left else "right", overflow="fold", no_wrap=heading != where)
    searched = list(shown["evidence"] == Evidence.SEARCH)
    for place, (row, values) in enumerate(zip(shown.to_dict("records"), texts.to_dict("records"), strict=True)):
        if place and searched[place] != searched[place - 1]:
            table.add_section()
        # `Text` prints brackets in a name literally; a plain string would be parsed as markup.
        cells = {heading: Text(value) for heading, value in values.items()}
        retrained = Evidence(row["evidence"]).is_retrained
        cells["score"].stylize("bold" if retrained else "dim")
        for task in tasks:
            cells[task].stylize(COLOURS.get(row[f"{task}_vs_gru"], "") if retrained else "")
        table.add_row(*cells.values())
    return table


def _fewer(tasks: Sequence[str]) -> list[tuple[Layout, int]]:
    """Return the narrowest layout with ever fewer tasks, down to one."""
    return [(LAYOUTS[-1], kept) for kept in range(len(tasks) - 1, 0, -1)]


def _is_ranked_by_cross_entropy(frame: pd.DataFrame, task: str) -> bool:
    return _is_ranked_by(frame, task, CROSS_ENTROPY)


def _is_ranked_by(frame: pd.DataFrame, task: str, metric: str) -> bool:
    column = f"{task}_metric"
    return column in frame and bool((frame[column] == metric).any())


_LOWER = {
    "mean_squared_error": "mean squared error in standard units",
    "mean_absolute_error": "mean absolute error in standard units",
    "bits_per_symbol": "bits per symbol",
}
"""Metrics of one's own data, in words."""


def caption(frame: pd.DataFrame, paper: bool = False, hidden: Sequence[str] = ()) -> str:
    """Return the explanation of the numbers of `readable`, one fact a line; the columns in `hidden` are left out."""
    lines = [SIMULATED] if frame["simulated"].any() else []
    retrained = is_retrained(frame)
    what = "ratio to the GRU's test metric" if paper else "test metric"
    if retrained.any():
        counts = frame.loc[retrained, [f"{task}_repeats" for task in tasks_of(frame)]].to_numpy()
        seeds = f"{counts.max()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        lines.append(
            f"{what}, mean over {seeds} fresh seeds ± standard error; + or -: differs from the GRU's (paired t-test)"
        )
        if not retrained.all():
            lines.append("(in brackets): search estimates, not retrained; biased in favour of the cell (best of many)")
    else:
        lines.append(f"{what}; (scores) are search estimates on validation data, biased in favour of the cell")
    perplexed = [] if paper else [task for task in tasks_of(frame) if _is_ranked_by_cross_entropy(frame, task)]
    if perplexed:
        lines.append(f"{', '.join(perplexed)}: perplexity, exp of the cross entropy that ranks; lower is better")
    for metric, words in _LOWER.items():
        ranked = [] if paper else [task for task in tasks_of(frame) if _is_ranked_by(frame, task, metric)]
        if ranked:
            lines.append(f"{', '.join(ranked)}: {words}; lower is better")
    if retrained.any() and counts.min() < counts.max():
        lines.append("a row with fewer seeds than its reference is compared with it on the seeds that both have")
    if paper:
        lines.append("ratios of accuracies, also where another metric ranks a task, in the tasks of the study")
        lines.append("after the slash: Jozefowicz et al. 2015, with larger models and the Penn Treebank as language")
    if not paper and kind_of(frame) is ScoreKind.GAIN:
        lines.append("score: smallest gain over a constant prediction, as a share of the GRU's; 1: as good as the GRU")
    if not set(_SIZES.values()) <= set(hidden):
        lines.append("parameters, mult-adds (products of one step): over the GRU's; time of a step: over the LSTM's")
        if frame["front"].notna().any():
            lines.append("*: on the front of score against this cost, by point estimates")
    mixed = int((frame["environments"] > 1).sum())
    if mixed:
        others = "under other versions, processors or commits than the GRU's"
        lines.append(f"{counted(mixed, 'cell has', 'cells have')} trials {others}, see `environments`")
    if hidden:
        lines.append(left_out(hidden))
    return "\n".join(lines)


def to_markdown(frame: pd.DataFrame, tasks: Sequence[str], paper: bool = False, references: bool = False) -> str:
    """Return the readable columns as a Markdown table with a caption; references are links."""
    texts = readable(frame, tasks, paper=paper, references=references).map(escaped_markdown)
    if references:
        texts[REFERENCES] = [
            f"[{text}]({address_of(publication)})" if publication is not None and address_of(publication) else text
            for text, publication in zip(texts[REFERENCES], publications(frame), strict=True)
        ]
    return f"{markdown_table(texts, _LEFT)}\n\n{'; '.join(caption(frame, paper=paper).splitlines())}\n"


def escaped_markdown(text: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return _MARKDOWN.sub(r"\\\g<0>", text.strip())


def markdown_table(texts: pd.DataFrame, left: Collection[str]) -> str:
    """Return a Markdown table of texts that are escaped already; columns in `left` are aligned to the left."""
    align = ["left" if heading in left else "right" for heading in texts.columns]
    # An id may be all digits, or look like 1e5, and must not be read as a number.
    return str(texts.to_markdown(index=False, colalign=align, disable_numparse=True))


def to_latex(frame: pd.DataFrame, tasks: Sequence[str], paper: bool = False, references: bool = False) -> str:
    """Return the readable columns as a LaTeX table (package booktabs) with a caption."""
    texts = readable(frame, tasks, paper=paper, references=references)
    return latex_table(texts, _LEFT, caption(frame, paper=paper))


def latex_table(texts: pd.DataFrame, left: Collection[str], words: str) -> str:
    """Return a LaTeX table of texts, with a caption of these lines; columns in `left` are aligned to the left."""
    columns = "".join("l" if heading in left else "r" for heading in texts.columns)
    text = "; ".join(words.replace("_", r"\_").replace("`", "").splitlines())
    texts = texts.map(str.strip)
    texts.columns = [str(heading).replace("_", r"\_") for heading in texts.columns]
    table = texts.map(_escaped).to_latex(index=False, column_format=columns, caption=text.replace("±", r"$\pm$"))
    return str(table)


def _with_paper(own: str, paper: float | None, layout: Layout) -> str:
    """Return a figure with the paper's after a slash."""
    slash = " / " if layout.gap > 1 else "/"
    return own if paper is None or not own else f"{own}{slash}{paper:.3f}"


def _escaped(text: str) -> str:
    return text.translate(_LATEX)


def _measured(value: Any, error: Any, digits: int) -> str:
    if pd.isna(value):
        return ""
    # A perplexity whose loss explodes has dozens of digits.
    style = f".{digits}f" if abs(value) < _LARGE else ".1e"
    return f"{value:{style}}" + ("" if error is None or pd.isna(error) else f"±{error:{style}}")


def _number(value: Any, style: str) -> str:
    return "" if pd.isna(value) else format(value, style)


def left_out(hidden: Sequence[str]) -> str:
    """Return the line of a caption on the columns that a terminal is too narrow for."""
    return f"left out to fit the width: {', '.join(hidden)}; a wider terminal or --csv shows them"


def _width(texts: pd.DataFrame, gap: int) -> int:
    """Return the columns of a terminal that the rows take."""
    widths = [max(len(str(text)) for text in (heading, *texts[heading])) for heading in texts.columns]
    return sum(widths) + gap * len(widths)
