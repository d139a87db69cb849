"""Progress of a search: the counts that a display shows."""

from dataclasses import dataclass, field


@dataclass
class Progress:
    """Counts of a search. The engine and the retraining of finalists update them in place."""

    baselines: int = 0
    baselines_done: int = 0
    proposals: int = 0
    proposals_done: int = 0
    promotions: int = 0  # of candidates that are trained further
    expected: float = 1.0  # proposals that end for each of `proposals`, with the promotions that it leads to
    trials_run: int = 0  # finished since the search was started or resumed
    trials_known: int = 0  # found in the store
    rungs: list[int] = field(default_factory=list)  # candidates told at each rung; empty without rungs
    past: dict[str, int] = field(default_factory=dict)  # new cells that passed each stage, by task
    endings: dict[str, int] = field(default_factory=dict)  # proposals of new cells, by ending
    best_cell: str | None = None  # name, or first 8 digits of the id
    best_score: float | None = None
    finalists: int = 0  # trials of the finalists; 0 until the finalists are chosen
    finalists_done: int = 0
    confirmation: int = 0  # trials of contenders, GRU and LSTM up to the next look; 0 until they are declared
    confirmation_done: int = 0

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
        """Keep the cell `label` as the best one if its score exceeds the best so far."""
        if score is not None and (self.best_score is None or score > self.best_score):
            self.best_score = score
            self.best_cell = label
