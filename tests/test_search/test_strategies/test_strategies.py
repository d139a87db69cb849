"""Rules that every strategy keeps, and the choices of the study's strategy and the random one."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from results.scores.score import finite_share
from results.store.words import MEMORIZATION, ProposalKind, ScoreKind
from search.cells.canonical import PRESENT
from search.cells.library import LIBRARY, SEEDS
from search.cells.mutation import Rule
from search.core.errors import SearchError
from search.profiles.sections import MutationSection, Profile, SampleSection
from search.strategies.base import CellRecord
from search.strategies.paper import PaperStrategy
from search.strategies.proposal import Outcome, Proposal, Visit
from search.strategies.random import RandomStrategy
from search.strategies.registry import STRATEGIES, strategy_class
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from tasks.task import ACCURACY, NATS_PER_STEP, Metric
from tests.test_search.strategy_play import GRAPHS, METRICS, MUTATIONS, PROFILE, REFERENCE, RULE, answer, play, started

REVISIT = replace(PROFILE, mutation=MutationSection(Rule.ONE_TO_THREE, duplicates="revisit"))

every = pytest.mark.parametrize("name", STRATEGIES)


@every
def test_proposals_are_asked_for_and_told_in_order(name: str) -> None:
    strategy = started(name)
    first = strategy.ask(0)
    with pytest.raises(AssertionError, match="asked for in order"):
        strategy.ask(0)
    with pytest.raises(AssertionError, match="asked for in order"):
        strategy.ask(2)
    second = strategy.ask(1)
    with pytest.raises(AssertionError, match="told in order"):
        strategy.tell(answer(second))
    strategy.tell(answer(first))
    with pytest.raises(AssertionError, match="told in order"):
        strategy.tell(answer(first))


@every
def test_a_promotion_takes_an_index_and_ranks_the_cell_by_its_rung(name: str) -> None:
    strategy = started(name)
    asked = [strategy.ask(index) for index in range(3)]
    strategy.pass_over(3)  # number 3 promotes the cell of number 0
    cells = [proposal.graph.id for proposal in asked if proposal.graph is not None]
    assert len(cells) == 3
    for proposal, standing in zip(asked, (0.7, 2.0, 0.8), strict=True):
        answer(proposal)  # so that its graph is known
        strategy.tell(Outcome(proposal, (), "paused", rung=0, standing=standing))
    top = [cell for _, cell in strategy.best][:2]
    assert top[0] == cells[1]
    settings = {proposal.kind: proposal for proposal in asked}[ProposalKind.PROPOSE].settings["xml"]
    visit = Visit("xml", {settings[0]: 0.6}, True)
    strategy.learn(3, ProposalKind.PROMOTE, cells[0], (visit,), "paused", 1, 0.5)
    assert strategy.best[0] == (0.5, cells[0])  # the rung comes first
    record = strategy.records[cells[0]]
    assert (record.rung, record.standing, record.standings) == (1, 0.5, {0: 0.7, 1: 0.5})
    assert record.tried["xml"][settings[0]] == 0.6
    assert strategy.ask(4).index == 4


def test_a_score_at_a_rung_never_falls_and_a_lower_rung_changes_nothing() -> None:
    record = CellRecord()
    record.enter(1, 0.6)
    record.enter(0, 0.9)
    assert (record.rung, record.standing) == (1, 0.6)
    record.enter(1, 0.5)
    assert (record.rung, record.standing) == (1, 0.6)
    record.enter(1, 0.7)
    record.enter(2, 0.1)
    assert (record.rung, record.standing) == (2, 0.1)
    assert record.standings == {0: 0.9, 1: 0.7, 2: 0.1}


@every
@pytest.mark.parametrize("profile", [PROFILE, REVISIT], ids=["reject", "revisit"])
def test_what_is_asked_is_a_function_of_seed_and_outcomes(name: str, profile: Profile) -> None:
    one, two, other = (play(started(name, profile, seed), 24) for seed in (0, 0, 1))
    assert one == two
    assert [p.graph for p in one] != [p.graph for p in other]


@every
def test_a_proposal_depends_only_on_outcomes_that_were_told(name: str) -> None:
    def bad(proposal: Proposal) -> Outcome:
        """Answer badly for every cell from proposal 10 on."""
        outcome = answer(proposal)
        return outcome if proposal.index < 10 else replace(outcome, visits=(), ending="stopped at memorization")

    one, two = (play(started(name), 30, tell=tell) for tell in (answer, bad))
    assert one[:14] == two[:14]  # number 14 is the first that may know of number 10
    if name in ("paper", "evolution", "local"):
        assert one != two


@every
@pytest.mark.parametrize("rule", Rule)
def test_no_cell_is_proposed_twice_where_duplicates_are_rejected(name: str, rule: Rule) -> None:
    profile = replace(PROFILE, mutation=MutationSection(rule=rule, max_nodes=24))
    asked = play(started(name, profile), 70)
    ids = [p.graph.id for p in asked if p.kind is ProposalKind.PROPOSE and p.graph is not None]
    assert len(ids) == len(set(ids)) > 25
    assert not set(ids) & {LIBRARY[cell].graph.id for cell in SEEDS}


@every
def test_new_cells_have_lineage_and_settings_for_every_task(name: str) -> None:
    strategy = started(name)
    for proposal in play(strategy, 30):
        assert proposal.index >= 0
        assert set(proposal.settings) == ({"xml", "extra", "music"} | ({MEMORIZATION} - kinds(proposal)))
        for task, settings in proposal.settings.items():
            section = PROFILE.memorization if task == MEMORIZATION else PROFILE.tasks[task]
            assert len(settings) == len(set(settings)) <= section.settings
            assert set(settings) <= set(PROFILE.grid_of(section).settings)
        if proposal.kind is ProposalKind.PROPOSE:
            assert proposal.parent in strategy.records
            assert proposal.mutations
            assert all(len(proposal.settings[task]) == 4 for task in ("xml", "music"))


def kinds(proposal: Proposal) -> set[str]:
    """Tasks that this kind of proposal skips."""
    return {MEMORIZATION} if proposal.kind is ProposalKind.REEXAMINE else set()


@every
def test_a_cell_that_comes_again_skips_memorization_and_gets_only_settings_it_has_not_had(name: str) -> None:
    rules = MutationSection(Rule.ONE_TO_THREE, 16, duplicates="revisit")
    few = replace(PROFILE.search, best=2, reexamine=0.2)  # few parents with small children meet them again
    strategy = started(name, replace(PROFILE, search=few, mutation=rules, sample=SampleSection(mutations=1)))
    had: dict[str, dict[str, set[Setting]]] = {
        cell: {task: set(tried) for task, tried in record.tried.items()} for cell, record in strategy.records.items()
    }
    again = 0
    for index in range(110):
        proposal = strategy.ask(index)
        outcome = answer(proposal)
        if proposal.graph is not None:
            known = had.setdefault(proposal.graph.id, {})
            if proposal.kind is ProposalKind.PROPOSE and known:
                again += 1
                assert proposal.memorized
                values = [v for v in strategy.records[proposal.graph.id].tried.get("xml", {}).values() if v is not None]
                assert proposal.best_before.get("xml") == max(values, default=None)
            if proposal.kind is ProposalKind.REEXAMINE or known:
                for task, settings in proposal.settings.items():
                    assert not known.get(task, set()) & set(settings)
            for visit in outcome.visits:
                known.setdefault(visit.task, set()).update(visit.results)
        strategy.tell(outcome)
    assert again >= 3


@every
def test_a_cell_that_failed_memorization_is_not_proposed_again(name: str) -> None:
    def forgetful(proposal: Proposal) -> Outcome:
        if proposal.graph is None or proposal.kind is not ProposalKind.PROPOSE or proposal.memorized:
            return answer(proposal)
        visit = Visit(MEMORIZATION, dict.fromkeys(proposal.settings[MEMORIZATION], 0.1), False)
        return Outcome(proposal, (visit,), "stopped at memorization")

    profile = replace(REVISIT, mutation=MutationSection(Rule.ONE_TO_THREE, 16, duplicates="revisit"))
    asked = play(started(name, profile), 60, tell=forgetful)
    seeds = {LIBRARY[cell].graph.id for cell in SEEDS}
    ids = [p.graph.id for p in asked if p.kind is ProposalKind.PROPOSE and p.graph is not None]
    new = [cell for cell in ids if cell not in seeds]
    assert len(new) == len(set(new))


@every
def test_the_list_holds_the_best_cells_sorted_and_no_more_than_it_may(name: str) -> None:
    strategy = started(name)
    scores: dict[str, float] = {}
    asked: list[Proposal] = []
    told = []
    for index in range(50):
        asked.append(strategy.ask(index))
        outcome = answer(asked[-1])
        strategy.tell(outcome)
        told.append(outcome)
        assert len(strategy.best) <= 5
        assert strategy.best == sorted(strategy.best, key=lambda entry: (-entry[0], entry[1]))
        assert len({cell for _, cell in strategy.best}) == len(strategy.best)
    seeds = started(name)
    scores = {cell: score for score, cell in seeds.best}
    values: dict[str, dict[str, list[float]]] = {}
    for cell, record in seeds.records.items():
        values[cell] = {t: [v for v in tried.values() if v is not None] for t, tried in record.tried.items()}
    complete = set(scores)
    for outcome in told:
        if outcome.proposal.graph is None:
            continue
        cell = outcome.proposal.graph.id
        mine = values.setdefault(cell, {})
        for visit in outcome.visits:
            mine.setdefault(visit.task, []).extend(v for v in visit.results.values() if v is not None)
        if outcome.ending == "complete":
            complete.add(cell)
        if cell in complete and mine.get("xml") and mine.get("music"):
            scores[cell] = min(max(mine["xml"]) / 0.5, 4.0 / min(mine["music"]))
    # A score never falls, so who left the list once is found again among the best of all.
    best = sorted(((score, cell) for cell, score in scores.items()), key=lambda entry: (-entry[0], entry[1]))[:5]
    assert [cell for _, cell in strategy.best] == [cell for _, cell in best]
    assert [score for score, _ in strategy.best] == pytest.approx([score for score, _ in best])


@every
def test_a_parent_without_a_valid_child_gives_a_proposal_without_a_graph_and_goes_on(name: str) -> None:
    strategy = started(name, replace(PROFILE, mutation=MutationSection(max_nodes=4, attempts=3)))
    asked = play(strategy, 15)
    barren = [p for p in asked if p.graph is None]
    assert barren
    for proposal in barren:
        assert proposal.kind is ProposalKind.PROPOSE
        assert proposal.parent in strategy.records
        assert not proposal.settings
        assert sum(proposal.rejections.values()) == 3
    assert strategy.ask(15).index == 15


@every
def test_the_seeds_alone_found_the_list_and_all_ties_are_broken_by_id(name: str) -> None:
    strategy = started(name)
    assert set(strategy.seeds) == {LIBRARY[cell].graph.id for cell in SEEDS} == {cell for _, cell in strategy.best}
    assert LIBRARY["tanh"].graph.id not in strategy.records


@every
def test_a_cell_that_is_given_twice_under_two_names_is_one_seed(name: str) -> None:
    twin = replace(PROFILE, cells={"mine": LIBRARY["gru"].formula})
    strategy = STRATEGIES[name](twin, 0, RULE, GRAPHS.__getitem__, MUTATIONS.__getitem__)
    outcomes = []
    for i, graph in enumerate(twin.given.values()):
        settings = {task: twin.grid_of(section).settings[:3] for task, section in twin.tasks.items()}
        settings[MEMORIZATION] = twin.grid_of(twin.memorization).settings[:1]
        outcomes.append(answer(Proposal(-1 - i, ProposalKind.BASELINE, graph, settings=settings)))
    strategy.start(outcomes, REFERENCE, tuple(twin.population_in(PRESENT).values()))
    assert sorted(strategy.seeds) == sorted(LIBRARY[cell].graph.id for cell in SEEDS)


@every
def test_a_cell_without_any_counted_result_on_a_task_never_enters_the_list(name: str) -> None:
    def lost(proposal: Proposal) -> Outcome:
        outcome = answer(proposal)
        blank = [replace(v, results=dict.fromkeys(v.results)) if v.task == "music" else v for v in outcome.visits]
        return replace(outcome, visits=tuple(blank))

    strategy = started(name)
    play(strategy, 20, tell=lost)
    assert {cell for _, cell in strategy.best} == set(strategy.seeds)


def test_the_random_strategy_mutates_the_seeds_alone_equally_often() -> None:
    strategy = started("random")
    asked = play(strategy, 100)
    assert {p.kind for p in asked} == {ProposalKind.PROPOSE}
    counts = Counter(p.parent for p in asked)
    assert set(counts) == set(strategy.seeds)
    assert abs(counts[strategy.seeds[0]] - 50) < 4.5 * np.sqrt(25)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_studys_strategy_examines_again_as_often_as_the_profile_says(share: float) -> None:
    strategy = started("paper", replace(PROFILE, search=replace(PROFILE.search, reexamine=share)))
    rng = np.random.default_rng(0)
    again = sum(strategy._choose(rng).kind is ProposalKind.REEXAMINE for _ in range(2000)) / 2000
    assert again == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 2000) + 1e-12)


def test_every_member_of_the_studys_list_is_drawn_equally_often_and_nobody_else() -> None:
    strategy = started("paper")
    play(strategy, 60)
    members = [cell for _, cell in strategy.best]
    assert len(members) == 5
    rng = np.random.default_rng(1)
    counts = Counter(strategy._choose(rng).cell for _ in range(5000))
    assert set(counts) == set(members)
    assert max(abs(n - 1000) for n in counts.values()) < 4.5 * np.sqrt(800)


def test_a_cell_that_is_examined_again_gets_fresh_settings_and_keeps_its_best() -> None:
    strategy = started("paper", replace(PROFILE, search=replace(PROFILE.search, reexamine=1.0)))
    tried = {cell: set(record.tried["xml"]) for cell, record in strategy.records.items()}
    proposal = strategy.ask(0)
    assert proposal.kind is ProposalKind.REEXAMINE
    assert proposal.graph is not None
    record = strategy.records[proposal.graph.id]
    assert len(proposal.settings["xml"]) == 4
    assert not tried[proposal.graph.id] & set(proposal.settings["xml"])
    values = [value for value in record.tried["xml"].values() if value is not None]
    assert proposal.best_before["xml"] == max(values)
    nats = [value for value in record.tried["music"].values() if value is not None]
    assert proposal.best_before["music"] == min(nats)


def test_settings_of_a_child_come_from_those_of_parent_and_seeds_by_the_transfer_rule() -> None:
    # With a parent and seeds of nine settings each, a third of the draws is left to chance: 15 of 24 settings.
    strategy = started("random")
    seed = strategy.records[strategy.seeds[0]]
    known = set(seed.tried["xml"])
    inside, total = 0, 0
    for k in range(400):
        settings = strategy._child_settings("new", [seed], np.random.default_rng(k))["xml"]
        inside += settings[0] in known
        total += 1
    share = 2 / 3 + 9 / 24 / 3
    assert inside / total == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / total))


@pytest.mark.parametrize("transfer", [False, True])
def test_settings_of_memorization_are_random_unless_the_profile_transfers_them(transfer: bool) -> None:
    gate = replace(PROFILE.memorization, transfer=transfer)
    strategy = started("random", replace(PROFILE, memorization=gate))
    seed = strategy.records[strategy.seeds[0]]
    (passed,) = seed.tried[MEMORIZATION]
    grid = strategy.profile.grid_of(gate)
    hits = sum(
        strategy._child_settings("new", [seed], np.random.default_rng(k))[MEMORIZATION] == (passed,) for k in range(600)
    )
    share = 2 / 3 + 1 / 3 / len(grid) if transfer else 1 / len(grid)
    assert hits / 600 == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 600))


def test_settings_are_ordered_best_first_and_those_that_do_not_count_last() -> None:
    strategy = started("random")
    record = strategy.records[strategy.seeds[0]]
    for task, sign in (("xml", -1), ("music", 1)):
        ordered = strategy._ordered([record], task)
        values = [record.tried[task][setting] for setting in ordered]
        counted = [value for value in values if value is not None]
        assert counted == sorted(counted, key=lambda value: sign * value)
        assert all(value is None for value in values[len(counted) :])
        assert set(ordered) == set(record.tried[task])


def test_the_score_is_the_smallest_ratio_over_the_ranked_tasks() -> None:
    strategy = started("paper")
    for score, cell in strategy.best:
        tried = strategy.records[cell].tried
        xml = max(value for value in tried["xml"].values() if value is not None) / 0.5
        music = 4.0 / min(value for value in tried["music"].values() if value is not None)
        assert score == pytest.approx(min(xml, music))


def test_with_gains_the_score_is_the_smallest_share_of_the_gru_s_gain() -> None:
    constants = {"xml": 0.3, "music": 5.0, "extra": 0.3}
    strategy = started("paper", rule=ScoreRule(ScoreKind.GAIN, PROFILE.ranked, METRICS, constants))
    ratios = {cell: score for score, cell in started("paper").best}
    for score, cell in strategy.best:
        tried = strategy.records[cell].tried
        xml = (max(value for value in tried["xml"].values() if value is not None) - 0.3) / (0.5 - 0.3)
        music = (5.0 - min(value for value in tried["music"].values() if value is not None)) / (5.0 - 4.0)
        assert score == pytest.approx(min(xml, music))
        assert score != ratios[cell]


@pytest.mark.parametrize(
    ("metric", "value", "reference", "expected"),
    [
        (ACCURACY, 0.9, 0.6, 1.5),
        (NATS_PER_STEP, 3.0, 4.5, 1.5),
        (ACCURACY, 0.5, 0.0, None),
        (ACCURACY, 0.0, 0.0, None),
        (NATS_PER_STEP, 0.0, 2.0, None),
        (ACCURACY, 0.0, 0.5, 0.0),
    ],
)
def test_a_ratio_above_one_is_better_whatever_the_metrics_direction(
    metric: Metric, value: float, reference: float, expected: float | None
) -> None:
    found = finite_share(ScoreKind.RATIO, value, reference, 0.3, metric.higher_is_better)
    assert found == pytest.approx(expected)


def test_strategies_are_known_by_name() -> None:
    assert strategy_class("paper") is PaperStrategy
    assert strategy_class("random") is RandomStrategy
    with pytest.raises(SearchError, match=r"^strategy 'papr' is unknown; did you mean paper\?$"):
        strategy_class("papr")
    with pytest.raises(SearchError, match=r"^strategy 'zzz' is unknown; known are paper, random"):
        strategy_class("zzz")
