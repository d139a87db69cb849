"""Verdict of a stored run: what is known of it, gathered for `results.scores.verdict`."""

from collections.abc import Sequence

import pandas as pd

from results.scores.comparison import LEVEL
from results.scores.confirmation import ConfirmationTest
from results.scores.estimates import GRU, LSTM
from results.scores.finding import Figure, Standing
from results.scores.match import Costs, Match
from results.scores.run_evidence import RunEvidence
from results.scores.verdict import BestFound, Known, RunVerdict, verdict
from results.store.runs import name_for_commands
from results.store.store import Store
from results.store.words import Evidence, Origin, ProposalKind
from results.tables.frame import has_rank
from results.tables.leaderboard import leaderboard
from search.cells.library import label_of

COSTS = ["relative_parameters", "relative_multiply_adds", "relative_step_seconds"]
"""Columns of the leaderboard with the costs of a cell, in the order of the fields of `Costs`."""

_PROPOSED = "SELECT count(*) FROM proposals WHERE kind = ?"


def verdict_of(store: Store, tasks: Sequence[str], table: pd.DataFrame | None = None) -> RunVerdict:
    """Return the verdict of a run as it is now.

    Args:
        store: the run.
        tasks: its ranked tasks.
        table: its whole leaderboard, for callers that have it.

    Raises:
        ResultsError: as `results.tables.leaderboard.leaderboard`.
        StoreError: the store cannot be read.
    """
    return verdict(known_of(store, tasks, table))


def known_of(store: Store, tasks: Sequence[str], table: pd.DataFrame | None = None) -> Known:
    """Return what is known of a run, with the arguments and errors of `verdict_of`."""
    table = leaderboard(store, tasks, display=False, loops=False) if table is None else table
    evidence = RunEvidence(store, tasks)
    confirmation = evidence.confirmation
    tests = () if confirmation is None else confirmation.tests
    return Known(
        run=name_for_commands(store),
        tasks=tuple(tasks),
        confirmed=tuple(_tested(test, evidence) for test in tests if test.task in tasks),
        named=_named(evidence),
        found=frozenset(evidence.labels[test.cell] for test in tests if test.cell in evidence.chosen),
        best=_best(table),
        searched=bool(store.select(_PROPOSED, (ProposalKind.PROPOSE,))[0][0]),
        costs=_costs(table),
        simulated=store.simulated,
        finished=store.finished is not None,
        running=store.is_driven_by_another,
        confirming=confirmation is not None and not confirmation.ended,
    )


def _tested(test: ConfirmationTest, evidence: RunEvidence) -> Match:
    return Match(
        task=test.task,
        cell=evidence.labels[test.cell],
        other=label_of(test.other),
        standing=test.standing,
        effect=test.effect,
        low=test.low,
        high=test.high,
        unit=test.unit,
        repeats=test.repeats,
        needed=test.needed,
    )


def _named(evidence: RunEvidence) -> tuple[Match, ...]:
    """Return the tests of the given cells on the first round's seeds, one family as in the leaderboard."""
    cells = [cell for cell in evidence.finalists if cell not in evidence.chosen]
    others = [cell for cell in (GRU, LSTM) if cell in cells]
    # The GRU against the LSTM is the same test as the LSTM against the GRU.
    pairs = [
        (task, cell, other)
        for task in evidence.ranked
        for other in others
        for cell in cells
        if cell not in (other, GRU)
    ]
    figures = [figure for figure in evidence.figures(pairs) if figure.standing is not Standing.UNKNOWN]
    return tuple(_first_round(figure) for figure in figures)


def _first_round(figure: Figure) -> Match:
    from scipy.special import stdtrit  # slow to import

    reach = (figure.error or 0.0) * float(stdtrit(figure.repeats - 1, 1.0 - LEVEL / 2.0))
    return Match(
        task=figure.task,
        cell=figure.cell,
        other=figure.other,
        standing=figure.standing,
        effect=figure.advantage,
        low=figure.advantage - reach,
        high=figure.advantage + reach,
        unit=figure.unit,
        repeats=figure.repeats,
        needed=figure.needed,
    )


def _best(table: pd.DataFrame) -> BestFound | None:
    """Return the first found cell of the table that has a rank."""
    found = table[(table["origin"] == Origin.FOUND) & has_rank(table)]
    if found.empty:
        return None
    row = found.iloc[0]
    error = None if pd.isna(row["score_se"]) else float(row["score_se"])
    return BestFound(str(row["cell"]), float(row["score"]), error, row["evidence"] != Evidence.SEARCH)


def _costs(table: pd.DataFrame) -> dict[str, Costs]:
    """Return the costs of the retrained cells relative to the GRU's, by label."""
    known = table[table["evidence"] != Evidence.SEARCH].reindex(columns=["name", *COSTS])
    if GRU not in known.index:
        return {}
    relative = known[COSTS].astype("float64") / known.loc[GRU, COSTS].astype("float64")
    names = [label_of(str(cell), None if pd.isna(name) else str(name)) for cell, name in known["name"].items()]
    numbers = relative.astype(object).where(relative.notna(), None)
    return {name: Costs(*values) for name, values in zip(names, numbers.itertuples(index=False), strict=True)}
