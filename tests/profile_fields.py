"""Fields of a profile and options of the tasks, in the form in which `docs/profile.md` prints them."""

import inspect
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from search.profiles.sections import Profile
from tasks.registry import TASKS


class Field(NamedTuple):
    """Name, allowed values and default of a field, as the page writes them."""

    name: str
    values: str
    default: str


def profile_fields() -> dict[str, list[Field]]:
    """Return the fields of each section; those of a task and of a schedule are under `tasks.NAME` and `schedule`."""
    schema = TypeAdapter(Profile).json_schema()
    found: dict[str, list[Field]] = {"": []}
    for name, described in schema["properties"].items():
        section = _section(schema, described.get("additionalProperties", described))
        if section is None:
            found[""].append(_field(schema, name, described))
        else:
            found["tasks.NAME" if name == "tasks" else name] = [
                _field(schema, field, values) for field, values in section["properties"].items()
            ]
    schedule = schema["$defs"]["ScheduleSection"]["properties"]
    found["schedule"] = [_field(schema, field, values) for field, values in schedule.items()]
    return found


def task_options() -> dict[str, list[tuple[str, str]]]:
    """Return names and defaults of the parameters of each built-in task."""
    return {
        name: [
            (p.name, "" if p.default is None else "needed" if p.default is p.empty else _written(p.default))
            for p in inspect.signature(task).parameters.values()
        ]
        for name, task in TASKS.items()
    }


def _section(schema: dict[str, Any], described: Any) -> dict[str, Any] | None:
    """The definition that a property refers to, if that is a section."""
    if not isinstance(described, dict) or "$ref" not in described:
        return None
    definition: dict[str, Any] = schema["$defs"][described["$ref"].rpartition("/")[2]]
    return definition if "properties" in definition else None


def _field(schema: dict[str, Any], name: str, described: dict[str, Any]) -> Field:
    default = described.get("default")
    return Field(name, _values(schema, described), "" if default is None else _written(default))


def _values(schema: dict[str, Any], described: dict[str, Any]) -> str:
    if "anyOf" in described:
        return " or ".join(_values(schema, one) for one in described["anyOf"] if one.get("type") != "null")
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2]
        definition = schema["$defs"][name]
        if "enum" in definition:
            return _values(schema, definition)
        return f"table, as {'[grid]' if name == 'GridSection' else 'below'}"
    if "enum" in described or "const" in described:
        return " or ".join(f'"{one}"' for one in described.get("enum", [described.get("const")]))
    kind = described["type"]
    if kind == "array":
        item = _values(schema, described["items"])
        kind, comma, rest = item.partition(",")
        if kind.startswith('"'):
            return f"list of {item}"
        return f"list of {kind}s{comma}{rest}"
    if kind == "object":
        most = described.get("maxProperties")
        return "table" + (f", at most {most:,} entries" if most else "")
    low, above, high = (described.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if high is None:
        return str(kind)
    start = f"above {above:,g} up to" if above is not None else f"{low:,g} to"
    return f"{kind}, {start} {int(high):,}" if 1e6 <= high < 1e15 else f"{kind}, {start} {high:,g}"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}"  # as in TOML
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    return str(value)
