"""The planted optimum: best by a margin, reached by ever better cells, and seen through the noise of trials."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from results.store.store import Store
from results.store.words import TrialState
from search.cells.errors import GraphError
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, STUDY
from search.cells.mutation import Child, Rule, mutate, weakness
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node, Op
from search.core.errors import SearchError
from search.training.optimum import closeness, optimum_ability, optimum_graph
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.simulation import Simulation, draw_trial, simulation_of
from tests.test_search.small import small_task

GRU, LSTM = LIBRARY["gru"].graph, LIBRARY["lstm"].graph
# MUT1 with a product in its reset gate: three mutations from the GRU.
FORMULA = """
g1 = sigmoid(linear(x) * linear(h))
v1 = tanh(linear(h * g1) + tanh(x))
g2 = sigmoid(linear(x))
h' = v1 * g2 + h * (1 - g2)
"""
XML = small_task("xml")
SETTING = Setting(1.0, 0.5, 5.0, 1, 6_000)
BUDGET = Budget(batch=4, unroll=8, epoch_steps=10, epochs=30, chance_epochs=30)


def neighbours(graph: GateGraph) -> Iterator[GateGraph]:
    """Yield the cells that one mutation of an operation makes: another one in its place, or one of its ancestors."""
    for i, node in enumerate(graph.nodes):
        if len(node.inputs) == 2:
            others = [replace(node, op=op) for op in (Op.ADD, Op.SUB, Op.MUL) if op is not node.op]
        elif len(node.inputs) == 1:
            new = [Node(op, node.inputs) for op in (Op.SIGMOID, Op.TANH, Op.RELU, Op.LINEAR)]
            others = [other for other in new if other != node]
        else:
            continue
        changed = [GateGraph((*graph.nodes[:i], other, *graph.nodes[i + 1 :]), graph.outputs) for other in others]
        for j in graph.ancestors(i):
            to = {i: j}
            nodes = tuple(replace(n, inputs=tuple(to.get(k, k) for k in n.inputs)) for n in graph.nodes)
            changed.append(GateGraph(nodes, tuple(to.get(k, k) for k in graph.outputs)))
        for child in changed:
            try:
                found = child.canonical()
            except GraphError:
                continue
            if weakness(found) is None and found.id != graph.id:
                yield found


@pytest.mark.parametrize(("optimum", "steps"), [("mut1", 2), (FORMULA, 3)], ids=["mut1", "own"])
def test_the_best_mutation_of_each_cell_is_better_up_to_the_optimum(optimum: str, steps: int) -> None:
    target = optimum_graph(optimum)
    path = [GRU.canonical()]
    while path[-1].id != target.id:
        path.append(max(neighbours(path[-1]), key=lambda cell: optimum_ability(cell, target)))
        abilities = [optimum_ability(cell, target) for cell in path]
        assert abilities[-1] > abilities[-2], "stuck"
    assert len(path) == 1 + steps
    assert abilities[0] == 0.75
    assert abilities[-1] == 1.0
    assert max(abilities[:-1]) < 0.95


def test_the_optimum_is_the_best_by_a_margin_however_it_is_written() -> None:
    target = optimum_graph("MUT1")
    assert target.id == LIBRARY["mut1"].graph.id
    rng = np.random.default_rng(0)
    cells = [cell.graph.canonical() for cell in STUDY.values()]
    for parent in (target, GRU, LSTM):
        children = [mutate(parent, rng, rule=Rule.ONE_TO_THREE) for _ in range(30)]
        cells += [child.graph for child in children if isinstance(child, Child)]
    abilities = {cell.id: optimum_ability(cell, target) for cell in cells}
    assert abilities.pop(target.id) == 1.0
    assert max(abilities.values()) <= 0.95
    assert min(abilities.values()) >= 0.3
    swapped = parse_formula("g2 = sigmoid(linear(x)); v = tanh(tanh(x) + linear(h * sigmoid(linear(h) + linear(x))));"
                            "h' = h * g2 + v * (1 - g2)")  # fmt: skip
    assert optimum_ability(swapped.canonical(), target) == 1.0


def test_closeness_is_a_share_of_neighbourhoods_counted_by_hand() -> None:
    """h' = tanh(x) and h' = relu(x) share x at radius 0, and nothing beyond: another operation reads it."""
    tanh, relu, both = (
        parse_formula(text).canonical() for text in ("h' = tanh(x)", "h' = relu(x)", "h' = tanh(x) + tanh(x) * x")
    )
    assert closeness(tanh, relu) == pytest.approx(2 * 0.5 / 5)
    assert closeness(tanh, tanh) == 1.0
    # Radius 0: x and tanh of 2 and 4 nodes; tanh and x are read by others there.
    assert closeness(tanh, both) == closeness(both, tanh) == pytest.approx(2 * (2 * 2 / 6) / 5)


def test_a_difference_of_two_cells_is_not_that_of_their_swapped_operands() -> None:
    a, b = (parse_formula(f"h' = {text}").canonical() for text in ("tanh(x) - sigmoid(h)", "sigmoid(h) - tanh(x)"))
    assert closeness(a, b) < 1.0
    c, d = (parse_formula(f"h' = {text}").canonical() for text in ("tanh(x) * sigmoid(h)", "sigmoid(h) * tanh(x)"))
    assert closeness(c, d) == 1.0


def test_trials_show_who_is_better_through_their_noise() -> None:
    simulation = Simulation(optimum="mut1")
    constant = XML.constant_baseline()
    near = parse_formula("g = sigmoid(linear(x)); n = tanh(linear(h * sigmoid(linear(x) + linear(h))) + linear(x));"
                         "h' = n * (1 - g) + h * g").canonical()  # fmt: skip
    assert 0.76 < optimum_ability(near, optimum_graph("mut1")) < 0.95

    def tests(graph: GateGraph) -> list[float]:
        results = [draw_trial(graph, "xml", XML, SETTING, BUDGET, seed, constant, simulation) for seed in range(60)]
        return [result.test for result in results if result.state is TrialState.OK and result.test is not None]

    values = [np.array(tests(graph)) for graph in (LSTM.canonical(), GRU, near, LIBRARY["mut1"].graph)]
    assert all(len(found) >= 55 for found in values)  # they are as stable as each other
    means, deviations = [found.mean() for found in values], [found.std() for found in values]
    assert means == sorted(means)
    assert means[3] - means[1] > 4 * deviations[1]
    assert all(deviation > 0.002 for deviation in deviations)


def test_the_optimum_of_a_run_is_stored_and_read_back(tmp_path: Path) -> None:
    for k, simulation in enumerate((Simulation(optimum=FORMULA), Simulation(0.5, planted=0.1), Simulation())):
        information: dict[str, object] = {"delays": simulation.delays, "equal": False, "planted": simulation.planted}
        if simulation.optimum is not None:
            information["optimum"] = simulation.optimum  # runs of earlier versions have no such key
        with Store.create(
            tmp_path / str(k),
            name="x",
            seed=0,
            profile="",
            strategy="paper",
            window=1,
            information={"simulated": information},
        ) as store:
            assert simulation_of(store) == simulation


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gruu", r"the optimum 'gruu' is neither a named cell nor a formula \(.*did you mean gru"),
        ("h' = nothing(x)", r"the optimum \"h' = nothing\(x\)\" is neither a named cell nor a formula \(line 1: "),
        ("", "the optimum '' is neither"),
    ],
)
def test_an_optimum_that_is_no_cell_is_refused(text: str, words: str) -> None:
    with pytest.raises(SearchError, match=words):
        Simulation(optimum=text)


def test_an_optimum_among_equal_cells_is_refused() -> None:
    with pytest.raises(SearchError, match="an optimum cannot have equal cells"):
        Simulation(equal=True, optimum="mut1")
