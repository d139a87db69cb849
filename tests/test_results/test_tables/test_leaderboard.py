"""The table against plain loops over the rows, and its CSV as pandas reads it."""

from __future__ import annotations

import csv
import json
import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.text import Text
from scipy import stats

from results.store.errors import ResultsError, StoreError
from results.store.records import CellRow, MeasureRow, ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import COMPLETE
from results.tables.columns import COLUMNS, columns
from results.tables.files import full_text, write_tables
from results.tables.leaderboard import has_rank, kind_of, known_names, leaderboard, left_out
from results.tables.readable import caption, readable, render_table, with_study
from results.tables.trial_figures import trial_figures
from search.cells.ids import printed_id, short_id
from search.cells.library import LIBRARY
from search.cells.notation.formula import format_graph
from search.cells.operations import Op
from tests.test_results.rows import (
    CONSTANTS,
    GRU,
    LSTM,
    TASKS,
    fill,
    make_baseline,
    make_cell,
    make_evaluation,
    make_gain_store,
    make_store,
    make_trial,
    random_run,
)


def of_task(task: str) -> list[str]:
    names = (
        "metric test test_se test_low test_high test_set_se gain gain_se gain_low gain_high ratio ratio_se ratio_low "
        "ratio_high vs_gru vs_gru_p vs_gru_p_raw vs_lstm vs_lstm_p vs_lstm_p_raw repeats lost validation accuracy "
        "perplexity settings setting units parameters multiply_adds"
    )
    return [f"{task}_{name}" for name in names.split()]


HEADER = [
    *("rank", "cell", "name", "verdict", "id", "origin", "parent", "proposal", "stage", "simulated"),
    *("evidence", "score", "score_se", "rank_best", "rank_worst", "gain_score", "ratio_score", "search_score"),
    "weakest_task",
    *of_task("arithmetic"),
    *of_task("music"),
    *(
        "diverged_share",
        "parameters",
        "relative_parameters",
        "relative_multiply_adds",
        "loop_products",
        "linear_in_state",
    ),
    *("front", "trials", "steps", "seconds"),
    *("relative_step_seconds", "front_step_seconds"),
    *("environments", "formula"),
]


SHORT = [
    *("rank", "cell", "name", "verdict", "simulated", "score", "score_se"),
    *("arithmetic_test", "arithmetic_test_se", "arithmetic_units", "music_test", "music_test_se", "music_units"),
    *("parameters", "relative_step_seconds", "formula"),
]


def pick(trials: list[TrialRow], cell: str, task: str) -> TrialRow | None:
    """Return the best trial of a cell on a task, by a plain loop."""
    best, lowest = None, (math.inf, 0, "", 0)
    for trial in trials:
        if trial.cell != cell or trial.task != task or trial.state in ("diverged", "failed", "paused"):
            continue
        if trial.repeat > 0:  # a finalist's trial, not the search's
            continue
        if trial.validation is None or not math.isfinite(trial.validation):
            continue
        sign = -1 if trial.higher_is_better else 1
        key = (sign * trial.validation, trial.parameters, trial.setting, trial.repeat)
        if key < lowest:
            best, lowest = trial, key
    return best


def relative_time(trials: list[TrialRow], best: TrialRow) -> list[float]:
    """Return the log of the time of a step at the best setting over the LSTM's, if it has any."""
    lstm = pick(trials, LSTM, best.task)
    if lstm is None:
        return []
    per_step: list[dict[int, float]] = []
    for pick_of in (best, lstm):
        same = [t for t in trials if (t.cell, t.task, t.setting) == (pick_of.cell, pick_of.task, pick_of.setting)]
        per_step.append({t.repeat: t.seconds / t.steps for t in same if t.steps})
    both = per_step[0].keys() & per_step[1].keys()
    both = {k for k in both if k > 0} or both
    return [math.log(statistics.median(per_step[0][k] / per_step[1][k] for k in both))] if both else []


def expected_rows(
    cells: list[CellRow], trials: list[TrialRow], proposals: list[ProposalRow], kind: str
) -> list[dict[str, object]]:
    """Return the leaderboard, computed by plain loops; without constant baselines for a run that ratios rank."""
    names = {cell.id: cell.name or short_id(cell.id) for cell in cells}
    rows = []
    reference = [trial for trial in trials if trial.cell == GRU]
    for cell in cells:
        own = [trial for trial in trials if trial.cell == cell.id]
        if not any(trial.task in TASKS for trial in own):
            continue
        stage = next(proposal.outcome for proposal in proposals if proposal.cell == cell.id)
        row: dict[str, object] = {
            "cell": short_id(cell.id),
            "name": cell.name,
            "verdict": "search estimate" if stage == COMPLETE else stage,
            "origin": cell.origin,
            "parent": names[cell.parent] if cell.parent else None,
            "proposal": cell.proposal,
            "stage": stage,
            "simulated": False,
            "evidence": "search",
            "diverged_share": sum(trial.state in ("diverged", "failed") for trial in own) / len(own),
            "trials": len(own),
            "steps": sum(trial.steps for trial in own),
            "seconds": pytest.approx(sum(trial.seconds for trial in own)),
            "environments": len({trial.environment for trial in (*own, *reference)} - {None}),
            "loop_products": 1,
            "linear_in_state": False,
            "formula": "g1 = sigmoid(linear(x) + linear(h)); h' = g1 * x",
        }
        ratios: dict[str, float] = {}
        gains: dict[str, float] = {}
        parameters, relative, products, times = [], [], [], []
        errors: dict[str, Any] = {}
        for task in TASKS:
            best, gru = pick(trials, cell.id, task), pick(trials, GRU, task)
            assert gru is not None
            assert gru.validation is not None
            ratio: float | None = None
            gain: float | None = None
            error: Any = None
            gain_error: Any = None
            sizes: list[Any] = [None, None, None]
            if best is not None and best.validation is not None:
                sizes = [best.units, best.parameters, json.loads(best.setting)["layers"] * 2 * 16**2]
                parameters.append(best.parameters)
                relative.append(best.parameters / gru.parameters)
                products.append(json.loads(best.setting)["layers"] / json.loads(gru.setting)["layers"])
                times += relative_time(trials, best)
                ratio = best.validation / gru.validation if task != "music" else gru.validation / best.validation
                ratios[task] = ratio
                constant = CONSTANTS[task]["validation"]
                if kind == "gain":
                    gain = (best.validation - constant) / (gru.validation - constant)
                    gains[task] = gain
                if cell.id == GRU:
                    error = 0.0
                    gain_error = 0.0 if kind == "gain" else None
                elif best.validation_se is not None and gru.validation_se is not None:
                    squares = (best.validation_se / best.validation) ** 2 + (gru.validation_se / gru.validation) ** 2
                    error = pytest.approx(ratio * math.sqrt(squares))
                    if gain is not None:
                        variance = best.validation_se**2 + (gain * gru.validation_se) ** 2
                        gain_error = pytest.approx(math.sqrt(variance) / abs(gru.validation - constant))
            errors[task] = gain_error if kind == "gain" else error
            row |= dict.fromkeys(of_task(task)) | {
                f"{task}_metric": gru.metric,
                f"{task}_repeats": 0,
                f"{task}_lost": 0,
                f"{task}_test_se": best.test_se if best else None,
                f"{task}_test_set_se": best.test_se if best else None,
                f"{task}_gain": None if gain is None else pytest.approx(gain),
                f"{task}_gain_se": gain_error,
                f"{task}_accuracy": best.test if best and task != "music" else None,
                f"{task}_perplexity": pytest.approx(math.exp(1.75)) if best and task != "music" else None,
                f"{task}_setting": best.setting if best else None,
                f"{task}_units": sizes[0],
                f"{task}_parameters": sizes[1],
                f"{task}_multiply_adds": sizes[2],
                f"{task}_validation": best.validation if best else None,
                f"{task}_test": best.test if best else None,
                f"{task}_ratio": ratio,
                f"{task}_ratio_se": error,
                f"{task}_settings": len({trial.setting for trial in own if trial.task == task}),
            }
        shares = gains if kind == "gain" else ratios
        for name, values in (("score", shares), ("gain_score", gains), ("ratio_score", ratios)):
            row[name] = pytest.approx(min(values.values())) if len(values) == len(TASKS) else None
        row |= {"rank_best": None, "rank_worst": None, "front": None, "front_step_seconds": False}
        row["weakest_task"] = min(shares, key=lambda task: shares[task]) if shares else None
        row["score_se"] = errors[str(row["weakest_task"])] if row["score"] is not None else None
        row["search_score"] = row["score"]
        row["parameters"] = round(statistics.mean(parameters)) if parameters else None
        row["relative_parameters"] = pytest.approx(stats.gmean(relative)) if relative else None
        row["relative_multiply_adds"] = pytest.approx(stats.gmean(products)) if products else None
        row["relative_step_seconds"] = pytest.approx(math.exp(sum(times) / len(times))) if times else None
        ranked = stage == COMPLETE and row["score"] is not None
        row["order"] = (
            not ranked,
            -round(min(shares.values()), 9) if shares else math.inf,
            sum(parameters) or math.inf,
            cell.id,
        )
        rows.append(row)
    rows.sort(key=lambda row: row["order"])  # type: ignore[arg-type, return-value]
    orders = [row.pop("order") for row in rows]
    ranked_scores = [order[1] for order in orders if not order[0]]  # type: ignore[index]
    for place, row in enumerate(rows):
        # One more than the number of better cells: equal scores share a rank.
        row["rank"] = (
            1 + ranked_scores.index(ranked_scores[place]) if place < len(ranked_scores) else 1 + len(ranked_scores)
        )
    return rows


@pytest.mark.parametrize("kind", ["ratio", "gain"])
@pytest.mark.parametrize("seed", range(8))
def test_every_number_is_that_of_a_plain_loop(tmp_path: Path, seed: int, kind: str) -> None:
    run = random_run(np.random.default_rng(seed))
    with make_gain_store(tmp_path / "run") if kind == "gain" else make_store(tmp_path / "run") as store:
        fill(store, *run)
        frame = leaderboard(store, TASKS)
    found = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    expected = expected_rows(*run, kind)
    assert [row["cell"] for row in found] == [row["cell"] for row in expected]
    assert frame.index.name == "id"
    assert set(frame.index) <= {cell.id for cell in run[0]}
    assert [short_id(cell) for cell in frame.index] == frame["cell"].tolist()
    assert found == expected
    assert frame["rank"].dtype == np.int64
    assert not has_rank(frame).all()
    assert has_rank(frame).sum() > 2
    assert set(frame["rank"][~has_rank(frame)]) == {has_rank(frame).sum() + 1}
    assert kind_of(frame) == kind


def test_the_gru_is_exactly_one(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(3)))
    frame = leaderboard(store, TASKS).set_index("name")
    gru = frame.loc["gru"].to_dict()
    assert [gru[column] for column in ("score", "arithmetic_ratio", "music_ratio")] == [1.0, 1.0, 1.0]
    assert [gru[column] for column in ("arithmetic_ratio_se", "music_ratio_se")] == [0.0, 0.0]


def test_lost_trials_never_rank(store: Store) -> None:
    """A good number in a diverged trial does not count, nor does one that is not finite."""
    store.add_cell(make_baseline("gru"))
    store.add_cell(make_baseline("lstm"))
    for cell in (GRU, LSTM):
        for task, best in zip(TASKS, (0.9, 0.1), strict=True):
            trials = [
                make_trial(cell, task, 0, state="ok", validation=0.5),
                make_trial(cell, task, 1, state="diverged", validation=best),
                make_trial(cell, task, 2, state="failed", validation=best),
                make_trial(cell, task, 3, state="ok", validation=math.nan),
                make_trial(cell, task, 4, state="ok", validation=math.inf),
                make_trial(cell, task, 5, state="ok", validation=-math.inf),
            ]
            store.record(make_evaluation(cell, task), trials)
    frame = leaderboard(store, TASKS)
    assert frame["arithmetic_validation"].tolist() == [0.5, 0.5]
    assert frame["music_validation"].tolist() == [0.5, 0.5]
    assert frame["score"].tolist() == [1.0, 1.0]
    assert frame["diverged_share"].tolist() == [4 / 12, 4 / 12]
    assert frame["rank"].tolist() == [1, 1]
    assert frame["stage"].tolist() == [COMPLETE, COMPLETE]


def test_only_lost_trials_leave_a_row_without_numbers_at_the_end(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(1)))
    store.add_cell(make_cell("f" * 16))
    store.record(None, [make_trial("f" * 16, state="failed", validation=None, test=None)])
    frame = leaderboard(store, TASKS)
    last = frame.iloc[-1]
    assert (last["rank"], last["verdict"]) == (has_rank(frame).sum() + 1, "running")
    assert last["cell"] == "gffffffff"
    assert last["stage"] == "running"
    assert last["diverged_share"] == 1.0
    assert last[["score", "weakest_task", "arithmetic_ratio", "arithmetic_parameters"]].isna().all()


def test_without_the_gru_there_are_metrics_but_no_ratios(store: Store) -> None:
    store.add_cell(make_baseline("lstm"))
    store.record(None, [make_trial(LSTM, task) for task in TASKS])
    row = leaderboard(store, TASKS).iloc[0]
    assert row["arithmetic_validation"] == 0.5
    assert row[["score", "arithmetic_ratio", "arithmetic_ratio_se"]].isna().all()


@pytest.mark.parametrize("content", ["nothing", "gru", "found"])
def test_the_header_depends_on_the_tasks_alone(store: Store, tmp_path: Path, content: str) -> None:
    if content == "gru":
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(GRU, "memorization"), make_trial(GRU)])
    if content == "found":
        fill(store, *random_run(np.random.default_rng(0)))
    assert list(columns(TASKS)) == HEADER
    assert leaderboard(store, TASKS).columns.tolist() == [name for name in HEADER if name != "id"]
    write_tables(store, TASKS, tmp_path, trials=True)
    for file, header in (("leaderboard_full.csv", HEADER), ("leaderboard.csv", SHORT)):
        assert (tmp_path / file).read_text().splitlines()[0].split(",") == header
        assert pd.read_csv(tmp_path / file).columns.tolist() == header


def test_every_column_is_documented() -> None:
    assert [name for name in COLUMNS if not name.startswith("TASK_")] == [
        name for name in HEADER if not name.startswith(TASKS)
    ]
    assert all(column.meaning for column in COLUMNS.values())
    assert len(columns(("arithmetic", "xml", "language", "music"), main=True)) == 22


def test_formulas_are_in_the_form_for_people_unless_they_are_not_needed(store: Store) -> None:
    texts = {
        "gru": "v1 = sigmoid(linear(x) + linear(h))\nv2 = sigmoid(linear(x) + linear(h))\n"
        "v3 = tanh(linear(x) + linear(v1 * h))\nh' = v2 * h + (v3 - v2 * v3)",
        "update": "g = sigmoid(linear(h))\nh' = g * h + (x - g * x)",
        "damaged": "h' = \n",
    }
    rows, trials, proposals = random_run(np.random.default_rng(5))
    for k, text in enumerate(texts.values(), start=3):
        rows[k] = replace(rows[k], formula=text)
    fill(store, rows, trials, proposals)
    shown, stored = leaderboard(store, TASKS)["formula"], leaderboard(store, TASKS, display=False)["formula"]
    ids = [row.id for row in rows[3:6] if row.id in shown.index]
    assert len(ids) >= 2
    assert {shown[row.id] for row in rows[3:6] if row.id in shown.index} <= {
        "r = sigmoid(linear(x) + linear(h)); z = sigmoid(linear(x) + linear(h)); n = tanh(linear(x) + linear(r * h)); "
        "h' = z * h + (1 - z) * n",
        "z = sigmoid(linear(h)); h' = z * h + (1 - z) * x",
        "h' = ",
    }
    assert {stored[row.id] for row in rows[3:6] if row.id in stored.index} <= set(texts.values())


def test_the_loops_of_a_cell_are_in_its_row_and_unknown_for_a_damaged_formula(store: Store, tmp_path: Path) -> None:
    texts = {
        "h' = tanh(linear(x) + linear(h))": (1, False),
        "f = sigmoid(linear(x)); h' = f * h + (1 - f) * linear(x)": (0, True),
        "h' = tanh(linear(x) + param(1) * h)": (0, False),
        "h' = ": (None, None),
    }
    rows, trials, proposals = random_run(np.random.default_rng(5))
    rows = [replace(row, formula=list(texts)[k % 4]) for k, row in enumerate(rows)]
    fill(store, rows, trials, proposals)
    frame = leaderboard(store, TASKS, display=False)
    assert set(frame["formula"]) == set(texts)
    for _, row in frame.iterrows():
        known = texts[row["formula"]]
        assert (row["loop_products"], row["linear_in_state"]) == known or (
            known == (None, None) and pd.isna(row["loop_products"])
        )
    write_tables(store, TASKS, tmp_path, trials=False)
    with (tmp_path / "leaderboard_full.csv").open(newline="") as file:
        printed = {(row["loop_products"], row["linear_in_state"]) for row in csv.DictReader(file)}
    assert printed == {("1", "False"), ("0", "True"), ("0", "False"), ("", "")}


def number(text: str) -> float:
    """Parse an entry of a numeric column."""
    return float({"": "nan", "False": "0", "True": "1"}.get(text, text))


def test_pandas_reads_the_csv_back_without_help(store: Store, tmp_path: Path) -> None:
    cells, trials, proposals = random_run(np.random.default_rng(5))
    cells[5] = replace(cells[5], name='=1+1, "ü"\n[bold]', formula="a = x\nb = a\nh' = b\n")
    fill(store, cells, trials, proposals)
    path = tmp_path / "leaderboard_full.csv"
    write_tables(store, TASKS, tmp_path, trials=False)
    frame, read = leaderboard(store, TASKS), pd.read_csv(path)
    frame = frame.assign(id=frame.index.map(printed_id))
    with path.open(newline="", encoding="utf-8") as file:
        exact = list(csv.DictReader(file))
    assert len(read) == len(frame)
    for column in HEADER:
        if pd.api.types.is_numeric_dtype(frame[column]):
            ours, theirs = (table[column].to_numpy(np.float64, na_value=np.nan) for table in (frame, read))
            np.testing.assert_array_equal([number(row[column]) for row in exact], ours)
            exactly = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)  # earlier ones misread the last digits
            np.testing.assert_allclose(theirs, ours, rtol=1e-14 if exactly else 1e-13)
        else:
            texts = [["" if pd.isna(value) else value for value in table[column]] for table in (frame, read)]
            # A spreadsheet would run the name as a formula.
            texts[0] = [value if value != cells[5].name else f"'{value}" for value in texts[0]]
            assert texts[0] == texts[1], column
    assert "\n" not in "".join(read["formula"])


def test_the_same_rows_make_the_same_bytes_in_whatever_order_they_came(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    cells, trials, proposals = random_run(rng)
    texts = set()
    for k in range(4):
        with make_store(tmp_path / str(k)) as store:
            fill(store, cells, [], [])
            for place in rng.permutation(len(trials)):
                store.record(None, [trials[place]])
            for place in rng.permutation(len(proposals)):
                store.add_proposal(proposals[place])
            texts.add(full_text(leaderboard(store, TASKS)))
    assert len(texts) == 1


def test_ties_share_a_rank_and_go_to_fewer_parameters_in_all_then_to_the_smaller_id(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    sizes = {GRU: (500, 500), "d" * 16: (150, 50), "b" * 16: (100, 1000), "c" * 16: (100, 100)}
    for index, (cell, parameters) in enumerate(sizes.items()):
        store.add_cell(make_cell(cell))
        trials = [make_trial(cell, task, parameters=size) for task, size in zip(TASKS, parameters, strict=True)]
        store.record(None, trials)
        store.add_proposal(ProposalRow(index, "propose", cell, None, COMPLETE, 1.0))
    store.add_cell(make_cell("e" * 16))
    store.record(None, [make_trial("e" * 16, task, validation=0.49 if task != "music" else 0.51) for task in TASKS])
    store.add_proposal(ProposalRow(9, "propose", "e" * 16, None, COMPLETE, 0.98))
    frame = leaderboard(store, TASKS)
    assert frame["cell"].tolist() == [short_id(cell) for cell in ("c" * 16, "d" * 16, GRU, "b" * 16, "e" * 16)]
    assert frame["rank"].tolist() == [1, 1, 1, 1, 5]


def test_a_cell_stays_complete_whatever_comes_of_it_later(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    store.record(None, [make_trial(GRU, task) for task in TASKS])
    assert leaderboard(store, TASKS)["stage"].tolist() == ["running"]
    for index, outcome in enumerate(("stopped at music", COMPLETE, "failed")):
        store.add_proposal(ProposalRow(index, "re-examine", GRU, None, outcome, None))
        expected = "stopped at music" if index == 0 else COMPLETE
        assert leaderboard(store, TASKS)["stage"].tolist() == [expected]


@pytest.mark.parametrize("tasks", [[], ["xml", "xml"]])
def test_a_list_of_tasks_that_makes_no_table_is_refused(store: Store, tasks: list[str]) -> None:
    with pytest.raises(ResultsError, match="at least one is needed, each of them once"):
        leaderboard(store, tasks)


def test_a_table_that_cannot_be_written_leaves_the_old_one(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    write_tables(store, TASKS, folder, trials=True)
    content = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    assert sorted(content) == ["columns.json", "leaderboard.csv", "leaderboard_full.csv", "trials.parquet"]
    with pytest.raises(StoreError, match="the system refused it"):
        write_tables(store, TASKS, folder / "leaderboard.csv" / "below", trials=True)
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == content


def make_finalists(store: Store, rng: np.random.Generator, repeats: int = 4) -> dict[str, dict[str, list[TrialRow]]]:
    """Make a run with five finalists, of which one was found, and another cell; return the repeats by task and cell."""
    cells = [
        *(make_baseline(name) for name in ("gru", "lstm")),
        *(make_cell(digit * 16, origin="found" if digit == "c" else "baseline") for digit in "abc"),
    ]
    found: dict[str, dict[str, list[TrialRow]]] = {task: {} for task in TASKS}
    noise = {task: rng.normal(0, 0.02, repeats) for task in TASKS}  # of the seed: shared by all cells
    for k, cell in enumerate([*cells, make_cell("d" * 16)]):
        store.add_cell(cell)
        store.add_proposal(ProposalRow(k, "propose", cell.id, None, COMPLETE, 1.0))
        for task in TASKS:
            search = [make_trial(cell.id, task, s, validation=float(rng.random()), units=32) for s in range(3)]
            store.record(None, search)
            if cell.id.startswith("d"):
                continue
            best = pick(search, cell.id, task)
            assert best is not None
            tests = 0.5 + (k - 2) * 0.05 + noise[task] + rng.normal(0, 0.001, repeats)
            found[task][cell.id] = [
                replace(best, repeat=r, seed=r, test=float(test), validation=0.1) for r, test in enumerate(tests, 1)
            ]
    lost = found["arithmetic"]["b" * 16]
    lost[1] = replace(lost[1], state="diverged", test=None)
    for task in TASKS:
        for trials in found[task].values():
            store.record(None, trials)
    store.mark(retrained={"repeats": repeats, "constant_guess": {"arithmetic": 0.2, "music": 9.0}})
    return found


def named(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows by name or, for found cells, by the first digits of the id."""
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return {row["cell"] if pd.isna(row["name"]) else row["name"]: row for row in rows}


def holm_by_loop(values: list[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda k: values[k])
    corrected, largest = [0.0] * len(values), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, values[k] * (len(values) - place)))
        corrected[k] = largest
    return corrected


@pytest.mark.parametrize("seed", range(3))
def test_retrained_cells_are_ranked_by_test_means_and_paired_tests(store: Store, seed: int) -> None:
    found = make_finalists(store, np.random.default_rng(seed))
    frame = leaderboard(store, TASKS)
    assert frame["evidence"].tolist() == ["retrained"] * 5 + ["search"]
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["score"][:5].is_monotonic_decreasing
    rows = named(frame)
    tests: dict[tuple[str, str, str], float] = {}
    for task in TASKS:
        values = {
            cell: np.array([0.2 if t.test is None else t.test for t in trials]) for cell, trials in found[task].items()
        }
        for cell, own in values.items():
            row = rows[{GRU: "gru", LSTM: "lstm"}.get(cell, short_id(cell))]
            gru = values[GRU]
            ratio = own.mean() / gru.mean() if task == "arithmetic" else gru.mean() / own.mean()
            assert row[f"{task}_test"] == pytest.approx(own.mean())
            assert row[f"{task}_test_se"] == pytest.approx(stats.sem(own))
            assert row[f"{task}_ratio"] == pytest.approx(ratio)
            assert row[f"{task}_repeats"] == 4
            assert row[f"{task}_lost"] == (1 if (cell, task) == ("b" * 16, "arithmetic") else 0)
            for name, other in (("gru", GRU), ("lstm", LSTM)):
                if cell not in (other, "c" * 16) and (cell, other) != (GRU, LSTM):
                    tests[task, cell, name] = float(stats.ttest_rel(own, values[other]).pvalue)
    for task in TASKS:  # the seeds that chose a found cell cannot judge it
        assert pd.isna([rows["gcccccccc"][f"{task}_vs_{name}"] for name in ("gru", "lstm", "gru_p", "lstm_p")]).all()
    verdicts = set()
    for (task, cell, name), p in zip(tests, holm_by_loop(list(tests.values())), strict=True):
        row = rows[{LSTM: "lstm"}.get(cell, short_id(cell))]
        assert row[f"{task}_vs_{name}_p"] == pytest.approx(p)
        ahead = (row[f"{task}_test"] > rows[name][f"{task}_test"]) == (task == "arithmetic")
        expected = "undecided" if p >= 0.05 else "better" if ahead else "worse"
        assert row[f"{task}_vs_{name}"] == expected
        verdicts.add(expected)
        if (cell, name) == (LSTM, "gru"):
            mirrored = {"better": "worse", "worse": "better"}.get(expected, expected)
            assert rows["gru"][f"{task}_vs_lstm"] == mirrored
    assert verdicts == {"better", "worse", "undecided"}
    rng = np.random.default_rng(0)
    for name, row in rows.items():
        assert row["score"] == min(row[f"{task}_ratio"] for task in TASKS), name
        if row["evidence"] == "retrained":
            errors = [float(row[f"{task}_ratio_se"]) for task in TASKS]
            drawn = rng.normal([row[f"{task}_ratio"] for task in TASKS], errors, (200_000, len(TASKS))).min(axis=1)
            assert row["score_se"] == pytest.approx(drawn.std(), rel=0.02), name
        else:
            assert row["score_se"] == row[f"{row['weakest_task']}_ratio_se"], name
    gru_row = rows["gru"]
    assert [gru_row[c] for c in ("score", "score_se", "arithmetic_ratio_se", "music_ratio_se")] == [1, 0, 0, 0]
    # The search's own numbers are still there, and no repeat has found its way into them.
    best = pick([t for t in store.trials() if t.repeat == 0], "a" * 16, "music")
    assert best is not None
    assert rows["gaaaaaaaa"]["music_validation"] == best.validation
    gru_best = pick([t for t in store.trials() if t.repeat == 0], GRU, "music")
    assert gru_best is not None
    assert gru_best.validation is not None
    assert rows["gaaaaaaaa"]["search_score"] <= gru_best.validation / (best.validation or 0.0)
    assert rows["gdddddddd"]["score"] == rows["gdddddddd"]["search_score"]
    for task in TASKS:
        layers = json.loads(found[task]["a" * 16][0].setting)["layers"]
        assert (rows["gaaaaaaaa"][f"{task}_units"], rows["gaaaaaaaa"][f"{task}_multiply_adds"]) == (
            32,
            layers * 2 * 32**2,
        )


@pytest.mark.parametrize("units", [12, 30])
def test_multiply_adds_of_block_diagonal_matrices_are_those_of_their_blocks(tmp_path: Path, units: int) -> None:
    formula = "h' = tanh(linear(x, groups=2) + linear(h, groups=3) + linear(linear(x), groups=6))"
    blocks = [2, 3, 1, 6]
    with make_store(tmp_path / "run") as store:
        cell = make_cell("a" * 16, formula=formula, products=len(blocks))
        trials = [make_trial(cell.id, task, units=units) for task in TASKS]
        fill(store, [make_baseline("gru"), cell], [*trials, *(make_trial(GRU, task) for task in TASKS)], [])
        table = leaderboard(store, TASKS)
    for task in TASKS:
        expected = sum(block * (units // block) ** 2 for block in blocks)  # of one layer
        assert table.loc["a" * 16, f"{task}_multiply_adds"] == expected


def test_a_stored_formula_writes_the_blocks_of_each_matrix_once() -> None:
    """So the numbers of blocks are read from its text, which is a thousandth of the work of parsing it."""
    for place, cell in enumerate(LIBRARY.values()):
        nodes = tuple(
            replace(node, groups=1 + (k + place) % 4) if node.op is Op.LINEAR else node
            for k, node in enumerate(cell.graph)
        )
        graph = replace(cell.graph, nodes=nodes)
        blocks = [node.groups for node in nodes if node.op is Op.LINEAR]
        assert left_out(format_graph(graph)) == pytest.approx(sum(1 - 1 / number for number in blocks))


@pytest.mark.parametrize("seed", range(3))
def test_gains_of_retrained_cells_are_measured_from_the_test_set_s_constant_baseline(tmp_path: Path, seed: int) -> None:
    with make_gain_store(tmp_path / "run") as store:
        found = make_finalists(store, np.random.default_rng(seed))
        frame = leaderboard(store, TASKS)
    assert frame["evidence"].tolist() == ["retrained"] * 5 + ["search"]
    rows = named(frame)
    rng = np.random.default_rng(1)
    for task in TASKS:
        constant = CONSTANTS[task]["test"]
        values = {
            # A lost repeat has no gain at all.
            cell: np.array([constant if t.test is None else t.test for t in trials])
            for cell, trials in found[task].items()
        }
        gru = values[GRU] - constant
        for cell, own in values.items():
            row = rows[{GRU: "gru", LSTM: "lstm"}.get(cell, short_id(cell))]
            gain = own - constant
            share = gain.mean() / gru.mean()
            assert row[f"{task}_gain"] == pytest.approx(share)
            # The error of a ratio of means, by drawing both means with their covariance.
            covariance = np.cov(gain, gru) / gain.size
            drawn = rng.multivariate_normal([gain.mean(), gru.mean()], covariance, 100_000)
            deviation = float((drawn[:, 0] / drawn[:, 1]).std())
            assert row[f"{task}_gain_se"] == pytest.approx(deviation, rel=0.03, abs=1e-9)
    for name, row in rows.items():
        if row["evidence"] == "retrained":
            assert row["gain_score"] == min(row[f"{task}_gain"] for task in TASKS), name
            assert row["ratio_score"] == min(row[f"{task}_ratio"] for task in TASKS), name
            errors = [float(row[f"{task}_gain_se"]) for task in TASKS]
            drawn = rng.normal([row[f"{task}_gain"] for task in TASKS], errors, (200_000, len(TASKS))).min(axis=1)
            assert row["score_se"] == pytest.approx(drawn.std(), rel=0.02), name
        assert row["score"] == row["gain_score"]
    assert frame["score"][:5].is_monotonic_decreasing
    assert [rows["gru"][c] for c in ("score", "score_se", "arithmetic_gain_se", "music_gain")] == [1, 0, 0, 1]


def test_a_run_that_gains_rank_has_no_scores_without_its_constant_baselines(tmp_path: Path) -> None:
    with make_store(tmp_path / "run", '[search]\nscore = "gain"\n') as store:
        fill(store, *random_run(np.random.default_rng(0)))
        frame = leaderboard(store, TASKS)
    assert frame[["score", "gain_score", "arithmetic_gain"]].isna().all(axis=None)
    assert frame["ratio_score"].notna().any()


@pytest.mark.parametrize("profile", ["[search", "search = 1", '[search]\nscore = "best"'])
def test_a_profile_without_a_known_kind_of_score_is_refused_in_one_line(tmp_path: Path, profile: str) -> None:
    with (
        make_store(tmp_path / "run", profile) as store,
        pytest.raises(StoreError, match=r"run\.sqlite: .* \(invalid profile: ") as caught,
    ):
        leaderboard(store, TASKS)
    assert "\n" not in str(caught.value)


def test_accuracy_perplexity_and_the_error_of_the_test_set_are_means_over_the_repeats(store: Store) -> None:
    found = make_finalists(store, np.random.default_rng(0))
    extra = [
        replace(trial, repeat=trial.repeat, test_loss=1.0 + 0.1 * trial.repeat, test_se=0.01 * trial.repeat)
        for trial in found["music"][LSTM]
    ]
    # A symbols task that is ranked by cross entropy, with accuracy beside it.
    trials = [replace(t, task="text", metric="cross_entropy", test=t.test_loss, higher_is_better=False) for t in extra]
    base = replace(trials[0], repeat=0, validation=0.9, test=1.5, test_loss=1.5, test_se=0.25)
    measures = [
        MeasureRow(LSTM, "text", t.setting, t.repeat, "accuracy", 0.3, 0.01, 0.3 + 0.02 * t.repeat, 0.01)
        for t in (base, *trials)
    ]
    store.record(None, [base, *trials], measures)
    figures = trial_figures(store, 4)
    cells = pd.Index([LSTM, GRU, "b" * 16])
    search, repeats = figures.of_search("text", cells), figures.of_repeats("text", cells)
    assert list(search.loc[LSTM]) == pytest.approx([0.25, 0.3, math.exp(1.5)])
    assert list(repeats.loc[LSTM]) == pytest.approx([0.025, 0.35, math.exp(1.25)])
    assert search.loc[GRU].isna().all()
    rows = named(leaderboard(store, TASKS))
    tests = [t.test for t in found["arithmetic"][LSTM] if t.test is not None]
    assert rows["lstm"]["arithmetic_accuracy"] == pytest.approx(np.mean(tests)) == rows["lstm"]["arithmetic_test"]
    assert rows["lstm"]["arithmetic_perplexity"] == pytest.approx(math.exp(1.75))
    assert rows["lstm"]["arithmetic_test_set_se"] == pytest.approx(0.02)
    assert rows["lstm"]["arithmetic_test_se"] == pytest.approx(stats.sem(tests))
    assert math.isnan(rows["lstm"]["music_perplexity"])
    # A repeat was lost: a mean over the others would favour the cell.
    lost = rows["gbbbbbbbb"]
    assert (lost["arithmetic_lost"], math.isnan(lost["arithmetic_accuracy"])) == (1, True)
    assert math.isnan(lost["arithmetic_perplexity"])
    assert lost["arithmetic_test_set_se"] == pytest.approx(0.02)


def confirm(store: Store, found: dict[str, dict[str, list[TrialRow]]], rng: np.random.Generator) -> None:
    """Declare the found finalist as a contender with looks at 5 and 8 seeds, and store the trials of the first look."""
    contender = "c" * 16
    settings = {cell: {task: found[task][cell][0].setting for task in TASKS} for cell in (contender, GRU, LSTM)}
    for task in TASKS:
        shared = rng.normal(0, 0.02, 5)
        for cell, level in ((GRU, 0.5), (LSTM, 0.6), (contender, 0.55)):
            tests = level + shared + rng.normal(0, 0.003, 5)
            first = found[task][cell][0]
            store.record(None, [replace(first, repeat=1001 + r, test=float(test)) for r, test in enumerate(tests)])
    plans = [{"cell": contender, "task": task, "looks": [5, 8]} for task in TASKS]
    constant = {"arithmetic": 0.1, "music": 9.0}
    store.mark(
        constants={task: {"test": value, "validation": 0.0} for task, value in constant.items()},
        confirmation={"level": 0.05, "plans": plans, "settings": settings, "constant_baseline": constant},
    )


def test_contenders_have_the_numbers_and_verdicts_of_their_confirmation(store: Store) -> None:
    found = make_finalists(store, np.random.default_rng(1))
    before = named(leaderboard(store, TASKS))
    confirm(store, found, np.random.default_rng(2))
    frame = leaderboard(store, TASKS)
    rows = named(frame)
    assert {name: row["evidence"] for name, row in rows.items()} == {
        **{"gru": "confirmed", "lstm": "confirmed", "gcccccccc": "confirmed"},
        **{"gaaaaaaaa": "retrained", "gbbbbbbbb": "retrained", "gdddddddd": "search"},
    }
    fresh = [trial for trial in store.trials() if trial.repeat > 1000]
    raw: dict[tuple[str, str], float] = {}
    for task in TASKS:
        values = {
            cell: np.array([t.test for t in fresh if (t.cell, t.task) == (cell, task)], np.float64)
            for cell in (GRU, LSTM, "c" * 16)
        }
        for name, cell in (("gru", GRU), ("lstm", LSTM), ("gcccccccc", "c" * 16)):
            assert rows[name][f"{task}_test"] == pytest.approx(values[cell].mean())
            assert rows[name][f"{task}_repeats"] == 5
        ratio = values["c" * 16].mean() / values[GRU].mean()
        assert rows["gcccccccc"][f"{task}_ratio"] == pytest.approx(ratio if task == "arithmetic" else 1 / ratio)
        for name, other in (("gru", GRU), ("lstm", LSTM)):
            raw[task, name] = 2 * float(stats.ttest_rel(values["c" * 16], values[other]).pvalue)
    for (task, name), p in zip(raw, holm_by_loop(list(raw.values())), strict=True):
        assert rows["gcccccccc"][f"{task}_vs_{name}_p"] == pytest.approx(p)
        # Above the GRU and below the LSTM by 0.05, where music is better when lower.
        ahead = (name == "gru") == (task == "arithmetic")
        assert rows["gcccccccc"][f"{task}_vs_{name}"] == ("better" if ahead else "worse")
    # Named cells keep the family of the first round, which the confirmation does not change.
    for name in ("gaaaaaaaa", "gbbbbbbbb", "lstm"):
        for column in (f"{task}_vs_gru{end}" for task in TASKS for end in ("", "_p")):
            assert rows[name][column] == before[name][column]


def test_a_finalist_counts_once_it_has_every_repeat_at_the_best_setting_of_the_search(store: Store) -> None:
    found = make_finalists(store, np.random.default_rng(0))
    store.mark(retrained={"repeats": 5, "constant_guess": {"arithmetic": 0.2, "music": 9.0}})
    assert set(leaderboard(store, TASKS)["evidence"]) == {"search"}
    store.mark(retrained={"repeats": 4, "constant_guess": {"arithmetic": 0.2, "music": 9.0}})
    assert leaderboard(store, TASKS)["evidence"].tolist().count("retrained") == 5
    best = found["arithmetic"]["c" * 16][0]
    store.record(None, [replace(best, setting='{"layers": 1, "learning_rate": 9}', repeat=0, validation=0.999)])
    row = named(leaderboard(store, TASKS))["gcccccccc"]
    assert (row["evidence"], row["arithmetic_validation"]) == ("search", 0.999)


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
