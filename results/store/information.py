"""Information of a run: the JSON object in its store that says how it was made, and that of a training environment.

More keys may be there. The keys below are relied on, so their types are checked.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_REPEATS = 1000
"""Largest number of seeds that finalists are retrained with."""

_CONFIG = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, frozen=True)


class Simulated(BaseModel):
    """Options of a simulated run, whose trials are drawn at random instead of being trained."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    delays: Annotated[float, Field(ge=0.0)]  # factor from a trial's simulated seconds to its waiting time


class Retraining(BaseModel):
    """Retraining of the finalists on fresh seeds, as far as all finalists have it."""

    model_config = _CONFIG

    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)]  # seeds that every finalist has
    constant_guess: dict[str, float]  # task -> metric of the constant baseline, which a diverged repeat counts as


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
    simulated: Simulated | None = None
    retrained: Retraining | None = None
    constants: dict[str, dict[str, float]] = {}  # task -> split -> metric of the constant baseline; no key: not known
    ceilings: dict[str, dict[str, float]] = {}  # task -> split -> best metric possible; only where it is known
    leaderboard_format: Annotated[int, Field(ge=1)] = 1  # of leaderboard.csv; `results.tables.leaderboard.FORMAT`


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
