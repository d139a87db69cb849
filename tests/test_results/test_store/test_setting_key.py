"""Keys of settings do not change, in this version and in one with another field."""

import pytest

from results.store.errors import ResultsError
from results.store.setting_key import FIELDS, KeyField, fields_in, read_key, write_key

FIRST = {"scale": 0.3, "learning_rate": 5, "max_norm": 2.5, "layers": 4, "parameters": 1_000_000}
VALUES = FIRST | {field.name: field.default for field in FIELDS if field.default is not None}
KEY = '{"layers":4,"learning_rate":5.0,"max_norm":2.5,"parameters":1000000,"scale":0.3}'
LATEST = max(field.since for field in FIELDS)
LATER = (*FIELDS, KeyField("ordering", str, since=LATEST + 1, default="random"))


def test_a_key_is_text_that_never_changes() -> None:
    assert write_key(VALUES) == KEY
    assert read_key(KEY) == VALUES


def test_a_field_that_joins_later_leaves_the_keys_of_old_stores_as_they_were() -> None:
    assert read_key(KEY, LATER) == VALUES | {"ordering": "random"}
    assert write_key(VALUES | {"ordering": "random"}, LATER) == KEY


def test_the_optimiser_joined_with_version_2() -> None:
    key = write_key(VALUES | {"optimiser": "adamw", "weight_decay": 0.01})
    assert key == (
        '{"layers":4,"learning_rate":5.0,"max_norm":2.5,"optimiser":"adamw","parameters":1000000,"scale":0.3,'
        '"version":2,"weight_decay":0.01}'
    )
    assert read_key(key) == VALUES | {"optimiser": "adamw", "weight_decay": 0.01}


def test_a_later_field_with_another_value_is_in_the_key_with_its_version() -> None:
    key = write_key(VALUES | {"ordering": "sorted"}, LATER)
    assert key == KEY[:-1].replace('"parameters"', '"ordering":"sorted","parameters"') + f',"version":{LATEST + 1}}}'
    assert read_key(key, LATER)["ordering"] == "sorted"
    message = rf"has version {LATEST + 1}; this gatesearch reads up to {LATEST}, so update it"
    with pytest.raises(ResultsError, match=message):
        read_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "", "[]", "{}", '{"scale": 1}', "[" * 10_000, "NaN", KEY + " ", "\udc80", "7",
        KEY.replace("5.0", "5"), KEY[:-1] + ',"version":1}', KEY[:-1] + ',"x":1}', KEY.replace("4", "null", 1),
    ],
)  # fmt: skip
def test_a_malformed_key_is_refused_in_one_line(key: str) -> None:
    with pytest.raises(ResultsError, match="restore a backup") as caught:
        read_key(key)
    assert "\n" not in str(caught.value)


def test_tables_show_the_fields_that_a_key_has() -> None:
    later = {name: value for name, value in VALUES.items() if name not in FIRST}
    assert fields_in('{"scale": 1, "x": 2}', LATER) == {"scale": 1, "x": 2, "ordering": "random"} | later
    for key in ("[1]", "", "7"):
        with pytest.raises(ResultsError, match="restore a backup"):
            fields_in(key)
