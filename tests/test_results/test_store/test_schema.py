"""Rows survive a round trip through their tables, and the comments of the tables agree with the rows."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.store.records import LARGEST_INTEGER, CellRow, EvaluationRow, ProposalRow, TrialRow, documentation
from results.store.schema import COLUMNS, SCHEMA, TABLES, R, Row, column_list, decode, encode, insertion
from results.store.words import Origin, ProposalKind, TrialState
from tests.test_results.rows import make_trial

integers = st.integers(-LARGEST_INTEGER - 1, LARGEST_INTEGER)
counts = st.integers(0, LARGEST_INTEGER)
numbers = st.none() | st.floats()
cells = st.builds(
    CellRow,
    id=st.text(),
    formula=st.text(),
    name=st.none() | st.text(),
    parent=st.none() | st.text(),
    mutations=st.lists(st.text()).map(tuple),
    origin=st.text(),
    proposal=st.none() | integers,
    nodes=counts,
    states=counts,
    products=counts,
)
trials = st.builds(
    TrialRow,
    cell=st.text(),
    task=st.text(),
    setting=st.text(),
    repeat=counts,
    seed=counts,
    state=st.sampled_from([state.value for state in TrialState]),
    reason=st.text(),
    metric=st.text(),
    higher_is_better=st.booleans(),
    validation=numbers,
    validation_se=numbers,
    test=numbers,
    test_se=numbers,
    validation_loss=numbers,
    test_loss=numbers,
    best_step=counts,
    steps=counts,
    seconds=st.floats(0, 1e9),
    parameters=counts,
    units=counts,
    curve=st.lists(st.tuples(counts, st.floats(), st.floats())).map(tuple),
    environment=st.none() | st.text(),
    proposal=st.none() | st.integers(-(2**63), 2**63 - 1),
)
evaluations = st.builds(
    EvaluationRow,
    proposal=integers,
    cell=st.text(),
    task=st.text(),
    stage=counts,
    settings=counts,
    best=numbers,
    ratio=numbers,
    threshold=numbers,
    passed=st.booleans(),
)
proposals = st.builds(
    ProposalRow,
    index=integers,
    kind=st.text(),
    cell=st.none() | st.text(),
    parent=st.none() | st.text(),
    outcome=st.text(),
    score=numbers,
    rejections=st.dictionaries(st.text(), counts),
)


def tables() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for statement in SCHEMA:
        connection.execute(statement)
    return connection


def stored(kind: type[R], row: R) -> R:
    connection = tables()
    try:
        connection.execute(insertion(kind), encode(row))
        (values,) = connection.execute(f"SELECT {column_list(kind)} FROM {TABLES[kind]}")
        return decode(kind, COLUMNS[kind], values)
    finally:
        connection.close()


@given(cells)
def test_a_cell_comes_back_as_it_went(row: CellRow) -> None:
    assert stored(CellRow, row) == row


@given(trials)
def test_a_trial_comes_back_as_it_went(row: TrialRow) -> None:
    assert stored(TrialRow, row) == row


@given(evaluations)
def test_an_evaluation_comes_back_as_it_went(row: EvaluationRow) -> None:
    assert stored(EvaluationRow, row) == row


@given(proposals)
def test_a_proposal_comes_back_as_it_went(row: ProposalRow) -> None:
    assert stored(ProposalRow, row) == row


@given(trials)
def test_the_json_in_a_table_is_strict(row: TrialRow) -> None:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    text = encode(row)[COLUMNS[TrialRow].index("curve")]
    points = json.loads(text, parse_constant=refuse)
    assert [point[1] is None for point in points] == [math.isnan(loss) for _, loss, _ in row.curve]


@pytest.mark.parametrize("kind", TABLES)
def test_columns_are_the_fields_in_order(kind: type[Row]) -> None:
    connection = tables()
    try:
        names = tuple(entry[1] for entry in connection.execute(f"PRAGMA table_info({TABLES[kind]})"))
    finally:
        connection.close()
    assert names == COLUMNS[kind]


def test_numpy_s_numbers_are_stored_as_numbers() -> None:
    """SQLite would store an integer of NumPy as a blob of eight bytes."""
    trial = stored(TrialRow, make_trial("a", best_step=np.int64(80), units=np.int32(16), higher_is_better=np.True_))
    assert trial == make_trial("a")
    assert [type(value) for value in (trial.best_step, trial.units, trial.higher_is_better)] == [int, int, bool]
    proposal = ProposalRow(0, "propose", None, None, "failed", None, {"duplicate": 3})
    rejections: dict[str, Any] = {"duplicate": np.int64(3)}
    assert stored(ProposalRow, replace(proposal, rejections=rejections)) == proposal
    with pytest.raises(TypeError):
        encode(make_trial("a", steps=b"bytes"))


STORAGE = {"json", "list", "object", "text"}
"""Words of the schema's comments that say how a value is stored, which a row does not."""

RENAMED = {"counted": "mask"}
"""Words that the schema keeps because `gatesearch verify` compares its text, and what the field calls them now."""


def comments(kind: type[Row]) -> dict[str, str]:
    """Return the comment of each column that has one."""
    (sql,) = (statement for statement in SCHEMA if statement.split()[2] == TABLES[kind])
    return dict(re.findall(r'^ +"?(\w+)"? [A-Z].*?-- (.*)$', sql, re.MULTILINE))


@pytest.mark.parametrize("kind", TABLES)
def test_the_comments_of_the_schema_say_what_the_fields_say(kind: type[Row]) -> None:
    known, found = documentation(kind), comments(kind)
    assert tuple(known) == COLUMNS[kind]
    assert all(known.values())
    assert found
    for name, comment in found.items():
        words = {RENAMED.get(word, word) for word in re.findall(r"[a-z_]{4,}", comment.lower())} - STORAGE
        missing = words - set(re.findall(r"[a-z_]+", known[name].lower()))
        assert not missing, f"{name}: {comment!r} against {known[name]!r}"


def test_the_words_that_the_fields_list_are_those_of_the_enums() -> None:
    later = {TrialState.PAUSED, TrialState.BEHIND}  # of halving; the text of the schema stays that of its version
    assert set(TrialState) - later == set(comments(TrialRow)["state"].split(", "))
    assert set(ProposalKind) - {ProposalKind.PROMOTE, ProposalKind.INITIAL} == set(
        comments(ProposalRow)["kind"].split(", ")
    )
    assert set(Origin) - {Origin.INITIAL} == set(comments(CellRow)["origin"].split(" or "))
    for kind, name, words in (
        (TrialRow, "state", TrialState),
        (ProposalRow, "kind", ProposalKind),
        (CellRow, "origin", Origin),
    ):
        assert all(word in documentation(kind)[name] for word in words)
