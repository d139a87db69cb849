"""The ratio to the GRU, and its standard error against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from results.scores.ratio import error_of_smallest, ratio, ratio_error


@pytest.mark.parametrize(
    ("value", "reference", "higher", "expected"), [(0.9, 0.8, True, 1.125), (3.2, 3.6, False, 1.125)]
)
def test_above_one_is_better_in_both_directions(value: float, reference: float, higher: bool, expected: float) -> None:
    assert float(ratio(value, reference, higher)) == pytest.approx(expected, rel=1e-15)
    assert float(ratio(reference, value, higher)) == pytest.approx(1 / expected, rel=1e-15)


def test_the_study_s_own_scores() -> None:
    """Jozefowicz et al. 2015, table 1: validation accuracies of MUT1 and the GRU, arithmetic, XML and Penn Treebank."""
    mut1, gru = np.array([0.92135, 0.47483, 0.08968]), np.array([0.89565, 0.45963, 0.09069])
    assert float(ratio(mut1, gru, True).min()) == pytest.approx(0.989, abs=5e-4)


def test_without_a_positive_denominator_there_is_no_ratio() -> None:
    assert np.isnan(ratio(0.5, 0.0, True))
    assert np.isnan(ratio(0.0, 3.0, False))
    assert float(ratio(0.0, 0.5, True)) == 0.0


@pytest.mark.parametrize("higher", [True, False])
def test_the_error_is_that_of_simulated_measurements(higher: bool) -> None:
    rng = np.random.default_rng(0)
    value, reference, value_error, reference_error = 0.42, 0.46, 0.004, 0.006
    draws = 200_000
    simulated = ratio(rng.normal(value, value_error, draws), rng.normal(reference, reference_error, draws), higher)
    expected = float(ratio_error(value, reference, value_error, reference_error, higher))
    assert float(simulated.std()) == pytest.approx(expected, rel=0.01)


def test_arrays_are_taken_cell_by_cell() -> None:
    values, errors = np.array([0.4, 0.0, np.nan]), np.array([0.01, 0.02, 0.03])
    found = ratio_error(values, 0.5, errors, 0.02, True)
    assert found[:2].tolist() == [
        pytest.approx(float(ratio_error(0.4, 0.5, 0.01, 0.02, True))),
        pytest.approx(0.02 / 0.5),
    ]
    assert np.isnan(found[2])


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ([1.0, 1.0, 1.0, 1.0], [0.01, 0.01, 0.01, 0.01]),
        ([1.0, 1.02, 0.99], [0.03, 0.001, 0.01]),
        ([0.7, 1.0, 1.1], [0.005, 0.02, 0.03]),
        ([1.0, 1.004], [0.0, 0.01]),  # one that is known exactly: nothing is above it
        ([0.5, 0.5], [1e-9, 0.2]),
    ],
)
def test_the_error_of_the_smallest_is_that_of_draws(values: list[float], errors: list[float]) -> None:
    draws = np.random.default_rng(0).normal(values, errors, (400_000, len(values))).min(axis=1)
    assert error_of_smallest(np.array(values), np.array(errors)) == pytest.approx(draws.std(), rel=0.01)


def test_the_error_of_one_is_its_own_and_of_what_is_known_none() -> None:
    assert error_of_smallest(np.array([1.0]), np.array([0.25])) == 0.25
    assert error_of_smallest(np.array([0.5, 2.0]), np.array([0.25, 0.01])) == pytest.approx(0.25, rel=1e-4)
    assert error_of_smallest(np.ones(4), np.zeros(4)) == 0.0
    assert np.isnan(error_of_smallest(np.array([1.0, 2.0]), np.array([np.nan, 0.1])))
