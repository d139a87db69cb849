"""`gatesearch bench`: how long a training step takes."""

import json
from dataclasses import asdict

import click
import torch
from rich.console import Console
from rich.table import Table

from search.bench import PEERS, Shape, Timing, compare, compare_first_step, compare_mutants
from search.cli.names import find_cell
from search.profiles.profile import Profile, load_profile
from search.screening import screen
from tasks.task import Output

DEFAULT_CELLS = ("lstm", "gru", "gru-after", "mut1", "mut2", "mut3")


@click.command(
    epilog="""\b
Examples:
  gatesearch bench
  gatesearch bench gru my.cell --units 128 --peer torch.nn.GRU
  gatesearch bench lstm --width 10000 --json
  gatesearch bench --screening 300 --profile overnight
"""
)
@click.argument("cells", metavar="[CELL]...", nargs=-1)
@click.option("--units", type=click.IntRange(1, 4096), multiple=True, default=(64, 128, 208), show_default=True)
@click.option("--layers", type=click.IntRange(1, 8), default=1, show_default=True)
@click.option("--batch", type=click.IntRange(1, 1000), default=20, show_default=True, help="Sequences side by side.")
@click.option("--steps", type=click.IntRange(1, 1000), default=50, show_default=True, help="Steps of a sequence.")
@click.option("--width", type=click.IntRange(2, 100_000), default=40, show_default=True, help="Symbols, or notes.")
@click.option("--roll", is_flag=True, help="Piano rolls instead of symbols: independent outputs, as for music.")
@click.option("--peer", "peers", type=click.Choice(PEERS), multiple=True, default=PEERS, show_default=True)
@click.option("--mutants", type=click.IntRange(0, 1000), default=10, show_default=True, help="Random cells to add.")
@click.option("--repeats", type=click.IntRange(1, 1000), default=15, show_default=True, help="Medians of so many.")
@click.option("--screening", type=click.IntRange(1, 100_000), help="Screen so many candidates instead.")
@click.option("--profile", default="overnight", show_default=True, help="The profile that --screening screens by.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of --screening.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def bench(
    cells: tuple[str, ...],
    units: tuple[int, ...],
    layers: int,
    batch: int,
    steps: int,
    width: int,
    roll: bool,
    peers: tuple[str, ...],
    mutants: int,
    repeats: int,
    screening: int | None,
    profile: str,
    seed: int,
    as_json: bool,
) -> None:
    """Time a whole training step of cells against PyTorch's layers and other ways to run them.

    CELL is a named cell, a formula file or the id of a cell in a run; without any, the LSTM, both GRUs and MUT1 to 3.
    "floor" is the time of PyTorch's matrix products alone. One thread; contestants take turns.

    With --screening, random mutants go through the memorization gate of a profile on one core instead.
    """
    torch.set_num_threads(1)
    if screening is not None:
        _screen(load_profile(profile), screening, seed, as_json)
        return
    graphs = {(found := find_cell(cell)).label: found.graph for cell in cells or DEFAULT_CELLS}
    rows: list[Timing] = []
    for size in dict.fromkeys(units):
        shape = Shape(size, layers, batch, steps, width, Output.ROLL if roll else Output.SYMBOLS)
        rows += compare(graphs, shape, peers, repeats)
        if mutants:
            rows += compare_mutants(mutants, shape, max(1, repeats // 5))
            rows += compare_first_step(shape)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        kind = "notes" if roll else "symbols"
        click.echo(f"One training step: batch {batch}, {steps} steps, {width} {kind}, layers {layers}; medians.")
        Console().print(_table(rows))


def _screen(profile: Profile, candidates: int, seed: int, as_json: bool) -> None:
    found = screen(profile, candidates, seed)
    if as_json:
        click.echo(json.dumps(asdict(found) | {"per_core_hour": found.per_core_hour}, indent=2))
        return
    endings = ", ".join(f"{state} {count}" for state, count in sorted(found.endings.items()))
    click.echo(
        f"{found.candidates} random candidates in {found.seconds:.0f} s: {found.per_core_hour:,.0f} per core-hour; "
        f"{found.passed} passed memorization"
    )
    click.echo(
        f"{sum(found.endings.values())} trials ({endings}), {found.steps:,} training steps; "
        f"{found.trial_seconds / found.seconds:.0%} of the time is theirs"
    )


def _table(rows: list[Timing]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("cell", "units", "ours ms", "peer", "peer ms", "ratio", "backend"):
        table.add_column(heading, justify="left" if heading in ("cell", "peer", "backend") else "right", no_wrap=True)
    for row in rows:
        figures = (f"{row.ours_ms:.2f}", row.peer, f"{row.peer_ms:.2f}", f"{row.ratio:.2f}", row.backend)
        table.add_row(row.cell, str(row.units), *figures)
    return table
