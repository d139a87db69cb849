"""The grid, draws from it, and the rule by which settings pass from parents to children."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search.core.errors import SearchError
from search.kernels.optimisers import OptimiserName
from search.profiles.training_sections import GridSection, TransferSection
from search.training.settings import Grid, Setting, Transfer

STUDY = Grid(
    scales=(0.3, 0.7, 1.0, 1.4, 2.0, 2.8),
    learning_rates=(0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0),
    max_norms=(1.0, 2.5, 5.0, 10.0, 20.0),
    layers=(1, 2, 3, 4),
    parameter_budgets=(250_000, 1_000_000),
)
RULE = Transfer(experienced=420, parent_share=0.8, best=100)


def test_the_study_has_840_settings_for_each_parameter_budget() -> None:
    assert len(STUDY) == 6 * 7 * 5 * 4 * 2 == len(set(STUDY.settings)) == len({s.key for s in STUDY.settings})
    assert GridSection() == GridSection(STUDY.scales, STUDY.learning_rates, STUDY.max_norms, STUDY.layers)
    assert TransferSection().rule() == RULE


def test_every_combination_is_there() -> None:
    grid = Grid((0.5, 1.0), (0.1,), (1.0, 2.0), (1, 2), (100,))
    wanted = {Setting(s, 0.1, n, d, 100) for s in (0.5, 1.0) for n in (1.0, 2.0) for d in (1, 2)}
    assert set(grid.settings) == wanted
    assert len(grid) == 8


def test_a_value_that_is_given_twice_makes_no_setting_twice() -> None:
    grid = Grid((1.0, 1.0), (0.1, 0.1, 0.2), (1.0,), (1,), (100, 100))
    assert grid.settings == (Setting(1.0, 0.1, 1.0, 1, 100), Setting(1.0, 0.2, 1.0, 1, 100))


def test_a_key_round_trips_for_every_setting() -> None:
    assert all(Setting.from_key(s.key) == s for s in STUDY.settings)


def test_a_key_is_text_that_never_changes() -> None:
    setting = Setting(0.3, 5.0, 2.5, 4, 1_000_000)
    assert setting.key == '{"layers":4,"learning_rate":5.0,"max_norm":2.5,"parameters":1000000,"scale":0.3}'


MIXED = Grid(
    (1.0, 2.0), (0.1, 0.3), (5.0,), (1,), (100,),
    (OptimiserName.SGD, OptimiserName.ADAM, OptimiserName.ADAMW), (0.001, 0.003, 0.01), (0.01, 0.1),
)  # fmt: skip


def test_each_optimiser_of_a_grid_has_its_own_learning_rates_and_weight_decays() -> None:
    found = {(s.optimiser, s.learning_rate, s.weight_decay) for s in MIXED.settings}
    sgd, adam, adamw = MIXED.optimisers
    assert found == {
        *((sgd, rate, 0.0) for rate in (0.1, 0.3)),
        *((adam, rate, 0.0) for rate in (0.001, 0.003, 0.01)),
        *((adamw, rate, decay) for rate in (0.001, 0.003, 0.01) for decay in (0.01, 0.1)),
    }
    assert len(MIXED) == MIXED.combinations == 2 * (2 + 3 + 6)
    assert MIXED.settings[:4] == Grid((1.0, 2.0), (0.1, 0.3), (5.0,), (1,), (100,)).settings  # SGD's as without others
    assert all(Setting.from_key(s.key) == s for s in MIXED.settings)
    assert type(Setting.from_key(MIXED.settings[-1].key).optimiser) is OptimiserName
    assert MIXED.middle == Setting(2.0, 0.3, 5.0, 1, 100)
    assert MIXED.middle_of(adamw) == Setting(2.0, 0.003, 5.0, 1, 100, adamw, 0.1)


def test_neighbours_are_settings_of_the_grid_other_optimisers_last() -> None:
    sgd, adam, adamw = MIXED.optimisers
    near = MIXED.neighbours(Setting(1.0, 0.003, 5.0, 1, 100, adamw, 0.1))
    assert near == (
        Setting(1.0, 0.01, 5.0, 1, 100, adamw, 0.1),
        Setting(1.0, 0.001, 5.0, 1, 100, adamw, 0.1),
        Setting(2.0, 0.003, 5.0, 1, 100, adamw, 0.1),
        Setting(1.0, 0.003, 5.0, 1, 100, adamw, 0.01),
        Setting(1.0, 0.3, 5.0, 1, 100, sgd),
        Setting(1.0, 0.003, 5.0, 1, 100, adam),
    )
    assert set(near) <= set(MIXED.settings)


def test_a_grid_has_dropout_which_is_variational_where_there_is_some_and_tied_readouts() -> None:
    grid = replace(MIXED, optimisers=(OptimiserName.SGD,), dropouts=(0.0, 0.2), variational=True, tied=True)
    assert {(s.dropout, s.variational, s.tied) for s in grid.settings} == {(0.0, False, True), (0.2, True, True)}
    assert len(grid) == grid.combinations == 2 * 2 * 2
    assert all(Setting.from_key(s.key) == s for s in grid.settings)
    assert '"dropout":0.2' in grid.settings[1].key
    assert '"tied":true,"variational":true,"version":2' in grid.settings[1].key
    plain, dropped = grid.settings[:2]
    assert dropped in grid.neighbours(plain)
    assert plain in grid.neighbours(dropped)
    assert {s for one in grid.settings for s in grid.neighbours(one)} <= set(grid.settings)
    assert grid.middle.variational


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dropout": 1.0}, "dropout is 1; it must be a number from 0 to below 1"),
        ({"dropout": -0.1}, "dropout is -0.1; it must be"),
        ({"dropout": math.nan}, "dropout is nan; it must be"),
        ({"variational": True}, "dropout is 0, which cannot be variational"),
    ],
)
def test_a_dropout_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=f"^{message}"):
        Setting(1.0, 0.1, 1.0, 1, 100, **given)


@pytest.mark.parametrize("decay", [-1.0, 200.0, float("nan")])
def test_a_weight_decay_is_from_0_to_1(decay: float) -> None:
    with pytest.raises(SearchError, match="it must be a number from 0 to 1"):
        Setting(1.0, 0.01, 5.0, 1, 5000, OptimiserName.ADAMW, decay)


def test_a_weight_decay_needs_an_optimiser_that_has_one() -> None:
    with pytest.raises(SearchError, match=r"^weight_decay is 0.01, but the optimiser adam has no weight decay"):
        Setting(1.0, 0.1, 1.0, 1, 100, OptimiserName.ADAM, 0.01)


def test_a_key_with_an_unknown_optimiser_is_refused_in_one_line() -> None:
    key = Setting(1.0, 0.1, 1.0, 1, 100, OptimiserName.ADAM).key.replace("adam", "lion")
    with pytest.raises(
        SearchError, match=r"has the optimiser 'lion'; this gatesearch knows sgd, adam, adamw, so update"
    ):
        Setting.from_key(key)


def test_equal_settings_have_equal_keys_whether_written_as_1_or_as_1_0() -> None:
    assert Setting(1, 2, 5, 1, 100) == Setting(1.0, 2.0, 5.0, 1, 100)
    assert Setting(1, 2, 5, 1, 100).key == Setting(1.0, 2.0, 5.0, 1, 100).key


def test_a_draw_has_no_setting_twice_and_none_that_is_excluded() -> None:
    excluded = set(STUDY.settings[::2])
    drawn = STUDY.draw(300, np.random.default_rng(0), excluded)
    assert len(drawn) == 300 == len(set(drawn))
    assert not excluded & set(drawn)
    assert set(drawn) <= set(STUDY.settings)


def test_a_draw_gives_what_is_left_when_the_grid_runs_out() -> None:
    left = set(STUDY.settings[:7])
    drawn = STUDY.draw(20, np.random.default_rng(0), set(STUDY.settings) - left)
    assert len(drawn) == 7
    assert set(drawn) == left
    assert STUDY.draw(20, np.random.default_rng(0), STUDY.settings) == ()


def test_a_draw_is_a_function_of_the_generator_not_of_the_order_of_what_is_excluded() -> None:
    excluded = list(STUDY.settings[:100])
    a = STUDY.draw(20, np.random.default_rng(5), excluded)
    assert a == STUDY.draw(20, np.random.default_rng(5), set(excluded))
    assert a != STUDY.draw(20, np.random.default_rng(6), excluded)


def test_all_settings_are_drawn_equally_often() -> None:
    grid = Grid((1.0, 2.0), (0.1, 0.2, 0.3), (1.0,), (1, 2), (100,))
    rng = np.random.default_rng(0)
    counts = Counter(s for _ in range(4000) for s in grid.draw(3, rng))
    expected = 4000 * 3 / 12
    assert set(counts) == set(grid.settings)
    assert max(abs(n - expected) for n in counts.values()) < 4.5 * np.sqrt(expected)


def shares(parent: list[Setting], seeds: list[Setting], draws: int = 2000, count: int = 1) -> tuple[float, float]:
    """Return the share of draws whose first setting is one of the parent's, and one of the seeds'."""
    rng = np.random.default_rng(1)
    drawn = [RULE.draw(count, STUDY, parent, seeds, rng)[0] for _ in range(draws)]
    return sum(s in set(parent) for s in drawn) / draws, sum(s in set(seeds) for s in drawn) / draws


def error(share: float, draws: int = 2000) -> float:
    return 4.5 * math.sqrt(share * (1 - share) / draws)


def test_a_third_each_from_chance_the_seeds_and_the_parent() -> None:
    parent, seeds = list(STUDY.settings[:40]), list(STUDY.settings[100:160])
    from_parent, from_seeds = shares(parent, seeds)
    # What is drawn at random may be one of theirs too.
    expected_parent, expected_seeds = 1 / 3 + 40 / 1680 / 3, 1 / 3 + 60 / 1680 / 3
    assert from_parent == pytest.approx(expected_parent, abs=error(expected_parent))
    assert from_seeds == pytest.approx(expected_seeds, abs=error(expected_seeds))


def test_of_the_seeds_only_the_best_hundred_count_but_all_of_the_parents() -> None:
    seeds, parent = list(STUDY.settings[:300]), list(STUDY.settings[400:700])
    rng = np.random.default_rng(0)
    counts = Counter(RULE.draw(1, STUDY, parent, seeds, rng)[0] for _ in range(2000))
    best, rest = (sum(counts[s] for s in part) / 2000 for part in (seeds[:100], seeds[100:]))
    assert best == pytest.approx(1 / 3 + 100 / 1680 / 3, abs=error(1 / 3))
    assert rest == pytest.approx(200 / 1680 / 3, abs=error(200 / 1680 / 3))
    late = sum(counts[s] for s in parent[100:]) / 2000
    assert late == pytest.approx(200 / 300 / 3 + 200 / 1680 / 3, abs=error(0.25))


@pytest.mark.parametrize(("tried", "from_best"), [(420, False), (421, True)])
def test_a_parent_counts_as_experienced_above_420_settings(tried: int, from_best: bool) -> None:
    parent = list(STUDY.settings[::-1][:tried])
    rng = np.random.default_rng(2)
    drawn = [RULE.draw(1, STUDY, parent, STUDY.settings[:50], rng)[0] for _ in range(2000)]
    share = sum(s in set(parent[:100]) for s in drawn) / 2000
    expected = 0.8 + 0.2 * 100 / 1680 if from_best else 100 / 420 / 3 + 100 / 1680 / 3
    assert share == pytest.approx(expected, abs=error(expected))


def test_an_experienced_parent_leaves_a_fifth_to_chance_and_nothing_to_the_seeds() -> None:
    parent, seeds = list(STUDY.settings[:500]), list(STUDY.settings[600:700])
    _, from_seeds = shares(parent, seeds)
    expected = 0.2 * 100 / 1680
    assert from_seeds == pytest.approx(expected, abs=error(expected))


def test_sources_that_have_nothing_new_leave_their_share_to_chance() -> None:
    parent, seeds = list(STUDY.settings[:5]), list(STUDY.settings[5:10])
    drawn = RULE.draw(100, STUDY, parent, seeds, np.random.default_rng(0))
    assert len(set(drawn)) == 100
    assert set(parent + seeds) <= set(drawn)  # each source is nearly used up after 33 draws of 5
    assert len(RULE.draw(100, STUDY, [], [], np.random.default_rng(0))) == 100


def test_a_transfer_excludes_and_runs_out_as_a_draw_does() -> None:
    left = set(STUDY.settings[:9])
    excluded = set(STUDY.settings) - left
    drawn = RULE.draw(20, STUDY, list(excluded)[:50], STUDY.settings[:50], np.random.default_rng(0), excluded)
    assert len(drawn) == 9
    assert set(drawn) == left


def test_settings_outside_the_childs_grid_are_not_passed_on() -> None:
    foreign = [Setting(9.0, 9.0, 9.0, 9, k) for k in range(50)]
    drawn = RULE.draw(60, STUDY, foreign, foreign, np.random.default_rng(0))
    assert len(drawn) == 60
    assert set(drawn) <= set(STUDY.settings)


def test_a_transfer_is_a_function_of_its_generator() -> None:
    parent, seeds = STUDY.settings[:40], STUDY.settings[100:160]
    a, b, c = (RULE.draw(20, STUDY, parent, seeds, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert a == b != c


@pytest.mark.parametrize(
    "key", ["", "[]", "{}", '{"scale": 1}', "[" * 10_000, "NaN", Setting(1, 1, 1, 1, 1).key + " ", "\udc80"]
)
def test_a_text_that_is_no_key_is_refused_in_one_line(key: str) -> None:
    with pytest.raises(SearchError, match="restore a backup") as caught:
        Setting.from_key(key)
    assert "\n" not in str(caught.value)
