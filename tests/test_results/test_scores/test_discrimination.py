"""Discrimination of tasks: by plain loops, on equal cells, and in words."""

import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.publication.discrimination_text import discrimination_lines, verdict
from results.scores.discrimination import Discrimination, discrimination
from results.store.store import Store
from search.cells.library import LIBRARY
from tests.test_results.rows import CONSTANTS, make_baseline, make_cell, make_store, make_trial

CEILINGS = {"arithmetic": {"validation": 1.0, "test": 1.0}}
NAMES = ("gru", "lstm", "mut1", "lstm-b")


def make_retrained(
    folder: Path, rng: np.random.Generator, means: dict[str, float], noise: float, repeats: int = 6
) -> tuple[Store, dict[str, list[float]]]:
    """Return a run whose named cells were retrained on arithmetic with these means, and their test metrics."""
    store = make_store(folder, constants=CONSTANTS, ceilings=CEILINGS)
    values = {}
    for name, mean in means.items():
        row = make_baseline(name) if name in LIBRARY else make_cell(name)
        store.add_cell(row)
        values[name] = [mean + float(deviation) for deviation in rng.normal(0, noise, repeats)]
        search = make_trial(row.id, validation=0.5)
        trials = [replace(search, repeat=k, test=value) for k, value in enumerate(values[name], 1)]
        store.record(None, [search, *trials])
    store.mark(retrained={"repeats": repeats, "constant_guess": {"arithmetic": 0.1}})
    return store, values


@pytest.mark.parametrize("seed", range(3))
def test_every_number_is_that_of_a_plain_loop(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    means = dict(zip(NAMES, (0.7, 0.66, 0.72, 0.6), strict=True)) | {"tanh": 0.2, "irnn": 0.3, "f" * 16: 0.95}
    store, values = make_retrained(tmp_path / "run", rng, means, 0.01)
    with store:
        (row,) = discrimination(store, ("arithmetic", "music"))
    own = {name: statistics.mean(values[name]) for name in NAMES}  # neither plain networks nor a found cell
    assert (row.task, row.cells, row.repeats, row.best) == ("arithmetic", 4, 6, "mut1")
    assert row.spread == pytest.approx(statistics.stdev(own.values()))
    pooled = statistics.mean(statistics.variance(values[name]) for name in NAMES)
    assert row.error == pytest.approx(math.sqrt(pooled / 6))
    assert row.ratio == pytest.approx(row.spread / row.error)
    assert row.best_share == pytest.approx((own["mut1"] - 0.125) / (1 - 0.125))
    assert row.gru_share == pytest.approx((own["gru"] - 0.125) / (1 - 0.125))
    assert row.discriminates
    assert row.saturated is False


def test_cells_that_have_learnt_nothing_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    means = dict(zip(NAMES, (0.7, 0.66, 0.72, 0.6), strict=True))
    alone, _ = make_retrained(tmp_path / "alone", np.random.default_rng(0), means, 0.01)
    store, _ = make_retrained(tmp_path / "run", rng, means | {"mut2": -40.0, "mut3": 0.1}, 0.01)
    with alone, store:
        assert discrimination(store, ("arithmetic",)) == discrimination(alone, ("arithmetic",))


def test_equal_cells_have_a_spread_of_one_error_and_do_not_discriminate(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for k in range(20):
        store, _ = make_retrained(tmp_path / str(k), rng, dict.fromkeys(NAMES, 0.97), 0.01)
        with store:
            (row,) = discrimination(store, ("arithmetic",))
        assert not row.discriminates
        assert row.saturated
        ratios.append(row.ratio**2)
    assert statistics.mean(ratios) == pytest.approx(1.0, abs=0.5)  # an F distribution with 3 and 20 degrees of freedom


def test_there_are_no_rows_without_retrained_named_cells(tmp_path: Path, store: Store) -> None:
    assert discrimination(store, ("arithmetic",)) == []
    few, _ = make_retrained(tmp_path / "few", np.random.default_rng(0), {"gru": 0.5, "lstm": 0.6, "tanh": 0.1}, 0.1)
    with few:
        assert discrimination(few, ("arithmetic",)) == []
    assert discrimination_lines([]) == []


def test_a_task_whose_ceiling_is_not_known_may_be_saturated_or_not(tmp_path: Path) -> None:
    means = dict.fromkeys(NAMES, 0.999)
    store, _ = make_retrained(tmp_path / "run", np.random.default_rng(0), means, 0.0001)
    with store:
        store.mark(ceilings={})
        (row,) = discrimination(store, ("arithmetic",))
    assert (row.best_share, row.gru_share, row.saturated) == (None, None, None)


def test_the_text_says_what_is_wrong_with_a_task() -> None:
    good = Discrimination("xml", 12, 9, 0.04, 0.005, "gru", 0.8, 0.8)
    flat = Discrimination("arithmetic", 12, 9, 0.004, 0.002, "mut1", 0.98, 0.97)
    open_ended = Discrimination("music", 12, 9, 0.1, 0.01, "gru", None, None)
    assert verdict(good) == verdict(open_ended) == "discriminates"
    assert verdict(flat) == "does not discriminate; saturated (mut1 has 98% of the ceiling's gain)"
    lines = discrimination_lines([good, flat, open_ended])
    assert lines[0] == "Do the tasks tell cells apart? (gated named cells over 9 seeds)"
    assert lines[2].split() == ["xml", "12", "0.0400", "0.0050", "8.0", "80%", "discriminates"]
    assert lines[4].split() == ["music", "12", "0.1000", "0.0100", "10.0", "discriminates"]
    assert lines[3].endswith(verdict(flat))
    assert lines[5].startswith("spread: standard deviation")
