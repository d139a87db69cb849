"""`gatesearch findings`: a run's rulings on the paper's conclusions."""

import json
from dataclasses import asdict

import click

from results.findings import findings as judge
from results.publication.discrimination_text import discrimination_markdown, discrimination_text
from results.publication.findings_text import findings_markdown, findings_text, remedy_text
from results.scores.discrimination import discrimination
from results.store.runs import open_run
from results.tables.leaderboard import SIMULATED
from search.cli.prices import price
from search.core.errors import SearchError
from search.profiles.loading import profile_of

FORMATS = ("text", "markdown", "json")
_EPILOG = """\b
Examples:
  gatesearch findings base
  gatesearch findings base --format markdown > findings.md
  gatesearch findings base --json
  gatesearch search base --profile baselines      a run that can decide them
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format.  [default: text]")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
def findings(run: str, form: str | None, as_json: bool) -> None:
    """Judge the paper's four conclusions on the data of RUN: holds, does not hold, or not decided, and why.

    An open question comes with what would decide it and what that costs. RUN is a name in results/runs (or in
    GATESEARCH_RUNS), or the path of a run's folder.

    advantage: difference of the cell to the other, in percent of the other's metric, with its standard error over
    paired seeds. p: p value of the paired t-test, or, if the verdict is `even`, of the two one-sided tests that the
    difference is below 1 %; with Holm's correction over the tests of one question.

    The last table says which tasks tell cells apart: by the spread of the gated named cells' mean test metrics, in
    standard errors of one mean, and by how much of the best possible predictor's gain is learnt already.
    """
    if as_json and form not in (None, "json"):
        raise SearchError(f"--json and --format {form} are mutually exclusive; leave one out")
    form = "json" if as_json else form or "text"
    with open_run(run) as store:
        ranked = profile_of(store).ranked
        found, tasks, simulated = judge(store, ranked), discrimination(store, ranked), store.simulated
    if form == "json":
        rows = [asdict(finding) | {"to_decide_it": remedy_text(finding.remedy, run, price)} for finding in found]
        told = [asdict(task) | {"discriminates": task.discriminates, "saturated": task.saturated} for task in tasks]
        whole = {"run": run, "simulated": simulated, "findings": rows, "discrimination": told}
        click.echo(json.dumps(whole, indent=2))
        return
    if simulated:
        click.echo(f"{SIMULATED}\n")
    markdown = form == "markdown"
    click.echo(findings_markdown(found, run, price) if markdown else findings_text(found, run, price))
    if tasks:
        click.echo(f"\n{discrimination_markdown(tasks) if markdown else discrimination_text(tasks)}")
