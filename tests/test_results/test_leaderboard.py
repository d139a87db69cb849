"""The table against plain loops over the rows, and what a reader of the CSV sees."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from results.errors import ResultsError, StoreError
from results.leaderboard import COLUMNS, columns, leaderboard, write_leaderboard
from results.records import COMPLETE, CellRow, ProposalRow, TrialRow
from results.store import Store
from results.tables import render_table
from tests.test_results.rows import (
    GRU,
    LSTM,
    TASKS,
    fill,
    make_baseline,
    make_cell,
    make_evaluation,
    make_store,
    make_trial,
    random_run,
)

def of_task(task: str) -> list[str]:
    names = "test test_se ratio ratio_se vs_gru vs_gru_p vs_lstm vs_lstm_p repeats lost validation settings"
    return [f"{task}_{name}" for name in names.split()]


HEADER = [
    *("rank", "cell", "name", "origin", "parent", "stage", "simulated"),
    *("evidence", "score", "score_se", "search_score", "weakest_task"),
    *of_task("arithmetic"),
    *of_task("music"),
    *("diverged_share", "parameters", "multiply_adds", "trials", "steps", "seconds", "relative_step_seconds"),
    *("environments", "formula"),
]


def pick(trials: list[TrialRow], cell: str, task: str) -> TrialRow | None:
    """The best trial of a cell on a task, by a plain loop."""
    best, lowest = None, (math.inf, 0, "", 0)
    for trial in trials:
        if trial.cell != cell or trial.task != task or trial.state in ("diverged", "failed"):
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


def expected_rows(
    cells: list[CellRow], trials: list[TrialRow], proposals: list[ProposalRow]
) -> list[dict[str, object]]:
    """The leaderboard by plain loops."""
    names = {cell.id: cell.name or cell.id[:8] for cell in cells}
    rows = []
    reference = [trial for trial in trials if trial.cell == GRU]
    for cell in cells:
        own = [trial for trial in trials if trial.cell == cell.id]
        if not any(trial.task in TASKS for trial in own):
            continue
        stage = next(proposal.outcome for proposal in proposals if proposal.cell == cell.id)
        row: dict[str, object] = {
            "cell": cell.id[:8],
            "name": cell.name,
            "origin": cell.origin,
            "parent": names[cell.parent] if cell.parent else None,
            "stage": stage,
            "simulated": False,
            "diverged_share": sum(trial.state in ("diverged", "failed") for trial in own) / len(own),
            "trials": len(own),
            "steps": sum(trial.steps for trial in own),
            "seconds": pytest.approx(sum(trial.seconds for trial in own)),
            "environments": len({trial.environment for trial in (*own, *reference)} - {None}),
            "formula": "z = sigmoid(linear(x) + linear(h)); h' = z * h",
        }
        ratios: dict[str, float] = {}
        parameters = []
        for task in TASKS:
            best, gru = pick(trials, cell.id, task), pick(trials, GRU, task)
            assert gru is not None
            assert gru.validation is not None
            ratio: float | None = None
            error: Any = None
            if best is not None and best.validation is not None:
                parameters.append(best.parameters)
                ratio = best.validation / gru.validation if task != "music" else gru.validation / best.validation
                ratios[task] = ratio
                if cell.id == GRU:
                    error = 0.0
                elif best.validation_se is not None and gru.validation_se is not None:
                    relative = (best.validation_se / best.validation) ** 2 + (gru.validation_se / gru.validation) ** 2
                    error = pytest.approx(ratio * math.sqrt(relative))
            row |= {
                f"{task}_validation": best.validation if best else None,
                f"{task}_test": best.test if best else None,
                f"{task}_ratio": ratio,
                f"{task}_ratio_se": error,
                f"{task}_settings": len({trial.setting for trial in own if trial.task == task}),
            }
        row["score"] = min(ratios.values()) if len(ratios) == len(TASKS) else None
        row["weakest_task"] = min(ratios, key=lambda task: ratios[task]) if ratios else None
        row["parameters"] = max(parameters) if parameters else None
        ranked = stage == COMPLETE and row["score"] is not None
        row["order"] = (
            not ranked,
            -min(ratios.values()) if ratios else math.inf,
            row["parameters"] or math.inf,
            cell.id,
        )
        row["rank"] = ranked
        rows.append(row)
    rows.sort(key=lambda row: row.pop("order"))  # type: ignore[arg-type, return-value]
    for place, row in enumerate(rows, start=1):
        row["rank"] = place if row["rank"] else None
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_every_number_is_that_of_a_plain_loop(store: Store, seed: int) -> None:
    run = random_run(np.random.default_rng(seed))
    fill(store, *run)
    frame = leaderboard(store, TASKS)
    found = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    expected = expected_rows(*run)
    assert [row["cell"] for row in found] == [row["cell"] for row in expected]
    assert found == expected
    assert any(row["rank"] is None for row in found)
    assert sum(row["rank"] is not None for row in found) > 3


def test_the_gru_is_exactly_one(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(3)))
    frame = leaderboard(store, TASKS).set_index("name")
    gru = frame.loc["gru"].to_dict()
    assert [gru[column] for column in ("score", "arithmetic_ratio", "music_ratio")] == [1.0, 1.0, 1.0]
    assert [gru[column] for column in ("arithmetic_ratio_se", "music_ratio_se")] == [0.0, 0.0]


def test_lost_trials_never_rank(store: Store) -> None:
    """However good the number beside the state, and whatever is not a finite number in place of one."""
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
    assert frame["rank"].tolist() == [1, 2]
    assert frame["stage"].tolist() == [COMPLETE, COMPLETE]


def test_only_lost_trials_leave_a_row_without_numbers_at_the_end(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(1)))
    store.add_cell(make_cell("f" * 16))
    store.record(None, [make_trial("f" * 16, state="failed", validation=None, test=None)])
    last = leaderboard(store, TASKS).iloc[-1]
    assert last["cell"] == "ffffffff"
    assert last["stage"] == "running"
    assert last["diverged_share"] == 1.0
    assert last[["rank", "score", "weakest_task", "arithmetic_ratio", "parameters"]].isna().all()


def test_without_the_gru_there_are_metrics_but_no_ratios(store: Store) -> None:
    store.add_cell(make_baseline("lstm"))
    store.record(None, [make_trial(LSTM, task) for task in TASKS])
    row = leaderboard(store, TASKS).iloc[0]
    assert row["arithmetic_validation"] == 0.5
    assert row[["rank", "score", "arithmetic_ratio", "arithmetic_ratio_se"]].isna().all()


@pytest.mark.parametrize("content", ["nothing", "gru", "found"])
def test_the_header_depends_on_the_tasks_alone(store: Store, tmp_path: Path, content: str) -> None:
    if content == "gru":
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(GRU, "memorization"), make_trial(GRU)])
    if content == "found":
        fill(store, *random_run(np.random.default_rng(0)))
    assert list(columns(TASKS)) == HEADER
    assert leaderboard(store, TASKS).columns.tolist() == HEADER
    path = tmp_path / "leaderboard.csv"
    write_leaderboard(store, TASKS, path)
    assert path.read_text().splitlines()[0].split(",") == HEADER
    assert pd.read_csv(path).columns.tolist() == HEADER


def test_every_column_is_documented() -> None:
    assert [name for name in COLUMNS if not name.startswith("TASK_")] == [
        name for name in HEADER if not name.startswith(TASKS)
    ]
    assert all(COLUMNS.values())


def test_pandas_reads_the_csv_back_without_help(store: Store, tmp_path: Path) -> None:
    cells, trials, proposals = random_run(np.random.default_rng(5))
    cells[5] = replace(cells[5], name='=1+1, "ü"\n[bold]', formula="a = x\nb = a\nh' = b\n")
    fill(store, cells, trials, proposals)
    path = tmp_path / "leaderboard.csv"
    write_leaderboard(store, TASKS, path)
    frame, read = leaderboard(store, TASKS), pd.read_csv(path)
    assert len(read) == len(frame)
    for column in HEADER:
        if pd.api.types.is_numeric_dtype(frame[column]):
            ours, theirs = (table[column].to_numpy(np.float64, na_value=np.nan) for table in (frame, read))
            np.testing.assert_allclose(theirs, ours, rtol=1e-14)  # some versions of pandas misread the last digit
        else:
            texts = [["" if pd.isna(value) else value for value in table[column]] for table in (frame, read)]
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
            write_leaderboard(store, TASKS, tmp_path / f"{k}.csv")
            texts.add((tmp_path / f"{k}.csv").read_bytes())
    assert len(texts) == 1


def test_ties_go_to_fewer_parameters_then_to_the_smaller_id(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    sizes = {GRU: 500, "d" * 16: 100, "b" * 16: 1000, "c" * 16: 100}
    for cell, parameters in sizes.items():
        store.add_cell(make_cell(cell))
        store.record(None, [make_trial(cell, task, parameters=parameters) for task in TASKS])
        store.add_proposal(ProposalRow(parameters + len(cell) + ord(cell[0]), "propose", cell, None, COMPLETE, 1.0))
    assert leaderboard(store, TASKS)["cell"].tolist() == ["c" * 8, "d" * 8, GRU[:8], "b" * 8]


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
    path = tmp_path / "leaderboard.csv"
    write_leaderboard(store, TASKS, path)
    content = path.read_bytes()
    with pytest.raises(StoreError, match="the system refused it"):
        write_leaderboard(store, TASKS, path / "below" / "it.csv")
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["leaderboard.csv"]


def rendered(frame: pd.DataFrame, top: int | None, width: int = 120) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(render_table(frame, top, width))
    return capture.get().splitlines()


def test_the_terminal_shows_rank_name_score_and_test_metrics(store: Store) -> None:
    for cell, score in ((make_baseline("gru"), 0.5), (make_baseline("lstm"), 0.45)):
        store.add_cell(replace(cell, name="[red]lstm" if cell.name == "lstm" else "gru"))
        trials = [make_trial(cell.id, "a", validation=score, test=score / 2, parameters=12_345)]
        store.record(make_evaluation(cell.id, "a"), trials)
    store.add_cell(make_cell("e" * 16, parent=GRU))
    store.record(None, [make_trial("e" * 16, "a", validation=None, test=None, state="diverged")])
    store.add_proposal(ProposalRow(0, "propose", "e" * 16, GRU, "stopped at a", None))
    frame = leaderboard(store, ["a"])
    lines = rendered(frame, None)
    assert lines[0].split() == ["rank", "cell", "name", "score", "a", "parameters"]
    assert lines[2].split() == ["1", GRU[:8], "gru", "1.0000", "0.2500", "(1.000)", "12,345"]
    assert lines[3].split() == ["2", LSTM[:8], "[red]lstm", "0.9000", "0.2250", "(0.900)", "12,345"]
    assert lines[4].split() == ["e" * 8, "stopped", "at", "a"]
    assert not any(LSTM[:8] in line for line in rendered(frame, 1))
    assert not any(GRU[:8] in line for line in rendered(frame.head(0), None))
    narrow = rendered(frame, None, width=60)
    assert narrow[0].split() == ["rank", "cell", "name", "score", "a"]
    assert narrow[3].split() == ["2", LSTM[:8], "[red]lstm", "0.9000", "0.2250"]


def test_the_terminal_s_table_fits_80_columns_without_cutting_numbers(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(0)))
    frame = leaderboard(store, TASKS)
    text = "\n".join(rendered(frame, 3, width=80))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    for score in frame["score"].head(3):
        assert f"{score:.4f}" in text


def test_a_simulated_run_is_marked_in_every_row_and_above_all_else_on_the_screen(store: Store) -> None:
    fill(store, *random_run(np.random.default_rng(0)))
    store.mark(simulated={"delays": 0.0})
    frame = leaderboard(store, TASKS)
    assert frame["simulated"].all()
    caption = render_table(frame, 3).caption
    assert isinstance(caption, str)
    assert caption.startswith("SIMULATED: every number is made up")
