"""Recipes: graphs compute the published meaning, round trips keep the id, invalid ones are rejected in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from search.cells.errors import RecipeError
from search.cells.files import read_cell
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.mutation import propose
from search.cells.notation.formula import parse_formula
from search.cells.notation.recipe import format_recipe, parse_recipe
from search.cells.operations import Node, Op
from search.kernels.parameters import LayerParameters
from search.kernels.reference import run_reference

Recipe = dict[str, dict[str, Any]]


def node(op: str, *inputs: str) -> dict[str, Any]:
    return {"op": op, "input": list(inputs)}


GRU: Recipe = {
    "r": node("linear", "x", "h_prev_0"),
    "r_act": node("activation_sigm", "r"),
    "z": node("linear", "x", "h_prev_0"),
    "z_act": node("activation_sigm", "z"),
    "rh": node("elementwise_prod", "r_act", "h_prev_0"),
    "n": node("linear", "x", "rh"),
    "n_act": node("activation_tanh", "n"),
    "h_new_0": node("blend", "z_act", "h_prev_0", "n_act"),
}
LSTM: Recipe = {
    "h_new_0": node("elementwise_prod", "o_act", "h_new_1_act"),  # nodes may come in any order
    **{gate: node("linear", "x", "h_prev_0") for gate in "ijfo"},
    "i_act": node("activation_tanh", "i"),
    **{f"{gate}_act": node("activation_sigm", gate) for gate in "jfo"},
    "h_new_1_kept": node("elementwise_prod", "f_act", "h_prev_1"),
    "h_new_1_added": node("elementwise_prod", "i_act", "j_act"),
    "h_new_1": node("elementwise_sum", "h_new_1_kept", "h_new_1_added"),
    "h_new_1_act": node("activation_tanh", "h_new_1"),
}
ODD: dict[str, Recipe] = {
    "sums and products of three": {
        "a": node("linear", "x", "h_prev_0", "h_prev_0"),
        "s": node("elementwise_sum", "a", "x", "h_prev_0"),
        "h_new_0": node("elementwise_prod", "s", "a", "x"),
    },
    "a blend by a state, of equal ends": {
        "a": node("activation_leaky_relu", "x"),
        "h_new_0": node("blend", "h_prev_0", "a", "a"),
    },
    "a blend by one of its ends": {
        "a": node("linear", "x", "h_prev_0"),
        "h_new_0": node("blend", "a", "a", "x"),
    },
    "two blends with one end": {
        "z": node("linear", "x"),
        "a": node("blend", "z", "x", "h_prev_0"),
        "h_new_0": node("blend", "z", "a", "h_prev_0"),
    },
    "a linear that two read, and one of a linear": {
        "a": node("linear", "x", "h_prev_0"),
        "b": node("linear", "a", "h_prev_1", "a"),
        "c": node("elementwise_sum", "a", "b"),
        "h_new_0": node("activation_tanh", "c"),
        "h_new_1": node("linear", "h_new_0"),
    },
    "sums of linears that are no chain": {
        "a": node("linear", "x", "h_prev_0"),
        "b": node("linear", "x", "h_prev_0"),
        "h_new_0": node("elementwise_sum", "a", "b"),
    },
    "dead nodes and states": {
        "a": node("linear", "x", "h_prev_2"),
        "h_new_1": node("activation_tanh", "x"),
        "h_new_2": node("activation_tanh", "a"),
        "h_new_0": node("linear", "x", "h_prev_0"),
    },
    "two states of one value": {
        "n": node("linear", "x", "h_prev_1"),
        "h_new_0": node("activation_sigm", "n"),
        "h_new_1": node("activation_sigm", "n"),
    },
}
RECIPES: dict[str, Recipe] = {"gru": GRU, "lstm": LSTM, **ODD}


def drawn(seed: int, size: int = 12) -> Recipe:
    """Return a random recipe in which each node reads earlier ones."""
    rng = np.random.default_rng(seed)
    states = int(rng.integers(1, 4))
    known = ["x", *(f"h_prev_{k}" for k in range(states))]
    ops = ["linear", "blend", "elementwise_sum", "elementwise_prod"]
    ops += [f"activation_{name}" for name in ("tanh", "sigm", "leaky_relu")]
    recipe: Recipe = {}
    for i in range(size):
        op = str(rng.choice(ops))
        count = 3 if op == "blend" else 1 if op.startswith("activation") else int(rng.integers(1 + (op != "linear"), 4))
        name = f"h_new_{i - size + states}" if i >= size - states else f"node_{i}"
        recipe[name] = node(op, *(str(item) for item in rng.choice(known, count)))
        known.append(name)
    return recipe


def run_by_hand(recipe: Recipe, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """Return outputs (T, B, H) by the published meaning of the operations, with one matrix and bias for all."""
    count = sum(bool(re.fullmatch(r"h_new_\d", name)) for name in recipe)
    states = [torch.zeros_like(x[0]) for _ in range(count)]
    outputs = []
    for now in x:
        values = {"x": now} | {f"h_prev_{k}": state for k, state in enumerate(states)}
        while len(values) < len(recipe) + 1 + count:
            for name, (op, inputs) in ((name, node.values()) for name, node in recipe.items()):
                if name not in values and all(item in values for item in inputs):
                    values[name] = meaning(op, torch.stack([values[item] for item in inputs]), weight, bias)
        states = [values[f"h_new_{k}"] for k in range(count)]
        outputs.append(states[0])
    return torch.stack(outputs)


def meaning(op: str, read: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    match op:
        case "linear":
            return (read @ weight.T + bias).sum(0)
        case "blend":
            return read[0] * read[1] + (1 - read[0]) * read[2]
        case "elementwise_sum":
            return read.sum(0)
        case "elementwise_prod":
            return read.prod(0)
        case "activation_tanh":
            return torch.tanh(read[0])
        case "activation_sigm":
            return torch.sigmoid(read[0])
    assert op == "activation_leaky_relu"
    return torch.where(read[0] > 0, read[0], 0.01 * read[0])


ALL = {**RECIPES, **{f"drawn {seed}": drawn(seed) for seed in range(30)}}


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_computes_what_its_operations_say(name: str) -> None:
    graph = parse_recipe(json.dumps(ALL[name]))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, 5, generator=generator, dtype=torch.float64) * 0.3
    bias = torch.randn(5, generator=generator, dtype=torch.float64) * 0.3
    count = len(graph.linears)
    states = tuple(torch.zeros(3, 5, dtype=torch.float64) for _ in range(graph.states))
    found, _ = run_reference(graph, LayerParameters(weight.expand(count, 5, 5), bias.expand(count, 5)), x, states)
    torch.testing.assert_close(found, run_by_hand(ALL[name], weight, bias, x))


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_recipes_of_named_cells_are_these_cells(name: str) -> None:
    assert parse_recipe(json.dumps(RECIPES[name])).id == LIBRARY[name].graph.id
    # Written again they are the same but for the names, one node for one.
    again = json.loads(format_recipe(LIBRARY[name].graph))
    operations = sorted((item["op"], len(item["input"])) for item in again.values())
    assert operations == sorted((item["op"], len(item["input"])) for item in RECIPES[name].values())


@pytest.mark.parametrize("name", ALL)
def test_what_was_read_is_written_and_read_again_as_the_same_cell(name: str) -> None:
    graph = parse_recipe(json.dumps(ALL[name]))
    if has_lone_number(graph.canonical()):
        with pytest.raises(RecipeError, match=r"it has the number 0(\.5)?, and recipes have only x and the states"):
            format_recipe(graph)
        return
    again = parse_recipe(format_recipe(graph))
    assert again.id == graph.id
    assert format_recipe(again) == format_recipe(graph)


def has_lone_number(graph: GateGraph) -> bool:
    """Return whether a number is used otherwise than as a factor, which can be written as a sum."""
    numbers = {i for i, item in enumerate(graph) if item.op is Op.NUMBER}
    read = {i for item in graph if item.op is not Op.MUL for i in item.inputs}
    return bool(numbers & (read | set(graph.outputs)))


def test_sums_that_the_canonical_form_has_no_blends_of_are_written() -> None:
    cells = {
        "g = sigmoid(linear(x)); h' = tanh(g + h - g * h + g * x)": ("blend", "elementwise_sum"),
        "h' = tanh(x - x * h + h * h + 2 * x)": ("blend",),
        "g = sigmoid(linear(h)); r = sigmoid(linear(x)); h' = g * r * x + h - g * r * h": ("blend", "elementwise_prod"),
        "g = sigmoid(linear(h)); h' = tanh(3 * (g * x))": ("elementwise_sum",),
        "g = sigmoid(linear(h)); r = sigmoid(linear(x)); h' = g * x + h - g * h + r * h + x - r * x": ("blend",),
    }
    for text, operations in cells.items():
        graph = parse_formula(text.replace("; ", "\n"))
        recipe = json.loads(format_recipe(graph))
        assert set(operations) <= {item["op"] for item in recipe.values()}
        assert parse_recipe(json.dumps(recipe)).id == graph.id


def test_mutants_are_written_or_refused_for_a_reason() -> None:
    written = 0
    for k in range(300):
        rng = np.random.default_rng(k)
        graph = list(STUDY.values())[k % len(STUDY)].graph
        for _ in range(rng.integers(1, 5)):
            child = propose(graph, rng).child
            graph = graph if child is None else child.graph
        try:
            text = format_recipe(graph)
        except RecipeError:
            assert needs_more_than_a_recipe(graph)
            continue
        written += 1
        assert parse_recipe(text).id == graph.id
    assert written > 30


def needs_more_than_a_recipe(graph: GateGraph) -> bool:
    ops = {item.op for item in graph}
    values = any(item != Node(Op.LINEAR, item.inputs) for item in graph if item.op is Op.LINEAR)
    leaves = any(not graph.nodes[i].inputs for i in graph.outputs)
    return (
        bool(ops & {Op.RELU, Op.SUB, Op.SOFTPLUS, Op.NORM, Op.PARAM, Op.NUMBER})
        or values
        or leaves
        or len(set(graph.outputs)) < graph.states
    )


START = "a linear starts from other values than random ones, and recipes have only those"


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("h' = relu(linear(x) + h)", "it has relu, and recipes have only tanh, sigm and leaky_relu"),
        ("h' = x - linear(h)", "it has a difference outside z * a + (1 - z) * b, and"),
        ("h' = tanh(linear(x, bias=1) + h)", START),
        ("h' = tanh(linear(x, bias=chrono(30)) + h)", START),
        ("h' = tanh(linear(x) + linear(h, bias=uniform(0, 1)))", START),
        ("h' = tanh(linear(x, 0.9) + h)", START),
        ("h' = tanh(linear(x) + linear(h, random=0))", START),
        ("h' = tanh(linear(x) + linear(h, random=orthogonal))", START),
        (
            "h' = tanh(linear(x, bias=False) + linear(h))",
            "a linear has no bias, and recipes have only linears with one",
        ),
        ("h' = tanh(linear(x, groups=2) + linear(h))", "a linear has a matrix of blocks, and recipes have only full"),
        ("h' = softplus(linear(x) + h)", "it has softplus, and recipes have only tanh, sigm and leaky_relu"),
        ("h' = tanh(norm(linear(x) + h))", "it has norm, and recipes have only tanh, sigm and leaky_relu"),
        ("h' = tanh(linear(x) + param(0) * h)", "it has a learned vector, and recipes have only x and the states"),
        ("h' = tanh(linear(x) + 0.5 * h)", "it has the number 0.5, and recipes have only x and the states"),
        ("h' = tanh(linear(x)) + 1; c' = param(1)", "it has "),
        ("c' = param(1); h' = tanh(linear(x)) + c", "it has a learned vector, and"),
        ("c' = h; h' = tanh(linear(c) + x)", "the new value of state 1 is a state or the input, and"),
        ("n = linear(x + c); h' = n; c' = n", "one matrix computes two states, and"),
    ],
)
def test_what_a_recipe_has_no_words_for_is_refused(formula: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(f"the cell cannot be written as a recipe: {reason}")):
        format_recipe(parse_formula(formula))


def with_node(name: str, value: Any) -> str:
    return json.dumps({"h_new_0": node("linear", "x", "h_prev_0"), name: value})


BAD = {
    "no JSON": ('{"h_new_0": ', "line 1, column 13: invalid JSON (Expecting value)"),
    "a list": (json.dumps([GRU, LSTM]), "this is a list of 2, not one recipe; name one of them as in 'FILE#0'"),
    "a number": ("3", "a recipe is an object of nodes, not 3"),
    "a number of many digits": ("1" * 5000, "the JSON cannot be read (Exceeds the limit"),
    "nothing": ("{}", "there is no node h_new_0; every cell"),
    "depth": ("[" * 100_000, "the JSON is nested too deeply"),
    "size": ("{" + " " * 262_143 + "}", "the recipe has 262145 characters; at most 262144 are allowed"),
    "a name twice": ('{"a": 1, "a": 2}', "'a' occurs twice; names must be unique"),
    "a key twice": ('{"h_new_0": {"op": "linear", "op": "blend"}}', "'op' occurs twice"),
    "x given": (with_node("x", node("linear", "x")), "node 'x' is defined, but x and h_prev_0, h_prev_1, ... are"),
    "an old state given": (with_node("h_prev_0", node("linear", "x")), "node 'h_prev_0' is defined, but x and"),
    "a node that is a number": (with_node("a", 1), "node 'a' is 1; it must be of the form {\"op\": ..., "),
    "another key": (with_node("a", {**node("linear", "x"), "eval": 1}), "node 'a' is {'op': 'linear', "),
    "an unknown operation": (
        with_node("a", node("softmax", "x")),
        "node 'a' has the operation 'softmax'; the operations are",
    ),
    "an operation that is a list": (with_node("a", {"op": [], "input": []}), "node 'a' has the operation []; the"),
    "an input that is a name": (
        with_node("a", {"op": "linear", "input": "x"}),
        "node 'a' has the input 'x'; it must be",
    ),
    "an input of numbers": (with_node("a", {"op": "linear", "input": [1]}), "node 'a' has the input [1]; it must be a"),
    "a blend of two": (with_node("a", node("blend", "x", "x")), "node 'a': number of inputs is 2; blend takes 3"),
    "a sum of one": (
        with_node("a", node("elementwise_sum", "x")),
        "node 'a': number of inputs is 1; elementwise_sum takes at least",
    ),
    "tanh of two": (
        with_node("a", node("activation_tanh", "x", "x")),
        "node 'a': number of inputs is 2; activation_tanh takes 1",
    ),
    "linear of nothing": (with_node("a", node("linear")), "node 'a': number of inputs is 0; linear takes at least 1"),
    "an unknown name": (
        with_node("a", node("linear", "b\n\ud800")),
        r"node 'a' reads 'b\n\ud800', which is neither a node",
    ),
    "a state that nothing computes": (
        with_node("a", node("linear", "h_prev_1")),
        "node 'a' reads h_prev_1, but nothing computes h_new_1; add it, or read another",
    ),
    "a gap in the states": (with_node("h_new_2", node("linear", "x")), "there is h_new_2 but no h_new_1; states are"),
    "a huge state": (with_node("h_new_999999", node("linear", "x")), "there is h_new_999999 but no h_new_1"),
    "nine states": (
        json.dumps({f"h_new_{k}": node("linear", "x") for k in range(9)}),
        "the recipe has 9 states; at most 8",
    ),
    "a circle": (
        json.dumps({"h_new_0": node("linear", "a"), "a": node("linear", "b"), "b": node("linear", "a")}),
        "nodes form a cycle: ",
    ),
    "a node of itself": (
        json.dumps({"h_new_0": node("linear", "h_new_0")}),
        "nodes form a cycle: 'h_new_0' ->",
    ),
    "a sum that explodes": (
        with_node("a", node("elementwise_sum", *["x"] * 300)),
        "the recipe makes more than 256 nodes",
    ),
    "a long name": (with_node("a" * 999, 1), f"node '{'a' * 56}... is 1; it must be"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe_is_one_line_with_the_node_and_the_rule(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    path = tmp_path / "bad.json"
    path.write_text(text, "utf-8")
    with pytest.raises(RecipeError) as caught:
        read_cell(path)
    found = str(caught.value)
    assert found.startswith(f"{path}: {message}")
    assert len(found.splitlines()) == 1
    assert len(found) < 400 + len(str(path))
