"""Types that the strategies and the engine exchange: moves, proposals, visits and outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from results.store.words import COMPLETE, ProposalKind
from search.cells.draft import Rejection
from search.cells.graph import GateGraph
from search.cells.transformations import Mutation
from search.training.settings import Setting


@dataclass(frozen=True)
class Move:
    """Choice of a strategy: mutate the cell with the id `cell`, or examine it again with fresh settings.

    Attributes:
        steps: number of mutations that make the child, one after the other.
    """

    kind: ProposalKind
    cell: str
    steps: int = 1


@dataclass(frozen=True)
class Proposal:
    """One step of the search. All its random draws are done, so its outcome depends on no later event.

    Attributes:
        index: 0, 1, ... in the order of the search; negative for baselines.
        graph: the cell to evaluate; None if no valid child was drawn.
        parent: id of the mutated cell; None unless the cell is a child.
        settings: settings to try, for memorization and each task.
        memorized: True if the cell passed memorization in an earlier proposal.
        best_before: the cell's best validation metric on each task, from earlier proposals.
        rejections: number of rejected draws before this proposal, by reason.
    """

    index: int
    kind: ProposalKind
    graph: GateGraph | None
    parent: str | None = None
    mutations: tuple[Mutation, ...] = ()
    settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    memorized: bool = False
    best_before: Mapping[str, float] = field(default_factory=dict)
    rejections: Mapping[Rejection, int] = field(default_factory=dict)

    @property
    def cell(self) -> str | None:
        """Id of the cell; None if no valid child was drawn."""
        return None if self.graph is None else self.graph.id


@dataclass(frozen=True)
class Visit:
    """Evaluation of a cell on one task.

    Attributes:
        task: name of the task.
        results: validation metric of each setting, where its training paused or ended; None for trials that do not
            rank.
        passed: whether the cell passed the stage.
        share: share of the GRU's result, at equal steps where training paused; None if it is not known.
    """

    task: str
    results: Mapping[Setting, float | None]
    passed: bool
    share: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of a proposal.

    Attributes:
        visits: its visits in order.
        ending: how it ended (see `results.store.endings`).
        rung: rung to which the cell was trained; 0 if the allocation has no rungs.
        standing: score of the cell at that rung; None if it has none, or if the strategy is to work it out from the
            results of a complete cell, as without rungs.
    """

    proposal: Proposal
    visits: tuple[Visit, ...]
    ending: str
    rung: int = 0
    standing: float | None = None

    @property
    def is_complete(self) -> bool:
        """True if the cell passed every stage."""
        return self.ending == COMPLETE
