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
from scipy import stats

from results.store.errors import ResultsError, StoreError
from results.store.records import CellRow, ProposalRow, TrialRow
from results.store.store import Store
from results.store.words import COMPLETE
from results.tables.columns import COLUMNS, columns
from results.tables.files import full_text, write_tables
from results.tables.frame import has_rank, kind_of
from results.tables.leaderboard import leaderboard, left_out
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
from tests.test_results.test_tables.finalists import pick


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
