"""Named queries, on a store with known rows."""

from results.store.queries import begin_snapshot, metric_names, progress_mark
from results.store.store import Store
from tests.test_results.rows import make_cell, make_trial


def test_the_mark_changes_with_every_kind_of_progress(store: Store) -> None:
    marks = [progress_mark(store)]
    store.add_cell(make_cell("0" * 16))
    store.record(None, [make_trial("0" * 16, "xml")])
    marks.append(progress_mark(store))
    store.mark(finished="2020-01-01T00:00:00Z")
    marks.append(progress_mark(store))
    assert [mark[:2] for mark in marks] == [(0, 0), (1, 0), (1, 0)]
    assert len(set(marks)) == 3
    assert progress_mark(store) == marks[-1]


def test_each_task_has_its_metric(store: Store) -> None:
    store.add_cell(make_cell("0" * 16))
    trials = [
        make_trial("0" * 16, "xml", metric="accuracy"),
        make_trial("0" * 16, "music", metric="nats_per_step", higher_is_better=False),
    ]
    store.record(None, trials)
    assert metric_names(store) == {"xml": "accuracy", "music": "nats_per_step"}


def test_a_snapshot_does_not_see_later_rows(store: Store) -> None:
    with Store.open(store.folder, readonly=True) as reader:
        begin_snapshot(reader)
        assert reader.cells() == []
        store.add_cell(make_cell("0" * 16))
        assert reader.cells() == []
    with Store.open(store.folder, readonly=True) as reader:
        assert len(reader.cells()) == 1
