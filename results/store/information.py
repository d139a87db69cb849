"""JSON objects of a store that say how a run was made: its information, and the environments of its trials.

More keys than these may be there; what these say is relied on, and checked.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_REPEATS = 1000
"""A finalist is not trained again more often."""

_CONFIG = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class _Simulated(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    delays: Annotated[float, Field(ge=0.0)]  # a trial takes so many times its seconds


class _Retrained(BaseModel):
    model_config = _CONFIG

    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)]  # of the finalists, that all of them have
    constant_guess: dict[str, float]  # task -> metric that a lost trial counts as


class _Environment(BaseModel):
    model_config = _CONFIG

    cpu: str | None = None
    commit: str | None = None
    versions: dict[str, str | None] = {}


class _Information(_Environment):
    data: dict[str, str] = {}  # task -> checksum
    resumed: list[dict[str, Any]] = []
    extended: list[list[str]] = []  # arguments of the commands that wanted more proposals
    simulated: _Simulated | None = None
    retrained: _Retrained | None = None


def parse_information(text: str) -> dict[str, Any]:
    """What the text says of a run. Raises ValueError, in one line, where a key that is relied on has another form."""
    return _parsed(_Information, text, "information")


def parse_environment(text: str) -> dict[str, Any]:
    """What the text says of an environment. Raises ValueError as `parse_information`."""
    return _parsed(_Environment, text, "the description of an environment")


def _parsed(kind: type[BaseModel], text: str, what: str) -> dict[str, Any]:
    try:
        return kind.model_validate_json(text).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise ValueError(f"{what}{' has ' + where if where else ''}: {first['msg']}"[:300]) from error
