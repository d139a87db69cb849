"""Forecasts of a trained cell beside those of statsmodels on the same rows: the naive forecast and AR(1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.arima_process import arma_generate_sample

from results.store.words import TrialState
from search.cells.library import LIBRARY
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import train_trial
from tasks.series import Series
from tasks.task import Output, Split

ROWS, TRAIN, VALIDATION = 6000, 4200, 900
FORECASTS = ROWS - TRAIN - VALIDATION - 1
"""Steps of the test rows that have a target."""


@pytest.fixture
def values() -> np.ndarray:
    """Return an AR(1) process with the coefficient 0.7 and a mean of 20."""
    rng = np.random.default_rng(1)
    process = arma_generate_sample([1.0, -0.7], [1.0], ROWS, distrvs=rng.standard_normal, burnin=100)
    return np.asarray(20.0 + 3.0 * process, np.float64)


@pytest.mark.parametrize("output", [Output.GAUSSIAN, Output.SQUARED_ERROR])
def test_a_small_cell_forecasts_an_ar_process_as_well_as_ar_1(
    values: np.ndarray, tmp_path: Path, output: Output
) -> None:
    file = tmp_path / "process.csv"
    pd.DataFrame({"x": values}).to_csv(file, index=False)
    task = Series(data=str(file), output=output)
    unit = values[:TRAIN].std() ** 2  # of squared errors
    fitted = AutoReg(values[:TRAIN], lags=1).fit()
    forecast = fitted.apply(values, refit=False).predict(start=TRAIN + VALIDATION + 1, end=ROWS - 1)
    test = values[TRAIN + VALIDATION :]
    autoregressive = float(np.mean((test[1:] - forecast) ** 2) / unit)
    naive = float(np.mean(np.diff(test) ** 2) / unit)
    assert task.constant_baseline(Split.TEST) == pytest.approx(naive, rel=1e-5)
    assert task.description(Split.TEST).counted == FORECASTS == len(forecast)
    assert autoregressive < 0.9 * naive

    budget = Budget(batch=20, unroll=35, epoch_steps=50, epochs=8, patience=2, halvings=4, chance_epochs=8)
    result = train_trial(LIBRARY["gru"].graph, task, Setting(1.0, 0.3, 2.5, 1, 1000), budget, seed=0)
    assert result.state is TrialState.OK
    assert result.test is not None
    assert result.test <= 1.05 * autoregressive
    assert result.test_se is not None
    assert 0.01 < result.test_se < 0.1
    if output is Output.GAUSSIAN:  # the entropy of the noise, by the process itself
        nats = next(other.test for other in result.others if other.name == "nats_per_step")
        entropy = 0.5 * np.log(2.0 * np.pi * np.e * 9.0 / unit)
        assert nats == pytest.approx(entropy, abs=0.06)


def test_a_model_between_the_mean_and_the_naive_forecast_is_not_given_up(tmp_path: Path) -> None:
    file = tmp_path / "slow.csv"
    pd.DataFrame({"x": np.sin(np.arange(2000) / 20)}).to_csv(file, index=False)
    task = Series(data=str(file))
    budget = Budget(batch=20, unroll=35, epoch_steps=30, epochs=2, halvings=1, chance_epochs=1)
    setting = Setting(1.0, 0.3, 2.5, 1, 1000)
    result = train_trial(LIBRARY["gru"].graph, task, setting, budget, seed=0)
    assert result.validation is not None
    assert task.constant_baseline() < result.validation < task.chance_level()
    assert result.state is TrialState.OK
    naive = train_trial(LIBRARY["gru"].graph, task, setting, budget, seed=0, chance=task.constant_baseline())
    assert (naive.state, naive.steps) == (TrialState.AT_CHANCE, 30)
