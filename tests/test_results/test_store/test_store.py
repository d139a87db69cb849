"""Stores: rows that are kept, values and files that are refused, and the messages."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest

import results.store.database
from results.store.errors import StoreError
from results.store.records import MeasureRow, ProposalRow
from results.store.schema import APPLICATION_ID, COLUMNS, SCHEMA_VERSION, TABLES
from results.store.store import FILE, PROFILE_FILE, Store
from search.cells.canonical import PRESENT
from tests.test_results.rows import GRU, LSTM, make_baseline, make_cell, make_evaluation, make_store, make_trial

CHILD = "00ff00ff00ff00ff"


def test_a_run_says_what_it_was_started_with(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run #1 ?%41 ü"
    with make_store(folder) as store:
        assert (store.name, store.first_name) == (folder.name, "test")
        assert (store.seed, store.strategy, store.window) == (7, "study", 4)
    with Store.open(folder) as store:
        assert (store.name, store.first_name) == (folder.name, "test")
        assert (store.seed, store.strategy, store.window) == (7, "study", 4)
        assert store.profile == (folder / PROFILE_FILE).read_text() == 'name = "quick"\n'
        assert store.information == {"canonical_form": int(PRESENT), "version": "1"}


def test_marks_are_merged_and_kept(store: Store) -> None:
    store.mark(resumed_at=["monday"], machine="é")
    store.mark(machine="ü", finished=True)
    with Store.open(store.folder, readonly=True) as other:
        kept = {"resumed_at": ["monday"], "machine": "ü", "finished": True}
        assert other.information == {"canonical_form": int(PRESENT), "version": "1"} | kept


def test_an_existing_run_is_refused_with_both_remedies(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    with pytest.raises(StoreError, match=r"'test' already exists in .*resume it with --resume, or choose a new name"):
        make_store(store.folder)
    assert [cell.name for cell in store.cells()] == ["gru"]


def test_of_many_that_create_a_run_at_once_one_succeeds(tmp_path: Path) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def create() -> None:
        barrier.wait()
        try:
            make_store(tmp_path / "run").close()
            outcomes.append("created")
        except StoreError:
            outcomes.append("refused")

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + ["refused"] * 5
    with Store.open(tmp_path / "run") as store:
        assert store.seed == 7


def test_what_a_killed_start_leaves_is_no_run(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with make_store(tmp_path) as store:
        assert store.cells() == []


def test_cells_proposals_and_evaluations_come_back(store: Store) -> None:
    cells = [make_baseline("gru"), make_cell(CHILD, parent=GRU, mutations=("tanh becomes relu", "é"), proposal=3)]
    evaluations = [make_evaluation(GRU, proposal=-1, passed=False), make_evaluation(CHILD, proposal=3, threshold=None)]
    proposals = [
        ProposalRow(-1, "baseline", GRU, None, "complete", 1.0),
        ProposalRow(3, "propose", CHILD, GRU, "stopped at arithmetic", None, {"duplicate": 4, "cycle": 1}),
        ProposalRow(4, "propose", None, GRU, "no valid child", None, {}),
    ]
    for cell in cells:
        store.add_cell(cell)
    for evaluation in evaluations:
        store.record(evaluation, [])
    for proposal in reversed(proposals):
        store.add_proposal(proposal)
    assert store.cells() == cells
    assert store.evaluations() == evaluations
    assert store.evaluations(cell=CHILD) == evaluations[1:]
    assert store.evaluations(task="music") == []
    assert store.proposals() == proposals


def test_trials_come_back_with_curves_where_asked_for(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    store.add_cell(make_baseline("lstm"))
    trials = [make_trial(cell, task, setting) for cell in (LSTM, GRU) for task in ("a", "b") for setting in (0, 1)]
    store.record(None, trials[::-1])
    assert store.trials(curves=True) == trials  # the LSTM's id is the smaller one
    assert store.trials(cell=GRU, task="b", curves=True) == trials[6:]
    assert [trial.curve for trial in store.trials(task="a")] == [()] * 4
    assert store.trial(GRU, "b", trials[7].setting, 0) == trials[7]
    assert store.trial(GRU, "b", trials[7].setting, 1) is None


def test_a_paused_trial_is_replaced_when_it_was_trained_further(store: Store) -> None:
    """The proposal that asked first stays, and so does the place of the row in the table."""
    store.add_cell(make_baseline("gru"))
    store.add_cell(make_cell(CHILD))
    half = make_trial(GRU, state="paused", steps=30, test=None, test_se=None, curve=((30, 2.0, 0.25),), proposal=4)
    other = make_trial(CHILD, state="paused", steps=30, proposal=5)
    store.record(None, [half, other])
    more = make_trial(GRU, state="paused", steps=60, reason="paused at step 60", seconds=9.0, proposal=7)
    store.record(None, [make_trial(GRU, state="paused", steps=30, proposal=6), make_trial(GRU, steps=20)])
    assert store.trials(GRU, curves=True) == [half]  # with as many steps or fewer, the first row stays
    store.record(None, [more])
    assert store.trials(GRU, curves=True) == [replace(more, proposal=4)]
    whole = make_trial(GRU, steps=100, reason="the schedule ran out", proposal=9)
    measure = MeasureRow(GRU, whole.task, whole.setting, 0, "cross_entropy", 1.0, 0.1, 2.0, 0.1)
    store.record(None, [whole], [measure])
    assert store.trials(GRU, curves=True) == [replace(whole, proposal=4)]
    assert store.measures(GRU) == [measure]
    store.record(None, [make_trial(GRU, steps=200), make_trial(GRU, state="paused", steps=300)])
    assert store.trials(GRU, curves=True) == [replace(whole, proposal=4)]  # a trial that ended is final
    assert store.trials(CHILD, curves=True) == [other]
    assert [row[0] for row in store.select("SELECT cell FROM trials ORDER BY rowid")] == [GRU, CHILD]
    store.claim(GRU, whole.task, whole.setting, 0, 2)
    assert [trial.proposal for trial in store.trials(GRU)] == [2]
    assert store.check() == 2


def test_a_key_that_is_recorded_twice_keeps_its_first_row(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    first, again = make_trial(GRU, validation=0.5), make_trial(GRU, validation=0.75, state="stopped")
    store.record(make_evaluation(GRU, best=0.5), [first, again])
    store.record(make_evaluation(GRU, best=0.75), [again])
    assert store.trials(curves=True) == [first]
    assert [evaluation.best for evaluation in store.evaluations()] == [0.5]
    for outcome in ("complete", "failed"):
        store.add_proposal(ProposalRow(1, "propose", GRU, None, outcome, None))
    assert [proposal.outcome for proposal in store.proposals()] == ["complete"]


def test_the_lineage_of_the_earliest_proposal_is_kept_in_any_order(tmp_path: Path) -> None:
    """Two candidates in flight may be the same cell; which of them ends first depends on the machine."""
    makers = [
        make_cell(CHILD, parent=GRU, mutations=("one",), proposal=2),
        make_cell(CHILD, parent=LSTM, mutations=("two",), proposal=5),
        make_cell(CHILD, parent=GRU, mutations=("three",), proposal=9),
    ]
    for number, order in enumerate(permutations(makers)):
        with make_store(tmp_path / str(number)) as store:
            for cell in (make_baseline("gru"), make_baseline("lstm"), *order):
                store.add_cell(cell)
            assert store.cell(CHILD) == makers[0]
            store.add_cell(make_cell(GRU, parent=CHILD, proposal=0))
            assert store.cell(GRU) == make_baseline("gru"), "a given cell stays given"


def test_an_evaluation_is_stored_whole_or_not_at_all(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    with pytest.raises(StoreError, match="store the cells that it names"):
        store.record(make_evaluation(CHILD), [make_trial(GRU)])
    with pytest.raises(StoreError, match="store the cells that it names"):
        store.record(make_evaluation(GRU), [make_trial(GRU), make_trial(CHILD)])
    assert store.trials() == []
    assert store.evaluations() == []
    store.record(make_evaluation(GRU), [make_trial(GRU)])
    assert len(store.trials()) == 1


def test_a_prefix_finds_a_cell_where_it_is_the_only_one(store: Store) -> None:
    cells = [make_cell(f"abc{digit}000000000000") for digit in "0123456"] + [make_cell("abd0000000000000", name="mine")]
    for cell in cells:
        store.add_cell(cell)
    assert store.cell("ABD") == cells[-1]
    assert store.cell("abc4") == cells[4]
    assert store.cell(cells[0].id) == cells[0]
    with pytest.raises(StoreError, match=r"'abc' could be gabc0000000000000, .* and 3 more .*give more digits"):
        store.cell("abc")
    with pytest.raises(StoreError, match=r"abd0000000000000 \(mine\)|and \d+ more"):
        store.cell("ab")
    for unknown in ("", " ", "f", "abc%", "ab_", "'; drop table cells; --", "abc00000000000000"):
        with pytest.raises(StoreError, match="has no cell"):
            store.cell(unknown)


@pytest.mark.parametrize("name", ["ячейка", "细胞", 'a,b\n"c"', "=SUM(A1)", "nul\0nul", ""])
def test_any_name_comes_back(store: Store, name: str) -> None:
    store.add_cell(make_cell(CHILD, name=name, formula="h' = x\n"))
    assert store.cell(CHILD).name == name


def test_a_name_that_is_not_unicode_is_refused_in_one_line(store: Store) -> None:
    with pytest.raises(StoreError, match=r"not valid Unicode.*rename") as caught:
        store.add_cell(make_cell(CHILD, name="bad\udc80"))
    assert "\n" not in str(caught.value)
    assert store.cells() == []


def test_a_reader_sees_what_is_committed_and_writes_nothing(store: Store) -> None:
    with Store.open(store.folder, readonly=True) as reader:
        store.add_cell(make_baseline("gru"))
        assert [cell.name for cell in reader.cells()] == ["gru"]
        with pytest.raises(StoreError, match="it is read-only"):
            reader.add_cell(make_baseline("lstm"))
    assert len(store.cells()) == 1


def test_pandas_reads_the_tables_without_help(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    store.record(make_evaluation(GRU), [make_trial(GRU, setting=5), make_trial(GRU, setting=6, validation=None)])
    with closing(sqlite3.connect(store.path)) as connection:
        for kind, table in TABLES.items():
            frame = pd.read_sql(f"select * from {table}", connection)
            assert tuple(frame.columns) == COLUMNS[kind]
        frame = pd.read_sql("select * from trials", connection)
    assert [json.loads(text)["learning_rate"] for text in frame["setting"]] == [5, 6]
    assert frame["validation"].tolist()[0] == 0.5
    assert frame["validation"].isna().tolist() == [False, True]
    assert json.loads(frame["curve"][0]) == [[50, 2.0, 0.25], [100, 1.5, 0.5]]


def filled(folder: Path) -> Path:
    """Return the file of a closed store of some hundred pages."""
    with make_store(folder) as store:
        store.add_cell(make_baseline("gru"))
        curve = tuple((step, step / 7, step / 9) for step in range(100))
        store.record(make_evaluation(GRU), [make_trial(GRU, setting=k, curve=curve) for k in range(200)])
    return folder / FILE


def test_no_run_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^there is no run in '.*nothing': run\.sqlite is missing; check the path$"):
        Store.open(tmp_path / "nothing")


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize("size", [0, 10, 99, 4096, 5000, 300_000])
def test_a_truncated_store_is_refused_and_left_alone(tmp_path: Path, size: int, readonly: bool) -> None:
    path = filled(tmp_path)
    content = path.read_bytes()[:size]
    assert path.stat().st_size > 300_000
    path.write_bytes(content)
    with pytest.raises(StoreError, match="restore a backup, or start") as caught:
        Store.open(tmp_path, readonly=readonly)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content
    if size:
        with pytest.raises(StoreError, match="start a run under a new name"):
            make_store(tmp_path)
        assert path.read_bytes() == content


def test_a_damaged_page_is_reported_when_it_is_read(tmp_path: Path) -> None:
    path = filled(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"the file is damaged .*restore a backup"):
        Store.open(tmp_path)


def test_garbage_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text("rank,cell\n" * 1000)
    with pytest.raises(StoreError, match=r"not a run's store"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match=r"not a run's store .*start a run under a new name"):
        make_store(tmp_path)
    assert path.read_text() == "rank,cell\n" * 1000


def test_the_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("CREATE TABLE run (name)")
    content = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match=r"not a run's store"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match="already exists"):
        make_store(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_another_schema_version_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema version 99, but this gatesearch reads 3 to 4; use the gatesearch"):
        Store.open(tmp_path)


def test_a_run_of_the_version_before_is_read_and_gets_the_new_table_when_it_is_resumed(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE measures")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with Store.open(tmp_path, readonly=True) as store:
        assert store.version == 3
        assert store.measures() == []
        before = store.trials(curves=True)
        store.check()
    measure = MeasureRow(
        before[0].cell, before[0].task, before[0].setting, before[0].repeat, "accuracy", 0.5, 0.1, 0.4, 0.1
    )
    with Store.open(tmp_path) as store:
        assert store.version == SCHEMA_VERSION
        store.record(None, [], [measure, measure])
    with Store.open(tmp_path, readonly=True) as store:
        assert store.measures() == [measure]
        assert store.trials(curves=True) == before
        store.check()


def test_other_metrics_are_kept_with_their_trial(store: Store) -> None:
    trial = make_trial(GRU)
    measure = MeasureRow(GRU, trial.task, trial.setting, trial.repeat, "accuracy", 0.5, math.nan, 0.4, 0.01)
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.record(None, [], [measure])
    store.add_cell(make_baseline("gru"))
    store.record(None, [trial], [measure])
    assert store.measures(GRU) == [measure]
    assert measure.validation_se is None
    assert store.measures(LSTM) == []


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_beyond_64_bits_is_refused(tmp_path: Path, seed: int) -> None:
    with pytest.raises(StoreError, match=f"seed {seed} is outside"):
        Store.create(tmp_path, name="a", seed=seed, profile="", strategy="s", window=1, information={})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StoreError, match="choose another folder") as caught:
        make_store(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_full_disk_loses_nothing_and_passes(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    before = [make_trial(GRU, setting=k) for k in range(20)]
    store.record(make_evaluation(GRU), before)
    pages = store.select("PRAGMA page_count")[0][0]
    store.select(f"PRAGMA max_page_count = {pages}")
    more = [make_trial(GRU, "music", setting=k, reason="x" * 1000) for k in range(20)]
    with pytest.raises(StoreError, match=r"the disk is full .*free some space, then rerun with --resume"):
        store.record(make_evaluation(GRU, "music"), more)
    assert store.trials(curves=True) == sorted(before, key=lambda trial: trial.setting)
    store.select("PRAGMA max_page_count = 1000000")
    store.record(make_evaluation(GRU, "music"), more)
    assert len(store.trials()) == 40


def test_a_store_that_another_program_holds_is_refused_and_then_free(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.store.database, "BUSY_SECONDS", 0.02)
    with Store.open(store.folder) as waiting, closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"another program is writing to it .*close that program"):
            waiting.add_cell(make_baseline("gru"))
        other.execute("ROLLBACK")
        waiting.add_cell(make_baseline("gru"))
    assert len(store.cells()) == 1


def test_one_driver_at_a_time(store: Store) -> None:
    with Store.open(store.folder) as other:
        with store.lock():
            with pytest.raises(StoreError, match=r"'run' is being driven by another process .*under a new name"):
                other.lock().__enter__()
            store.add_cell(make_baseline("gru"))
        with other.lock():
            assert len(other.cells()) == 1
