"""`gatesearch bench`: measure how long a training step, a trial or a search takes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from search.bench.peers import PADDED, PADDING, PEERS
from search.cells.graph import GateGraph
from search.cli.completion import complete_cells, complete_profiles
from search.cli.display import output_console
from search.cli.json_output import print_json
from search.cli.slow_imports import slow_imports
from search.cli.tables import print_table
from search.core.errors import SearchError
from search.engine.cell_lookup import find_cell
from search.profiles.loading import load_profile
from search.profiles.sections import Profile
from tasks.interface import OUTPUTS, Input, Interface, Output

if TYPE_CHECKING:  # imports PyTorch, which is slow, as what the functions below import
    from search.bench.steps import Timing

RAY_PROPOSALS, CLUSTER_PROPOSALS = 300, 10_000
"""Largest number of proposals of --engine through Ray and on the virtual cluster, which is idle at the start and at the
end of a search: the shorter the search, the larger the share of these."""

DEFAULT_CELLS = (
    *("lstm", "gru", "gru-after", "mut1", "mut2", "mut3"),
    *("t-rnn", "sru", "lrn", "t-gru", "qrnn-fo", "qrnn-ifo", "gilr-lstm"),
)


_HEADINGS = {"evaluation": "eval"}
"""Headings of the parts of a training step, where they are not the parts' names."""

COMMON = frozenset({"profile", "seed", "as_json"})
READ = {
    "screening": COMMON,
    "trial": frozenset({"cells", "repeats", "profile", "as_json"}),
    "engine": COMMON | {"proposals", "processors"},
    "confirmation": COMMON | {"effect"},
}
"""Parameters that are read with each of the options that measure something else than steps."""


@click.command(
    epilog="""\b
Examples:
  gatesearch bench
  gatesearch bench gru my.cell --units 128 --peer torch.nn.GRU
  gatesearch bench lstm --output-size 10000 --json
  gatesearch bench gru --shortest 25 --peer torch.nn.GRU --peer padded
  gatesearch bench --screening 300 --profile overnight
  gatesearch bench gru --trial --profile quick
  gatesearch bench --engine
  gatesearch bench --confirmation 20 --effect 0.03
"""
)
@click.argument("cells", metavar="[CELL]...", nargs=-1, shell_complete=complete_cells)
@click.option(
    "--units",
    type=click.IntRange(1, 4096),
    multiple=True,
    default=(64, 128, 208),
    show_default=True,
    help="Units of a layer; may be given several times.",
)
@click.option("--layers", type=click.IntRange(1, 8), default=1, show_default=True, help="Number of layers.")
@click.option("--batch", type=click.IntRange(1, 1000), default=20, show_default=True, help="Sequences in a batch.")
@click.option("--steps", type=click.IntRange(1, 1000), default=50, show_default=True, help="Time steps of a sequence.")
@click.option(
    "--output-size",
    type=click.IntRange(2, 100_000),
    default=40,
    show_default=True,
    help="Number of symbols, notes or values that are predicted.",
)
@click.option(
    "--output",
    type=click.Choice([kind.value for kind in Output]),
    default=Output.SYMBOLS.value,
    show_default=True,
    help="Kind of output.",
)
@click.option(
    "--input-size",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Read N real values at each step.  [default: read what is predicted]",
)
@click.option("--roll", is_flag=True, help="Use piano rolls: --output multi-label.")
@click.option(
    "--shortest",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Let sequences end after N to --steps steps, evenly spaced; PyTorch's layers get them packed, and other peers "
    "compute all steps.  [default: all have --steps]",
)
@click.option(
    "--peer",
    "peers",
    type=click.Choice((*PEERS, PADDED)),
    multiple=True,
    help="Implementation to compare with; may be given several times.  [default: all; padded only with --shortest]",
)
@click.option("--mutants", type=click.IntRange(0, 1000), default=10, show_default=True, help="Random mutants to add.")
@click.option("--repeats", type=click.IntRange(1, 1000), default=15, show_default=True, help="Timed repetitions.")
@click.option("--screening", type=click.IntRange(1, 100_000), help="Instead, screen this number of candidates.")
@click.option("--trial", is_flag=True, help="Instead, break down the time of a profile's trials.")
@click.option("--engine", is_flag=True, help="Instead, measure a search without its training.")
@click.option(
    "--confirmation",
    type=click.IntRange(1, 100_000),
    metavar="RUNS",
    help="Instead, count what this number of simulated searches with a known truth confirm.",
)
@click.option(
    "--effect",
    type=click.FloatRange(-1.0, 1.0),
    default=0.03,
    show_default=True,
    help="For --confirmation: what the planted cells learn more, as a share of what can be learnt.",
)
@click.option(
    "--proposals", type=click.IntRange(2, 1_000_000), default=10_000, show_default=True, help="Proposals for --engine."
)
@click.option(
    "--processors",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="Processors of the virtual cluster for --engine.",
)
@click.option(
    "--profile",
    shell_complete=complete_profiles,
    help="Profile for --screening, --trial, --engine and --confirmation.  [default: overnight; quick for --trial and "
    "--confirmation]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Random seed for --screening, --engine and --confirmation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def bench(
    cells: tuple[str, ...],
    units: tuple[int, ...],
    layers: int,
    batch: int,
    steps: int,
    output_size: int,
    output: str,
    input_size: int | None,
    roll: bool,
    shortest: int | None,
    peers: tuple[str, ...],
    mutants: int,
    repeats: int,
    screening: int | None,
    trial: bool,
    engine: bool,
    confirmation: int | None,
    effect: float,
    proposals: int,
    processors: int,
    profile: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Time whole training steps of cells against PyTorch's layers and other implementations.

    CELL is a named cell, a formula, a file with a formula or a recipe, or the id of a cell in a run. The default is the
    LSTM, both GRUs and MUT1 to MUT3. "floor" is the time of PyTorch's matrix products alone. All run on one thread, in
    turn.

    --screening sends random mutants through the memorization gate of a profile, on one core. --engine measures all of a
    search but the training: simulated searches in this process, through Ray, and on a cluster in virtual time.

    --confirmation runs whole simulated searches, in this process: RUNS in which every cell is equally able, and RUNS in
    which cells with a planted structure learn more. It counts how often such a cell is found and confirmed, and how
    often a run confirms what is not so.

    --trial trains one trial of each task of a profile, with the first CELL or the GRU, and prints the milliseconds per
    step of: reading data; the layers' matrix products and pointwise operations; readout and loss; clipping and update;
    evaluation (in machine code); applying the loss mask; and the rest. "arith." is the share of the arithmetic, which
    excludes data, mask and rest.
    """
    _check_given(click.get_current_context())
    with slow_imports():
        import torch

        from search.bench.steps import Shape, compare_cells, compare_first_step, compare_mutants

    torch.set_num_threads(1)
    if screening is not None:
        _screen(load_profile("overnight" if profile is None else profile), screening, seed, as_json)
        return
    if trial:
        found = find_cell(cells[0] if cells else "gru")
        _break_down(
            found.label,
            found.graph,
            load_profile("quick" if profile is None else profile),
            max(1, repeats // 5),
            as_json,
        )
        return
    if engine:
        _engine(load_profile("overnight" if profile is None else profile), proposals, processors, seed, as_json)
        return
    if confirmation is not None:
        _confirm(load_profile("quick" if profile is None else profile), confirmation, effect, seed, as_json)
        return
    if shortest is not None and shortest > steps:
        raise SearchError(f"--shortest is {shortest}, but --steps {steps}; no sequence has more, so give a smaller one")
    if PADDED in peers and shortest is None:
        raise SearchError("--peer padded compares sequences that end early with padded ones; give --shortest too")
    peers = peers or (PEERS if shortest is None else (*PEERS, PADDED))
    graphs = {(one := find_cell(cell)).label: one.graph for cell in cells or DEFAULT_CELLS}
    rows: list[Timing] = []
    interface = Interface.same(Output.MULTI_LABEL if roll else Output(output), output_size)
    if input_size is not None:
        interface = replace(interface, input=Input.VALUES, input_size=input_size)
    for size in dict.fromkeys(units):
        shape = Shape(size, layers, batch, steps, interface, shortest)
        rows += compare_cells(graphs, shape, peers, repeats)
        if mutants:
            rows += compare_mutants(mutants, shape, max(1, repeats // 5))
            rows += compare_first_step(shape)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        kind = f"{output_size} {OUTPUTS[interface.output].unit}"
        if input_size is not None:
            kind = f"{input_size} values to {kind}"
        lengths = f"{steps} steps" if shortest is None else f"sequences of {shortest} to {steps} steps"
        click.echo(f"One training step: batch {batch}, {lengths}, {kind}, layers {layers}; medians.")
        right = ("units", "cell ms", "peer ms", "ratio")
        print_table(output_console(), list(map(_texts, rows)), right=right, droppable=("backend", "peer ms", "cell ms"))
        padding = [peer for peer in PADDING if shortest is not None and any(row.peer == peer for row in rows)]
        if padding:
            click.echo(f"With the steps behind the ends of sequences: {', '.join(padding)}.")


def _check_given(context: click.Context) -> None:
    """Refuse options that would not be read.

    Raises:
        SearchError: an option is given together with one that measures something else.
    """
    given = [
        parameter
        for parameter in context.command.params
        if parameter.name is not None and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    mode = next((parameter for parameter in given if parameter.name in READ), None)
    for parameter in given:
        if parameter is mode:
            continue
        if mode is not None and parameter.name not in READ[str(mode.name)]:
            raise SearchError(f"{mode.opts[0]} does not read {_shown(parameter)}; give one of them")


def _shown(parameter: click.Parameter) -> str:
    return parameter.opts[0] if isinstance(parameter, click.Option) else "CELL"


def _screen(profile: Profile, candidates: int, seed: int, as_json: bool) -> None:
    """Print the rate of screening."""
    from search.bench.screening import screen

    found = screen(profile, candidates, seed)
    if as_json:
        print_json(asdict(found) | {"per_core_hour": found.per_core_hour})
        return
    endings = ", ".join(f"{state} {count}" for state, count in sorted(found.endings.items()))
    click.echo(
        f"{found.candidates} random candidates in {found.seconds:.0f} s: {found.per_core_hour:,.0f} per core-hour; "
        f"{found.passed} passed memorization"
    )
    click.echo(
        f"{sum(found.endings.values())} trials ({endings}), {found.steps:,} training steps; "
        f"{found.trial_seconds / found.seconds:.0%} of the time is training"
    )


def _break_down(label: str, graph: GateGraph, profile: Profile, repeats: int, as_json: bool) -> None:
    from search.bench.breakdown import break_down

    rows = list(break_down(graph, profile, repeats))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    click.echo(f"Trials of {label}: CPU milliseconds per training step, fastest of {repeats}; one thread.")
    headings = ("data", "layers", "readout", "update", "evaluation", "mask", "rest", "total")
    texts = [
        {"task": row.task, "units": str(row.units)}
        | {_HEADINGS.get(part, part): f"{getattr(row, f'{part}_ms'):.3f}" for part in headings}
        | {"arith.": f"{row.arithmetic:.0%}"}
        for row in rows
    ]
    right = [heading for heading in texts[0] if heading != "task"]
    dropped = ("units", "mask", "eval", "update", "data", "rest", "readout", "arith.", "layers")
    print_table(output_console(), texts, right=right, droppable=dropped)
    backends = "/".join(sorted({row.backend for row in rows}))
    compiling = max(row.compile_ms for row in rows)
    click.echo(f"Backend: {backends}. Compiling the cell took up to {compiling:.0f} ms, once per process.")


def _engine(profile: Profile, proposals: int, processors: int, seed: int, as_json: bool) -> None:
    from search.bench.engine import measure_engine

    found = measure_engine(
        profile, proposals, min(proposals, RAY_PROPOSALS), min(proposals, CLUSTER_PROPOSALS), processors, seed
    )
    if as_json:
        print_json(asdict(found))
        return
    kilobytes = 1000 * found.second_half_mb / (found.proposals - (found.proposals + 1) // 2)
    figures = (
        (
            f"{found.proposals:,} proposals, {found.trials:,} trials of zero duration",
            f"{found.cpu_seconds:.1f} s of CPU",
        ),
        ("memory growth", f"{found.memory_mb:.1f} MB"),
        ("of this in the second half", f"{found.second_half_mb:.1f} MB, {kilobytes:.1f} kB per proposal"),
        ("store", f"{found.store_mb:.1f} MB"),
        ("--resume, until the next trial", f"{found.resume_seconds:.2f} s"),
        ("leaderboard files", f"{found.leaderboard_seconds:.2f} s"),
        (f"one trial through Ray, 2 workers, mean of {found.ray_trials:,}", f"{found.ray_ms:.2f} ms"),
        (f"{found.processors} processors in virtual time, window {found.window}", f"{found.busy:.1%} busy"),
    )
    rows = [{"measured": what, "result": figure} for what, figure in figures]
    print_table(output_console(), rows, right=("result",), wrapped={"measured": 20})


def _confirm(profile: Profile, runs: int, effect: float, seed: int, as_json: bool) -> None:
    """Print what simulated searches confirm."""
    from search.bench.confirmation import measure_confirmation, with_confirmation

    found = measure_confirmation(with_confirmation(profile), runs, effect, seed)
    if as_json:
        print_json(asdict(found))
        return
    click.echo(
        f"{found.runs} null runs, in which all cells are equally able: {found.null_wrong} call a contender better or "
        f"worse than the GRU or the LSTM, {found.null_better} call one better; {found.null_seeds:.0f} seeds on average"
    )
    click.echo(
        f"{found.runs} runs in which cells with a relu learn {found.planted:g} more: {found.proposed} propose such a "
        f"cell; in {found.finalist} it is a finalist, in {found.contender} a contender, in {found.confirmed} it is "
        f"confirmed as better than the GRU on some task, in {found.confirmed_on_all} on every task; "
        f"{found.planted_wrong} confirm what is not so; {found.planted_seeds:.0f} seeds on average"
    )


def _short(value: float) -> str:
    """Return a time or a ratio in few characters, so that a slow first step widens no table."""
    return f"{value:.2f}" if value < 100.0 else f"{value:.0f}"


def _texts(row: Timing) -> dict[str, str]:
    """Return the row of a comparison in the table, by heading."""
    return {
        "cell": row.cell,
        "units": str(row.units),
        "cell ms": _short(row.ours_ms),
        "peer": row.peer,
        "peer ms": _short(row.peer_ms),
        "ratio": _short(row.ratio),
        "backend": row.backend,
    }
