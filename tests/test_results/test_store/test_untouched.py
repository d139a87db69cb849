"""Reading a run without leaving anything in its folder, also while it is written."""

import shutil
from pathlib import Path

import pytest

from results.store.errors import StoreError
from results.store.queries import trial_count
from results.store.store import Store
from results.store.untouched import read_untouched, signature
from tests.test_results.rows import make_baseline, make_store, make_trial

GRU = make_baseline("gru").id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with make_store(tmp_path / "run") as store:
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(GRU)])
    return tmp_path / "run"


def write(folder: Path, setting: int) -> None:
    with Store.open(folder) as store:
        store.record(None, [make_trial(GRU, setting=setting)])


def test_a_reader_leaves_no_file_behind_and_an_ordinary_one_does(folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert read_untouched(folder, trial_count) == 1
    assert sorted(folder.iterdir()) == before
    Store.open(folder, readonly=True).close()
    assert sorted(folder.iterdir()) != before


def test_an_empty_log_that_a_reader_left_is_no_reason_to_make_more(folder: Path) -> None:
    Store.open(folder, readonly=True).close()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert read_untouched(folder, trial_count) == 1
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_what_a_search_has_in_its_log_is_read_as_it_is_at_one_moment(folder: Path) -> None:
    with Store.open(folder) as writer:
        writer.record(None, [make_trial(GRU, setting=1)])
        assert signature(folder).is_logged

        def read(store: Store) -> tuple[int, int]:
            before = trial_count(store)
            writer.record(None, [make_trial(GRU, setting=2)])
            return before, trial_count(store)

        assert read_untouched(folder, read) == (2, 2)
        assert read_untouched(folder, trial_count) == 3


def test_a_store_that_is_written_meanwhile_is_read_again(folder: Path) -> None:
    counts: list[int] = []

    def read(store: Store) -> int:
        counts.append(trial_count(store))
        if len(counts) == 1:
            write(folder, 1)
        return counts[-1]

    assert read_untouched(folder, read) == 2
    assert counts == [1, 2]


def test_an_error_counts_only_if_nobody_wrote_meanwhile(folder: Path) -> None:
    tries: list[int] = []

    def read(store: Store) -> int:
        tries.append(trial_count(store))
        if len(tries) == 1:
            write(folder, 1)
            raise StoreError("torn")
        return tries[-1]

    assert read_untouched(folder, read) == 2
    with pytest.raises(ZeroDivisionError):
        read_untouched(folder, lambda store: 1 // 0)


def test_a_store_that_never_stands_still_is_said(folder: Path) -> None:
    def read(store: Store) -> int:
        write(folder, trial_count(store) + 10)
        return 0

    with pytest.raises(StoreError, match="it changes while it is read"):
        read_untouched(folder, read)


def test_the_signature_changes_with_every_trial_and_is_zero_without_a_store(folder: Path) -> None:
    seen = [signature(folder)]
    with Store.open(folder) as store:
        for setting in (1, 2):
            store.record(None, [make_trial(GRU, setting=setting)])
            seen.append(signature(folder))
    assert len(set(seen)) == 3
    shutil.rmtree(folder)
    assert signature(folder).file == (0, 0, 0)
