"""Sampling without search: chains of mutations from the initial population, whatever the results."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from search.cells.library import LIBRARY
from search.cells.mutation import Rule, propose
from search.cells.transformations import Mutation
from search.core.keys import generator_of
from search.profiles.sections import MutationSection, SampleSection
from search.strategies.proposal import Outcome, Proposal
from tests.test_search.strategy_play import GRAPHS, PROFILE, answer, play, started

ONE_BY_ONE = replace(PROFILE, mutation=MutationSection(rule=Rule.ONE), sample=SampleSection(mutations=4))


def test_a_cell_is_the_end_of_a_chain_of_mutations() -> None:
    strategy = started("sample", ONE_BY_ONE)
    seen = set(strategy.seeds)
    for index in range(30):
        proposal = strategy.ask(index)
        rng = generator_of(strategy.seed, "proposal", index)
        start = strategy.population[int(rng.integers(2))]
        graph, made = GRAPHS[start], list[Mutation]()
        for step in range(4):
            known = frozenset(seen) if step == 3 else frozenset()
            child = propose(graph, rng, rule=Rule.ONE, known=known).child
            assert child is not None
            graph = child.graph
            made += child.mutations
        assert proposal.graph == graph
        assert proposal.mutations == tuple(made)
        assert len(made) == 4
        assert proposal.parent == start
        seen.add(graph.id)


def test_the_draws_depend_on_no_result() -> None:
    def bad(proposal: Proposal) -> Outcome:
        return Outcome(proposal, (), "stopped at xml")

    one, two = (play(started("sample"), 40, tell=tell) for tell in (answer, bad))
    assert [proposal.graph for proposal in one] == [proposal.graph for proposal in two]


def test_every_member_of_the_initial_population_starts_equally_many_chains() -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, population=("lstm", "gru", "mut1", "mut2")))
    strategy = started("sample", profile)
    starts = Counter(strategy._choose(np.random.default_rng(k)).cell for k in range(4000))
    assert set(starts) == {LIBRARY[name].graph.id for name in ("lstm", "gru", "mut1", "mut2")}
    assert max(abs(count - 1000) for count in starts.values()) < 4.5 * np.sqrt(750)


def test_a_chain_of_one_mutation_is_the_random_strategy() -> None:
    profile = replace(PROFILE, sample=SampleSection(mutations=1))
    assert play(started("sample", profile), 20) == play(started("random", profile), 20)


@pytest.mark.parametrize("attempts", [1, 7])
def test_the_attempts_of_a_profile_are_those_of_the_whole_chain(attempts: int) -> None:
    strategy = started("sample", replace(ONE_BY_ONE, mutation=MutationSection(max_nodes=4, attempts=attempts)))
    for index in range(10):
        proposal = strategy.ask(index)
        assert proposal.graph is None
        assert sum(proposal.rejections.values()) == attempts
