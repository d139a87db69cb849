"""Reading profiles: shipped ones by name, TOML files, and the profile of a run."""

import json
from dataclasses import fields as fields_of
from dataclasses import is_dataclass, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from results.store.sanitize import printable
from results.store.store import Store
from results.store.toml import parse_toml
from search.cells.library import LIBRARY
from search.cells.paths import expanded
from search.cells.text import shorten
from search.core.errors import SearchError
from search.profiles.sections import MAX_BYTES, NAME_RULE, Profile, TaskSection
from search.profiles.training_sections import GridSection, ScheduleSection

_ADAPTER = TypeAdapter(Profile)


def parse_profile(text: str, source: str, *, stored: bool = False) -> Profile:
    """Return the profile in a TOML text.

    Args:
        text: the TOML text.
        source: name of the text for messages.
        stored: the profile is that of a run, whose own cells may have names that the library has taken since, or that
            are refused since.

    Raises:
        SearchError: the text is not TOML or not a profile; one line with the source, the key, its value and the rule.
    """
    try:
        # From JSON, pydantic converts no types: no text to a number, no number to a boolean.
        data = json.dumps(parse_toml(text), default=_of_time)
    except (ValueError, RecursionError) as error:  # a number of too many digits is a ValueError
        raise SearchError(_one_line(f"{source} is not valid TOML: {error}")) from error
    try:
        profile = _ADAPTER.validate_json(data, strict=True)
    except ValidationError as error:
        raise SearchError(_one_line(f"{source}: {_explain(error)}")) from error
    if not stored:
        _refuse_missing(profile, source)
    taken = next((name for name in profile.cells if name in LIBRARY), None)
    if taken is not None and not stored:
        raise SearchError(f"{source}: cells has {taken!r}; a cell's name is {NAME_RULE}, and not that of a named cell")
    return profile


MISSING = frozenset({"NA", "NaN", "nan", "NULL", "null", "None"})
"""Names that programs which read a CSV, as `read_csv` of pandas, take for a missing value."""


def _refuse_missing(profile: Profile, source: str) -> None:
    """Raise `SearchError` if a cell or a task has a name that would be lost in the tables."""
    for what, names in (("cell", profile.cells), ("task", profile.tasks)):
        if lost := [name for name in names if name in MISSING]:
            raise SearchError(
                f"{source}: a {what} is called {lost[0]!r}, which programs that read the tables take for a missing "
                "value; rename it"
            )


def _of_time(value: object) -> list[str]:
    """Return a date or time of TOML as a list, which no field accepts."""
    return [str(value)]


def load_profile(name: str) -> Profile:
    """Return a shipped profile by name, or the profile of a `.toml` file.

    Raises:
        SearchError: there is no such profile, or it is invalid.
    """
    if name in shipped_profiles():
        return parse_profile(resources.files("search.profiles").joinpath(f"{name}.toml").read_text("utf-8"), name)
    if not name.endswith(".toml"):
        shown = shorten(name)
        near = get_close_matches(shown, shipped_profiles(), n=1)
        hint = f"did you mean {near[0]}? " if near else f"shipped are {', '.join(shipped_profiles())}; "
        raise SearchError(
            f"profile {shown!r} is unknown; {hint}{'Or' if near else 'or'} give a file that ends in .toml"
        )
    path = Path(expanded(name))
    try:
        if path.exists() and not path.is_file():
            raise SearchError(f"profile {name!r} cannot be read: it is not a regular file")
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise SearchError(f"profile {name}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read")
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, SearchError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SearchError(f"profile {name!r} cannot be read: {reason}") from error
    return with_absolute_data(parse_profile(text, name))


def absolute_data(path: str | Path) -> str:
    """Return the absolute path of data, with `~` and `$NAME` expanded, so that a stored profile finds them later."""
    return str(Path(expanded(path)).absolute())


def with_absolute_data(profile: Profile) -> Profile:
    """Return a profile in which the option `data` of each task is an absolute path."""
    tasks = {
        name: replace(section, options=section.options | {"data": absolute_data(data)})
        if isinstance(data := section.options.get("data"), str) and data and "\0" not in data
        else section
        for name, section in profile.tasks.items()
    }
    return replace(profile, tasks=tasks)


def shipped_profiles() -> tuple[str, ...]:
    """Return the names of the shipped profiles."""
    files = resources.files("search.profiles").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def _explain(error: ValidationError) -> str:
    """Return the first invalid key, what is wrong with it, and the number of further invalid keys."""
    problems: dict[str, list[ErrorDetails]] = {}
    for problem in error.errors(include_url=False):
        if problem["type"] == "too_short" and problem["input"]:
            continue  # its invalid members are reported themselves
        problems.setdefault(_where(problem["loc"], problem["type"]), []).append(problem)
    where, here = next(iter(problems.items()))
    first, shown_where = here[0], shorten(where)
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        message = f"{shown_where!r} is not a field of a profile{_near(where)}"
    elif first["type"] == "value_error":
        message = str(first["ctx"]["error"])
    elif first["type"] == "json_invalid":
        message = "its tables or lists are nested too deeply"
    else:
        shown = shorten(repr(first["input"]), 60)
        rules = dict.fromkeys(problem["msg"].removeprefix("Input should be ") for problem in here)
        said = first["msg"][0].lower() + first["msg"][1:]
        rule = f"it should be {' or '.join(rules)}" if said.startswith("input should be ") else said
        message = f"{shown_where} is {shown}; {rule}"
    return message + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


def _where(place: tuple[int | str, ...], kind: str) -> str:
    """Return the key of an error, without the type names that pydantic adds for members of a union."""
    of_union = place[-2:-1] == ("baseline_settings",) or place[-3:-2] == ("options",)
    if of_union and kind != "unexpected_keyword_argument" and place[-1] in _MEMBERS:
        place = place[:-1]
    return ".".join(map(str, place))


_MEMBERS = ("bool", "int", "float", "str", "constrained-int", "literal['all']")


def _one_line(text: str) -> str:
    """Return the text as one printable line, shortened in the middle if it is long."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= 1000 else f"{line[:700]} ... {line[-200:]}"


def _near(where: str) -> str:
    section, _, key = where.rpartition(".")
    sections = {name: kind for name, kind in get_type_hints(Profile).items() if is_dataclass(kind)}
    fields: dict[str, Any] = {"": Profile, **sections}
    tail = section.rpartition(".")[2]
    owner = fields.get(section) or {"grid": GridSection, "schedule": ScheduleSection}.get(tail, TaskSection)
    names = [f.name for f in fields_of(owner)]
    near = get_close_matches(key, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known there are {', '.join(names)}"


def profile_of(store: Store) -> Profile:
    """Return the profile of a run.

    Raises:
        SearchError: the profile is invalid, or written by a version whose fields this one does not know.
    """
    return parse_profile(store.profile, f"the profile of run {store.name}", stored=True)
