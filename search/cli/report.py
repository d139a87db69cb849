"""`gatesearch report`: a page of a run, to look at and to pass on."""

import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click
import pandas as pd

from results.errors import ResultsError
from results.files import write_atomically
from results.report import FILE, shown_cells, write_report
from results.store import Store
from search.cells.formula import parse_formula
from search.cells.library import LIBRARY
from search.cli.names import open_run
from search.gradients import Probe, gradient_reach
from search.profiles.profile import parse_profile

GRADIENTS = "gradients.json"
"""Beside the store: what was computed of cells' gradients, by cell and probe, so that it is not computed again."""

_EPILOG = """\b
Examples:
  gatesearch report quick-1                   writes report.html into the run's folder
  gatesearch report quick-1 -o page.html
  gatesearch report night --watch             while the search goes on
  gatesearch report night --tensorboard logs  and curves for tensorboard --logdir logs
  gatesearch report night --mlflow http://localhost:5000
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The page, instead of RUN's own.")
@click.option("--watch", is_flag=True, help="Write it again whenever the run has gone on, until it is finished.")
@click.option(
    "--every", type=click.IntRange(1, 86400), default=60, show_default=True, help="Seconds between two looks, watching."
)
@click.option("--no-gradients", is_flag=True, help="Leave out where gradients go: seconds less.")
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write learning curves of the table's first 50 cells there, for TensorBoard.",
)
@click.option("--mlflow", metavar="URI", help="Log the run, these trials and its files to this MLflow server.")
def report(
    run: str,
    output: Path | None,
    watch: bool,
    every: int,
    no_gradients: bool,
    tensorboard: Path | None,
    mlflow: str | None,
) -> None:
    """Write a page on RUN, finished or not: one HTML file that opens from disk, without net.

    It has the ranked table, the best cell drawn beside GRU and LSTM, scores against trials and compute, the funnel,
    the family tree of the best cells, learning curves, which settings matter, and where gradients go.
    """
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise ResultsError(f"--output {str(output)!r}: the page is HTML; give a name that ends in .html")
    seen: object = None
    while True:
        with open_run(run) as store:
            finished, state = store.information.get("finished") is not None, _state(store)
            if state != seen:
                path = output or store.folder / FILE
                _write(store, path, not no_gradients, every if watch and not finished else None)
                click.echo(f"written to {path}" if not watch else f"{time.strftime('%H:%M:%S')}  written to {path}")
                _hand_on(store, tensorboard, mlflow)
        seen = state
        if not watch or finished:
            return
        time.sleep(every)


def _hand_on(store: Store, tensorboard: Path | None, mlflow: str | None) -> None:
    """To the other tools that were asked for. They are optional packages, so what needs them is imported here."""
    ranked = parse_profile(store.profile, f"the profile of run {store.name}").ranked
    if tensorboard is not None:
        from results.tensorboard import write_curves

        click.echo(f"{write_curves(store, ranked, tensorboard)} curves written to {tensorboard}")
    if mlflow is not None:
        from results.mlflow_log import log_run

        click.echo(f"{log_run(store, ranked, mlflow)} new trials logged to {mlflow}")


def _state(store: Store) -> object:
    """What changes when the run goes on."""
    return store.select(
        "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM proposals), (SELECT information FROM run)"
    )


def _write(store: Store, path: Path, with_gradients: bool, refresh: int | None) -> None:
    ranked = parse_profile(store.profile, f"the profile of run {store.name}").ranked
    probe = Probe()
    gradients = _gradients(store, ranked, probe) if with_gradients else None
    note = (
        f"Measured at initialisation: one layer of {probe.units} units, initial scale {probe.scale:g}, random symbols, "
        f"{probe.sequences} sequences, the same for every cell. Training moves these lines."
    )
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    write_report(store, ranked, path, gradients=gradients, gradients_note=note, made=made, refresh=refresh)


def _gradients(store: Store, ranked: tuple[str, ...], probe: Probe) -> pd.DataFrame:
    """Of the cells that the page shows, and of the tanh network; from the cache where it has them."""
    path = store.folder / GRADIENTS
    key = json.dumps(asdict(probe), sort_keys=True)
    known = _cached(path, key)
    tanh = LIBRARY["tanh"]
    wanted = {cell.id: cell.formula for cell in shown_cells(store, ranked)} | {tanh.graph.id: tanh.formula}
    missing = [cell for cell in wanted if cell not in known]
    for cell in missing:
        known[cell] = asdict(gradient_reach(parse_formula(wanted[cell]), probe))
    if missing:
        with suppress(ResultsError):  # a run that may only be read: it is computed again next time
            write_atomically(path, json.dumps({key: known}))
    return pd.concat(
        [pd.DataFrame({"cell": cell, "k": range(probe.steps + 1), **known[cell]}) for cell in wanted], ignore_index=True
    )


def _cached(path: Path, key: str) -> dict[str, dict[str, list[float]]]:
    """What was computed with the same probe; nothing where there is no such file, or something else is in it."""
    try:
        found = json.loads(path.read_text("utf-8")).get(key, {})
        length = json.loads(key)["steps"] + 1
        reaches = {
            cell: {name: [float(v) for v in reach[name]] for name in ("hidden", "states")}
            for cell, reach in found.items()
        }
        return {cell: reach for cell, reach in reaches.items() if {len(norms) for norms in reach.values()} == {length}}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
