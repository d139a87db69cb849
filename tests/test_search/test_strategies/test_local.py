"""Local search, against a plain simulation of its rule."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from results.store.words import ProposalKind
from search.profiles.sections import LocalSection
from search.strategies.proposal import Outcome, Proposal
from tests.test_search.strategy_play import PROFILE, answer, started

PROFILE_OF_THREE = replace(
    PROFILE, search=replace(PROFILE.search, reexamine=0.0, best=4), local=LocalSection(failures=3)
)


def test_the_incumbent_is_the_best_cell_that_has_not_failed_so_often() -> None:
    """The rule a second time: count each parent's bad children; whoever has fewer rounds of three behind it goes on."""
    strategy = started("local", PROFILE_OF_THREE)
    rng = np.random.default_rng(3)
    worth = {cell: score for score, cell in strategy.best}
    failures: Counter[str] = Counter()
    asked: list[Proposal] = []
    parents: list[str] = []
    for index in range(150):
        if index >= 4:
            past = asked[index - 4]
            assert past.parent is not None
            parent = worth[past.parent]
            score = float(rng.normal(parent, 0.1)) if rng.random() < 0.5 else parent - float(rng.random())
            if past.graph is None or rng.random() < 0.1:
                strategy.tell(Outcome(past, (), "stopped at xml"))  # without a score
                failures[past.parent] += 1
            else:
                answer(past)
                strategy.tell(Outcome(past, (), "complete", 0, score))
                worth[past.graph.id] = score
                failures[past.parent] += score <= parent
        proposal = strategy.ask(index)
        asked.append(proposal)
        listed = sorted(worth, key=lambda cell: (-worth[cell], cell))[:4]
        rounds = {cell: failures[cell] // 3 for cell in listed}
        incumbent = next(cell for cell in listed if rounds[cell] == min(rounds.values()))
        assert proposal.parent == incumbent
        parents.append(incumbent)
    assert len(set(parents)) > 8
    assert max(failures.values()) > 3  # a second round began


def test_a_neighbour_is_one_transformation_away() -> None:
    strategy = started("local", PROFILE_OF_THREE)
    asked = [strategy.ask(index) for index in range(40)]
    assert all(len(proposal.mutations) == 1 for proposal in asked if proposal.graph is not None)


def test_a_child_is_compared_with_its_parent_at_the_rung_that_both_have() -> None:
    strategy = started("local", PROFILE_OF_THREE)
    parent = strategy.best[0][1]
    record = strategy.records[parent]
    record.standings, record.rung, record.standing = {0: 0.5, 3: 1.0}, 3, 1.0
    for index, (score, failures) in enumerate([(0.4, 1), (0.5, 2), (0.6, 2)]):  # below, equal, above
        proposal = strategy.ask(index)
        assert proposal.parent == parent
        answer(proposal)
        strategy.tell(Outcome(proposal, (), "paused", 0, score))
        assert record.failures == failures
    assert strategy.best[0][1] == parent  # the rung still decides who is the incumbent


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_incumbent_is_examined_again_as_often_as_the_profile_says(share: float) -> None:
    profile = replace(PROFILE_OF_THREE, search=replace(PROFILE_OF_THREE.search, reexamine=share))
    strategy = started("local", profile)
    moves = [strategy._choose(np.random.default_rng(k)) for k in range(2000)]
    again = sum(move.kind is ProposalKind.REEXAMINE for move in moves) / 2000
    assert again == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 2000) + 1e-12)
    assert {move.cell for move in moves} == {strategy.best[0][1]}


def test_with_halving_nothing_is_examined_again() -> None:
    profile = replace(PROFILE, search=replace(PROFILE.search, reexamine=1.0, allocation="halving"))
    for name in ("local", "paper"):
        strategy = started(name, profile)
        kinds = {strategy.ask(index).kind for index in range(10)}
        assert kinds == {ProposalKind.PROPOSE}
