"""`gatesearch findings`: a run's rulings on the paper's conclusions."""

from dataclasses import asdict

import click

from results.store.runs import open_run
from search.cli import run_argument
from search.cli.display import output_console
from search.cli.json_output import print_json
from search.cli.prices import price
from search.cli.slow_imports import slow_imports
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
@run_argument.argument
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format.  [default: text]")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
def findings(run: str, form: str | None, as_json: bool) -> None:
    """Say what RUN decided, and judge the paper's four conclusions on its data: holds, does not hold, or not decided.

    A ruling names the tasks on which a conclusion holds, and on which it is reversed. An open question comes with what
    would decide it and what that costs. RUN is a name in results/runs (or in GATESEARCH_RUNS), or the path of a run's
    folder; the latest run if it is left out.

    advantage: difference of the cell to the other, in percent of the GRU's gain over the constant baseline, with its
    standard error over paired seeds; in percent of the other's metric for a run of an earlier version. p: p value of
    the paired t-test, or, if the verdict is `even`, of the two one-sided tests that the difference is below 2 % of the
    gain (1 % of the metric); with Holm's correction over the tests of one question.
    """
    if as_json and form not in (None, "json"):
        raise SearchError(f"--json and --format {form} are mutually exclusive; leave one out")
    form = "json" if as_json else form or "text"

    with slow_imports():
        from results.findings import findings as judge
        from results.findings import findings_document, sections
        from results.publication.findings_text import TESTS_NOTE, WIDTH, remedy_text
        from results.tables.run_verdict import verdict_of

    with open_run(run) as store:
        ranked = profile_of(store).ranked
        if form != "json":
            markdown = form == "markdown"
            width = WIDTH if markdown else min(output_console().width, WIDTH)
            click.echo(findings_document(store, ranked, run, price, markdown=markdown, width=width))
            return
        answer, found, others, simulated = (
            verdict_of(store, ranked),
            judge(store, ranked),
            sections(store, ranked),
            store.simulated,
        )
    content = {
        "run": run,
        "simulated": simulated,
        "verdict": answer.as_json(),
        "findings": [asdict(finding) | {"to_decide_it": remedy_text(finding.remedy, run, price)} for finding in found],
        "tests": TESTS_NOTE,
        "sections": [asdict(section) for section in others],
    }
    print_json(content)
