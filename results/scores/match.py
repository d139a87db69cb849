"""Matches of cells against the GRU and the LSTM, and their costs: what the verdict of a run is made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from results.scores.finding import Standing
from results.scores.units import Unit

LEAST_SAVING = 0.05
"""Smallest saving of parameters or multiply-adds that counts as less cost, as a share of the GRU's cost."""

LEAST_TIME_SAVING = 0.25
"""The same of the time of a step. It is larger, as times of short trials differ between equal runs by up to 20 %."""


@dataclass(frozen=True)
class Match:
    """Test of a cell against the GRU or the LSTM on a task. Cells are named by their labels.

    Attributes:
        standing: corrected verdict on `cell`.
        effect: mean difference in `unit`, above 0 if `cell` is better.
        low: lower end of the 95 % interval of the effect.
        high: upper end of that interval.
        unit: unit of the effect.
        repeats: seeds that were trained.
        needed: seeds that would probably decide an undecided test; None if too many.
    """

    task: str
    cell: str
    other: str
    standing: Standing
    effect: float
    low: float
    high: float
    unit: Unit
    repeats: int
    needed: int | None = None

    @property
    def margin(self) -> float:
        """Largest effect of cells that are even."""
        return self.unit.margin


@dataclass(frozen=True)
class Costs:
    """Costs of a cell relative to the GRU's: geometric means over the ranked tasks; None if not known."""

    parameters: float | None = None
    multiply_adds: float | None = None
    step_seconds: float | None = None

    def savings(self) -> list[str]:
        """Return in words by how much it costs less than the GRU, the largest saving first."""
        return [f"{100 * share:.0f} % {words}" for share, words in self._counted()]

    def _counted(self) -> list[tuple[float, str]]:
        known = (
            (self.parameters, LEAST_SAVING, "fewer parameters"),
            (self.multiply_adds, LEAST_SAVING, "fewer multiply-adds"),
            (self.step_seconds, LEAST_TIME_SAVING, "less time a step"),
        )
        found = [(1.0 - cost, words) for cost, least, words in known if cost and 1.0 - cost >= least]
        return sorted(found, key=lambda one: -one[0])

    @property
    def largest_saving(self) -> float:
        """Largest saving that counts, as a share of the GRU's cost."""
        return max((share for share, _ in self._counted()), default=0.0)


Course = dict[str, list[Match]]
"""Matches of one cell, by task."""


def by_cell(matches: Iterable[Match]) -> dict[str, Course]:
    """Return the matches that were looked at, by cell."""
    found: dict[str, Course] = {}
    for match in matches:
        if match.repeats:
            found.setdefault(match.cell, {}).setdefault(match.task, []).append(match)
    return found


def standing_of(matches: Sequence[Match]) -> Standing:
    """Return the standing against all of the opponents: better than each, or else the worst that is shown."""
    known = {match.standing for match in matches}
    if known == {Standing.BETTER}:
        return Standing.BETTER
    return next((behind for behind in (Standing.WORSE, Standing.EVEN) if behind in known), Standing.UNDECIDED)


def tasks_with(course: Course, standing: Standing) -> list[str]:
    """Return the tasks on which a cell has this standing against all of its opponents."""
    return [task for task, matches in course.items() if standing_of(matches) is standing]


def winners_of(cells: Mapping[str, Course]) -> dict[str, list[str]]:
    """Return the tasks on which a cell is better than its opponents, for each cell that is better somewhere."""
    return {cell: tasks for cell, course in cells.items() if (tasks := tasks_with(course, Standing.BETTER))}


def closest(matches: Sequence[Match]) -> Match:
    """Return the match against the harder opponent: the one with the smaller effect."""
    return min(matches, key=lambda match: (match.effect, match.other))
