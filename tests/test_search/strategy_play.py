"""A strategy that is asked and told as the engine does, with outcomes that are drawn from cells and settings."""

from collections.abc import Callable

from results.store.words import MEMORIZATION, ProposalKind, ScoreKind
from search.cells.canonical import PRESENT
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS
from search.cells.mutation import Rule
from search.core.keys import generator_of
from search.profiles.sections import MutationSection, Profile, Role, SampleSection, SearchSection, TaskSection
from search.profiles.training_sections import GridSection
from search.strategies.base import Strategy
from search.strategies.proposal import Outcome, Proposal, Visit
from search.strategies.registry import STRATEGIES
from search.strategies.scoring import ScoreRule
from search.training.settings import Setting
from tasks.task import ACCURACY, NATS_PER_STEP, Metric

METRICS: dict[str, Metric] = {"xml": ACCURACY, "music": NATS_PER_STEP, "extra": ACCURACY, MEMORIZATION: ACCURACY}
REFERENCE = {"xml": 0.5, "music": 4.0, "extra": 0.5}
PROFILE = Profile(
    search=SearchSection(best=5, window=4, baselines=("tanh", *SEEDS)),
    sample=SampleSection(mutations=2),
    mutation=MutationSection(Rule.ONE_TO_THREE),  # whose small children take little time
    grid=GridSection(scales=(1.0, 2.0), learning_rates=(0.1, 0.2, 0.3), max_norms=(1.0, 5.0), layers=(1, 2)),
    tasks={
        "xml": TaskSection(settings=4, parameters=(1000,)),
        "extra": TaskSection(settings=2, parameters=(1000, 2000), role=Role.CHECK),
        "music": TaskSection(settings=4, parameters=(1000,)),
    },
)
RULE = ScoreRule(ScoreKind.RATIO, PROFILE.ranked, METRICS)
Answer = Callable[[Proposal], Outcome]
GRAPHS: dict[str, GateGraph] = {}
MUTATIONS: dict[str, tuple[str, ...]] = {}
"""Of the cells that strategies were told of, by id: their graphs, and the mutations that made them."""


def keep(proposal: Proposal) -> str:
    """Keep the graph and the mutations of a proposal's cell, as a store does, and return its id."""
    assert proposal.graph is not None
    GRAPHS[proposal.graph.id] = proposal.graph
    MUTATIONS[proposal.graph.id] = tuple(f"{m.transformation}: {m.detail}" for m in proposal.mutations)
    return proposal.graph.id


def answer(proposal: Proposal, ending: str | None = None) -> Outcome:
    """Return an outcome drawn from the proposal's cell and settings: some cells stop at memorization or at a task."""
    if proposal.graph is None:
        return Outcome(proposal, (), "no valid child")
    keep(proposal)
    cell = generator_of("cell", proposal.graph.id)
    fate = cell.random() if proposal.kind is ProposalKind.PROPOSE else 1.0
    visits = []
    if proposal.kind is ProposalKind.BASELINE or not (proposal.memorized or proposal.kind is ProposalKind.REEXAMINE):
        passed = fate > 0.2
        visits.append(
            Visit(MEMORIZATION, dict.fromkeys(proposal.settings[MEMORIZATION], 0.99 if passed else 0.5), passed)
        )
        if not passed:
            return Outcome(proposal, tuple(visits), "stopped at memorization")
    for task in ("xml", "music", "extra"):
        values: dict[Setting, float | None] = {}
        for setting in proposal.settings[task]:
            draw = generator_of("trial", proposal.graph.id, task, setting.key).random()
            values[setting] = None if draw < 0.2 else draw if task != "music" else 8 * draw
        stop = fate < 0.35 and task == "xml"
        visits.append(Visit(task, values, not stop))
        if stop:
            return Outcome(proposal, tuple(visits), "stopped at xml")
    return Outcome(proposal, tuple(visits), ending or "complete")


def started(name: str, profile: Profile = PROFILE, seed: int = 0, rule: ScoreRule = RULE) -> Strategy:
    """Return a strategy that was told the baselines."""
    strategy = STRATEGIES[name](profile, seed, rule, GRAPHS.__getitem__, MUTATIONS.__getitem__)
    outcomes = []
    for i, cell in enumerate(profile.search.baselines):
        settings = {task: profile.grid_of(section).settings[:9] for task, section in profile.tasks.items()}
        settings[MEMORIZATION] = profile.grid_of(profile.memorization).settings[:1]
        outcomes.append(answer(Proposal(-1 - i, ProposalKind.BASELINE, LIBRARY[cell].graph, settings=settings)))
    strategy.start(outcomes, REFERENCE, tuple(profile.population_in(PRESENT).values()))
    return strategy


def play(strategy: Strategy, proposals: int, window: int = 4, tell: Answer = answer) -> list[Proposal]:
    """Ask and tell as the engine does: proposal k after the outcomes up to k - window."""
    asked: list[Proposal] = []
    for index in range(proposals):
        if index >= window:
            strategy.tell(tell(asked[index - window]))
        asked.append(strategy.ask(index))
    for proposal in asked[max(0, proposals - window) :]:
        strategy.tell(tell(proposal))
    return asked
