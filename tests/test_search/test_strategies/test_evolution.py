"""Aging evolution, against a plain simulation of its rule."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from results.store.words import ProposalKind
from search.core.keys import generator_of
from search.profiles.sections import EvolutionSection
from search.strategies.base import Strategy
from search.strategies.proposal import Outcome, Proposal
from tests.test_search.strategy_play import PROFILE, keep, started

PROFILE_OF_SIX = replace(PROFILE, evolution=EvolutionSection(population=6, tournament=3))
HALVED = replace(PROFILE_OF_SIX, search=replace(PROFILE.search, allocation="halving"))


def test_each_parent_wins_a_tournament_of_the_youngest_cells() -> None:
    """The rule a second time: a queue of six cells, three draws with replacement, the best by score."""
    strategy = started("evolution", PROFILE_OF_SIX)
    rng = np.random.default_rng(0)
    queue = deque(strategy.seeds, maxlen=6)
    worth = {cell: score for score, cell in strategy.best}
    asked: list[Proposal] = []
    wins: Counter[str] = Counter()
    for index in range(80):
        if index >= 4:
            past = asked[index - 4]
            if past.graph is None or rng.random() < 0.2:
                strategy.tell(Outcome(past, (), "stopped at xml"))  # without a score
            else:
                cell = keep(past)
                worth[cell] = float(rng.random())
                strategy.tell(Outcome(past, (), "complete", 0, worth[cell]))
                queue.append(cell)
        proposal = strategy.ask(index)
        asked.append(proposal)
        assert proposal.parent == winner(strategy, index, queue, worth)
        wins[proposal.parent] += 1
    assert len(wins) > 10  # cells get old, so that no parent lasts


def winner(strategy: Strategy, index: int, queue: deque[str], worth: Mapping[str, object]) -> str:
    """Return the best of three cells of the queue, as the generator of a proposal draws them."""
    youngest = list(queue)[::-1]
    draws = generator_of(strategy.seed, "proposal", index).integers(len(youngest), size=3)
    return max((youngest[int(i)] for i in draws), key=lambda cell: worth[cell])  # type: ignore[arg-type,return-value]


def test_with_halving_cells_join_when_they_are_first_promoted() -> None:
    """The rule a second time: the first promotion makes a member, later ones make it better in its place."""
    strategy = started("evolution", HALVED)
    rng = np.random.default_rng(1)
    queue = deque(strategy.seeds, maxlen=6)
    worth = {cell: (0, score) for score, cell in strategy.best}
    asked: list[Proposal | tuple[int, str]] = []  # a promotion is a rung and a cell
    paused: dict[str, int] = {}  # rung by cell, of those that may be promoted
    again = 0
    for index in range(150):
        if index >= 4:
            past = asked[index - 4]
            score = float(rng.random())
            if isinstance(past, tuple):
                rung, cell = past
                if rng.random() < 0.15:  # stopped on its way up
                    strategy.learn(index - 4, ProposalKind.PROMOTE, cell, (), "stopped at xml", rung, -np.inf)
                    worth[cell] = (-1, 0.0)
                else:
                    strategy.learn(index - 4, ProposalKind.PROMOTE, cell, (), "paused", rung, score)
                    worth[cell], paused[cell] = (rung, score), rung
                    again += rung > 1 and cell in queue
                    if rung == 1:
                        queue.append(cell)
            else:
                cell = keep(past)
                strategy.tell(Outcome(past, (), "paused", 0, score))
                worth[cell], paused[cell] = (0, score), 0
        ready = sorted(cell for cell, rung in paused.items() if rung < 3)
        if index % 2 and ready:
            cell = ready[int(rng.integers(len(ready)))]
            asked.append((paused.pop(cell) + 1, cell))
            strategy.pass_over(index)
            continue
        proposal = strategy.ask(index)
        asked.append(proposal)
        assert proposal.parent == winner(strategy, index, queue, worth)
    assert len(set(strategy.born)) > 20
    assert again > 3


def test_a_promoted_cell_gets_better_and_no_younger() -> None:
    strategy = started("evolution", HALVED)
    told = []
    for index in range(6):
        proposal = strategy.ask(index)
        told.append(keep(proposal))
        strategy.tell(Outcome(proposal, (), "paused", 0, 0.1 * index))
    assert list(strategy.born) == strategy.seeds
    for index, cell in enumerate(told, 6):
        strategy.pass_over(index)
        strategy.learn(index, ProposalKind.PROMOTE, cell, (), "paused", 1, 0.5)
    assert list(strategy.born)[2:] == told
    strategy.pass_over(12)
    strategy.learn(12, ProposalKind.PROMOTE, told[0], (), "paused", 2, 0.01)
    assert list(strategy.born)[2:] == told
    moves = Counter(strategy._choose(np.random.default_rng(k)).cell for k in range(2000))
    # Of six members and three draws, it wins each tournament that it is drawn for: 1 - (5/6)^3 of them.
    share = 1 - (5 / 6) ** 3
    assert moves[told[0]] / 2000 == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 2000))
    assert set(moves) <= set(told)  # the seeds are displaced by the youngest six


def test_a_cell_that_was_stopped_after_a_promotion_comes_last() -> None:
    strategy = started("evolution", HALVED)
    proposal = strategy.ask(0)
    cell = keep(proposal)
    strategy.tell(Outcome(proposal, (), "paused", 0, 9.0))
    for index, (rung, score) in enumerate([(1, 9.0), (2, float("-inf"))], 1):
        assert strategy.best[0] == (9.0, cell)
        strategy.pass_over(index)
        strategy.learn(index, ProposalKind.PROMOTE, cell, (), "", rung, score)
    assert cell not in {cell for _, cell in strategy.best}
    moves = Counter(strategy._choose(np.random.default_rng(k)).cell for k in range(2000))
    # Of three members, it is the parent only where it is drawn three times.
    assert moves[cell] / 2000 == pytest.approx(1 / 27, abs=4.5 * np.sqrt(1 / 27 / 2000))
