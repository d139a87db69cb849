"""Estimated cost of a search: trials counted by hand from a profile, seconds in the right order."""

import dataclasses

import pytest

from search.engine.cost import busy_processors, estimate, rung_costs
from search.profiles.loading import load_profile, parse_profile
from search.profiles.sections import FinalistsSection
from tests.test_search.small import small_task

PROFILE = """
[search]
proposals = 10
strategy = "random"
baselines = ["tanh", "lstm", "gru"]
[grid]
scales = [1.0, 1.4]
learning_rates = [0.1, 0.2, 0.3]
max_norms = [2.5]
layers = [1]
[finalists]
cells = 0
[memorization]
baseline_settings = 2
parameters = [5_000]
schedule = { epochs = 2, epoch_steps = 5, chance_epochs = 1 }
[tasks.xml]
settings = 4
baseline_settings = "all"
parameters = [5_000]
schedule = { epochs = 2, epoch_steps = 5 }
"""

TASKS = {name: small_task(name) for name in ("memorization", "xml")}


def test_the_trials_of_the_given_cells_are_counted() -> None:
    cost = estimate(parse_profile(PROFILE, "test"), TASKS)
    assert cost.baseline_trials == 3 * (2 + 2 * 3)  # cells times memorization's 2 and the whole grid
    assert 0 < cost.baselines < cost.least < cost.most


@pytest.mark.parametrize("strategy", ["random", "paper"])
def test_no_proposals_cost_what_the_given_cells_cost(strategy: str) -> None:
    profile = parse_profile(PROFILE.replace('"random"', f'"{strategy}"'), "test")
    search = dataclasses.replace(profile.search, proposals=0)
    cost = estimate(dataclasses.replace(profile, search=search), TASKS)
    assert cost.least == cost.most == cost.baselines > 0


def test_a_budget_that_no_cell_fits_costs_nothing() -> None:
    assert estimate(parse_profile(PROFILE.replace("5_000", "50"), "test"), TASKS).most == 0


def test_the_finalists_cost_their_repeats_of_every_task() -> None:
    """Three given cells and the two that can be found, 60 times each: 300 trials beside at most 34."""
    profile = parse_profile(PROFILE.replace("proposals = 10", "proposals = 2"), "test")
    finals = FinalistsSection(cells=5, repeats=60)
    cost = estimate(dataclasses.replace(profile, finalists=finals), TASKS)
    assert cost.most > 3 * estimate(profile, TASKS).most
    assert cost.least > 3 * cost.baselines


@pytest.mark.parametrize(
    ("window", "strategy", "reexamine", "settings", "processors"),
    [(192, "paper", 0.0, 3, 64), (192, "random", 0.5, 3, 64), (30, "paper", 0.5, 20, 105), (1, "paper", 0.0, 1, 1)],
)
def test_a_window_serves_a_third_of_the_trials_that_its_proposals_have_at_a_time(
    window: int, strategy: str, reexamine: float, settings: int, processors: int
) -> None:
    search = f'window = {window}\nstrategy = "{strategy}"\nreexamine = {reexamine}'
    profile = parse_profile(f"[search]\n{search}\n[tasks.xml]\nsettings = {settings}", "test")
    assert busy_processors(profile) == processors


def test_halving_serves_a_quarter_of_its_window() -> None:
    search = 'window = 64\nallocation = "halving"'
    profile = parse_profile(f"[search]\n{search}\n[tasks.xml]\nsettings = 3", "test")
    assert busy_processors(profile) == 16


def test_a_rung_costs_what_is_trained_further_and_the_new_settings_from_the_start() -> None:
    """With the shares 1/27, 1/9, 1/3 and 1, and 1, 1, 2 and 3 settings, in whole trainings; then two further seeds."""
    profile = parse_profile('[search]\nallocation = "halving"\n[tasks.xml]\nsettings = 3', "test")
    costs = 1 / 27, 1 / 9 - 1 / 27, (1 / 3 - 1 / 9) + 1 / 3, (1 - 1 / 3) + 2
    assert rung_costs(profile) == pytest.approx((*costs, 2.0))
    without = dataclasses.replace(profile, halving=dataclasses.replace(profile.halving, seeds=0))
    assert rung_costs(without) == pytest.approx(costs)
    stages = dataclasses.replace(profile, search=dataclasses.replace(profile.search, allocation="stages"))
    assert rung_costs(stages) == ()


def test_the_long_profiles_serve_a_cluster_of_64_processors() -> None:
    assert all(busy_processors(load_profile(name)) >= 64 for name in ("overnight", "paper"))
