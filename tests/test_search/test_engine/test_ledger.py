"""What a search spends: every trial once, to the first proposal that used it; and a limit that ends it by the index."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.store.graphs import graph_of
from results.store.store import Store
from search.engine.history import History
from search.engine.ledger import Ledger, TrialUse, uses_of
from search.engine.verification import replay
from search.profiles.sections import Profile
from search.strategies.proposal import Visit
from search.training.compute import data_size, matrix_groups, model_products, trial_compute
from search.training.settings import Setting
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, make_store, run
from tests.test_search.test_workers.executors import KilledError, Killing, Shuffled

LONG = replace(PROFILE, search=replace(PROFILE.search, proposals=24))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search without a limit."""
    folder = tmp_path_factory.mktemp("searched")
    run(folder, profile=LONG)
    return folder


def costs(folder: Path, profile: Profile = LONG) -> tuple[list[float], float]:
    """What each proposal of a stored run cost, in order, and what the given cells cost."""
    with Store.open(folder, readonly=True) as store:
        ledger = Ledger(profile, TASKS, store)
        ledger.charge_given()
        spent = [ledger.charge(past.row.cell, past.visits) for past in History.read(store).proposals]
        assert ledger.spent == pytest.approx(sum(spent))
        return spent, ledger.given


def plain_costs(folder: Path) -> Mapping[int | None, float]:
    """Sum of the trials' multiply-adds by the proposal that their rows name, in a plain loop over the rows."""
    found: Counter[int | None] = Counter()
    with Store.open(folder, readonly=True) as store:
        for row in store.trials(curves=True):
            task, schedule = TASKS[row.task], PROFILE.memorization.schedule  # one schedule for all tasks
            graph = graph_of(store.cell(row.cell))
            layers = Setting.from_key(row.setting).layers
            model = model_products(matrix_groups(graph), row.units, layers, task.output_size, task.output)
            size = data_size(task, schedule.batch, schedule.unroll)
            own = trial_compute(model, size, row.steps, len(row.curve), row.test is not None)
            found[row.proposal if row.proposal is not None and row.proposal >= 0 else None] += own
    return found


def limited(compute: float) -> Profile:
    return replace(LONG, search=replace(LONG.search, compute=compute))


def test_every_trial_is_charged_once_to_the_first_proposal_that_used_it(searched: Path) -> None:
    spent, given = costs(searched)
    plain = plain_costs(searched)
    assert given == pytest.approx(plain[None])
    assert spent == pytest.approx([plain[k] for k in range(24)])
    assert len({round(value) for value in spent}) > 5  # proposals that end at different stages


def test_a_trial_trained_further_is_charged_for_the_further_steps_alone(searched: Path) -> None:
    with Store.open(searched, readonly=True) as store:
        row = next(r for r in store.trials(task="xml", curves=True) if r.proposal and r.proposal >= 0 and r.steps == 16)
        ledger = Ledger(LONG, TASKS, store)
        whole, half = ledger.cost(row), ledger.cost(row, 8)
        assert 0 < half < whole / 2  # half of the steps, one of two validations, and no test
        charges = [
            ledger._charge(TrialUse(row.cell, row.task, row.setting, row.repeat, until)) for until in (8, 8, None, 8)
        ]
        assert charges == pytest.approx([half, 0.0, whole - half, 0.0])


def test_the_uses_are_those_of_the_visits() -> None:
    setting = Setting(1.0, 0.5, 5.0, 1, 6000)
    visits = (Visit("xml", {setting: None}, False), Visit("chords", {}, True))
    assert list(uses_of("c", visits)) == [TrialUse("c", "xml", setting.key, 0, None)]


def test_a_limit_ends_the_search_a_window_after_the_proposal_that_spends_it(searched: Path, tmp_path: Path) -> None:
    spent, _ = costs(searched)
    sums = np.cumsum(spent)
    limit = float(sums[9] - 0.5 * spent[9])
    assert spent[9] > 0
    rows, progress = run(tmp_path, profile=limited(limit))
    assert progress.proposals_done == 9 + LONG.search.window
    with Store.open(searched, readonly=True) as store:
        whole = [row for row in store.proposals() if row.index < 9 + LONG.search.window]
    assert rows["proposals"] == whole
    assert costs(tmp_path, limited(limit))[0] == pytest.approx(spent[: 9 + LONG.search.window])


def test_a_limited_search_is_the_same_however_often_it_is_killed_and_whatever_finishes_first(
    searched: Path, tmp_path: Path
) -> None:
    profile = limited(float(np.cumsum(costs(searched)[0])[11]))
    undisturbed: Rows = run(tmp_path / "undisturbed", profile=profile)[0]
    assert run(tmp_path / "shuffled", Shuffled(TASKS, 1), profile)[0] == undisturbed
    rng, kills = np.random.default_rng(1), 0
    while True:
        try:
            found, _ = run(tmp_path / "killed", Killing(TASKS, kills, int(rng.integers(1, 25))), profile)
            break
        except KilledError:
            kills += 1
    assert kills >= 3
    assert found == undisturbed
    assert run(tmp_path / "killed", profile=profile)[0] == undisturbed  # resumed at its end, it asks for nothing more
    with make_store(tmp_path / "killed", profile) as store:
        assert replay(store, profile, TASKS).check.ok
