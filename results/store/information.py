"""Information of a run: the JSON object in its store that says how it was made, and that of a training environment.

More keys may be there. The keys below are relied on, so their types are checked.
"""

from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MAX_REPEATS = 1000
"""Largest number of seeds that finalists are retrained with, and that a contender is confirmed on."""

FIRST_CONFIRMATION = MAX_REPEATS + 1
"""Repeat of the first confirmation trial; smaller ones belong to the first round, which chooses the contenders."""

MAX_LOOKS = 100
"""Largest number of looks at a test."""

_CONFIG = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, frozen=True)


class Simulated(BaseModel):
    """Options of a simulated run, whose trials are drawn at random instead of being trained."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    delays: Annotated[float, Field(ge=0.0)]  # factor from a trial's simulated seconds to its waiting time
    equal: bool = False  # every cell is equally able, so that what a run shows is noise
    planted: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0  # what cells with the planted structure learn more
    optimum: str | None = None  # name or formula of the cell that is best by construction


class Retraining(BaseModel):
    """Retraining of the finalists on fresh seeds, as far as all finalists have it."""

    model_config = _CONFIG

    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)]  # seeds that every finalist has
    constant_guess: dict[str, float]  # task -> metric of the constant baseline, which a diverged repeat counts as


class Plan(BaseModel):
    """Plan to confirm a cell on a task: when the tests are looked at. It is declared before its first trial."""

    model_config = _CONFIG

    cell: str  # id of the contender
    task: str
    # Numbers of seeds, increasing: a test is looked at when it has so many.
    looks: Annotated[list[Annotated[int, Field(ge=2, le=MAX_REPEATS)]], Field(min_length=1, max_length=MAX_LOOKS)]
    least: Annotated[int, Field(ge=0, le=MAX_REPEATS)] = 0  # seeds to train, even if fewer decide; one of the looks

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        if self.looks != sorted(set(self.looks)):
            raise ValueError("the looks of a plan must increase")
        if self.least and self.least not in self.looks:
            raise ValueError("`least` of a plan must be one of its looks")
        return self


class Confirming(BaseModel):
    """Declaration of a confirmation: its tests (each plan's cell against GRU and LSTM), seeds, settings and level."""

    model_config = _CONFIG

    level: Annotated[float, Field(gt=0.0, lt=1.0)]  # of the whole family of tests
    plans: Annotated[list[Plan], Field(min_length=1)]  # in the order of their declaration
    settings: dict[str, dict[str, str]]  # cell -> task -> setting; of the contenders, the GRU and the LSTM
    constant_baseline: dict[str, float]  # task -> metric of the constant baseline, which a diverged trial counts as

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        keys = [(plan.cell, plan.task) for plan in self.plans]
        if len(set(keys)) < len(keys):
            raise ValueError("a cell has two plans on one task")
        if any(plan.task not in self.settings.get(plan.cell, {}) for plan in self.plans):
            raise ValueError("a plan has no setting")
        return self


class Drawn(BaseModel):
    """Achievement of a transformation in a search whose choice among them adapts, and its weight at the end."""

    model_config = _CONFIG

    children: Annotated[int, Field(ge=0)]  # new cells that it took part in
    successes: Annotated[int, Field(ge=0)]  # those whose score is at least their parent's
    weight: Annotated[float, Field(ge=0.0, le=1.0)]  # by which it is drawn; the highest is 1


class Environment(BaseModel):
    """Environment that trials were trained in."""

    model_config = _CONFIG

    cpu: str | None = None
    commit: str | None = None
    versions: dict[str, str | None] = {}


class Information(Environment):
    """Information of a run, with the environment that started it."""

    command: list[Any] = []  # arguments of the command that started the run
    started: Any = None  # UTC, ISO 8601
    finished: Any = None  # UTC, ISO 8601; set when the search has ended and its finalists are retrained
    data: dict[str, str] = {}  # task -> checksum of its data
    resumed: list[dict[str, Any]] = []  # one entry for each resumption
    extended: list[list[str]] = []  # arguments of the commands that raised the number of proposals
    drained: list[int] = []  # numbers of proposals after which all outcomes were told, to promote what they allow
    begun: int | None = None  # cells told from outside before the last promotions that were begun between two of them
    simulated: Simulated | None = None
    retrained: Retraining | None = None
    constants: dict[str, dict[str, float]] = {}  # task -> split -> metric of the constant baseline; no key: not known
    chance: dict[str, float] = {}  # task -> validation metric below which a trial is given up; no key: the constant
    signed: dict[str, str] | None = None  # task -> unit of its metric, where that may be negative; None: not known
    ceilings: dict[str, dict[str, float]] = {}  # task -> split -> best metric possible; only where it is known
    confirmation: Confirming | None = None
    transformations: dict[str, Drawn] = {}  # name -> what it did, if the choice among them adapts
    canonical_form: Annotated[int, Field(ge=1)] = 2  # version of the form of the cells: `search.cells.canonical`
    leaderboard_format: Annotated[int, Field(ge=1)] = 1  # of leaderboard.csv; `results.tables.columns.FORMAT`


def parse_information(text: str) -> Information:
    """Parse the information of a run. Raise a one-line `ValueError` if a key that is relied on has another type."""
    return _parsed(Information, text, "information")


def parse_environment(text: str) -> Environment:
    """Parse the description of an environment. Raise `ValueError` as `parse_information` does."""
    return _parsed(Environment, text, "the description of an environment")


Model = TypeVar("Model", bound=BaseModel)


def as_json(model: BaseModel) -> dict[str, Any]:
    """Return the keys that the stored text has, unknown ones included."""
    return model.model_dump(exclude_unset=True)


def _parsed(kind: type[Model], text: str, what: str) -> Model:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise ValueError(f"{what}{' has ' + where if where else ''}: {first['msg']}"[:300]) from error
