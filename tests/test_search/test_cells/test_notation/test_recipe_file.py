"""Recipes as they are published: in logs, lists and objects. A mistake in one leaves the others readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from search.cells.errors import RecipeError
from search.cells.library import LIBRARY
from search.cells.notation.recipe import parse_recipe
from search.cells.notation.recipe_file import RecipeEntry, choose, read_entries

PLAIN = {"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}
"""The first recipe of NAS-Bench-NLP, the plain recurrent network."""

THREE = {
    "node_0": {"op": "linear", "input": ["x", "h_prev_0", "h_prev_1"]},
    "node_1": {"op": "activation_leaky_relu", "input": ["node_0"]},
    "h_new_1": {"op": "elementwise_sum", "input": ["h_prev_1", "node_1", "node_0"]},
    "h_new_0": {"op": "elementwise_prod", "input": ["node_1", "h_new_1", "h_prev_0"]},
}
"""A recipe in the same format with a matrix product of three values, and a sum and a product of three."""


def log(recipe: object, number: object = 1000000) -> dict[str, Any]:
    """Return a log as NAS-Bench-NLP writes it, of two epochs; the loss of a diverged training is the word NaN."""
    return {
        "data": "data/wikitext-2",
        "recepie_id": number,
        "recepies_list_path": "data/models_recepies.json",
        "cuda": True,
        "model": "CustomRNN",
        "nhid": 600,
        "lr": 0.001,
        "recepie": recipe,
        "experiment_id": 999988992,
        "train_losses": [5.75, float("nan")],
        "test_losses": [5.59, float("nan")],
        "status": "loss is nan!",
    }


def only(data: object) -> RecipeEntry:
    return choose(read_entries(json.dumps(data)), None)


def test_a_log_has_its_recipe_in_a_text_or_as_an_object() -> None:
    for recipe in (PLAIN, THREE):
        known = parse_recipe(json.dumps(recipe)).id
        for inner in (json.dumps(recipe), recipe):
            entry = only(log(inner))
            assert (entry.graph().id, entry.number, entry.key) == (known, 1000000, None)
    assert only(log(json.dumps(PLAIN))).graph().id == LIBRARY["tanh"].graph.id


def test_a_number_that_is_none_is_left_out() -> None:
    for number in ("7", None, True, 7.5, [7]):
        assert only(log(json.dumps(PLAIN), number)).number is None
    assert only(PLAIN).number is None


def test_a_recipe_with_a_node_named_as_the_key_of_a_log_is_a_recipe() -> None:
    recipe = {"recepie": PLAIN["f"], "h_new_0": {"op": "activation_tanh", "input": ["recepie"]}}
    assert only(recipe).graph().id == LIBRARY["tanh"].graph.id


def test_a_mistake_in_one_recipe_leaves_the_others_readable() -> None:
    wrong = {"h_new_0": {"op": "softmax", "input": ["x"]}}
    values = [PLAIN, wrong, 5, log("{"), log(json.dumps(wrong)), [PLAIN], log(wrong), None, THREE]
    reasons = [
        None,
        "node 'h_new_0' has the operation 'softmax'; the operations are",
        "a recipe is an object of nodes, not 5",
        "'recepie' of the log: line 1, column 2: invalid JSON",
        "'recepie' of the log: node 'h_new_0' has the operation 'softmax'",
        "a recipe is an object of nodes, not [{'f': {",
        "'recepie' of the log: node 'h_new_0' has the operation 'softmax'",
        "a recipe is an object of nodes, not None",
        None,
    ]
    named = {f"cell {k}": value for k, value in enumerate(values)}
    for data in (values, named):
        entries = read_entries(json.dumps(data))
        assert [entry.key for entry in entries] == list(named if data is named else range(9))
        for entry, reason in zip(entries, reasons, strict=True):
            if reason is None:
                assert entry.graph().states in (1, 2)
                continue
            with pytest.raises(RecipeError) as caught:
                entry.graph()
            assert str(caught.value).startswith(reason)


def test_a_name_twice_concerns_the_recipe_that_has_it() -> None:
    node = '{"op": "linear", "input": ["x", "h_prev_0"]}'
    good, twice = f'{{"h_new_0": {node}}}', f'{{"h_new_0": {node}, "a": {node}, "a": {node}}}'
    entries = read_entries(f"[{good}, {twice}]")
    assert entries[0].graph().states == 1
    with pytest.raises(RecipeError, match="'a' occurs twice; names must be unique"):
        entries[1].graph()
    with pytest.raises(RecipeError, match="'mine' occurs twice"):
        read_entries(f'{{"mine": {good}, "mine": {good}}}')
    for text in (json.dumps(good), good):
        with pytest.raises(RecipeError, match="'recepie' occurs twice"):
            read_entries(f'{{"recepie": {text}, "recepie": {text}}}')[0].graph()


def test_what_has_no_recipe_is_refused() -> None:
    for text, message in {
        "[]": "the list is empty",
        '"text"': "a recipe is an object of nodes, not 'text'",
        '{"a": {"b": 1}}': "node 'a' is {'b': 1}; it must be of the form",
        '{"a": {}}': "node 'a' is {}; it must be of the form",
        '{"recepie": "[]"}': "'recepie' of the log: a recipe is an object of nodes, not []",
        '{"recepie": "' + "[" * 100_000 + '"}': "'recepie' of the log: the JSON is nested too deeply",
        '{"recepie": "' + " " * 300_000 + '"}': "'recepie' of the log: the recipe has 300000 characters",
    }.items():
        with pytest.raises(RecipeError) as caught:
            read_entries(text)[0].graph()
        assert str(caught.value).startswith(message)
