"""Sections of a profile: sizes and budgets of a search, as dataclasses that a TOML file fills.

Every number of the procedure is a field here. Types and ranges are checked, and an unknown key is an error. A missing
field takes its default: the study's value if the study gives one (Jozefowicz et al. 2015, section 3). Fields marked
"not in the study" are choices that the study leaves open. The resolved profile, with every field, is stored with the
run.
"""

import re
from dataclasses import asdict, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, TypeAdapter, field_validator, model_validator
from pydantic.dataclasses import dataclass

from results.store.rungs import rung_shares
from results.store.words import MEMORIZATION, ScoreKind
from search.cells.canonical import PRESENT, FormVersion
from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, REFERENCE, SEEDS, STUDY
from search.cells.mutation import Rule
from search.cells.notation.formula import parse_formula
from search.cells.text import quoted
from search.cells.vocabulary import Vocabulary
from search.core.limits import DEFAULT_LIMITS, Limits
from search.profiles.fields import CONFIG, Count, Scalar, Share, Weight
from search.profiles.population import check_population, population_of, written_out
from search.profiles.training_sections import GridSection, ScheduleSection, TransferSection
from search.training.settings import Grid

MAX_BYTES = 65_536
"""Largest size of a profile file in bytes."""

MAX_SETTINGS = 100_000
"""Largest number of settings of a grid; the study's has 840 for each parameter budget."""

MAX_TASKS, MAX_CELLS = 32, 1000
"""Largest numbers of tasks and of own cells of a profile."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
WHOLE_LIBRARY = "library"
"""Word that stands for all published cells in a list of baselines."""

NAME_RULE = "1 to 40 letters, digits, - and _, a letter first"


@dataclass(frozen=True, config=CONFIG)
class SearchSection:
    """Procedure of the search."""

    proposals: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    # Multiply-adds after which no proposal is asked for (`search.training.compute`; not in the study); 0: no limit
    compute: Annotated[float, Field(ge=0.0, le=1e30)] = 0.0
    strategy: str = "paper"
    # What the score and the tasks' thresholds are shares of: "gain", the GRU's gain over the constant baseline (not in
    # the study), or "ratio", its metric.
    score: ScoreKind = ScoreKind.RATIO
    allocation: Literal["stages", "halving"] = "stages"  # how much training a candidate gets; see [halving]
    # Share of the GRU's gain at equal steps; a trial of a new cell that falls below it is given up (not in the study).
    hopeless: Share = 0.0
    # Whether all cells train on the same data from the same seed, which makes their results easier to compare.
    paired: bool = False  # (not in the study)
    window: Annotated[int, Field(ge=1, le=4096)] = (
        32  # proposal k sees the outcomes up to k - window (not in the study)
    )
    best: Count = 100  # length of the list of the best cells, from which parents are drawn
    reexamine: Share = 0.5  # probability of fresh settings instead of a child (not in the study)
    # Named cells that are evaluated first; "library" stands for all of them.
    baselines: tuple[str, ...] = tuple(STUDY)
    # Cells that the search starts from, besides those of [cells]: named cells, "family:NAME", "atlas", or formulas.
    population: Annotated[tuple[str, ...], Field(max_length=MAX_CELLS)] = SEEDS

    @field_validator("baselines", mode="after")
    @classmethod
    def _whole_library(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        # Written out, so that a stored profile does not change when the library grows.
        return tuple(name for given in names for name in (LIBRARY if given == WHOLE_LIBRARY else [given]))

    @field_validator("population", mode="after")
    @classmethod
    def _whole_families(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return written_out(entries)


@dataclass(frozen=True, config=CONFIG)
class EvolutionSection:
    """Strategy `evolution` (not in the study); see `search.strategies.evolution`."""

    population: Count = 50  # the youngest cells with a score, from which parents are drawn
    tournament: Count = 10  # cells drawn for a tournament; the best one is the parent

    @model_validator(mode="after")
    def _fits(self) -> "EvolutionSection":
        if self.tournament > self.population:
            raise ValueError(
                f"evolution.tournament is {self.tournament}, but evolution.population is {self.population}; "
                "a tournament is drawn from the population, so it must not be larger"
            )
        return self


@dataclass(frozen=True, config=CONFIG)
class LocalSection:
    """Strategy `local` (not in the study); see `search.strategies.local`."""

    failures: Count = 32  # children that are no better before the next best cell becomes the incumbent


@dataclass(frozen=True, config=CONFIG)
class SampleSection:
    """Strategy `sample` (not in the study); see `search.strategies.sample`."""

    mutations: Annotated[int, Field(ge=1, le=1000)] = 5  # mutations, one after the other, that make a cell


@dataclass(frozen=True, config=CONFIG)
class HalvingSection:
    """Asynchronous successive halving (not in the study); see `search.allocations.halving`."""

    eta: Annotated[int, Field(ge=2, le=10)] = 3  # of this many candidates of a rung one is promoted
    rungs: Annotated[int, Field(ge=2, le=6)] = 4  # the first is trained for eta ** (1 - rungs) of the steps
    # Settings tried on each task at each rung: the best of the rung before, and new ones beside it.
    settings: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (1, 1, 2, 3)
    seeds: Annotated[int, Field(ge=0, le=100)] = 2  # further seeds of the best fully trained candidates; 0 for none

    @model_validator(mode="after")
    def _lengths(self) -> "HalvingSection":
        if len(self.settings) != self.rungs:
            raise ValueError(
                f"halving.settings has {len(self.settings)} numbers, and there are {self.rungs} rungs; give one a rung"
            )
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of a schedule's steps at each rung, ending with 1."""
        return rung_shares(self.eta, self.rungs)


@dataclass(frozen=True, config=CONFIG)
class MutationSection:
    """Mutation of parents into children."""

    rule: Rule = Rule.EACH_NODE
    max_nodes: Annotated[int, Field(ge=4, le=256)] = 64  # larger children are rejected (not in the study)
    # Children with more matrix products in loops are rejected (`search.cells.loops`); None: any number
    max_loop_products: Annotated[int, Field(ge=0, le=256)] | None = None  # (not in the study)
    attempts: Count = 100  # draws before a proposal is given up (not in the study)
    # For a child that is known already: "reject" draws again, "revisit" gives it new settings (as in the study).
    duplicates: Literal["reject", "revisit"] = "reject"
    crossover: Share = 0.0  # probability that a child has a part of a second cell instead (not in the study)
    # Whether transformations that made good children are drawn more often (not in the study).
    adapt: bool = False


@dataclass(frozen=True, config=CONFIG)
class VocabularySection:
    """Weights of what mutation may draw; see `search.cells.vocabulary.Vocabulary`."""

    sigmoid: Weight = 1.0  # activations
    tanh: Weight = 1.0
    relu: Weight = 1.0
    linear: Weight = 1.0  # for each of four starts: no identity, 0.9, 1 and 1.1 times the identity
    leaky_relu: Weight = 0.0  # (this and all below that are 0: not in the study)
    softplus: Weight = 0.0
    norm: Weight = 0.0  # layer norm
    param: Weight = 0.0  # a learned factor that starts at 1
    number: Weight = 0.0  # a factor of 0.5, 2, -1 or 0.1
    mul: Weight = 1.0  # operations of two inputs
    add: Weight = 1.0
    sub: Weight = 1.0
    groups: Weight = 0.0  # 1, 2 or 4 blocks of a matrix
    bias: Weight = 0.0  # another start of a bias, or none

    @model_validator(mode="after")
    def _some(self) -> "VocabularySection":
        words = self.words()
        if not words.activations or len(words.operations) < 1:
            raise ValueError(
                "vocabulary has no activation or no operation of two inputs; give one of each a weight above 0"
            )
        return self

    def words(self) -> Vocabulary:
        """Return the vocabulary with these weights."""
        return Vocabulary(**asdict(self))


class Role(StrEnum):
    """Role of a task: it ranks cells, or it only checks those that passed all ranked tasks."""

    RANKED = "ranked"
    CHECK = "check"


@dataclass(frozen=True, config=CONFIG)
class MemorizationSection:
    """Memorization, which a new cell must pass first."""

    accuracy: Share = 0.95  # a new cell below this validation accuracy is discarded
    settings: Count = 1  # settings tried on a new cell, which passes with any of them
    transfer: bool = False  # draw settings by the transfer rule, not at random (not in the study)
    baseline_settings: Count = 1
    parameters: Annotated[tuple[Count, ...], Field(min_length=1)] = (25_000,)
    options: dict[str, Scalar] = field(default_factory=dict)
    grid: GridSection | None = None
    schedule: ScheduleSection = field(default_factory=ScheduleSection)


@dataclass(frozen=True, config=CONFIG)
class TaskSection:
    """One task of the search: its data, its grid and its training budget."""

    role: Role = Role.RANKED
    task: str | None = None  # name, or package.module:Class; the section's name if None
    threshold: Annotated[float, Field(ge=0.0, le=10.0)] = 0.9  # share of the GRU's best that a new cell must exceed
    settings: Count = 20  # settings tried on a new cell, and on a cell that is examined again
    baseline_settings: Count | Literal["all"] = "all"  # settings tried on each given cell
    parameters: Annotated[tuple[Count, ...], Field(min_length=1)] = (250_000, 1_000_000)
    options: dict[str, Scalar] = field(default_factory=dict)
    grid: GridSection | None = None
    schedule: ScheduleSection = field(default_factory=ScheduleSection)


@dataclass(frozen=True, config=CONFIG)
class FinalistsSection:
    """Finalists, retrained on fresh seeds when a search ends (not in the study); see `search.engine.finalists`."""

    cells: Annotated[int, Field(ge=0, le=1000)] = 10  # number of found cells, besides all given ones; 0: no finalists
    repeats: Annotated[int, Field(ge=2, le=1000)] = 5  # seeds per task


@dataclass(frozen=True, config=CONFIG)
class ConfirmationSection:
    """Confirmation of contenders against the GRU and the LSTM, on seeds that chose no cell, after the finalists.

    The tests, and when they are looked at, are declared before the first of these trials; see
    `results.scores.confirmation`.
    """

    contenders: Annotated[int, Field(ge=0, le=100)] = 1  # best found cells by the finalists' first round; 0 for none
    cells: Annotated[tuple[str, ...], Field(max_length=100)] = ()  # given cells to confirm beside them: names or ids
    repeats: Annotated[int, Field(ge=2, le=1000)] = 8  # seeds of the first look
    looks: Annotated[int, Field(ge=1, le=20)] = 3  # planned looks, evenly spaced
    max_repeats: Annotated[int, Field(ge=2, le=1000)] = 24  # seeds of the last look

    @property
    def counts(self) -> tuple[int, ...]:
        """Seeds of each planned look, increasing; fewer than `looks` if there are not as many different numbers."""
        if self.looks == 1:
            return (self.max_repeats,)
        step = (self.max_repeats - self.repeats) / (self.looks - 1)
        return tuple(dict.fromkeys(round(self.repeats + k * step) for k in range(self.looks)))


@dataclass(frozen=True, config=CONFIG)
class LimitsSection:
    """Limits at which a worker stops a trial as failed; see `search.workers.isolation`.

    They are far above the needs of any trial, since its result must not depend on the machine. A run in one process
    (`--workers 0`) has no limits.
    """

    stalled_seconds: Annotated[float, Field(ge=1.0, le=1e6)] = (
        DEFAULT_LIMITS.stalled_seconds
    )  # longest time without a training step
    memory_gib: Annotated[float, Field(ge=1.0, le=1e6)] = (
        DEFAULT_LIMITS.memory_bytes / 2**30
    )  # resident memory of one worker process

    def of_trials(self) -> Limits:
        """Return the limits with these numbers."""
        return Limits(self.stalled_seconds, int(self.memory_gib * 2**30))


@dataclass(frozen=True, config=CONFIG)
class Profile:
    """Profile of a search. Tasks are visited in the order of their sections, ranked tasks first."""

    description: str = ""
    search: SearchSection = field(default_factory=SearchSection)
    halving: HalvingSection = field(default_factory=HalvingSection)
    evolution: EvolutionSection = field(default_factory=EvolutionSection)
    local: LocalSection = field(default_factory=LocalSection)
    sample: SampleSection = field(default_factory=SampleSection)
    mutation: MutationSection = field(default_factory=MutationSection)
    vocabulary: VocabularySection = field(default_factory=VocabularySection)
    transfer: TransferSection = field(default_factory=TransferSection)
    grid: GridSection = field(default_factory=GridSection)
    memorization: MemorizationSection = field(default_factory=MemorizationSection)
    finalists: FinalistsSection = field(default_factory=FinalistsSection)
    confirmation: ConfirmationSection = field(default_factory=ConfirmationSection)
    limits: LimitsSection = field(default_factory=LimitsSection)
    # Further seeds of the search: name = formula.
    cells: Annotated[dict[str, str], Field(max_length=MAX_CELLS)] = field(default_factory=dict)
    tasks: Annotated[dict[str, TaskSection], Field(min_length=1, max_length=MAX_TASKS)] = field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> "Profile":
        unknown = [name for name in self.search.baselines if name not in LIBRARY]
        if unknown:
            raise ValueError(
                f"search.baselines has {unknown[0]!r}, which is not a named cell; `gatesearch cells` lists them"
            )
        twice = [name for name in self.search.baselines if self.search.baselines.count(name) > 1]
        if twice:
            raise ValueError(f"search.baselines has {twice[0]!r} twice; once is enough")
        missing = [name for name in SEEDS if name not in self.search.baselines]
        if missing:
            raise ValueError(f"search.baselines lacks {missing[0]!r}; a search starts from lstm and gru")
        for name, formula in self.cells.items():
            # Other names of the library are free here: it grows, and stored profiles have cells of such names.
            if name in self.search.baselines or name in STUDY or not NAME.fullmatch(name):
                raise ValueError(
                    f"cells has {quoted(name, 60)}; a cell's name is {NAME_RULE}, and not that of a named cell"
                )
            try:
                parse_formula(formula).canonical()
            except CellError as error:
                raise ValueError(f"cells.{name}: {error}") from error
        check_population(self.search.population, self.cells, self.mutation.max_loop_products)
        if not self.ranked:
            raise ValueError("no task has the role 'ranked'; a score needs at least one")
        if MEMORIZATION in self.tasks:
            raise ValueError("tasks has 'memorization', which has its own section, [memorization]")
        for name in self.confirmation.cells:
            graph = self.given_cell(name)
            if graph is None:
                raise ValueError(
                    f"confirmation.cells has {quoted(name, 60)}, which is neither the name nor the id of a given cell; "
                    f"the given cells are {', '.join(self.given)}"
                )
            if graph.id == LIBRARY[REFERENCE].graph.id:
                raise ValueError(
                    f"confirmation.cells has {quoted(name, 60)}, with which contenders are compared; leave it out"
                )
        if self.search.allocation == "halving" and self.mutation.duplicates == "revisit":
            raise ValueError(
                "mutation.duplicates is 'revisit', which halving does not know; set it to 'reject', or "
                "search.allocation to 'stages'"
            )
        if self.search.allocation == "halving":
            least = self.halving.eta ** (self.halving.rungs - 1)
            for name, section in self.tasks.items():
                steps = section.schedule.budget().steps
                if steps < least:
                    raise ValueError(
                        f"tasks.{name} trains {steps:,} steps, but {self.halving.rungs} rungs with eta "
                        f"{self.halving.eta} need at least {least:,}; set fewer halving.rungs or more epoch_steps"
                    )
        planned = self.confirmation
        if planned.max_repeats < planned.repeats:
            raise ValueError(
                f"confirmation.max_repeats is {planned.max_repeats}, but the first look has {planned.repeats} seeds; "
                "it must have at least as many"
            )
        for name in self.tasks:
            if not NAME.fullmatch(name):
                raise ValueError(f"tasks has {quoted(name, 60)}; a task's name is {NAME_RULE}")
        self._check_grid(MEMORIZATION, self.memorization)
        for name, section in self.tasks.items():
            self._check_grid(f"tasks.{name}", section)
        return self

    def _check_grid(self, where: str, section: "TaskSection | MemorizationSection") -> None:
        count = self.grid_of(section).combinations
        if count > MAX_SETTINGS:
            raise ValueError(f"{where} has {count:,} settings; at most {MAX_SETTINGS:,}, so shorten the grid's lists")

    @cached_property
    def given(self) -> dict[str, GateGraph]:
        """Cells that are evaluated before the first proposal, by name: the baselines and the profile's own cells."""
        return self.given_in(PRESENT)

    def given_in(self, form: FormVersion) -> dict[str, GateGraph]:
        """Return the given cells in the canonical form that a store's cells have."""
        named = {name: LIBRARY[name].written for name in self.search.baselines}
        own = {name: parse_formula(formula) for name, formula in self.cells.items()}
        return {name: graph.in_form(form) for name, graph in (named | own).items()}

    def given_cell(self, cell: str, form: FormVersion = PRESENT) -> GateGraph | None:
        """Return the given cell with this name, or whose id starts with these hex digits (at least 4), or None."""
        given = self.given_in(form)
        if cell in given:
            return given[cell]
        found = {graph.id: graph for graph in given.values() if len(cell) >= 4 and graph.id.startswith(cell)}
        return next(iter(found.values())) if len(found) == 1 else None

    def population_in(self, form: FormVersion) -> dict[str, GateGraph]:
        """Return the cells that the search starts from, in a canonical form, each once.

        The keys are names of cells, and formulas of cells without a name.
        """
        return population_of(self.search.population, self.cells, form)

    @property
    def ranked(self) -> tuple[str, ...]:
        """Names of the ranked tasks, in order."""
        return tuple(name for name, section in self.tasks.items() if section.role is Role.RANKED)

    @property
    def visited(self) -> tuple[str, ...]:
        """Names of all tasks in the order of the stages: the ranked ones, then the checks."""
        return self.ranked + tuple(name for name in self.tasks if name not in self.ranked)

    def grid_of(self, section: TaskSection | MemorizationSection) -> Grid:
        """Return the settings of a task: its own grid or the profile's, with its parameter budgets."""
        return (section.grid or self.grid).grid(section.parameters)

    def to_toml(self) -> str:
        """Return the profile as TOML with every field."""
        return tomli_w.dumps(_without_none(TypeAdapter(Profile).dump_python(self, mode="json")))


def _without_none(value: Any) -> Any:
    """Return the value without dictionary entries that are None, which TOML cannot express."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
