"""Every strategy with either allocation, over an initial population, with crossover and adaptation: simulated runs.

A run is a function of its seed: it is the same when it was interrupted, and its replay gives every row.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from results.publication.consistency import consistency
from results.store.store import Store
from results.store.words import Origin, ProposalKind, ScoreKind
from results.tables.files import write_tables
from results.tables.leaderboard import leaderboard
from search.cells.canonical import PRESENT
from search.cells.crossover import other_parent
from search.cells.library import LIBRARY
from search.cells.mutation import Rule
from search.engine.engine import Engine
from search.engine.verification import replay
from search.profiles.loading import parse_profile
from search.profiles.sections import HalvingSection, MutationSection, Profile
from search.profiles.training_sections import ScheduleSection
from search.strategies.registry import STRATEGIES
from search.training.simulation import Simulation
from search.workers.executor import LocalExecutor
from tests.test_search.test_engine.searches import PROFILE, TASKS, rows

FORMULA = "h' = tanh(linear(x) + linear(h)) * sigmoid(linear(x)) + h"
SCHEDULE = ScheduleSection(batch=4, unroll=8, epoch_steps=9, epochs=9, halvings=1, chance_epochs=100)
METHOD = replace(
    PROFILE,
    search=replace(PROFILE.search, score=ScoreKind.GAIN, proposals=26, population=("gru", "mgu", "mut1", FORMULA)),
    halving=HalvingSection(rungs=3, settings=(1, 1, 2), seeds=1),
    mutation=MutationSection(Rule.ONE_TO_THREE, max_nodes=32, crossover=0.3, adapt=True),
    memorization=replace(PROFILE.memorization, schedule=SCHEDULE),
    tasks={name: replace(section, schedule=SCHEDULE, threshold=0.2) for name, section in PROFILE.tasks.items()},
)


def searched(folder: Path, profile: Profile, stop: int | None = None) -> Store:
    """Run a simulated search, or continue it, in a folder. With `stop`, interrupt it after so many outcomes."""
    if (folder / "run.sqlite").exists():
        store = Store.open(folder)
    else:
        store = Store.create(
            folder,
            name="x",
            seed=0,
            profile=profile.to_toml(),
            strategy=profile.search.strategy,
            window=profile.search.window,
            information={"simulated": {"delays": 0.0}},
        )
    ended = 0

    def interrupt(outcome: object) -> None:
        nonlocal ended
        ended += 1
        if ended == stop:
            raise KeyboardInterrupt

    engine = Engine(profile, 0, TASKS, store, LocalExecutor(TASKS), simulation=Simulation(), on_outcome=interrupt)
    engine.run()
    if engine.strategy.adaptation is not None:
        store.mark(transformations=engine.strategy.adaptation.summary())
    return store


@pytest.mark.parametrize("allocation", [pytest.param("stages", marks=pytest.mark.exact), "halving"])
@pytest.mark.parametrize(
    "name", [name if name in ("paper", "random") else pytest.param(name, marks=pytest.mark.slow) for name in STRATEGIES]
)
def test_a_run_of_any_method_is_the_same_after_interruptions_and_in_its_replay(
    name: str, allocation: Literal["stages", "halving"], tmp_path: Path
) -> None:
    profile = replace(METHOD, search=replace(METHOD.search, strategy=name, allocation=allocation))
    with searched(tmp_path / "whole", profile) as store:
        whole = rows(store)
        learns = store.transformations
        found = replay(store, profile, TASKS).check
        assert found.ok, found
        write_tables(store, profile.ranked, store.folder, trials=False)
        assert all(check.ok for check in consistency(store, profile.ranked, finished=True))
    for stop in (4, 15):
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path / "resumed", profile, stop)
    with searched(tmp_path / "resumed", profile) as store:
        assert rows(store) == whole
        assert store.transformations == learns
    assert bool(learns) == (name not in ("random", "sample"))
    assert any(other_parent(cell.mutations) for cell in whole["cells"])
    promoted = [row for row in whole["proposals"] if row.kind == ProposalKind.PROMOTE]
    assert bool(promoted) == (allocation == "halving")


def test_members_of_the_initial_population_are_in_the_tables_under_their_names(tmp_path: Path) -> None:
    population = ("gru", "family:single_gate", "mut1", FORMULA)
    profile = replace(METHOD, search=replace(METHOD.search, proposals=34, population=population))
    profile = parse_profile(profile.to_toml(), "a profile")  # which writes the family out
    with searched(tmp_path / "run", profile) as store:
        cells = {cell.id: cell for cell in store.cells()}
        proposals = store.proposals()
        frame = leaderboard(store, profile.ranked)
    members = profile.population_in(PRESENT)
    given = {graph.id for graph in profile.given.values()}
    wanted = [graph.id for graph in members.values() if graph.id not in given]
    initial = [row for row in proposals if row.kind == ProposalKind.INITIAL]
    assert [row.index for row in initial] == list(range(len(wanted)))
    assert [row.cell for row in initial] == wanted
    assert len(wanted) > 8
    for cell in wanted:
        row = cells[cell]
        assert (row.origin, row.parent, row.mutations) == (Origin.INITIAL, None, ())
        name = next(name for name, graph in members.items() if graph.id == cell)
        assert row.name == (name if name in LIBRARY else None)
        assert frame.at[cell, "origin"] == "initial"
        assert frame.at[cell, "name"] == row.name
    assert {cell.origin for cell in cells.values() if cell.proposal is None} == {Origin.BASELINE}
    assert all(cell.parent for cell in cells.values() if cell.origin == Origin.FOUND)
