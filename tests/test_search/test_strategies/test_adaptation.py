"""Adaptive choice of transformations: weights on a made-up record, and their effect on what is drawn."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from results.store.words import ProposalKind
from search.cells.library import LIBRARY
from search.cells.mutation import Child, Rule, mutate
from search.cells.transformations import Transformation
from search.profiles.sections import MutationSection
from search.strategies.adaptation import FLOOR, Adaptation
from search.strategies.base import Strategy
from search.strategies.proposal import Outcome, Proposal
from search.strategies.registry import STRATEGIES
from tests.test_search.strategy_play import PROFILE, answer, play, started

T = Transformation
LEARNING = [name for name, strategy in STRATEGIES.items() if strategy.learns]
ADAPTIVE = replace(PROFILE, mutation=MutationSection(Rule.ONE, adapt=True))


def test_weights_are_smoothed_rates_of_success_relative_to_the_highest() -> None:
    adaptation = Adaptation()
    assert set(adaptation.weights().values()) == {1.0}
    for k in range(8):
        adaptation.tell(f"a{k}", "p", [T.REMOVE_NODE], k < 6)
    for k in range(40):
        adaptation.tell(f"b{k}", "p", [T.INSERT_ACTIVATION], False)
    adaptation.tell("c", "p", [T.REPLACE_BY_ANCESTOR, T.REPLACE_BY_ANCESTOR, T.REMOVE_NODE], False)
    weights = adaptation.weights()
    best = 7 / 11  # (6 + 1) / (9 + 2)
    assert weights[T.REMOVE_NODE] == 1.0
    assert weights[T.INSERT_ACTIVATION] == FLOOR  # (0 + 1) / (40 + 2), divided by the best
    assert weights[T.REPLACE_BY_ANCESTOR] == pytest.approx(1 / 3 / best)
    assert weights[T.REPLACE_ACTIVATION] == pytest.approx(1 / 2 / best)
    assert adaptation.summary() == {
        "insert-activation": {"children": 40, "successes": 0, "weight": FLOOR},
        "remove-node": {"children": 9, "successes": 6, "weight": 1.0},
        "replace-by-ancestor": {"children": 1, "successes": 0, "weight": pytest.approx(1 / 3 / best)},
    }


def test_a_child_that_is_judged_again_counts_once() -> None:
    adaptation = Adaptation()
    adaptation.tell("a", "p", [T.REMOVE_NODE, T.CHANGE_MATRIX], True)
    for success in (True, False, False, True, False):
        adaptation.judge("a", success)
    assert adaptation.children == {T.REMOVE_NODE: 1, T.CHANGE_MATRIX: 1}
    assert +adaptation.successes == Counter()
    assert (adaptation.parent("a"), adaptation.parent("b")) == ("p", None)


def child(strategy: Strategy, index: int) -> Proposal:
    proposal = strategy.ask(index)
    assert proposal.graph is not None
    answer(proposal)
    return proposal


def test_success_is_a_score_at_least_as_high_as_the_parents_and_is_judged_at_each_rung() -> None:
    strategy = started("evolution", ADAPTIVE)
    assert strategy.adaptation is not None
    for record in strategy.records.values():
        record.standings = {0: 0.5, 1: 0.8}
    children = [child(strategy, index) for index in range(3)]
    strategy.pass_over(3)
    strategy.pass_over(4)
    for proposal, score in zip(children, (0.5, 0.49, 0.6), strict=True):
        strategy.tell(Outcome(proposal, (), "paused", 0, score))
    assert strategy.adaptation.children.total() == 3
    assert strategy.adaptation.successes.total() == 2
    strategy.learn(3, ProposalKind.PROMOTE, children[0].cell, (), "paused", 1, 0.7)  # below 0.8
    assert strategy.adaptation.successes.total() == 1
    strategy.learn(4, ProposalKind.PROMOTE, children[1].cell, (), "paused", 1, 0.9)
    assert strategy.adaptation.successes.total() == 2
    assert strategy.adaptation.children.total() == 3


@pytest.mark.parametrize("name", LEARNING)
def test_transformations_that_work_are_drawn_more_often(name: str) -> None:
    """Children of an inserted activation get good scores, all others bad ones."""

    def biased(proposal: Proposal) -> Outcome:
        answer(proposal)
        good = any(mutation.transformation is T.INSERT_ACTIVATION for mutation in proposal.mutations)
        return Outcome(proposal, (), "complete", 0, 2.0 if good else 0.1)

    rules = replace(ADAPTIVE, search=replace(ADAPTIVE.search, reexamine=0.0))
    shares = []
    for profile in (rules, replace(rules, mutation=MutationSection(Rule.ONE))):
        asked = play(started(name, profile), 120, tell=biased)
        drawn = [m.transformation for p in asked[50:] for m in p.mutations]
        shares.append(drawn.count(T.INSERT_ACTIVATION) / len(drawn))
    assert shares[0] > 1.4 * shares[1]
    assert shares[0] < 0.95  # the others are still drawn


@pytest.mark.parametrize("name", LEARNING)
def test_a_resumed_search_adapts_as_the_uninterrupted_one(name: str) -> None:
    whole, resumed = started(name, ADAPTIVE), started(name, ADAPTIVE)
    asked = play(whole, 40, window=8)
    for proposal in asked:
        resumed.skip(proposal.index, proposal.cell)
    for proposal in asked:
        outcome = answer(proposal)
        resumed.learn(
            proposal.index, proposal.kind, proposal.cell, outcome.visits, outcome.ending, parent=proposal.parent
        )
    assert whole.adaptation is not None
    assert resumed.adaptation is not None
    assert resumed.adaptation.summary() == whole.adaptation.summary() != {}
    assert resumed.ask(40) == whole.ask(40)


def test_nothing_is_counted_without_adaptation_or_by_a_control() -> None:
    assert started("paper").adaptation is None
    assert [started(name, ADAPTIVE).adaptation for name in ("random", "sample")] == [None, None]
    # Until a child is told, all weights are equal, and the draws are the study's.
    even, same = (
        started("evolution", ADAPTIVE),
        started("evolution", replace(PROFILE, mutation=MutationSection(Rule.ONE))),
    )
    assert [even.ask(index) for index in range(5)] == [same.ask(index) for index in range(5)]


def test_weights_decide_between_the_transformations_that_a_node_allows() -> None:
    weights = dict.fromkeys(T, 0.0) | {T.INSERT_ACTIVATION: 3.0, T.REPLACE_BY_COMBINATION: 1.0}
    drawn: Counter[str] = Counter()
    for k in range(200):
        found = mutate(LIBRARY["gru"].graph, np.random.default_rng(k), rule=Rule.ONE, weights=weights)
        if isinstance(found, Child):
            drawn[found.mutations[0].transformation] += 1
    assert set(drawn) == {T.INSERT_ACTIVATION, T.REPLACE_BY_COMBINATION}
    # More than three to one, because some combinations are rejected, and all others are as valid as insertions.
    assert drawn[T.INSERT_ACTIVATION] > 2 * drawn[T.REPLACE_BY_COMBINATION]
