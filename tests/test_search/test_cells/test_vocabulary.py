"""Vocabularies of mutation: what is drawn, how often, and that cells with every operation can be mutated."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import binom

from search.cells.draft import Draft
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.mutation import Child, Rule, mutate, propose
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.operations import Node, Op
from search.cells.parameters import layout_of
from search.cells.transformations import APPLY, Transformation
from search.cells.vocabulary import BIASES, FACTORS, GROUPS, STUDY_VOCABULARY, Vocabulary
from search.profiles.loading import load_profile, shipped_profiles
from search.profiles.sections import Profile, VocabularySection
from tests.test_search.test_cells.shapes import MUTANTS
from tests.test_search.test_cells.writings import outputs_of, random_parameters

T = Transformation
WIDE = Vocabulary(leaky_relu=1, softplus=1, norm=0.5, param=2, number=1, groups=1, bias=1)


def test_the_default_is_the_papers_seven_activations_and_three_operations() -> None:
    assert [(node.op, node.identity, weight) for node, weight in STUDY_VOCABULARY.activations] == [
        (Op.SIGMOID, 0.0, 1.0),
        (Op.TANH, 0.0, 1.0),
        (Op.RELU, 0.0, 1.0),
        (Op.LINEAR, 0.0, 1.0),
        (Op.LINEAR, 1.0, 1.0),
        (Op.LINEAR, 0.9, 1.0),
        (Op.LINEAR, 1.1, 1.0),
    ]
    assert STUDY_VOCABULARY.operations == ((Op.MUL, 1.0), (Op.ADD, 1.0), (Op.SUB, 1.0))


def drawn(what: Transformation, formula: str, op: Op, words: Vocabulary, times: int) -> Counter[str]:
    """Return how often each outcome of a transformation on the first node of an operation is drawn."""
    graph = parse_formula(formula).canonical()
    i = next(i for i, node in enumerate(graph) if node.op is op)
    rng = np.random.default_rng(1)
    found: Counter[str] = Counter()
    for _ in range(times):
        draft = Draft(graph, words)
        APPLY[what](draft, i, rng)
        result = draft.graph()
        assert isinstance(result, GateGraph)
        found[format_formula(result)] += 1
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            Vocabulary(relu=0, linear=0, softplus=3, norm=1, param=2),
            {"sigmoid(x)": 1, "softplus(x)": 3, "norm(x)": 1, "param(1) * x": 2},
        ),
        (
            Vocabulary(sigmoid=0, relu=0, linear=0.5, number=4),
            {f"linear(x{start})": 0.5 for start in ("", ", 1.0", ", 0.9", ", 1.1")}
            | {"0.5 * x": 1, "2 * x": 1, "0.1 * x": 1, "-x": 1},
        ),
    ],
)
def test_activations_are_drawn_by_their_weights(words: Vocabulary, expected: dict[str, float]) -> None:
    times = 1500
    found = drawn(T.REPLACE_ACTIVATION, "h' = h + tanh(x)", Op.TANH, words, times)
    ids = {parse_formula(f"h' = h + {text}").id: weight for text, weight in expected.items()}
    counted = Counter({parse_formula(text).id: count for text, count in found.items()})
    assert set(counted) == set(ids)
    for cell, weight in ids.items():
        share = weight / sum(ids.values())
        low, high = (binom.ppf(p, times, share) for p in (1e-6, 1 - 1e-6))
        assert low <= counted[cell] <= high


def test_operations_are_drawn_by_their_weights() -> None:
    formula, times = "h' = x + h * tanh(x)", 2000
    found = drawn(T.REPLACE_ELEMENTWISE, formula, Op.MUL, Vocabulary(add=3, sub=1), times)
    cell = parse_formula("h' = x + h + tanh(x)").id
    sums = sum(count for text, count in found.items() if parse_formula(text).id == cell)
    low, high = (binom.ppf(p, times, 0.75) for p in (1e-6, 1 - 1e-6))
    assert low <= sums <= high
    assert len(found) == 2
    assert len(drawn(T.REPLACE_ELEMENTWISE, formula, Op.MUL, Vocabulary(add=0), 100)) == 1


def test_a_matrix_changes_its_blocks_or_its_bias() -> None:
    graph = parse_formula("h' = h + linear(x, 0.9, groups=2, bias=1)").canonical()
    (i,) = graph.linears
    kept = graph.nodes[i]
    expected = {replace(kept, groups=g) for g in GROUPS if g != 2} | {replace(kept, bias=b) for b in BIASES if b != 1.0}
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(400):
        draft = Draft(graph, WIDE)
        APPLY[T.CHANGE_MATRIX](draft, i, rng)
        seen.add(draft.nodes[i])
    assert seen == expected
    for words, count in ((Vocabulary(groups=1), 2), (Vocabulary(bias=1), 5)):
        draft = Draft(graph, words)
        nodes = set()
        for _ in range(200):
            draft.nodes[i] = kept
            APPLY[T.CHANGE_MATRIX](draft, i, rng)
            nodes.add(draft.nodes[i])
        assert len(nodes) == count


@pytest.mark.parametrize("name", STUDY)
def test_an_inserted_learned_factor_changes_nothing_at_first(name: str) -> None:
    parent = LIBRARY[name].graph
    words = Vocabulary(sigmoid=0, tanh=0, relu=0, linear=0, param=1)
    rng = np.random.default_rng(3)
    seen = 0
    while seen < 5:
        draft = Draft(parent, words)
        inner = [i for i, node in enumerate(parent) if node.inputs]
        APPLY[T.INSERT_ACTIVATION](draft, inner[int(rng.integers(len(inner)))], rng)
        child = draft.graph()
        assert isinstance(child, GateGraph)
        assert layout_of(child).vectors[0].start == 1.0
        order = [i for i, _ in sorted(enumerate(draft_order(draft, child, parent)), key=lambda pair: pair[1])]
        parameters = random_parameters(parent, seen)
        mine = random_parameters(child, seen)
        assert mine.vectors is not None
        moved = replace(
            mine,
            weights=parameters.weights[order],
            biases=parameters.biases[order],
            vectors=torch.ones_like(mine.vectors),
        )
        back = replace(parameters, weights=parameters.weights[order], biases=parameters.biases[order])
        assert moved.weights.shape == back.weights.shape
        torch.testing.assert_close(outputs_of(child, moved), outputs_of(parent, parameters))
        seen += 1


def draft_order(draft: Draft, child: GateGraph, parent: GateGraph) -> list[int]:
    """Return for each matrix of the parent its place among the child's."""
    from graphlib import TopologicalSorter

    live = draft.live()
    order = list(TopologicalSorter({i: draft.nodes[i].inputs for i in sorted(live)}).static_order())
    return [child.linears.index(order.index(i)) for i in parent.linears]


def test_a_weight_of_zero_is_never_drawn() -> None:
    rng = np.random.default_rng(4)
    words = Vocabulary(sigmoid=0, relu=0, linear=0, sub=0, leaky_relu=1)
    for _ in range(MUTANTS):
        parent = list(STUDY.values())[int(rng.integers(len(STUDY)))].graph
        child = mutate(parent, rng, vocabulary=words)
        if isinstance(child, Child):
            details = " ".join(mutation.detail for mutation in child.mutations)
            assert not any(text in details for text in ("becomes sigmoid", "becomes relu", "becomes linear", " sub "))


def test_cells_with_every_operation_are_mutated_to_any_depth() -> None:
    rng = np.random.default_rng(5)
    ops: Counter[Op] = Counter()
    changed: Counter[Transformation] = Counter()
    names = ("lstm", "gru", "lstm-peephole", "min-lstm", "slstm", "gru-layer-norm", "fast-grnn", "unicornn")
    for name in (name for name in names if name in LIBRARY):
        graph = LIBRARY[name].graph
        for depth in range(20):
            child = propose(graph, rng, rule=list(Rule)[depth % 2], max_nodes=48, vocabulary=WIDE).child
            assert child is not None
            assert child.graph.id != graph.id
            graph = child.graph
            assert GateGraph(graph.nodes, graph.outputs).canonical() == graph
            assert parse_formula(format_formula(graph)).id == graph.id
            ops.update(node.op for node in graph)
            changed.update(mutation.transformation for mutation in child.mutations)
            if not layout_of(graph).grouped:
                assert outputs_of(graph, random_parameters(graph, depth)).shape == (4, 2, 4)
    assert set(ops) == set(Op)
    assert set(changed) == set(T) - {T.CROSSOVER}


def test_a_search_with_the_studys_vocabulary_draws_as_one_without() -> None:
    for name in STUDY:
        one, other = (np.random.default_rng(6) for _ in range(2))
        parent = LIBRARY[name].graph
        for _ in range(20):
            assert propose(parent, one).child == propose(parent, other, vocabulary=Vocabulary()).child


def test_the_profiles_section_has_the_vocabularys_weights_and_all_but_discover_have_the_studys() -> None:
    assert [(f.name, f.default) for f in fields(VocabularySection)] == [(f.name, f.default) for f in fields(Vocabulary)]
    assert asdict(VocabularySection(softplus=2.0).words()) == asdict(Vocabulary(softplus=2.0))
    words = {name: load_profile(name).vocabulary.words() for name in shipped_profiles()}
    assert [name for name in words if words[name] != STUDY_VOCABULARY] == ["discover"]
    assert min(asdict(words["discover"]).values()) > 0  # it may draw everything
    assert Profile.__dataclass_fields__["vocabulary"].default_factory() == VocabularySection()


@pytest.mark.parametrize(
    "weights",
    [{"mul": 0.0, "add": 0.0, "sub": 0.0}, {"sigmoid": 0.0, "tanh": 0.0, "relu": 0.0, "linear": 0.0}, {"tanh": -1.0}],
)
def test_a_vocabulary_without_words_is_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=r"give one of each a weight above 0|greater than or equal to 0"):
        VocabularySection(**weights)


def test_a_leaf_of_its_own_is_described() -> None:
    draft = Draft(parse_formula("h' = h + x").canonical(), WIDE)
    assert draft.describe(draft.add(Node(Op.NUMBER, value=FACTORS[0]))) == "0.5"
    assert draft.describe(draft.add(Node(Op.PARAM, start=1.0))) == "param(1)"
    assert draft.describe(draft.add(Node(Op.LINEAR, (0,), identity=0.9, groups=2, bias=None))) == (
        f"linear(0.9, bias=False, groups=2)#{len(draft.nodes) - 1}"
    )
