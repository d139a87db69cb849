"""What a search spends: every trial once, to the first proposal that used it; and a limit that ends it by the index."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.store.graphs import graph_of
from results.store.store import Store
from search.allocations.registry import ALLOCATIONS
from search.engine.budgets import budgets
from search.engine.engine import Engine
from search.engine.history import History
from search.engine.ledger import Ledger, TrialUse, uses_of
from search.engine.verification import replay
from search.profiles.sections import HalvingSection, Profile
from search.profiles.tasks import section_of
from search.strategies.scoring import ScoreRule
from search.training.compute import data_size, matrix_groups, model_products, trial_compute
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.workers.executor import Executor, LocalExecutor
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, make_store, rows, run
from tests.test_search.test_workers.executors import KilledError, Killing, Shuffled

HALVED = replace(
    PROFILE,
    search=replace(PROFILE.search, proposals=24, allocation="halving"),
    halving=HalvingSection(eta=2, rungs=3, settings=(1, 1, 1), seeds=2),
    tasks={
        name: replace(section, schedule=replace(section.schedule, epoch_steps=40, epochs=6))
        for name, section in PROFILE.tasks.items()
    },
)
"""A search in rungs; its trials are simulated, since so little training teaches the GRU nothing."""
LONG = replace(PROFILE, search=replace(PROFILE.search, proposals=18))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search without a limit."""
    folder = tmp_path_factory.mktemp("searched")
    run(folder, profile=LONG)
    return folder


def simulate(folder: Path, profile: Profile, executor: Executor | None = None) -> Rows:
    with make_store(folder, profile) as store:
        Engine(profile, 0, TASKS, store, executor or LocalExecutor(TASKS), simulation=Simulation()).run()
        return rows(store)


def costs(folder: Path, profile: Profile = LONG) -> tuple[list[float], float]:
    """What each proposal of a stored run cost, in order, and what the given cells cost."""
    with Store.open(folder, readonly=True) as store:
        ledger = Ledger(profile, TASKS, store)
        ledger.charge_given()
        allocation = ALLOCATIONS[profile.search.allocation](profile, 0, budgets(profile))
        rule = ScoreRule(profile.search.score, profile.ranked, {name: task.metric for name, task in TASKS.items()})
        spent, rungs = [], Counter[str | None]()
        for past in History.read(store, allocation, rule).proposals:
            rung = rungs[past.row.cell] if allocation.whole else 0
            rungs[past.row.cell] += 1
            spent.append(ledger.charge(uses_of(store, allocation, past.row.cell, rung, past.visits)))
        assert ledger.spent == pytest.approx(sum(spent))
        return spent, ledger.given


def plain_costs(folder: Path, profile: Profile = LONG) -> Mapping[int | None, float]:
    """Sum of the trials' multiply-adds by the proposal that their rows name, in a plain loop over the rows."""
    found: dict[int | None, float] = defaultdict(float)
    with Store.open(folder, readonly=True) as store:
        for row in store.trials(curves=True):
            task, schedule = TASKS[row.task], section_of(profile, row.task).schedule
            graph = graph_of(store.cell(row.cell))
            layers = Setting.from_key(row.setting).layers
            model = model_products(matrix_groups(graph), row.units, layers, task.interface)
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
    assert spent == pytest.approx([plain[k] for k in range(18)])
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


def test_with_halving_the_charges_of_all_proposals_are_what_the_trials_cost(tmp_path: Path) -> None:
    simulate(tmp_path, HALVED)
    spent, given = costs(tmp_path, HALVED)
    plain = plain_costs(tmp_path, HALVED)
    assert sum(spent) + given == pytest.approx(sum(plain.values()))
    with Store.open(tmp_path, readonly=True) as store:
        proposals = [row for row in store.proposals() if row.index >= 0]
        kinds = Counter(row.kind for row in proposals)
        seeds = [row for row in store.trials(curves=True) if row.repeat < 0]
        sizes = Ledger(HALVED, TASKS, store)
        own = sum(map(sizes.cost, seeds))
    assert kinds["promote"] >= 5
    assert seeds
    assert 0 < own < sum(plain.values())
    first = [cost for row, cost in zip(proposals, spent, strict=True) if row.kind == "propose" and row.cell is not None]
    assert max(first) < max(cost for row, cost in zip(proposals, spent, strict=True) if row.kind == "promote")


def test_a_limited_search_with_halving_is_the_same_however_often_it_is_killed(tmp_path: Path) -> None:
    simulate(tmp_path / "whole", HALVED)
    spent, _ = costs(tmp_path / "whole", HALVED)
    limit = float(np.cumsum(spent)[len(spent) // 2])
    profile = replace(HALVED, search=replace(HALVED.search, compute=limit))
    undisturbed = simulate(tmp_path / "undisturbed", profile)
    assert sum(row.index >= 0 for row in undisturbed["proposals"]) == len(spent) // 2 + HALVED.search.window
    rng, kills = np.random.default_rng(2), 0
    while True:
        try:
            found = simulate(tmp_path / "killed", profile, Killing(TASKS, kills, int(rng.integers(1, 40))))
            break
        except KilledError:
            kills += 1
    assert kills >= 2
    assert found == undisturbed
    with make_store(tmp_path / "killed", profile) as store:
        assert replay(store, profile, TASKS).check.ok


def test_a_limit_ends_the_search_a_window_after_the_proposal_that_spends_it(searched: Path, tmp_path: Path) -> None:
    spent, _ = costs(searched)
    sums = np.cumsum(spent)
    limit = float(sums[9] - 0.5 * spent[9])
    assert spent[9] > 0
    found, progress = run(tmp_path, profile=limited(limit))
    assert progress.proposals_done == 9 + LONG.search.window
    with Store.open(searched, readonly=True) as store:
        whole = [row for row in store.proposals() if row.index < 9 + LONG.search.window]
    assert found["proposals"] == whole
    assert costs(tmp_path, limited(limit))[0] == pytest.approx(spent[: 9 + LONG.search.window])


@pytest.mark.slow
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
