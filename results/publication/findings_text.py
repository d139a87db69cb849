"""Findings as text for a terminal, and as Markdown."""

import shlex
from collections.abc import Callable, Sequence

import pandas as pd

from results.scores.finding import Figure, Finding, Remedy, Section, Standing, Way
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
    lines = (f"  {printable(line)}" for line in section.lines)
    fitted = ([line] if len(line) <= width else wrapped(line, width, f"{_indent_of(line)}  ") for line in lines)
    return "\n".join((printable(section.title), *(line for each in fitted for line in each)))


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


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
        asked = f" --cell {remedy.cell} --task {remedy.task} --repeats {remedy.repeats}" if remedy.task else ""
        return f"gatesearch finalists {run}{asked}"
    if remedy.seconds is None:
        return f"gatesearch finalists {run} (some cells lack some of their {remedy.repeats} seeds)"
    cost = f"about {price(remedy)} of one core, by the times of this run"
    return f"gatesearch finalists {run} --repeats {remedy.repeats} ({cost})"


def _text(finding: Finding, remedy: str, width: int) -> str:
    lines = [finding.claim, f"  {finding.ruling}: {finding.why}"]
    if remedy:
        lines.append(f"  to decide it: {remedy}")
    lines = [line for text in lines for line in wrapped(text, width, "    ")]
    if finding.figures:
        rows = [_HEADINGS, *_rows(_shown(finding.figures))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        for row in rows:
            texts = (f"{text:{width}}" for text, width in zip(row, widths, strict=True))
            lines.append(f"    {'  '.join(texts)}".rstrip())
        lines += [f"    {more}" for more in _more(finding.figures)]
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
        error = "" if figure.error is None else f" ± {100 * figure.error:.2f}"
        p = figure.even_p if figure.standing is Standing.EVEN else figure.p
        unknown = figure.standing is Standing.UNKNOWN
        rows.append(
            (
                *(figure.task, figure.cell, figure.other, f"{figure.value:.4f} / {figure.reference:.4f}"),
                f"{100 * figure.advantage:+.2f}{error} %",
                "" if p is None else f"{p:.3f}" if p >= 0.001 else "<.001",
                "search estimate" if unknown else str(figure.standing),
            )
        )
    return rows
