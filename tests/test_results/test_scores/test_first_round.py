"""Scores of the first round, which choose the contenders, by plain loops and in both kinds of score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.scores.finalists import finalists_of, first_round_scores
from results.store.records import ProposalRow
from results.store.store import Store
from results.store.words import COMPLETE
from tests.test_results.rows import GRU, TASKS, make_baseline, make_cell, make_trial

CONSTANTS = {"arithmetic": 0.4, "music": 0.9}


@pytest.mark.parametrize("kind", ["ratio", "gain"])
def test_the_score_is_the_smallest_share_of_the_means_in_the_run_s_kind(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    profile = f"[search]\nscore = '{kind}'\n"
    tests: dict[tuple[str, str], float] = {}
    with Store.create(tmp_path, name="x", seed=0, profile=profile, strategy="paper", window=1, information={}) as store:
        for k, cell in enumerate([make_baseline("gru"), *(make_cell(digit * 16) for digit in "abc")]):
            store.add_cell(cell)
            store.add_proposal(ProposalRow(k, "propose", cell.id, None, COMPLETE, 1.0))
            for task in TASKS:
                values = 0.6 + 0.1 * rng.random(3)
                search = make_trial(cell.id, task)
                fresh = [replace(search, repeat=r, test=float(value)) for r, value in enumerate(values, 1)]
                late = replace(search, repeat=1001, test=0.0)  # of the confirmation, which chooses nothing
                store.record(None, [search, *fresh, late])
                tests[cell.id, task] = values.mean()
        store.mark(
            retrained={"repeats": 3, "constant_guess": CONSTANTS},
            constants={task: {"test": value} for task, value in CONSTANTS.items()},
        )
        found = first_round_scores(store, TASKS)
    assert set(found) == {GRU, *(digit * 16 for digit in "abc")}
    for one, value in found.items():
        shares = []
        for task in TASKS:
            own, gru, constant = tests[one, task], tests[GRU, task], CONSTANTS[task]
            if kind == "gain":
                shares.append((own - constant) / (gru - constant))
            else:
                shares.append(own / gru if task == "arithmetic" else gru / own)
        assert value == pytest.approx(min(shares))


def test_a_paused_repeat_is_missing_and_not_lost(store: Store) -> None:
    store.add_cell(make_baseline("gru"))
    store.add_cell(make_cell("a" * 16))
    for cell in (GRU, "a" * 16):
        search = make_trial(cell)
        store.record(None, [search, replace(search, repeat=1, test=0.75), replace(search, repeat=2, state="diverged")])
    store.record(None, [replace(make_trial(GRU), repeat=3, test=0.5)])
    store.record(None, [replace(make_trial("a" * 16), repeat=3, test=0.5, state="paused")])
    store.mark(retrained={"repeats": 3, "constant_guess": CONSTANTS})
    found = finalists_of(store)
    assert list(found.values["arithmetic"].index) == [GRU]
    assert found.on("arithmetic", GRU).tolist() == [0.75, CONSTANTS["arithmetic"], 0.5]
    assert found.diverged["arithmetic"] == {GRU: 1, "a" * 16: 1}


@pytest.mark.parametrize("task", TASKS)
def test_no_cell_has_a_score_if_the_gru_has_no_gain_on_one_task(tmp_path: Path, task: str) -> None:
    profile = "[search]\nscore = 'gain'\n"
    with Store.create(tmp_path, name="x", seed=0, profile=profile, strategy="paper", window=1, information={}) as store:
        for k, cell in enumerate([make_baseline("gru"), make_cell("a" * 16)]):
            store.add_cell(cell)
            store.add_proposal(ProposalRow(k, "propose", cell.id, None, COMPLETE, 1.0))
            for each in TASKS:
                search = make_trial(cell.id, each)
                gru_is_constant = replace(search, test=CONSTANTS[each] if each == task else 0.6)
                fresh = search if cell.name is None else gru_is_constant
                store.record(None, [search, *(replace(fresh, repeat=r) for r in (1, 2))])
        store.mark(
            retrained={"repeats": 2, "constant_guess": CONSTANTS},
            constants={each: {"test": value} for each, value in CONSTANTS.items()},
        )
        assert first_round_scores(store, TASKS) == {}
