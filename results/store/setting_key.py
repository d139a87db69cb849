"""Keys of settings: JSON text that identifies the setting of a trial in a store.

A key lists the fields of a setting in alphabetical order. Its version is that of its newest field. A field that joins
later gets a default: a setting with that default has the key it had before, so old stores stay readable and resumable,
and trial seeds, which are derived from the key, do not change.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.store.errors import ResultsError
from results.store.sanitize import printable
from search.cells.text import quoted

Value = float | int | str | bool


@dataclass(frozen=True)
class KeyField:
    """Field of a setting: name in the key, type, version that introduced it, and its default from then on."""

    name: str
    kind: type[float] | type[int] | type[str] | type[bool]
    since: int = 1
    default: Value | None = None  # None in version 1 alone: its fields are always written


FIELDS = (
    KeyField("scale", float),
    KeyField("learning_rate", float),
    KeyField("max_norm", float),
    KeyField("layers", int),
    KeyField("parameters", int),
    KeyField("optimiser", str, since=2, default="sgd"),
    KeyField("weight_decay", float, since=2, default=0.0),
    KeyField("dropout", float, since=2, default=0.0),
    KeyField("variational", bool, since=2, default=False),
    KeyField("tied", bool, since=2, default=False),
)


class LaterKeyError(ResultsError):
    """A setting key was written by a later version of gatesearch."""


def write_key(values: Mapping[str, Value], fields: Sequence[KeyField] = FIELDS) -> str:
    """Return the key of a setting; equal settings have equal keys.

    `values` has every field by name. Fields of later versions are left out at their defaults.
    """
    written = [field for field in fields if field.since == 1 or values[field.name] != field.default]
    found: dict[str, Value] = {field.name: field.kind(values[field.name]) for field in written}
    version = max(field.since for field in written)
    if version > 1:
        found["version"] = version
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def read_key(key: str, fields: Sequence[KeyField] = FIELDS) -> dict[str, Value]:
    """Return the fields of a key by name, those that it leaves out at their defaults.

    Raises:
        LaterKeyError: the key was written by a later version of gatesearch.
        ResultsError: the key is malformed.
    """
    newest = max(field.since for field in fields)
    try:
        found = json.loads(key)
        version = found.get("version", 1)
        if isinstance(version, int) and version > newest:
            raise LaterKeyError(
                f"setting key {quoted(key)} has version {version}; this gatesearch reads up to {newest}, so update it"
            )
        values = {field.name: found[field.name] if field.since == 1 else found.get(field.name, field.default)
                  for field in fields}  # fmt: skip
        same = write_key(values, fields) == key
    except ResultsError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        raise ResultsError(
            f"invalid setting key {quoted(key)} ({type(error).__name__}): the store is corrupt, restore a backup"
        ) from error
    if not same:
        raise ResultsError(
            f"setting key {quoted(key)} is not in canonical form: the store is corrupt, restore a backup"
        )
    return values


def fields_in(key: str, fields: Sequence[KeyField] = FIELDS) -> dict[str, Any]:
    """Return the fields that a key has, and later ones at their defaults; for tables, which show any store's rows.

    Raises:
        ResultsError: the key is not a JSON object.
    """
    try:
        found = dict(json.loads(key))
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultsError(f"invalid setting key {quoted(key)}: the store is corrupt, restore a backup") from error
    return {field.name: field.default for field in fields if field.since > 1} | found


def setting_words(key: str) -> str:
    """Return the setting of any store's key in words, as in `1 layer, learning rate 0.2, gradient norm at most 2.5`.

    Raises:
        ResultsError: the key is not a JSON object.
    """
    values = fields_in(key)
    standard = {field.name: field.default for field in FIELDS}
    layers = values.pop("layers", None)
    told = [f"{layers} layer{'' if layers == 1 else 's'}"] if layers is not None else []
    for name, value in values.items():
        if name == "version" or (name in standard and value == standard[name]):
            continue
        words = _WORDS.get(name, name.replace("_", " "))
        told.append(words if value is True else f"{words} {_value(value)}")
    return ", ".join(told)


_WORDS = {
    "scale": "initial scale",
    "max_norm": "gradient norm at most",
    "parameters": "parameters at most",
    "tied": "tied embedding and readout",
    "variational": "variational dropout",
}


def _value(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:,}" if isinstance(value, int) and number else f"{value:g}" if number else printable(str(value))
