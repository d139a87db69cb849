"""The table for people: what a terminal shows, fits, colours and explains."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.text import Text

from results.store.records import ProposalRow
from results.store.store import Store
from results.tables.frame import kind_of, known_names
from results.tables.leaderboard import leaderboard
from results.tables.readable import caption, readable, render_table, with_study
from search.cells.ids import short_id
from search.cells.library import LIBRARY
from search.cells.notation.formula import format_graph
from tests.test_results.rows import (
    GRU,
    LSTM,
    TASKS,
    fill,
    make_baseline,
    make_cell,
    make_evaluation,
    make_trial,
    random_run,
)
from tests.test_results.test_tables.finalists import make_finalists, named


def test_a_found_cell_that_is_published_is_named_where_people_read_and_not_in_the_csv(store: Store) -> None:
    ugrnn = LIBRARY["ugrnn"].graph
    for cell, name in ((GRU, "gru"), (LSTM, "mine"), (ugrnn.id, None), ("e" * 16, None)):
        row = make_baseline("gru") if name == "gru" else make_cell(cell, parent=GRU, name=name)
        store.add_cell(replace(row, formula=format_graph(ugrnn)))
        store.record(None, [make_trial(cell, "a", validation=0.5, test=0.25)])
    frame = leaderboard(store, ["a"])
    names = {"gru": GRU, "mine (lstm)": LSTM, "(ugrnn)": ugrnn.id, "": "e" * 16}
    assert dict(zip(known_names(frame), frame.index, strict=True)) == names
    assert set(frame["name"].dropna()) == {"gru", "mine"}
    assert set(readable(frame, ["a"])["name"]) == {f"{name} running".strip() for name in names}


def rendered(frame: pd.DataFrame, top: int | None, width: int = 120) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(render_table(frame, top, width))
    return capture.get().splitlines()


def test_the_terminal_shows_rank_name_score_and_test_metrics(store: Store) -> None:
    for cell, score in ((make_baseline("gru"), 0.5), (make_baseline("lstm"), 0.45)):
        store.add_cell(replace(cell, name="[red]lstm" if cell.name == "lstm" else "gru"))
        trials = [make_trial(cell.id, "a", validation=score, test=score / 2, parameters=round(4000 * score))]
        store.record(make_evaluation(cell.id, "a"), trials)
    store.add_cell(make_cell("e" * 16, parent=GRU))
    store.record(None, [make_trial("e" * 16, "a", validation=None, test=None, state="diverged")])
    store.add_proposal(ProposalRow(0, "propose", "e" * 16, GRU, "stopped at a", None))
    frame = leaderboard(store, ["a"])
    lines = rendered(frame, None)
    assert lines[0].split() == ["rank", "cell", "name", "score", "a", "parameters", "mult-adds", "time"]
    assert lines[2].split() == ["1", short_id(GRU), "gru", "(1.0000)", "0.2500", "1.00", "1.00", "1.00"]
    assert lines[3].split() == [
        "2",
        short_id(LSTM),
        "[red]lstm",
        "(lstm)",
        "(0.9000)",
        "0.2250",
        "0.90",
        "1.00",
        "1.00",
    ]
    assert lines[4].split() == ["geeeeeeee", "stopped", "at", "a"]
    assert lines[5].startswith("test metric; (scores) are search estimates")
    assert not any(short_id(LSTM) in line for line in rendered(frame, 1))
    assert not any(short_id(GRU) in line for line in rendered(frame.head(0), None))
    narrow = rendered(frame, None, width=60)
    assert narrow[0].split() == ["rank", "cell", "name", "score", "a"]
    assert narrow[3].split() == ["2", short_id(LSTM), "[red]lstm", "(lstm)", "(0.9000)", "0.2250"]


@pytest.mark.parametrize(("width", "digits"), [(44, 3), (56, 3), (64, 3), (80, 4), (120, 4)])
def test_the_terminal_shows_every_number_with_its_error_and_says_which_columns_do_not_fit(
    store: Store, width: int, digits: int
) -> None:
    make_finalists(store, np.random.default_rng(0))
    frame = leaderboard(store, TASKS)
    lines = rendered(frame, None, width)
    assert max(len(line) for line in lines) <= width
    assert not any("…" in line for line in lines)
    line = next(line for line in lines if "gaaaaaaaa" in line)  # a given cell, which has a verdict
    row = named(frame)["gaaaaaaaa"]
    mark = {"better": " +", "worse": " -", "undecided": ""}[row["arithmetic_vs_gru"]]
    assert f" {row['arithmetic_test']:.{digits}f}±{row['arithmetic_test_se']:.{digits}f}{mark} " in f"{line} "
    headings = {"rank", "name", *TASKS, "mult-adds"} - set(lines[0].split())
    told = " ".join(" ".join(lines).split()).partition("left out to fit the width: ")[2].partition(";")[0]
    assert headings <= {"ids", "name", *told.replace(",", "").split()}
    assert bool(told) is (width < 120)
    assert (len(TASKS) - len(headings & set(TASKS))) == (1 if width == 44 else len(TASKS))
    assert ("mult-adds" in lines[0]) is (width == 120)
    assert "mean over 4 fresh seeds" in " ".join(" ".join(lines).split())
    assert any(f"({frame['score'].iloc[-1]:.{digits}f})" in line for line in lines)


def test_the_terminal_s_table_fits_80_columns_without_cutting_numbers(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(0)))
    frame = leaderboard(store, TASKS)
    text = "\n".join(rendered(frame, 3, width=80))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    for score in frame["score"].head(3):
        assert f"{score:.4f}" in text


def test_the_front_is_that_of_the_retrained_cells_by_brute_force(store: Store) -> None:
    make_finalists(store, np.random.default_rng(4))
    for k, cell in enumerate((GRU, LSTM, "a" * 16, "b" * 16, "c" * 16, "d" * 16)):
        parameters, units = (1000, 900, 1000, 1200, 800, 10)[k], (32, 16, 64, 32, 32, 8)[k]
        store.select("UPDATE trials SET parameters = ?, units = ? WHERE cell = ?", (parameters, units, cell))
    frame = leaderboard(store, TASKS)
    retrained = frame[frame["evidence"] == "retrained"]
    assert len(retrained) == 5
    assert list(frame.loc["d" * 16, ["front", "front_step_seconds"]]) == [None, False]  # cheapest, by search only
    rows = retrained.to_dict("records")
    for cost in ("parameters", "multiply_adds"):
        points = [(row["score"], row[f"relative_{cost}"]) for row in rows]
        for row, (score, size) in zip(rows, points, strict=True):
            beaten = any(s >= score and c <= size and (s > score or c < size) for s, c in points)
            assert (cost in str(row["front"]).split()) is not beaten, (cost, row["cell"])
    assert 1 <= len(retrained["front"].dropna()) < 5
    assert retrained["front_step_seconds"].any()


def test_ratios_beside_the_study_s_are_ratios_of_accuracies() -> None:
    """Language is ranked by cross entropy here, arithmetic by accuracy; the study does not have music."""
    frame = pd.DataFrame({"name": ["gru", "lstm", "mut1"], "score": [1.0, 0.5, 0.9], "ratio_score": [1.0, 0.5, 0.9]})
    numbers = {
        "arithmetic": ([0.8, 0.6, 0.7], [0.8, 0.6, 0.7], [1.0, 0.75, 0.875]),
        "language": ([3.0, 6.0, 3.3], [0.3, 0.24, np.nan], [1.0, 0.5, 0.9]),
        "music": ([8.0, 8.8, 8.0], [np.nan] * 3, [1.0, 0.9, 1.0]),
    }
    for task, (test, accuracy, ratios) in numbers.items():
        frame = frame.assign(**{f"{task}_test": test, f"{task}_accuracy": accuracy, f"{task}_ratio": ratios})
        frame[f"{task}_ratio_se"] = 0.01
    found = with_study(frame)
    assert found["arithmetic_study"].tolist() == [1.0, 0.75, 0.875]
    assert found["language_study"].tolist()[:2] == pytest.approx([1.0, 0.8])
    assert np.isnan(found["language_study"].iloc[2])
    assert found["music_study"].tolist() == [1.0, 0.9, 1.0]
    assert found["study_score"].tolist()[:2] == pytest.approx([1.0, 0.75])  # over the tasks of the study
    assert np.isnan(found["study_score"].iloc[2])
    without = with_study(frame.assign(language_accuracy=np.nan))
    assert without["language_study"].isna().all()  # never the ratio of another quantity


def test_colours_are_verdicts_of_corrected_tests_and_never_estimates(store: Store) -> None:
    make_finalists(store, np.random.default_rng(0))
    frame = leaderboard(store, TASKS)
    table = render_table(frame, None, 120)
    colours = {"better": "green", "worse": "red"}
    seen = set()
    for task in TASKS:
        column = next(column for column in table.columns if str(column.header) == task)
        for cell, (_, row) in zip(column.cells, frame.iterrows(), strict=True):
            assert isinstance(cell, Text)
            styles = {str(span.style) for span in cell.spans} - {""}
            expected = colours.get(row[f"{task}_vs_gru"]) if row["evidence"] == "retrained" else None
            assert styles == ({expected} if expected else set())
            seen.add((expected, row[f"{task}_ratio"] < 1))
    # A cell below the GRU by no more than the noise is not red.
    assert {("green", False), ("red", True), (None, True)} <= seen


def test_a_task_that_cross_entropy_ranks_shows_the_perplexity(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(0)))
    frame = leaderboard(store, TASKS).head(1)
    frame = frame.assign(arithmetic_metric="cross_entropy", arithmetic_test=4.0, arithmetic_perplexity=math.exp(4.0))
    frame = frame.assign(arithmetic_test_se=0.01, evidence="retrained", arithmetic_repeats=4, music_repeats=4)
    text = readable(frame, TASKS)["arithmetic"].item()
    assert text.strip() == f"{math.exp(4.0):.2f}±{0.01 * math.exp(4.0):.2f}"  # the error by the delta method
    assert "arithmetic: perplexity, exp of the cross entropy that ranks" in caption(frame)
    # A cell with a lost seed has no mean loss, and its cross entropy is no perplexity.
    lost = frame.assign(arithmetic_perplexity=float("nan"), arithmetic_lost=1)
    assert readable(lost, TASKS)["arithmetic"].item() == text
    exploded = frame.assign(arithmetic_test=[2000.0], arithmetic_test_se=float("nan"))
    assert readable(exploded, TASKS)["arithmetic"].item().strip() == "inf"
    other = frame.assign(arithmetic_metric="accuracy")
    assert readable(other, TASKS)["arithmetic"].item().strip() == "4.0000±0.0100"
    assert "perplexity" not in caption(other)


def test_where_no_cell_has_a_gain_the_ratios_are_not_taken_for_the_score() -> None:
    """A run scored by gain whose GRU has learnt nothing has ratios, and neither a gain nor a score."""
    none = [float("nan")] * 2
    assert kind_of(pd.DataFrame({"score": none, "gain_score": none, "ratio_score": [1.0, 0.9]})) == "gain"
    by_ratio = pd.DataFrame({"score": [1.0, 0.9], "gain_score": none, "ratio_score": [1.0, 0.9]})
    assert kind_of(by_ratio) == "ratio"
