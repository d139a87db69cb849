"""The initial population: its members are proposed first, unless they were given and are seeds."""

from dataclasses import replace

import numpy as np
import pytest

from results.store.words import MEMORIZATION, ProposalKind
from search.cells.library import LIBRARY
from search.strategies.registry import STRATEGIES
from tests.test_search.strategy_play import PROFILE, answer, play, started

MEMBERS = ("gru", "mut1", "tanh", "mgu")
WIDE = replace(PROFILE, search=replace(PROFILE.search, population=MEMBERS))

every = pytest.mark.parametrize("name", STRATEGIES)


@every
def test_members_that_were_not_given_are_the_first_proposals(name: str) -> None:
    strategy = started(name, WIDE)
    assert set(strategy.seeds) == {LIBRARY["gru"].graph.id, LIBRARY["tanh"].graph.id}
    asked = play(strategy, 20)
    kinds = [proposal.kind for proposal in asked]
    assert kinds[:2] == [ProposalKind.INITIAL] * 2
    assert ProposalKind.INITIAL not in kinds[2:]
    assert [proposal.cell for proposal in asked[:2]] == [LIBRARY[cell].graph.id for cell in ("mut1", "mgu")]
    for proposal in asked[:2]:
        assert (proposal.parent, proposal.mutations, proposal.memorized) == (None, (), False)
        assert set(proposal.settings) == {"xml", "extra", "music", MEMORIZATION}
        assert len(proposal.settings["xml"]) == 4
    population = {LIBRARY[cell].graph.id for cell in MEMBERS}
    assert set(strategy.population) == population
    assert not population & {proposal.cell for proposal in asked[2:] if proposal.kind is ProposalKind.PROPOSE}


@every
def test_an_interrupted_search_goes_on_with_the_rest_of_the_population(name: str) -> None:
    whole, resumed = started(name, WIDE), started(name, WIDE)
    asked = play(whole, 12, window=12)
    for index in range(12):
        if index in (1, 5, 11):
            assert resumed.ask(index) == asked[index]
        else:
            resumed.skip(index, asked[index].cell)
    for proposal in asked:
        outcome = answer(proposal)
        resumed.learn(
            proposal.index, proposal.kind, proposal.cell, outcome.visits, outcome.ending, parent=proposal.parent
        )
    assert resumed.best == whole.best
    assert list(resumed.born) == list(whole.born)
    assert resumed.records == whole.records
    assert [resumed.ask(index) for index in range(12, 16)] == [whole.ask(index) for index in range(12, 16)]


@every
def test_a_population_without_a_given_cell_is_enough(name: str) -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, population=("mgu",)))
    strategy = started(name, profile)
    assert (strategy.seeds, strategy.best) == ([], [])
    asked = play(strategy, 30)
    assert asked[0].cell == LIBRARY["mgu"].graph.id
    assert all(proposal.kind is not ProposalKind.PROPOSE or proposal.parent for proposal in asked)
    assert asked[1].parent == LIBRARY["mgu"].graph.id  # not told yet


def test_settings_of_a_member_come_from_the_seeds() -> None:
    """Two thirds are drawn from what was tried on the seeds, nine settings of 24, and a third from all."""
    strategy = started("random", replace(WIDE, search=replace(WIDE.search, population=("lstm", "gru", "mgu"))))
    known = {setting for cell in strategy.seeds for setting in strategy.records[cell].tried["xml"]}
    assert len(known) == 9
    seeds = [strategy.records[cell] for cell in strategy.seeds]
    inside = sum(
        strategy._child_settings("new", seeds, np.random.default_rng(k))["xml"][0] in known for k in range(600)
    )
    share = 2 / 3 + 9 / 24 / 3
    assert inside / 600 == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 600))


def test_with_halving_a_child_first_gets_the_best_setting_of_its_parent() -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, allocation="halving"))
    strategy = started("random", profile)
    for index in range(10):
        proposal = strategy.ask(index)
        assert set(proposal.settings) == {"xml", "music", "extra"}
        assert proposal.parent is not None
        for task, best in (("xml", max), ("music", min)):
            tried = strategy.records[proposal.parent].tried[task]
            top = best(value for value in tried.values() if value is not None)
            assert len(proposal.settings[task]) == profile.halving.settings[0] == 1
            assert tried[proposal.settings[task][0]] == top
