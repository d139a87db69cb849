"""Aging evolution, against a plain simulation of its rule."""

from collections import Counter, deque
from dataclasses import replace

import numpy as np
import pytest

from results.store.words import ProposalKind
from search.core.keys import generator_of
from search.profiles.sections import EvolutionSection
from search.strategies.proposal import Outcome, Proposal
from tests.test_search.strategy_play import PROFILE, answer, started

PROFILE_OF_SIX = replace(PROFILE, evolution=EvolutionSection(population=6, tournament=3))


def test_each_parent_wins_a_tournament_of_the_youngest_cells() -> None:
    """The rule a second time: a queue of six cells, three draws with replacement, the best by rung and score."""
    strategy = started("evolution", PROFILE_OF_SIX)
    rng = np.random.default_rng(0)
    queue = deque(strategy.seeds, maxlen=6)
    worth = {cell: (0, score) for score, cell in strategy.best}
    asked: list[Proposal | None] = []
    waiting: list[tuple[int, str]] = []  # cells to promote, which is told at once
    wins: Counter[str] = Counter()
    for index in range(120):
        if index >= 4:
            past = asked[index - 4]
            if past is None:
                rung, cell = waiting.pop(0)
                score = float(rng.random())
                strategy.learn(index - 4, ProposalKind.PROMOTE, cell, (), "paused", rung, score)
                worth[cell] = (rung, score)
            elif past.graph is None or rng.random() < 0.2:
                strategy.tell(answer(replace(past, graph=None)))
            else:
                cell, score = past.graph.id, float(rng.random())
                answer(past)  # keeps its graph
                strategy.tell(Outcome(past, (), "paused", 0, score))
                queue.append(cell)
                worth[cell] = (0, score)
        told = [cell for cell in queue if cell in worth and cell not in strategy.seeds and worth[cell][0] < 3]
        if index % 5 == 4 and told:
            cell = told[int(rng.integers(len(told)))]
            if all(cell != other for _, other in waiting):
                waiting.append((worth[cell][0] + 1, cell))
                strategy.pass_over(index)
                asked.append(None)
                continue
        proposal = strategy.ask(index)
        asked.append(proposal)
        youngest = list(queue)[::-1]
        draws = [
            youngest[int(i)] for i in generator_of(strategy.seed, "proposal", index).integers(len(youngest), size=3)
        ]
        assert proposal.parent == max(draws, key=lambda cell: worth[cell])
        assert proposal.parent is not None
        wins[proposal.parent] += 1
    assert len(wins) > 10  # cells get old, so that no parent lasts
    assert any(rung > 0 for rung, _ in worth.values())


def test_a_promoted_cell_gets_better_and_no_younger() -> None:
    strategy = started("evolution", PROFILE_OF_SIX)
    told = []
    for index in range(5):
        proposal = strategy.ask(index)
        assert proposal.graph is not None
        answer(proposal)
        strategy.tell(Outcome(proposal, (), "paused", 0, 0.1 * index))
        told.append(proposal.graph.id)
    assert list(strategy.born)[-5:] == told
    strategy.pass_over(5)
    strategy.learn(5, ProposalKind.PROMOTE, told[0], (), "paused", 1, 0.01)
    assert list(strategy.born)[-5:] == told
    parents = {strategy._choose(np.random.default_rng(k)).cell for k in range(200)}
    assert strategy.best[0][1] == told[0]
    # Of six members and three draws, it wins each tournament that it is drawn for: 1 - (5/6)^3 of them.
    wins = sum(strategy._choose(np.random.default_rng(k)).cell == told[0] for k in range(2000)) / 2000
    share = 1 - (5 / 6) ** 3
    assert wins == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 2000))
    assert strategy.seeds[0] not in parents  # displaced by the youngest six


def test_a_cell_that_was_stopped_after_a_promotion_comes_last() -> None:
    strategy = started("evolution", PROFILE_OF_SIX)
    proposal = strategy.ask(0)
    assert proposal.graph is not None
    answer(proposal)
    strategy.tell(Outcome(proposal, (), "paused", 0, 9.0))
    assert strategy.best[0][1] == proposal.graph.id
    strategy.pass_over(1)
    strategy.learn(1, ProposalKind.PROMOTE, proposal.graph.id, (), "stopped at xml", 1, float("-inf"))
    assert proposal.graph.id not in {cell for _, cell in strategy.best}
    alone = 0
    for k in range(2000):  # it is the parent only where it was drawn three times
        alone += strategy._choose(np.random.default_rng(k)).cell == proposal.graph.id
    assert alone / 2000 == pytest.approx(1 / 27, abs=4.5 * np.sqrt(1 / 27 / 2000))
