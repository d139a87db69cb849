"""Rungs of a run with halving, counted by hand: candidates, promotions, and the training that was saved."""

import pytest

from results.store.errors import StoreError
from results.store.records import ProposalRow
from results.store.rungs import RungCount, ladder_of, rungs_of
from results.store.store import Store
from results.store.words import COMPLETE
from results.tables.progress import history
from tests.test_results.rows import GRU, make_baseline, make_cell, make_store, make_trial

A, B, C, D = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)

PROFILE = """
[search]
allocation = "halving"
[halving]
eta = 3
rungs = 3
settings = [1, 1, 2]
seeds = 2
[tasks.arithmetic.schedule]
epoch_steps = 9
epochs = 10
[tasks.music.schedule]
epoch_steps = 18
epochs = 10
"""


def filled(store: Store) -> Store:
    """Return the store with four candidates: C stops at the first rung, B and D wait, A goes to the top.

    Whole trainings are 90 steps of arithmetic and 180 of music, so the marks are 10, 30 and 20, 60.
    """
    store.add_cell(make_baseline("gru"))
    for k, cell in enumerate((A, B, C, D)):
        store.add_cell(make_cell(cell, parent=GRU, proposal=k))
    for row in (
        ProposalRow(-1, "baseline", GRU, None, COMPLETE, 1.0),
        ProposalRow(0, "propose", A, GRU, "paused at rung 1", None),
        ProposalRow(1, "propose", B, GRU, "paused at rung 1", None),
        ProposalRow(2, "propose", C, GRU, "stopped at arithmetic", None),
        ProposalRow(3, "promote", A, None, "paused at rung 2", None),
        ProposalRow(4, "initial", D, None, "paused at rung 1", None),
        ProposalRow(5, "propose", None, GRU, "no valid child", None),
        ProposalRow(6, "promote", A, None, COMPLETE, 1.25),
        ProposalRow(7, "promote", A, None, COMPLETE, 1.125),
    ):
        store.add_proposal(row)
    trials = [
        make_trial(GRU, "arithmetic", 0, steps=90, parameters=100, seconds=90.0, proposal=-1),
        make_trial(GRU, "music", 0, steps=160, parameters=200, seconds=320.0, proposal=-1),
        make_trial(GRU, "memorization", 0, steps=50, parameters=100, seconds=50.0, proposal=-1),
        make_trial(GRU, "music", 0, repeat=-1, steps=180, parameters=200, seconds=360.0),
        make_trial(A, "arithmetic", 0, steps=90, parameters=100, seconds=90.0, proposal=0),
        make_trial(A, "arithmetic", 1, steps=90, parameters=100, seconds=180.0, proposal=6),
        make_trial(A, "music", 0, steps=60, parameters=200, seconds=120.0, proposal=0, state="paused"),
        make_trial(A, "music", 2, steps=180, parameters=200, seconds=360.0, proposal=3),
        make_trial(A, "music", 2, repeat=-1, steps=180, parameters=200, seconds=360.0, proposal=7),
        make_trial(A, "music", 2, repeat=1, steps=180, parameters=200, seconds=360.0),  # of a finalist
        make_trial(B, "arithmetic", 0, steps=10, parameters=100, seconds=10.0, proposal=1, state="paused"),
        make_trial(B, "music", 0, steps=20, parameters=200, seconds=40.0, proposal=1, state="paused"),
        make_trial(C, "arithmetic", 0, steps=10, parameters=100, seconds=10.0, proposal=2, state="paused"),
        make_trial(D, "arithmetic", 0, steps=10, parameters=100, seconds=10.0, proposal=4, state="paused"),
        make_trial(D, "music", 0, steps=20, parameters=200, seconds=40.0, proposal=4, state="paused"),
    ]
    store.record(None, trials)
    return store


@pytest.fixture
def halved(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return filled(make_store(tmp_path_factory.mktemp("runs") / "halved", PROFILE))


def test_each_rung_counts_its_candidates_promotions_and_stops(halved: Store) -> None:
    found = rungs_of(halved)
    assert found is not None
    assert found.promotions == 3
    assert found.rungs == (
        RungCount(1, pytest.approx(1 / 9), tried=4, promoted=1, stopped=1),
        RungCount(2, pytest.approx(1 / 3), tried=1, promoted=1, stopped=0),
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


def test_a_run_without_candidates_has_saved_nothing_yet(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = rungs_of(make_store(tmp_path_factory.mktemp("runs") / "new", PROFILE))
    assert found is not None
    assert [rung.tried for rung in found.rungs] == [0, 0, 0, 0]
    assert found.line is None


def test_a_run_without_halving_has_no_rungs(store: Store) -> None:
    assert rungs_of(store) is None


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
    store = make_store(tmp_path_factory.mktemp("runs") / "new", PROFILE.replace(old, new))
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
