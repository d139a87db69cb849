"""Crossover in a search: how often it happens, and who the second parent is."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from results.store.words import ProposalKind
from search.cells.crossover import other_parent
from search.cells.mutation import Rule
from search.cells.transformations import Transformation
from search.profiles.sections import MutationSection
from search.strategies.proposal import Proposal
from search.strategies.registry import STRATEGIES
from tests.test_search.strategy_play import PROFILE, play, started


def mixed(share: float) -> MutationSection:
    return MutationSection(rule=Rule.ONE_TO_THREE, crossover=share)


def mates(asked: list[Proposal]) -> list[tuple[str | None, str | None]]:
    """Return first and second parent of each child of two."""
    words = [(p.parent, tuple(f"{m.transformation}: {m.detail}" for m in p.mutations)) for p in asked]
    return [(parent, other_parent(texts)) for parent, texts in words if other_parent(texts) is not None]


@pytest.mark.parametrize("name", STRATEGIES)
def test_children_of_two_parents_have_the_share_of_the_profile(name: str) -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, reexamine=0.0), mutation=mixed(0.3))
    strategy = started(name, profile)
    asked = play(strategy, 70)
    crossed = mates([proposal for proposal in asked if proposal.graph is not None])
    assert abs(len(crossed) - 21) < 4.5 * np.sqrt(70 * 0.3 * 0.7)
    for parent, other in crossed:
        assert parent != other
        assert other in strategy.records
    for proposal in asked:
        kinds = [mutation.transformation for mutation in proposal.mutations]
        assert kinds.count(Transformation.CROSSOVER) <= 1
        if Transformation.CROSSOVER in kinds:
            assert kinds[0] is Transformation.CROSSOVER
            assert (len(kinds) == 1) == (name != "sample")  # the rest of a chain follows


@pytest.mark.parametrize("name", STRATEGIES)
def test_without_crossover_a_search_is_what_it_was(name: str) -> None:
    """A share of 0 draws nothing from the generator: the proposals are those of the plain rule."""
    asked = play(started(name), 20)
    assert asked == play(started(name, replace(PROFILE, mutation=mixed(0.0))), 20)
    assert not mates(asked)


def test_the_second_parent_is_drawn_as_the_first_one() -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, reexamine=0.5), mutation=mixed(1.0))
    strategy = started("paper", profile)
    play(strategy, 60)
    members = [cell for _, cell in strategy.best]
    counts = Counter(strategy._mate(members[0], np.random.default_rng(k)) for k in range(4000))
    assert set(counts) == set(members[1:])
    assert max(abs(count - 1000) for count in counts.values()) < 4.5 * np.sqrt(750)


def test_the_incumbent_of_a_local_search_is_crossed_with_any_other_of_the_best() -> None:
    strategy = started("local", replace(PROFILE, mutation=mixed(1.0)))
    play(strategy, 60)
    members = [cell for _, cell in strategy.best]
    counts = Counter(strategy._mate(members[0], np.random.default_rng(k)) for k in range(4000))
    assert set(counts) == set(members[1:])
    assert max(abs(count - 1000) for count in counts.values()) < 4.5 * np.sqrt(750)


def test_with_one_parent_alone_its_children_are_mutants() -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, population=("gru",)), mutation=mixed(1.0))
    asked = play(started("random", profile), 10)
    assert not mates(asked)
    assert all(proposal.graph is not None for proposal in asked)
    assert {proposal.kind for proposal in asked} == {ProposalKind.PROPOSE}
