"""`gatesearch findings`: what a run says of the study's conclusions."""

import json
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache

import click
import pandas as pd

from results.findings import Figure, Finding, Remedy, Standing, Way
from results.findings import findings as judge
from results.store.runs import open_run
from results.tables.leaderboard import SIMULATED
from search.cli.display import duration
from search.core.errors import SearchError
from search.profiles.loading import load_profile, profile_of

FORMATS = ("text", "markdown", "json")
_EPILOG = """\b
Examples:
  gatesearch findings base
  gatesearch findings base --format markdown > findings.md
  gatesearch findings base --json
  gatesearch search base --profile baselines      a run that has what it takes
"""
_HEADINGS = ("task", "cell", "beside", "metrics", "advantage", "p", "verdict")


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How it is written.  [default: text]")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
def findings(run: str, form: str | None, as_json: bool) -> None:
    """Judge the four conclusions of the study on the data of RUN: holds, does not hold, or not decided, and why.

    What is not decided comes with what would decide it, and what that costs. RUN is a name in results/runs (or in
    GATESEARCH_RUNS), or the path of a run's folder. advantage: of the cell over the other, in percent of its metric,
    with the standard error over paired seeds. p: of the paired t test, but where it says `even` of the two one-sided
    tests that the difference is below 1 %; with Holm's correction over the tests of one question.
    """
    if as_json and form not in (None, "json"):
        raise SearchError(f"--json and --format {form} exclude each other; leave one out")
    form = "json" if as_json else form or "text"
    with open_run(run) as store:
        profile = profile_of(store)
        found, simulated, name = judge(store, profile.ranked), store.simulated, run
    if form == "json":
        rows = [asdict(finding) | {"to_decide_it": _remedy(finding.remedy, name)} for finding in found]
        click.echo(json.dumps({"run": name, "simulated": simulated, "findings": rows}, indent=2))
        return
    if simulated:
        click.echo(f"{SIMULATED}\n")
    click.echo(markdown(found, name) if form == "markdown" else "\n\n".join(_text(one, name) for one in found))


def markdown(found: Sequence[Finding], run: str) -> str:
    """The findings of a run as Markdown, each under a heading of its own."""
    return "\n\n".join(_markdown(finding, run) for finding in found)


def _text(finding: Finding, run: str) -> str:
    lines = [finding.claim, f"  {finding.ruling}: {finding.why}"]
    remedy = _remedy(finding.remedy, run)
    if remedy:
        lines.append(f"  to decide it: {remedy}")
    lines = [textwrap.fill(line, 100, subsequent_indent="    ") for line in lines]
    if finding.figures:
        rows = [_HEADINGS, *_rows(finding.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        for row in rows:
            texts = (f"{text:{width}}" for text, width in zip(row, widths, strict=True))
            lines.append(f"    {'  '.join(texts)}".rstrip())
    return "\n".join(lines)


def _markdown(finding: Finding, run: str) -> str:
    parts = [f"### {finding.claim[0].upper()}{finding.claim[1:]}", f"**{finding.ruling}**: {finding.why}."]
    remedy = _remedy(finding.remedy, run)
    if remedy:
        parts.append(f"To decide it: {remedy}.")
    if finding.figures:
        frame = pd.DataFrame(_rows(finding.figures), columns=list(_HEADINGS))
        parts.append(str(frame.to_markdown(index=False, disable_numparse=True)))
    return "\n\n".join(parts)


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


def _remedy(remedy: Remedy | None, run: str) -> str:
    """What to run, and what it costs."""
    if remedy is None:
        return ""
    if remedy.way is Way.LARGER:
        return str(remedy.way)
    if remedy.way is Way.BASELINES:
        return f"gatesearch search base --profile baselines ({duration(_baselines_seconds())} of one core)"
    run = shlex.quote(run)
    if remedy.seconds is None:
        return f"gatesearch finalists {run} (some cells lack some of their {remedy.repeats} seeds)"
    return (
        f"gatesearch finalists {run} --repeats {remedy.repeats} (about {duration(remedy.seconds)} of one core, "
        "by the times of this run)"
    )


@cache
def _baselines_seconds() -> float:
    """What the profile `baselines` costs on one core of this machine, estimated."""
    from search.engine.cost import estimate
    from search.profiles.tasks import load_tasks

    profile = load_profile("baselines")
    tasks = load_tasks(profile)
    return estimate(profile, tasks).most
