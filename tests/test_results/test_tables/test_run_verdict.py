"""Verdicts of stored runs, against the numbers computed from their trials here."""

import gc
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from results.scores.match import Match
from results.scores.verdict import Kind
from results.store.records import ProposalRow
from results.tables.leaderboard import leaderboard
from results.tables.run_verdict import known_of, verdict_of
from search.cells.ids import short_id
from search.cells.library import LIBRARY
from tests.test_results.truths import FOUND, NAMES, STUDY, TASKS, confirm, make_run

CONSTANTS = {"arithmetic": 0.3, "xml": 0.4, "language": 0.2, "music": 12.0}


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Keep statsmodels from collecting garbage at each correction, which is slow with all that pytest holds."""
    gc.freeze()
    yield
    gc.unfreeze()


def of(matches: tuple[Match, ...], task: str, cell: str, other: str) -> Match:
    (found,) = (match for match in matches if (match.task, match.cell, match.other) == (task, cell, other))
    return found


def test_a_confirmed_cell_is_told_with_the_numbers_of_its_confirmation(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, found=0.2) as store:
        confirm(store, STUDY | {FOUND: 0.2})
        store.mark(constants={task: {"test": value} for task, value in CONSTANTS.items()}, finished="2026-01-01")
        known, found = known_of(store, TASKS), verdict_of(store, TASKS)
        tests = {
            cell: np.array([t.test for t in store.trials(cell, "xml") if t.repeat > 1000], np.float64)
            for cell in (FOUND, LIBRARY["gru"].graph.id)
        }
    match = of(known.confirmed, "xml", short_id(FOUND), "gru")
    own, gru = (values[: match.repeats] for values in tests.values())
    shares = (own - gru) / (gru.mean() - CONSTANTS["xml"])
    assert match.unit == "gain"
    assert match.effect == pytest.approx(shares.mean())
    low, high = stats.t.interval(0.95, len(shares) - 1, shares.mean(), stats.sem(shares))  # one planned look
    assert (match.low, match.high) == pytest.approx((low, high))
    assert (found.kind, found.cell, found.better) == (Kind.BETTER, short_id(FOUND), TASKS)
    assert found.text.startswith(
        f"The found cell {short_id(FOUND)} is better than GRU and LSTM on all four tasks: arithmetic ("
    )
    told = re.search(r"xml \(ahead of the GRU by (\S+) %, (\S+) to (\S+) %\)", found.text)
    assert told is not None
    assert [float(number) for number in told.groups()] == pytest.approx(
        [100 * shares.mean(), 100 * low, 100 * high], abs=1
    )


def test_named_cells_are_one_family_as_in_the_table(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, noise=0.02) as store:
        store.mark(finished="2026-01-01")
        table = leaderboard(store, TASKS)
        known, found = known_of(store, TASKS, table), verdict_of(store, TASKS)
        gru, lstm = (
            np.array([t.test for t in store.trials(LIBRARY[name].graph.id, "xml") if t.repeat > 0], np.float64)
            for name in ("gru", "lstm")
        )
    assert len(known.named) == len(TASKS) * (2 * (len(NAMES) - 2) + 1)
    verdicts = table.set_index("name")
    for match in known.named:
        column = f"{match.task}_vs_{match.other}"
        told = "undecided" if match.standing == "even" else match.standing
        assert verdicts.at[match.cell, column] in (told, str(match.standing)), match
    match = of(known.named, "xml", "lstm", "gru")
    shares = (lstm - gru) / gru.mean()
    assert match.unit == "metric"
    interval = stats.t.interval(0.95, len(shares) - 1, shares.mean(), stats.sem(shares))
    assert (match.effect, match.low, match.high) == pytest.approx((shares.mean(), *interval))
    assert "tanh" in found.text.split("Worse than the GRU: ")[1]


def test_a_found_cell_without_confirmation_is_the_best_of_the_table(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, found=0.2) as store:
        row = leaderboard(store, TASKS).loc[FOUND]
        running = verdict_of(store, TASKS)
        store.mark(finished="2026-01-01")
        found = verdict_of(store, TASKS)
    assert found.kind is Kind.UNTESTED
    assert (
        f"is {short_id(FOUND)} with a score of {row['score']:.3f} ± {row['score_se']:.3f}; `gatesearch finalists "
        in found.text
    )
    assert found.command == f"gatesearch finalists {store.folder} --cell {short_id(FOUND)}"
    assert running.text.startswith("The run has not ended, so this may change. Nothing is decided")
    assert running.command == f"gatesearch search {store.folder} --resume"


def test_search_estimates_decide_nothing(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, repeats=0) as store:
        store.mark(finished="2026-01-01", simulated={"delays": 0})
        store.add_proposal(ProposalRow(100, "propose", None, None, "no valid child", None))
        found = verdict_of(store, TASKS)
    assert found.kind is Kind.NOTHING
    assert found.text.startswith(
        "SIMULATED: every number is made up, no cell was trained. No found cell passed every stage of the search. "
        "Nothing is decided: no cell was retrained on fresh seeds"
    )


def test_an_empty_run_has_a_verdict(tmp_path: Path) -> None:
    with make_run(tmp_path, {}, repeats=0) as store:
        assert verdict_of(store, TASKS).kind is Kind.NOTHING


def test_lines_are_narrow_and_commands_are_whole(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, found=0.2) as store:
        store.mark(finished="2026-01-01")
        found = verdict_of(store, TASKS)
    lines = found.lines(60)
    assert " ".join(lines) == found.text
    assert sum(f"`{found.command}`" in line for line in lines) == 1
    assert all(len(line) <= 60 for line in lines if str(found.command) not in line)
