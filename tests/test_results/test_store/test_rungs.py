"""Rungs of a run with halving, counted by hand: candidates, promotions, and the training that was saved."""

import pytest

from results.publication.rungs_text import rung_lines
from results.store.errors import StoreError
from results.store.rungs import RungCount, ladder_of, rungs_of
from results.store.store import Store
from results.tables.progress import history
from tests.test_results.rows import HALVING, make_halved_store, make_store


@pytest.fixture
def halved(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_halved_store(tmp_path_factory.mktemp("runs") / "halved")


def test_each_rung_counts_its_candidates_promotions_and_stops(halved: Store) -> None:
    found = rungs_of(halved)
    assert found is not None
    assert found.promotions == 3
    assert found.rungs == (
        RungCount(1, 3.0**-2, tried=4, promoted=1, stopped=1),
        RungCount(2, 3.0**-1, tried=1, promoted=1, stopped=0),
        RungCount(3, 1.0, tried=1, promoted=1, stopped=0),
        RungCount(4, 1.0, tried=1, promoted=0, stopped=0),
    )


def test_what_was_saved_is_counted_against_whole_trainings_of_every_candidate(halved: Store) -> None:
    found = rungs_of(halved)
    assert found is not None
    arithmetic, music = 90 + 90 + 10 + 10 + 10, 60 + 180 + 180 + 180 + 20 + 20  # with the further seeds, of the GRU too
    assert found.steps == arithmetic + music
    assert found.weighted == 100 * arithmetic + 200 * music
    assert found.full_steps == (2 + 1 + 1 + 1) * (90 + 160)  # two settings of A; the GRU's trials are as long
    assert found.full_weighted == 5 * (90 * 100 + 160 * 200)
    assert found.line == (
        "halving trained 68 % of the steps of training every candidate in full "
        "(73 % if a step counts by its parameters)"
    )


def test_the_lines_say_how_far_candidates_were_trained(halved: Store) -> None:
    found = rungs_of(halved)
    assert found is not None
    assert rung_lines(found) == [
        "rung 1 (11.1 % of the steps): 4 candidates, 1 promoted, 1 stopped at a task",
        "rung 2 (33.3 % of the steps): 1 candidates, 1 promoted, 0 stopped at a task",
        "rung 3 (100 % of the steps): 1 candidates, 1 promoted, 0 stopped at a task",
        "rung 4 (further seeds): 1 candidates, 0 promoted, 0 stopped at a task",
        found.line,
    ]


def test_a_run_without_candidates_has_saved_nothing_yet(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = rungs_of(make_store(tmp_path_factory.mktemp("runs") / "new", HALVING))
    assert found is not None
    assert [rung.tried for rung in found.rungs] == [0, 0, 0, 0]
    assert found.line is None
    assert rung_lines(found) == []


def test_a_run_without_halving_has_no_rungs(store: Store) -> None:
    assert rungs_of(store) is None
    assert rung_lines(None) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("eta = 3", "eta = 1"),
        ("eta = 3", 'eta = "3"'),
        ("rungs = 3", "rungs = 1_000_000"),
        ("epochs = 10", "epochs = inf"),
        ("[halving]", "[other]"),
        ("[tasks.music.schedule]", "[tasks.music.other]"),
    ],
)
def test_a_damaged_profile_is_an_error_of_one_line(
    old: str, new: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = make_store(tmp_path_factory.mktemp("runs") / "new", HALVING.replace(old, new))
    with pytest.raises(StoreError, match="invalid profile") as caught:
        ladder_of(store)
    assert "\n" not in str(caught.value)


def test_a_trial_is_paid_by_the_proposals_that_trained_it_step_by_step(halved: Store) -> None:
    frame = history(halved).set_index("proposal")
    seconds = (frame["core_hours"].diff().fillna(frame["core_hours"].iloc[0]) * 3600).to_dict()
    assert seconds == pytest.approx(
        {
            -1: 90 + 320 + 50 + 360,
            0: 10 + 40,  # up to the marks 10 and 20
            1: 10 + 40,
            2: 10,
            3: 20 + 80 + 120,  # both trials to the marks 30 and 60, and a new one to the mark 60 of its 180 steps
            4: 10 + 40,
            5: 0,
            6: 60 + 180 + 240,  # the first trial's last 60 steps, a new one, and 120 of the other's 180 steps
            7: 360,
        }
    )
    assert frame["trials"].diff().fillna(frame["trials"].iloc[0]).tolist() == [4, 2, 2, 1, 1, 2, 0, 1, 1]
    assert frame["best"].dropna().tolist() == [1.25, 1.25]
