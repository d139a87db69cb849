"""Profiles: the sizes and budgets of a search, as dataclasses that a TOML file fills.

Every number of the procedure is a field here. Types and ranges are checked, and a key that is not a field is an error.
A profile that leaves a field out takes its default, the study's value where the study gives one (Jozefowicz et
al. 2015, section 3); fields marked "ours" are choices that the study leaves open. The resolved profile, with every
field written out, is kept with the run.
"""

import math
import re
from dataclasses import asdict, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS
from search.cells.mutation import Rule
from search.cells.notation.formula import parse_formula
from search.core.limits import DEFAULT_LIMITS, Limits
from search.training.schedule import Budget
from search.training.settings import Grid, Transfer

MAX_BYTES = 65_536
"""A profile file larger than this is refused."""

MAX_SETTINGS = 100_000
"""A grid of more settings is refused: the study's has 840 for each parameter budget."""

MAX_TASKS, MAX_CELLS = 32, 1000
"""More tasks, or more cells of its own, no profile may have."""

MEMORIZATION = "memorization"
"""Name of the gate that a new cell passes first."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
NAME_RULE = "1 to 40 letters, digits, - and _, a letter first"

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
Scalar = bool | int | float | str


@dataclass(frozen=True, config=_CONFIG)
class SearchSection:
    """The procedure as a whole."""

    proposals: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    strategy: str = "paper"
    window: Annotated[int, Field(ge=1, le=4096)] = 32  # proposal k sees the outcomes of those up to k - window (ours)
    best: Count = 100  # the list of the best cells so far, which parents are drawn from
    reexamine: Share = 0.5  # how often a member of the list gets fresh settings instead of a child (ours)
    baselines: tuple[str, ...] = tuple(LIBRARY)


@dataclass(frozen=True, config=_CONFIG)
class MutationSection:
    """How children are made."""

    rule: Rule = Rule.EACH_NODE
    max_nodes: Annotated[int, Field(ge=4, le=256)] = 64  # larger children are rejected (ours)
    attempts: Count = 100  # draws until a proposal is given up (ours)
    # A child that is known already: draw again (ours), or give it settings that it has not had (the study's).
    duplicates: Literal["reject", "revisit"] = "reject"


@dataclass(frozen=True, config=_CONFIG)
class TransferSection:
    """Where a child's settings come from; see `search.training.settings.Transfer`."""

    experienced: Count = 420
    parent_share: Share = 0.8
    best: Count = 100

    def rule(self) -> Transfer:
        """The rule with these numbers."""
        return Transfer(self.experienced, self.parent_share, self.best)


@dataclass(frozen=True, config=_CONFIG)
class GridSection:
    """The values that settings are made of; parameter budgets belong to the tasks."""

    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.3, 0.7, 1.0, 1.4, 2.0, 2.8)
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
    max_norms: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 2.5, 5.0, 10.0, 20.0)
    layers: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1)] = (1, 2, 3, 4)


@dataclass(frozen=True, config=_CONFIG)
class ScheduleSection:
    """How long a trial trains; see `search.training.trial.Budget`."""

    batch: Annotated[int, Field(ge=1, le=4096)] = 20
    unroll: Annotated[int, Field(ge=1, le=4096)] = 35
    epoch_steps: Count = 1000
    epochs: Count = 100
    patience: Count = 3
    halvings: Annotated[int, Field(ge=0, le=100)] = 4
    chance_epochs: Count = 4

    def budget(self, target: float | None = None) -> Budget:
        """The budget with these numbers."""
        return Budget(**asdict(self), target=target)


class Role(StrEnum):
    """What a task is for: it ranks cells, or it only checks those that got through."""

    RANKED = "ranked"
    CHECK = "check"


@dataclass(frozen=True, config=_CONFIG)
class MemorizationSection:
    """The gate that a candidate passes first: repeat what was read."""

    accuracy: Share = 0.95  # below this a candidate is discarded
    settings: Count = 1  # a candidate passes with any of them
    transfer: bool = False  # draw them by the transfer rule, not at random (ours)
    baseline_settings: Count = 1
    parameters: Annotated[tuple[Count, ...], Field(min_length=1)] = (25_000,)
    options: dict[str, Scalar] = field(default_factory=dict)
    grid: GridSection | None = None
    schedule: ScheduleSection = field(default_factory=ScheduleSection)


@dataclass(frozen=True, config=_CONFIG)
class TaskSection:
    """One task of the search: what it is made of, and what a visit to it costs."""

    role: Role = Role.RANKED
    task: str | None = None  # a name, or package.module:Class; None: the section's own name
    threshold: Annotated[float, Field(ge=0.0, le=10.0)] = 0.9  # ratio to the GRU's best that a candidate must exceed
    settings: Count = 20  # tried on a candidate, and on a cell that is examined again
    baseline_settings: Count | Literal["all"] = "all"  # tried on each named cell
    parameters: Annotated[tuple[Count, ...], Field(min_length=1)] = (250_000, 1_000_000)
    options: dict[str, Scalar] = field(default_factory=dict)
    grid: GridSection | None = None
    schedule: ScheduleSection = field(default_factory=ScheduleSection)


@dataclass(frozen=True, config=_CONFIG)
class FinalistsSection:
    """What is trained again, with fresh seeds, when a search has ended (ours); see `search.engine.finalists`."""

    cells: Annotated[int, Field(ge=0, le=1000)] = 10  # the best found cells, and all that were given; 0: nothing
    repeats: Annotated[int, Field(ge=2, le=1000)] = 5  # seeds a task


@dataclass(frozen=True, config=_CONFIG)
class LimitsSection:
    """When a trial on a worker is stopped as one that would never end; see `search.workers.isolation`.

    Far above what any trial needs, since how one comes out must not depend on the machine. A run in one process
    (`--workers 0`) has no such limits.
    """

    stalled_seconds: Annotated[float, Field(ge=1.0, le=1e6)] = DEFAULT_LIMITS.stalled_seconds  # without a step
    memory_gib: Annotated[float, Field(ge=1.0, le=1e6)] = DEFAULT_LIMITS.memory_bytes / 2**30  # of one worker, resident

    def of_trials(self) -> Limits:
        """The limits with these numbers."""
        return Limits(self.stalled_seconds, int(self.memory_gib * 2**30))


@dataclass(frozen=True, config=_CONFIG)
class Profile:
    """A whole search. Tasks are visited in the order in which they stand."""

    description: str = ""
    search: SearchSection = field(default_factory=SearchSection)
    mutation: MutationSection = field(default_factory=MutationSection)
    transfer: TransferSection = field(default_factory=TransferSection)
    grid: GridSection = field(default_factory=GridSection)
    memorization: MemorizationSection = field(default_factory=MemorizationSection)
    finalists: FinalistsSection = field(default_factory=FinalistsSection)
    limits: LimitsSection = field(default_factory=LimitsSection)
    # More cells to start from: name = formula.
    cells: Annotated[dict[str, str], Field(max_length=MAX_CELLS)] = field(default_factory=dict)
    tasks: Annotated[dict[str, TaskSection], Field(min_length=1, max_length=MAX_TASKS)] = field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> "Profile":
        unknown = [name for name in self.search.baselines if name not in LIBRARY]
        if unknown:
            raise ValueError(f"search.baselines has {unknown[0]!r}, no named cell; `gatesearch cells` lists them")
        twice = [name for name in self.search.baselines if self.search.baselines.count(name) > 1]
        if twice:
            raise ValueError(f"search.baselines has {twice[0]!r} twice; once is enough")
        missing = [name for name in SEEDS if name not in self.search.baselines]
        if missing:
            raise ValueError(f"search.baselines lacks {missing[0]!r}; a search starts from lstm and gru")
        for name, formula in self.cells.items():
            if name in LIBRARY or not NAME.fullmatch(name):
                raise ValueError(f"cells has {name[:60]!r}; a cell's name is {NAME_RULE}, and no named cell's")
            try:
                parse_formula(formula).canonical()
            except CellError as error:
                raise ValueError(f"cells.{name}: {error}") from error
        if not self.ranked:
            raise ValueError("no task has the role 'ranked'; a score needs at least one")
        if MEMORIZATION in self.tasks:
            raise ValueError("tasks has 'memorization'; the gate has its own section, [memorization]")
        for name in self.tasks:
            if not NAME.fullmatch(name):
                raise ValueError(f"tasks has {name[:60]!r}; a task's name is {NAME_RULE}")
        self._check_grid(MEMORIZATION, self.memorization)
        for name, section in self.tasks.items():
            self._check_grid(f"tasks.{name}", section)
        return self

    def _check_grid(self, where: str, section: "TaskSection | MemorizationSection") -> None:
        grid = self.grid_of(section)
        axes = (grid.scales, grid.learning_rates, grid.max_norms, grid.layers, grid.parameter_budgets)
        count = math.prod(map(len, axes))
        if count > MAX_SETTINGS:
            raise ValueError(f"{where} has {count:,} settings; at most {MAX_SETTINGS:,}, so shorten the grid's lists")

    @cached_property
    def given(self) -> dict[str, GateGraph]:
        """The cells that are evaluated before the search starts, by name: the baselines and the profile's own."""
        named = {name: LIBRARY[name].graph for name in self.search.baselines}
        return named | {name: parse_formula(formula).canonical() for name, formula in self.cells.items()}

    @property
    def seeds(self) -> tuple[str, ...]:
        """The names of the cells that the search starts from."""
        return (*SEEDS, *self.cells)

    @property
    def ranked(self) -> tuple[str, ...]:
        """The names of the tasks that rank cells, in order."""
        return tuple(name for name, section in self.tasks.items() if section.role is Role.RANKED)

    @property
    def visited(self) -> tuple[str, ...]:
        """All tasks in the order of the stages: the ranked ones, then the checks."""
        return self.ranked + tuple(name for name in self.tasks if name not in self.ranked)

    def grid_of(self, section: TaskSection | MemorizationSection) -> Grid:
        """The settings of a task: its own grid or the profile's, with its parameter budgets."""
        values = section.grid or self.grid
        return Grid(values.scales, values.learning_rates, values.max_norms, values.layers, section.parameters)

    @property
    def processors(self) -> int:
        """About how many processors the window keeps busy at least nine tenths of the time.

        Of three proposals in flight two wait, for their turn or for the slowest trial of their step (found by
        `gatesearch bench --engine` for several windows). One that is examined again trains all its settings at once,
        where a new cell, as a rule, is one trial at a time.
        """
        search = self.search
        again = search.reexamine if search.strategy == "paper" else 0.0
        trials = 1.0 - again + again * min(self.tasks[name].settings for name in self.visited)
        return max(1, int(search.window * trials / 3.0))

    def to_toml(self) -> str:
        """The profile with every field written out."""
        return tomli_w.dumps(_without_none(TypeAdapter(Profile).dump_python(self, mode="json")))


def _without_none(value: Any) -> Any:
    """TOML has no null: a field that is None is one that is not written."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
