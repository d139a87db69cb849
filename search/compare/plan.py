"""Plan of a comparison: methods as changes to one profile, search seeds, and the compute that each search gets.

    profile = "micro"          # shipped, a file beside the plan, or a table
    seeds = [0, 1, 2, 3, 4]    # of the searches; matched between the methods
    trainings = 60             # compute of each search, in trainings of the GRU
    confirm = 6                # fresh seeds of each incumbent

    [methods.paper]
    search.strategy = "paper"

    [methods.random]
    search.strategy = "random"

All methods have the tasks, the score and the data of the profile, since their cells are scored on them.
"""

import json
from dataclasses import asdict, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from results.store.sanitize import printable
from results.store.toml import parse_toml
from search.cells.text import quoted, shorten
from search.compare.incumbents import Measured
from search.core.errors import SearchError
from search.core.ranges import MAX_SEED
from search.profiles.loading import load_profile, parse_profile, with_absolute_data
from search.profiles.sections import NAME, NAME_RULE, FinalistsSection, Profile
from search.profiles.tasks import section_of, task_names
from search.strategies.registry import check_searches
from search.training.simulation import Simulation

MAX_METHODS, MAX_SEARCHES = 64, 1000
"""Largest numbers of methods, and of search seeds."""

MAX_BYTES = 1_048_576
"""Largest size of a plan in bytes; a plan with its profile written out has a few thousand."""

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)
_Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


@dataclass(frozen=True, config=_CONFIG)
class SimulationSection:
    """Options of simulated trials; see `search.training.simulation.Simulation`."""

    equal: bool = False
    planted: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    optimum: str | None = None

    def simulation(self) -> Simulation:
        """Return the simulation with these options."""
        return Simulation(**asdict(self))


@dataclass(frozen=True, config=_CONFIG)
class Plan:
    """Plan of a comparison; see the module.

    Attributes:
        methods: changes to the profile, by name of the method.
        seeds: seeds of the searches.
        profile: name of the profile, or the profile itself as a table.
        description: one line about the comparison.
        compute: multiply-adds of each search, without those of the given cells; or 0.
        trainings: the same in trainings of the GRU on every ranked task; or 0.
        confirm: fresh seeds that each incumbent is trained with.
        proposals: largest number of proposals of a search, whatever its compute.
        baseline: method whose final score the others are measured by; the first one if None.
        pairs: pairs of methods that are tested: all, or each method with the baseline.
        measured: cells by which a search is measured: what it returns, or the best that it found itself.
        simulation: options of simulated trials; None if trials are trained.
    """

    methods: Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=MAX_METHODS)]
    seeds: Annotated[tuple[_Seed, ...], Field(min_length=2, max_length=MAX_SEARCHES)]
    profile: str | dict[str, Any] = "micro"
    description: str = ""
    compute: Annotated[float, Field(ge=0.0, le=1e30)] = 0.0
    trainings: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    confirm: Annotated[int, Field(ge=2, le=1000)] = 5
    proposals: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    baseline: str | None = None
    pairs: Literal["all", "baseline"] = "all"
    measured: Measured = Measured.RETURNED
    simulation: SimulationSection | None = field(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> "Plan":
        for name in self.methods:
            if not NAME.fullmatch(name):
                raise ValueError(f"methods has {quoted(name, 60)}; a method's name is {NAME_RULE}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds has a seed twice; each search needs a seed of its own")
        if (self.compute > 0) == (self.trainings > 0):
            raise ValueError(
                f"compute is {self.compute:g} and trainings is {self.trainings:g}; give one of them, above 0"
            )
        if self.baseline is not None and self.baseline not in self.methods:
            raise ValueError(f"baseline is {quoted(self.baseline, 60)}; the methods are {', '.join(self.methods)}")
        return self

    @property
    def standard(self) -> str:
        """Name of the method that the others are measured by."""
        return next(iter(self.methods)) if self.baseline is None else self.baseline

    @property
    def confirmation_seed(self) -> int:
        """Seed of the confirmation: the first search's, so that comparisons of other seeds confirm on other seeds."""
        return self.seeds[0]

    def to_toml(self) -> str:
        """Return the plan as TOML; a plan that was read has the profile written out."""
        values = {key: value for key, value in asdict(self).items() if value is not None}
        if self.simulation is not None:
            given = asdict(self.simulation).items()
            values["simulation"] = {key: value for key, value in given if value is not None}
        return tomli_w.dumps(values)

    def same_but_more(self, other: "Plan") -> bool:
        """Return whether the plans differ only in methods, seeds and words that `other` has added."""
        kept = all(other.methods.get(name) == changes for name, changes in self.methods.items())
        more = kept and set(self.seeds) <= set(other.seeds) and self.standard == other.standard
        known = replace(other, methods=self.methods, seeds=self.seeds, description="", baseline=None)
        return more and known == replace(self, description="", baseline=None)


_ADAPTER = TypeAdapter(Plan)


def read_plan(path: Path, profile: str | None = None) -> Plan:
    """Return the plan in a TOML file, with its profile written out. Profiles of methods are checked.

    Args:
        path: the file.
        profile: TOML text of a profile that takes the place of the plan's, whose methods are then not checked.

    Raises:
        SearchError: the file cannot be read, or is not a plan; one line with the key, its value and the rule.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SearchError(f"plan {str(path)!r} has more than {MAX_BYTES:,} bytes; a plan is a short TOML file")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SearchError(f"plan {str(path)!r} cannot be read: {reason}") from error
    return parse_plan(text, str(path), path.parent, profile)


def parse_plan(text: str, source: str, folder: Path | None = None, profile: str | None = None) -> Plan:
    """Return the plan in a TOML text, with its profile written out. Profiles of methods are checked.

    Args:
        text: the TOML text.
        source: name of the text for messages.
        folder: folder of the profile's file, if that has a relative path.
        profile: TOML text of a profile that takes the place of the plan's, whose methods are then not checked.

    Raises:
        SearchError: the text is not a plan; one line with the key, its value and the rule.
    """
    try:
        data = json.dumps(parse_toml(text), default=str)
    except (ValueError, RecursionError) as error:
        raise SearchError(_one_line(f"{source} is not valid TOML: {error}")) from error
    try:
        plan = _ADAPTER.validate_json(data, strict=True)
    except ValidationError as error:
        raise SearchError(_one_line(f"{source}: {_explain(error)}")) from error
    if plan.simulation is not None:
        try:
            plan.simulation.simulation()
        except SearchError as error:
            raise SearchError(_one_line(f"{source}: simulation: {error}")) from error
    if profile is not None:
        return replace(plan, profile=parse_toml(profile))
    plan = replace(
        plan, profile=parse_toml(with_absolute_data(_base_profile(plan, source, folder or Path())).to_toml())
    )
    for name in plan.methods:
        method_profile(plan, name, source)
    return plan


def base_profile(plan: Plan, source: str = "the plan") -> Profile:
    """Return the profile that the methods change, without finalists and contenders."""
    return _without_ending(_base_profile(plan, source, Path()))


def method_profile(plan: Plan, name: str, source: str = "the plan", compute: float = 0.0) -> Profile:
    """Return the profile of a method's searches, whose compute is limited to `compute`.

    Raises:
        SearchError: a change is not one of a profile, or changes what all methods must share.
    """
    base = _base_profile(plan, source, Path())
    where = f"{source}: methods.{name}"
    values = _merged(parse_toml(base.to_toml()), plan.methods[name])
    profile = _without_ending(parse_profile(tomli_w.dumps(values), where, stored=True))
    try:
        check_searches(profile.search.strategy)
    except SearchError as error:
        raise SearchError(f"{where}: {error}") from error
    if profile.search.score is not base.search.score:
        raise SearchError(f"{where}: search.score is {profile.search.score}; all methods need the profile's score")
    if list(profile.tasks) != list(base.tasks):
        raise SearchError(f"{where}: tasks has other tasks than the profile; all methods need the same tasks")
    for task in task_names(base):
        for key in ("role", "task", "options"):
            own, common = (getattr(section_of(p, task), key, None) for p in (profile, base))
            if own != common:
                raise SearchError(
                    f"{where}: {key} of {task!r} is {shorten(repr(own), 60)}; all methods need the profile's"
                )
    return replace(profile, search=replace(profile.search, proposals=plan.proposals, compute=compute))


def _base_profile(plan: Plan, source: str, folder: Path) -> Profile:
    if isinstance(plan.profile, dict):
        return parse_profile(tomli_w.dumps(plan.profile), f"{source}: profile", stored=True)
    return load_profile(str(folder / plan.profile) if plan.profile.endswith(".toml") else plan.profile)


def _without_ending(profile: Profile) -> Profile:
    """Return the profile without finalists and contenders: a comparison confirms incumbents itself."""
    confirmation = replace(profile.confirmation, contenders=0, cells=())
    return replace(profile, finalists=FinalistsSection(cells=0), confirmation=confirmation)


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the changes, table by table."""
    found = dict(values)
    for key, value in changes.items():
        old = found.get(key)
        found[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def _explain(error: ValidationError) -> str:
    """Return the first invalid key of a plan, and what is wrong with it."""
    first, *more = error.errors(include_url=False)
    where = shorten(".".join(str(part) for part in first["loc"] if part not in ("str", "dict[str,any]")))
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        fields = SimulationSection if where.startswith("simulation.") else Plan
        names = list(fields.__dataclass_fields__)
        near = get_close_matches(where.rpartition(".")[2], names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known there are {', '.join(names)}"
        said = f"{where!r} is not a field of a plan; {hint}"
    elif first["type"] in ("missing", "missing_argument"):
        said = f"{where!r} is missing; a plan needs methods and seeds"
    elif first["type"] == "too_short":
        least = first["ctx"]["min_length"]
        said = f"{where!r} has {len(first['input'])} entries; it needs at least {least}"
    elif first["type"] == "value_error":
        said = str(first["ctx"]["error"])
    else:
        rule = first["msg"].removeprefix("Input should be ")
        said = f"{where!r} is {shorten(repr(first['input']), 60)}; it should be {rule}"
    return said + (f" (and {len(more)} more)" if more else "")


def _one_line(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= 1000 else f"{line[:700]} ... {line[-200:]}"
