"""Simulated trials: a function of their inputs, of a real trial's form, with something to find in them."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from results.store.words import TrialState
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY, SEEDS, STUDY
from search.cells.mutation import Child, Rule, mutate
from search.cells.notation.formula import parse_formula
from search.cells.operations import Node
from search.profiles.loading import load_profile
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.simulation import MARK, Simulation, ability, draw_trial, has_planted, simulated_seconds
from search.training.trial import TrialResult, train_trial
from search.workers.job import Job, run_job
from tasks.task import Task
from tests.test_search.small import Chords, small_task

GRU = LIBRARY["gru"].graph
SETTING = Setting(1.0, 0.5, 5.0, 1, 6_000)
BUDGET = Budget(batch=4, unroll=8, epoch_steps=10, epochs=6, halvings=2, chance_epochs=2)
TASKS: dict[str, Task] = {"xml": small_task("xml"), "chords": Chords()}


def drawn(
    graph: GateGraph = GRU, task: str = "xml", setting: Setting = SETTING, budget: Budget = BUDGET, seed: int = 0
) -> TrialResult:
    data = TASKS[task]
    return draw_trial(graph, task, data, setting, budget, seed, data.constant_baseline())


def children(count: int, rule: Rule = Rule.ONE_TO_THREE) -> list[GateGraph]:
    """Children of LSTM and GRU."""
    rng = np.random.default_rng(0)
    found: list[GateGraph] = []
    while len(found) < count:
        child = mutate(LIBRARY[SEEDS[len(found) % 2]].graph, rng, rule=rule)
        if isinstance(child, Child):
            found.append(child.graph)
    return found


def test_an_outcome_is_a_function_of_cell_task_setting_budget_and_seed_and_of_each_of_them() -> None:
    base = drawn()
    assert drawn() == base
    assert drawn(graph=GateGraph(GRU.nodes, GRU.outputs)) == base
    others = [
        drawn(graph=LIBRARY["lstm"].graph),
        drawn(task="chords"),
        drawn(setting=replace(SETTING, learning_rate=0.2)),
        drawn(budget=replace(BUDGET, epochs=5)),
        drawn(seed=1),
    ]
    assert len({result.validation for result in [base, *others]}) == 6


def test_a_cell_is_worth_the_same_however_its_nodes_are_numbered() -> None:
    for graph in children(10):
        # Inputs of what may be swapped are swapped, and a node that nothing reads stands in front.
        moved = [Node(n.op, tuple(j + 1 for j in n.inputs[::-1]), n.state, n.identity, n.bias) for n in graph.nodes]
        swapped = [
            node if str(node.op) in ("add", "mul") else replace(node, inputs=node.inputs[::-1]) for node in moved
        ]
        leaf = next(node for node in graph.nodes if not node.inputs)
        first = graph.nodes.index(leaf)
        order = [swapped[first], *swapped]
        fixed = [replace(node, inputs=tuple(0 if j == first + 1 else j for j in node.inputs)) for node in order]
        del fixed[first + 1]
        nodes = tuple(replace(node, inputs=tuple(j if j <= first else j - 1 for j in node.inputs)) for node in fixed)
        outputs = tuple(0 if j == first else j + 1 if j < first else j for j in graph.outputs)
        same = GateGraph(nodes, outputs)
        assert same != graph or first == 0
        assert same.id == graph.id
        assert ability(same, "xml") == pytest.approx(ability(graph, "xml"), abs=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_an_outcome_has_a_real_trials_form(task: str) -> None:
    data = TASKS[task]
    setting = replace(SETTING, learning_rate=0.01)
    real = train_trial(GRU, data, setting, BUDGET, 0)
    simulated = drawn(task=task, setting=setting)
    assert simulated.state is TrialState.OK
    for field in fields(TrialResult):
        assert type(getattr(simulated, field.name)) is type(getattr(real, field.name)), field.name
    assert (simulated.parameters, simulated.units) == (real.parameters, real.units)
    assert [point.step for point in simulated.curve] == list(range(10, simulated.steps + 1, 10))
    values = [point.validation for point in simulated.curve]
    best = max(values) if data.metric.higher_is_better else min(values)
    assert simulated.validation == best == values[simulated.best_step // 10 - 1]
    assert simulated.reason == MARK + "the schedule ran out"
    constant_baseline = data.constant_baseline()
    gain = best - constant_baseline if data.metric.higher_is_better else constant_baseline - best
    assert simulated.validation_se is not None
    assert gain > 3 * simulated.validation_se


def test_a_budget_that_is_too_small_fails_as_a_real_trial_does() -> None:
    setting = replace(SETTING, parameter_budget=50)
    real = train_trial(GRU, TASKS["xml"], setting, BUDGET, 0)
    assert drawn(setting=setting) == replace(real, reason=MARK + real.reason)


RUNGS = replace(BUDGET, marks=(2, 7, 10, 20, 33), epochs=8, chance_epochs=3)


@pytest.mark.parametrize("task", TASKS)
def test_a_paused_trial_is_the_prefix_of_the_whole_one_and_marks_change_nothing(task: str) -> None:
    data = TASKS[task]
    constant = data.constant_baseline()
    states = set()
    for seed, graph in enumerate(children(40, Rule.EACH_NODE)):
        setting = replace(SETTING, learning_rate=0.5 if seed % 4 else 1e-4)

        def draw(budget: Budget, until: int | None = None) -> TrialResult:
            return draw_trial(graph, task, data, setting, budget, seed, constant, None, until)  # noqa: B023

        whole, plain = draw(RUNGS), draw(replace(RUNGS, marks=()))
        states.add(whole.state)
        assert tuple(point for point in whole.curve if point.step % 10 == 0) == plain.curve
        assert replace(whole, curve=()) == replace(plain, curve=())
        for until in (2, 7, 10, 20, 33, 80):
            paused = draw(RUNGS, until)
            expected = whole.at(until)
            assert replace(paused, seconds=0.0) == replace(expected, seconds=0.0)
            assert paused.seconds == pytest.approx(expected.seconds)
            if whole.steps > until:
                assert (paused.state, paused.steps) == (TrialState.PAUSED, until)
                assert paused.reason == f"{MARK}paused at step {until}"
            # The noise of a mark does not depend on the other marks.
            assert draw(replace(RUNGS, marks=(until,))).at(until).validation == expected.validation
    assert states >= {TrialState.OK, TrialState.DIVERGED, TrialState.AT_CHANCE}


def test_a_simulated_trial_is_given_up_below_its_floor() -> None:
    whole = drawn(budget=RUNGS)
    value = whole.at(7).validation
    assert value is not None
    behind = drawn(budget=replace(RUNGS, floor=((5, value + 1e-6),)))
    assert (behind.state, behind.steps, behind.best_step) == (TrialState.BEHIND, 7, 7)
    assert behind.validation == value
    assert behind.test is not None
    assert drawn(budget=replace(RUNGS, floor=((5, value),))) == whole


def test_a_simulated_trial_pauses_where_a_real_one_does() -> None:
    with pytest.raises(ValueError, match="cannot pause at step 5"):
        draw_trial(GRU, "xml", TASKS["xml"], SETTING, RUNGS, 0, 0.1, None, 5)


def test_a_checkpoint_saves_the_time_of_its_steps() -> None:
    waited: list[float] = []

    class Watched(Simulation):
        def wait(self, seconds: float, on_batch: Callable[[], None] | None = None) -> None:
            waited.append(seconds)

    job = Job(GRU, "xml", SETTING, RUNGS, 0, TASKS["xml"].constant_baseline(), Watched())
    first = run_job(replace(job, until=20), TASKS["xml"])
    second = run_job(replace(job, until=33, checkpoint=first.checkpoint), TASKS["xml"])
    third = run_job(replace(job, checkpoint=b"simulated seconds none"), TASKS["xml"])
    assert waited == pytest.approx([first.seconds, second.seconds - first.seconds, third.seconds])
    assert waited[1] / waited[0] == pytest.approx(13 / 20)
    assert simulated_seconds(b"simulated seconds nan") == simulated_seconds(b"simulated seconds -1") == 0.0
    assert third.checkpoint is None


def test_a_target_ends_a_trial_and_nothing_counts_of_one_that_diverged() -> None:
    budget = replace(BUDGET, epochs=30, target=0.3)
    states: dict[TrialState, list[TrialResult]] = {}
    for graph in children(60, Rule.EACH_NODE):
        result = drawn(graph, budget=budget)
        states.setdefault(result.state, []).append(result)
    assert set(states) >= {TrialState.STOPPED, TrialState.DIVERGED, TrialState.AT_CHANCE}
    for result in states[TrialState.STOPPED]:
        assert [point.validation >= 0.3 for point in result.curve] == [False] * (len(result.curve) - 1) + [True]
        assert result.validation == result.curve[-1].validation
    for result in states[TrialState.DIVERGED]:
        assert result.validation is None
        assert result.best_step == 0
        assert result.steps >= 10 * len(result.curve) + 1
    for result in states[TrialState.AT_CHANCE]:
        assert result.steps == 20


def test_most_mutants_cannot_memorize_and_the_seeds_can() -> None:
    gate = load_profile("overnight").memorization
    task, budget = small_task("memorization"), gate.schedule.budget(target=gate.accuracy)
    setting = Setting(1.4, 0.5, 2.5, 1, 25_000)

    def states(graphs: list[GateGraph]) -> Counter[TrialState]:
        constant_baseline = task.constant_baseline()
        trials = [
            draw_trial(graph, "memorization", task, setting, budget, seed, constant_baseline)
            for seed, graph in enumerate(graphs)
        ]
        return Counter(trial.state for trial in trials)

    far = states(children(200, Rule.EACH_NODE))
    assert 4 <= far[TrialState.STOPPED] <= 50  # the study: 10 %
    assert all(far[state] >= 20 for state in (TrialState.OK, TrialState.AT_CHANCE, TrialState.DIVERGED))
    near = states(children(200, Rule.ONE_TO_THREE))
    assert near[TrialState.STOPPED] > 2 * far[TrialState.STOPPED]
    assert states([LIBRARY[name].graph for name in SEEDS] * 50)[TrialState.STOPPED] >= 80


def test_children_are_like_their_parents_and_some_are_better() -> None:
    rng = np.random.default_rng(1)
    parents = children(150)
    pairs = []
    for parent in parents:
        child = mutate(parent, rng, rule=Rule.ONE_TO_THREE)
        if isinstance(child, Child):
            pairs.append((ability(parent, "xml"), ability(child.graph, "xml")))
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.3
    assert sum(child > parent for parent, child in pairs) >= 10
    assert np.mean([ability(graph, "xml") for graph in parents]) < ability(GRU, "xml")


def test_seconds_are_simulated_and_pass_only_with_delays() -> None:
    expected = 60 * (0.6e-3 + 0.3e-3 + 9e-11 * 4 * 8 * drawn().parameters)
    assert drawn().steps == 60
    assert drawn().seconds == pytest.approx(expected)
    waited: list[float] = []

    class Watched(Simulation):
        def wait(self, seconds: float, on_batch: Callable[[], None] | None = None) -> None:
            waited.append(seconds)

    data, constant_baseline = TASKS["xml"], TASKS["xml"].constant_baseline()
    slow = Watched(delays=2.0).trial(GRU, "xml", data, SETTING, BUDGET, 0, constant_baseline)
    assert slow == drawn()
    assert waited == [slow.seconds]


def test_a_delay_is_slept_in_parts_with_a_sign_of_life_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    now, naps, signs = [100.0], list[float](), list[float]()

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    Simulation(delays=0.5).wait(5.0, lambda: signs.append(now[0]))
    assert naps == [1.0, 1.0, 0.5]
    assert signs == [101.0, 102.0, 102.5]
    Simulation(delays=0.0).wait(5.0)
    assert len(naps) == 3


def test_a_job_with_a_simulation_is_drawn() -> None:
    constant_baseline = TASKS["xml"].constant_baseline()
    result = run_job(Job(GRU, "xml", SETTING, BUDGET, 3, constant_baseline, Simulation()), TASKS["xml"])
    assert replace(result, environment=None) == drawn(seed=3)


def test_equal_cells_differ_by_luck_alone_whatever_their_settings() -> None:
    """Over many seeds, the means of unlike cells at unlike settings agree within their errors."""
    equal = Simulation(equal=True)
    cells = {name: LIBRARY[name].graph for name in ("gru", "tanh", "lstm-f")}
    rates = {"gru": 0.1, "tanh": 0.5, "lstm-f": 2.0}
    constant = TASKS["xml"].constant_baseline()
    tests = {
        name: np.array(
            [
                draw_trial(
                    graph,
                    "xml",
                    TASKS["xml"],
                    replace(SETTING, learning_rate=rates[name]),
                    BUDGET,
                    seed,
                    constant,
                    equal,
                ).test
                for seed in range(400)
            ],
            np.float64,
        )
        for name, graph in cells.items()
    }
    for name in ("tanh", "lstm-f"):
        whole = ~np.isnan(tests[name] + tests["gru"])  # about one trial in 1,000 diverges
        assert whole.sum() >= 390
        differences = (tests[name] - tests["gru"])[whole]
        assert abs(differences.mean()) < 3 * differences.std(ddof=1) / np.sqrt(differences.size)
        assert differences.std() > 0  # not paired in everything
        assert 0.2 < np.corrcoef(tests[name][whole], tests["gru"][whole])[0, 1] < 0.8  # but in the data that they share


def test_planted_cells_learn_more_by_the_planted_amount() -> None:
    relu = parse_formula("h' = relu(linear(x) + linear(h))").canonical()
    assert has_planted(relu)
    assert not any(has_planted(cell.graph) for cell in STUDY.values())
    long = replace(BUDGET, epochs=100)
    constant = TASKS["xml"].constant_baseline()
    means = {}
    for planted in (0.0, 0.08):
        simulation = Simulation(equal=True, planted=planted)
        tests = [
            draw_trial(relu, "xml", TASKS["xml"], SETTING, long, seed, constant, simulation).test for seed in range(50)
        ]
        means[planted] = np.nanmean(np.array(tests, np.float64))
    assert means[0.08] - means[0.0] == pytest.approx(0.08 * (1.0 - constant), rel=0.1)
