"""Chosen pairs of cells of runs with known numbers: units, lost seeds, and what a caption says of a run."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from results.scores.finding import ALL_TASKS
from results.scores.power import MOST
from results.scores.run_evidence import RunEvidence
from results.store.database import FILE
from results.store.sanitize import csv_text
from results.store.store import Store
from results.store.words import ScoreKind
from results.tables.cell_pairs import caption, pair_table, readable_pairs, to_markdown
from results.tables.frame import kind_of, sorted_by
from results.tables.leaderboard import leaderboard
from results.tables.pair_columns import COLUMNS
from search.cells.library import LIBRARY
from tests.test_results.truths import FOUND, STUDY, TASKS, make_run

GRU, LSTM, MUT1 = (LIBRARY[name].graph.id for name in ("gru", "lstm", "mut1"))
LOW = {"arithmetic": 0.3, "xml": 0.3, "language": 0.2, "music": 12.0}
"""Constant baselines far below every cell."""


def marked(store: Store, constants: dict[str, float]) -> RunEvidence:
    """Return the evidence of a run that has ended, with these constant baselines on both splits."""
    both = {task: {"test": value, "validation": value} for task, value in constants.items()}
    store.mark(constants=both, finished="2026-01-01")
    return RunEvidence(store, TASKS)


def test_a_gain_within_its_noise_is_no_unit_of_the_first_round(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY) as store:
        gru, mut1 = (np.array([t.test for t in store.trials(cell, "xml") if t.repeat > 0]) for cell in (GRU, MUT1))
        noise = gru.std(ddof=1) / np.sqrt(gru.size)
        evidence = marked(store, LOW | {"xml": gru.mean() - 3.9 * noise})
        table = pair_table(evidence, [(task, MUT1, GRU) for task in TASKS])
        shown = caption(table, evidence)
        above = marked(store, LOW | {"xml": gru.mean() - 4.1 * noise})
        (row,) = pair_table(above, [("xml", MUT1, GRU)]).to_dict("records")
    assert row["unit"] == "gain"
    assert row["difference"] == pytest.approx((mut1 - gru).mean() / (4.1 * noise))
    xml = table.set_index("task").loc["xml"]
    assert table["unit"].tolist() == ["metric" if task == "xml" else "gain" for task in table["task"]]
    assert xml["difference"] == pytest.approx((mut1 - gru).mean() / gru.mean())
    assert xml["margin"] == 0.01
    assert shown == [
        "Differences in % of the GRU's gain over the constant baseline, but on xml in % of the other cell's metric "
        "(the run has no such baseline, or the GRU's gain is within its noise), above 0 if the cell is better; 95 % "
        "intervals over 6 seeds, not corrected; + better, - worse, = even within 2 % of the gain or 1 % of the metric, "
        "by 4 paired t-tests with Holm's correction."
    ]


def make_signed(store: Store, said: bool) -> None:
    """Take 7.75 nats from every value on music, so that they lie around 0, as those of real values may."""
    values = "test = test - 7.75, validation = validation - 7.75"
    sql = f"UPDATE trials SET {values}, metric = 'nats_per_step' WHERE task = 'music'"
    with closing(sqlite3.connect(store.folder / FILE)) as database, database:
        database.execute(sql)
    if said:
        store.mark(signed={"music": "nats per step"})


@pytest.mark.parametrize("said", [True, False])
def test_where_a_metric_may_be_negative_a_difference_without_a_gain_is_told_as_it_is(
    tmp_path: Path, said: bool
) -> None:
    """A share of nats around 0 would have any size and sign; a run of an earlier version shows them by its values."""
    with make_run(tmp_path, STUDY) as store:
        make_signed(store, said)
        gru, mut1 = (np.array([t.test for t in store.trials(cell, "music") if t.repeat > 0]) for cell in (GRU, MUT1))
        noise = gru.std(ddof=1) / np.sqrt(gru.size)
        evidence = marked(store, LOW | {"music": gru.mean() + 3.9 * noise})
        pairs = [(task, MUT1, GRU) for task in TASKS]
        table = pair_table(evidence, pairs)
        shown = caption(table, evidence)
        below = pair_table(marked(store, LOW | {"music": gru.mean() + 4.1 * noise}), pairs)
        frame = sorted_by(leaderboard(store, TASKS), "music")
        kind = kind_of(leaderboard(store, TASKS).assign(score=np.nan, gain_score=np.nan))
        every = marked(store, LOW | {"music": gru.mean()}).figures([(ALL_TASKS, MUT1, GRU)])
    assert gru.min() < 0.0 < mut1.max()
    assert kind is ScoreKind.GAIN  # where no cell has a gain, either
    music = table.set_index("task").loc["music"]
    difference, error = (gru - mut1).mean(), (gru - mut1).std(ddof=1) / np.sqrt(gru.size)
    assert music["unit"] == "nats per step"
    assert music["difference"] == pytest.approx(difference)
    reach = 2.5706 * error  # Student's t with 5 degrees of freedom
    assert (music["low"], music["high"]) == pytest.approx((difference - reach, difference + reach), rel=1e-4)
    assert np.isnan(music["margin"])
    assert music["verdict"] == "worse"
    assert music["even_p"] == 1.0
    assert "but on music in nats per step (the run has no" in shown[0]
    assert "= even within 2 %, by 4" in shown[0]
    text = readable_pairs(table, long=True).set_index("task").loc["music", "difference"]
    assert text == f"{difference:+.3f} ({music['low']:+.3f} to {music['high']:+.3f}) -"
    assert below.set_index("task").loc["music", "difference"] == pytest.approx(difference / (4.1 * noise))
    assert frame["music_ratio"].isna().all()
    assert frame["music_ratio_high"].isna().all()
    assert frame["music_test"].is_monotonic_increasing
    assert every == []  # no mean ratio over tasks, either


def test_nor_of_the_search_estimates(tmp_path: Path) -> None:
    """The validation metrics are 0.525 and 0.515, with a standard error of 0.01 from the validation set."""
    with make_run(tmp_path, STUDY, repeats=0) as store:
        for constant, unit in ((0.484, "gain"), (0.486, "metric")):
            evidence = marked(store, LOW | {"xml": constant})
            (row,) = pair_table(evidence, [("xml", MUT1, GRU)]).to_dict("records")
            assert row["unit"] == unit
            assert row["difference"] == pytest.approx(-0.01 / (0.525 - constant if unit == "gain" else 0.525))
            assert (row["verdict"], row["seeds"]) == ("search estimate", 0)


def test_without_a_stored_baseline_every_unit_is_the_metric(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY) as store:
        evidence = RunEvidence(store, TASKS)
        table = pair_table(evidence, [("xml", MUT1, GRU)])
    ended, explained = caption(table, evidence)
    assert ended == "The run has not ended, so this may change."
    assert explained.startswith("Differences in % of the other cell's metric and not of the GRU's gain over the ")
    assert "even within 1 %, by 1 paired t-test" in explained


def test_lost_seeds_are_told(tmp_path: Path) -> None:
    make_run(tmp_path, STUDY).close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        lost = "UPDATE trials SET state = 'diverged', test = NULL WHERE cell = ? AND task = 'xml' AND repeat IN (2, 5)"
        assert connection.execute(lost, (MUT1,)).rowcount == 2
    with Store.open(tmp_path) as store:
        evidence = marked(store, LOW)
        table = pair_table(evidence, [(task, *two) for task in ("xml", "music") for two in ((MUT1, GRU), (LSTM, MUT1))])
    assert table["lost"].tolist() == [2, 0, 0, 0]
    assert table["other_lost"].tolist() == [0, 2, 0, 0]
    words = caption(table, evidence)[-1]
    assert words == "Lost seeds, which count as the constant baseline: 2 of 6 of mut1 on xml."
    assert to_markdown(table, evidence).endswith(f"{words}\n")


def test_a_pair_that_the_seeds_cannot_judge_has_a_mark_of_its_own(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, found=0.2) as store:
        evidence = marked(store, LOW)
        table = pair_table(evidence, [("xml", FOUND, GRU), ("xml", LSTM, FOUND), ("xml", MUT1, GRU)])
    texts = readable_pairs(table)["xml"].tolist()
    assert [text[-2:] for text in texts] == [" *", " *", " -"]
    assert caption(table, evidence)[-1] == "* not tested: these very seeds chose gffffffff."


def test_needed_seeds_are_a_count(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, noise=0.03, repeats=4) as store:
        evidence = marked(store, LOW)
        table = pair_table(evidence, [(task, MUT1, GRU) for task in TASKS])
    assert str(table["needed"].dtype) == "Int64"
    needed = table["needed"].dropna()
    assert len(needed) > 0
    assert needed.between(5, MOST).all()
    assert ".0," not in "".join(csv_text(table[["task", "needed", "cell_id"]]).splitlines(keepends=True)[1:])
    assert COLUMNS["needed"].endswith("more than 200")
