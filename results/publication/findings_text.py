"""Findings as text for a terminal, and as Markdown."""

import shlex
from collections.abc import Callable, Sequence

import pandas as pd

from results.scores.finding import Figure, Finding, Remedy, Section, Standing, Way
from results.scores.units import GAIN, METRIC
from results.store.sanitize import printable
from search.cells.wrapping import wrapped

Price = Callable[[Remedy], str]
"""Cost of a remedy as text, such as `15 min`; the command line estimates it for the profile baselines."""

WIDTH = 100
"""Columns of the text for a terminal."""

MOST_FIGURES = 40
"""Most comparisons of a finding that a text shows; of more, those with the largest advantages."""

TESTS_NOTE = (
    "These conclusions are tested one by one: p is corrected (Holm) over the tests of one conclusion. The verdict and "
    "the table correct over all of their tests, so that a difference may be shown here and not there."
)
"""Note under the findings."""

_MARGIN = "    "
_LEFT_OUT = ("metrics", "p")
"""Columns that a narrow terminal leaves out, the first one first."""

_HEADINGS = ("task", "cell", "against", "metrics", "advantage", "p", "verdict")


def findings_markdown(findings: Sequence[Finding], run: str, price: Price) -> str:
    """Return the findings of the run `run` as Markdown, each under a heading."""
    return "\n\n".join(_markdown(finding, remedy_text(finding.remedy, run, price)) for finding in findings)


def findings_text(findings: Sequence[Finding], run: str, price: Price, width: int = WIDTH) -> str:
    """Return the findings of the run `run` as plain text with aligned tables, for a terminal of `width` columns."""
    return "\n\n".join(_text(finding, remedy_text(finding.remedy, run, price), width) for finding in findings)


def section_markdown(section: Section) -> str:
    """Return a section as Markdown, its lines as they are."""
    lines = "\n".join(printable(line) for line in section.lines)
    return f"### {printable(section.title)}\n\n```text\n{lines}\n```"


def section_text(section: Section, width: int = WIDTH) -> str:
    """Return a section as plain text: its title, and its lines indented by two spaces, broken where they do not fit."""
    return "\n".join((printable(section.title), *(f"  {line}" for line in _fitted(section, width - 2))))


def _fitted(section: Section, width: int) -> list[str]:
    """Return the lines of a section; on a narrow terminal, one that does not fit is continued below."""
    if width >= WIDTH - 2:
        return list(map(printable, section.lines))
    lines: list[str] = []
    for line in map(printable, section.lines):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        lines += [line] if len(line) <= width else wrapped(line, width, indent)
    return lines


def remedy_text(remedy: Remedy | None, run: str, price: Price) -> str:
    """Return the command that would decide the question, and its cost; empty if there is none."""
    if remedy is None:
        return ""
    if remedy.way is Way.LARGER:
        return str(remedy.way)
    if remedy.way is Way.BASELINES:
        return f"gatesearch search base --profile baselines ({price(remedy)} of one core)"
    run = shlex.quote(run)
    if remedy.way is Way.CONFIRM:
        if remedy.repeats is None:  # the rest of its looks
            return f"gatesearch finalists {run}"
        task = f" --task {shlex.quote(remedy.task)}" if remedy.task else ""
        return f"gatesearch finalists {run} --cell {shlex.quote(remedy.cell or '')}{task} --repeats {remedy.repeats}"
    if remedy.seconds is None:
        return f"gatesearch finalists {run} (some cells lack some of their {remedy.repeats} seeds)"
    cost = f"about {price(remedy)} of one core, by the times of this run"
    return f"gatesearch finalists {run} --repeats {remedy.repeats} ({cost})"


def units_note(findings: Sequence[Finding]) -> str:
    """Return what the numbers of the tables are in, or an empty text if there is no table."""
    figures = [figure for finding in findings for figure in finding.figures]
    tasks = {unit: ", ".join(dict.fromkeys(one.task for one in figures if one.unit == unit)) for unit in (GAIN, METRIC)}
    told = [f"in {GAIN.after_number('')} over the constant baseline"] if tasks[GAIN] else []
    on = f" on {tasks[METRIC]}" if told else ""
    told += [f"in {METRIC.after_number('other cell')}{on}"] if tasks[METRIC] else []
    told += ["in the unit beside it"] if any(not figure.unit.is_share for figure in figures) else []
    if not told:
        return ""
    return (
        "metrics: test means of the cell and of the other, by the metric that ranks (of search estimates, on "
        "validation; of all tasks together, mean shares); the ranked table shows a cross entropy as its perplexity. "
        "advantage: by how much the cell is better than the other, over paired seeds, with its standard error, "
        f"{', '.join(told)}."
    )


def _text(finding: Finding, remedy: str, width: int) -> str:
    """Return a finding as text. Where its table does not fit, columns are left out, the metrics first."""
    lines = [finding.claim, f"  {finding.ruling}: {finding.why}"]
    if remedy:
        lines.append(f"  to decide it: {remedy}")
    lines = [line for text in lines for line in wrapped(text, width, "    ")]
    if finding.figures:
        rows = [_HEADINGS, *_rows(_shown(finding.figures))]
        widths = {heading: max(len(row[k]) for row in rows) for k, heading in enumerate(_HEADINGS)}
        hidden: list[str] = []
        for heading in _LEFT_OUT:
            if len(_MARGIN) + sum(widths.values()) + 2 * (len(widths) - 1) > width:
                hidden.append(heading)
                del widths[heading]
        for row in rows:
            own = dict(zip(_HEADINGS, row, strict=True))
            lines.append(f"{_MARGIN}{'  '.join(f'{own[name]:{wide}}' for name, wide in widths.items())}".rstrip())
        more = _more(finding.figures)
        if hidden:
            more.append(f"not shown: {', '.join(hidden)}; a wider terminal shows them, and --json")
        lines += [line for text in more for line in wrapped(f"{_MARGIN}{text}", width, _MARGIN)]
    return "\n".join(lines)


def _markdown(finding: Finding, remedy: str) -> str:
    parts = [f"### {finding.claim[0].upper()}{finding.claim[1:]}", f"**{finding.ruling}**: {finding.why}."]
    if remedy:
        parts.append(f"To decide it: {remedy}.")
    if finding.figures:
        frame = pd.DataFrame(_rows(_shown(finding.figures)), columns=list(_HEADINGS))
        parts.append(str(frame.to_markdown(index=False, disable_numparse=True)))
        parts += [f"{more[0].upper()}{more[1:]}." for more in _more(finding.figures)]
    return "\n\n".join(parts)


def _shown(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """Return all figures in their order, or of too many those with the largest advantages, the largest first."""
    if len(figures) <= MOST_FIGURES:
        return figures
    return tuple(sorted(figures, key=lambda figure: -figure.advantage)[:MOST_FIGURES])


def _more(figures: tuple[Figure, ...]) -> list[str]:
    """Return a line on the figures that are not shown, if there are any."""
    if len(figures) <= MOST_FIGURES:
        return []
    return [f"these are the {MOST_FIGURES} with the largest advantages of {len(figures)}; `--json` has all of them"]


def _rows(figures: tuple[Figure, ...]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for figure in figures:
        unit = figure.unit
        mark = "%" if unit.is_share else unit
        digits = 2 if unit.is_share else 4 if figure.error is None else unit.digits(4 * figure.error)
        error = "" if figure.error is None else f" ± {unit.number(figure.error, digits)}"
        p = figure.even_p if figure.standing is Standing.EVEN else figure.p
        unknown = figure.standing is Standing.UNKNOWN
        rows.append(
            (
                *(figure.task, figure.cell, figure.other, f"{figure.value:.4f} / {figure.reference:.4f}"),
                f"{unit.scale * figure.advantage:+.{digits}f}{error} {mark}",
                "" if p is None else f"{p:.3f}" if p >= 0.001 else "<.001",
                "search estimate" if unknown else str(figure.standing),
            )
        )
    return rows
