"""Progress of a search: the counts that a display shows."""

from dataclasses import dataclass, field

TOP = 5
"""Number of best cells that are kept for display."""

PRIOR = 2
"""Promotions that are assumed beforehand when the share of promoted candidates is estimated."""


@dataclass
class Progress:
    """Counts of a search. The engine and the retraining of finalists update them in place."""

    baselines: int = 0
    baselines_done: int = 0
    baseline_trials: int = 0  # of all given cells together, if none of them stops early
    proposals: int = 0
    proposals_done: int = 0
    promotions: int = 0  # of candidates that are trained further
    # Cost of a proposal that ends at each rung, in any unit, and candidates of which one is promoted. Without rungs all
    # proposals count alike.
    rung_costs: tuple[float, ...] = ()
    eta: int = 1
    proposing: bool = False  # the baselines and what was stored are behind: the time of proposals can be measured
    restored: float = 0.0  # part of `work_done` that was stored when the search was resumed, and took no time since
    trials_run: int = 0  # finished since the search was started or resumed
    trials_known: int = 0  # found in the store
    trials_failed: int = 0  # of `trials_run`: diverged, or failed with an error
    rungs: list[int] = field(default_factory=list)  # candidates told at each rung; empty without rungs
    past: dict[str, int] = field(default_factory=dict)  # new cells that passed each stage, by task
    endings: dict[str, int] = field(default_factory=dict)  # proposals of new cells, by ending
    best_cell: str | None = None  # name, or first 8 digits of the id
    best_score: float | None = None
    top: dict[str, float] = field(default_factory=dict)  # scores of the best `TOP` cells by label, best first
    finalists: int = 0  # trials of the finalists; 0 until the finalists are chosen
    finalists_done: int = 0
    confirmation: int = 0  # trials of contenders, GRU and LSTM up to the next look; 0 until they are declared
    confirmation_done: int = 0

    def work_of(self, rung: int) -> float:
        """Return the cost of a proposal that ended at a rung, in the unit of `work_done`."""
        return self.rung_costs[min(rung, len(self.rung_costs) - 1)] if self.rung_costs else 1.0

    @property
    def work_done(self) -> float:
        """Work of the proposals that have ended: with rungs, those that were told, each with the cost of its rung."""
        if not self.rung_costs:
            return float(self.proposals_done)
        return sum(self.work_of(rung) * count for rung, count in enumerate(self.rungs))

    @property
    def work_expected(self) -> float:
        """Expected work of the whole search.

        Of `eta` candidates at most one is promoted, fewer if many are stopped. So the share that was promoted from each
        rung is estimated from what was seen, and from `1 / eta` with the weight of `PRIOR * eta` candidates.
        """
        if not self.rung_costs:
            return float(self.proposals)
        reached = [*self.rungs, *[0] * (len(self.rung_costs) + 1)]
        total, work = float(self.proposals), 0.0
        for rung, cost in enumerate(self.rung_costs):
            work += cost * max(total, reached[rung])
            total *= (reached[rung + 1] + PRIOR) / (reached[rung] + PRIOR * self.eta)
        return work

    def count_passed(self, task: str) -> None:
        """Count a new cell that passed the stage of a task."""
        self.past[task] = self.past.get(task, 0) + 1

    def count_rung(self, rung: int) -> None:
        """Count a candidate whose training for a rung has ended."""
        self.rungs.extend([0] * (rung + 1 - len(self.rungs)))
        self.rungs[rung] += 1

    def count_ending(self, ending: str) -> None:
        """Count the ending of a proposal of a new cell."""
        self.endings[ending] = self.endings.get(ending, 0) + 1

    def note_score(self, label: str, score: float | None) -> None:
        """Keep the cell `label` if its score is among the best so far."""
        if score is not None:
            known = self.top | {label: max(score, self.top.get(label, score))}
            self.top = dict(sorted(known.items(), key=lambda item: -item[1])[:TOP])
        if score is not None and (self.best_score is None or score > self.best_score):
            self.best_score = score
            self.best_cell = label
