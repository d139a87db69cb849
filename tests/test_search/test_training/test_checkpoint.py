"""Paused trials: marks change nothing, and a trial continues from its checkpoint bit for bit."""

import functools
import io
import itertools
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

import search.training.trial
from results.store.words import TrialState
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.errors import KernelError
from search.kernels.optimisers import OptimiserName
from search.training.checkpoint import Checkpoint
from search.training.clock import TrialClock
from search.training.model import SequenceModel
from search.training.schedule import Budget, RateRule
from search.training.settings import Setting
from search.training.stepper import EagerStepper, NativeStepper, stepper_for
from search.training.trial import Point, TrialResult, train_trial
from tasks.arithmetic import Arithmetic
from tasks.language import Language
from tasks.music import Music
from tasks.task import Batch, Task
from tasks.xml import Xml
from tests.test_search.small import Chords, Turning, small_task
from tests.test_search.test_kernels.hosts import require_host

GRU = LIBRARY["gru"].graph
XML = small_task("xml")
SETTING = Setting(scale=1.0, learning_rate=0.5, max_norm=5.0, layers=1, parameter_budget=3_000)
BUDGET = Budget(batch=4, unroll=16, epoch_steps=6, epochs=3, patience=1, halvings=2, chance_epochs=100, marks=(1, 4, 9))
RUNGS = (1, 4, 6, 9, 12)
"""Before the first epoch has ended, at an epoch's end, and within the second epoch."""


BACKENDS = [pytest.param(True, id="native"), pytest.param(False, id="eager", marks=pytest.mark.exact)]


def same(a: TrialResult, b: TrialResult) -> bool:
    """Return whether two results are equal but for their time and checkpoint."""
    return replace(a, seconds=0.0, checkpoint=None) == replace(b, seconds=0.0, checkpoint=None)


def assert_continues(cell: str, task: Task, setting: Setting = SETTING, rungs: tuple[int, ...] = RUNGS) -> None:
    """Assert that each pause is a prefix, and that the trial goes on from each as if it had not paused."""
    graph = LIBRARY[cell].graph
    constant = task.constant_baseline()
    whole = train_trial(graph, task, setting, BUDGET, 3, chance=constant)
    assert whole.steps == 18, whole.reason
    checkpoint = None
    for until in rungs:
        paused = train_trial(graph, task, setting, BUDGET, 3, chance=constant, until=until, checkpoint=checkpoint)
        assert paused.state is TrialState.PAUSED
        assert paused.steps == paused.best_step == until == paused.curve[-1].step
        assert paused.validation == paused.curve[-1].validation
        assert paused.checkpoint is not None
        assert same(paused, whole.at(until))
        checkpoint = paused.checkpoint
        ended = train_trial(graph, task, setting, BUDGET, 3, chance=constant, checkpoint=checkpoint)
        assert same(ended, whole), (cell, until)
        assert ended.checkpoint is None


# Products in all gates; two states; no product of a state, with a learned vector; norm; a state that is a table.
@pytest.mark.parametrize("cell", ["gru", "lstm", "sru", "gru-layer-norm", "t-lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_trial_continues_from_every_rung_bit_for_bit(cell: str, layers: int) -> None:
    assert_continues(cell, XML, replace(SETTING, layers=layers))


@pytest.mark.parametrize("name", [OptimiserName.ADAM, OptimiserName.ADAMW])
@pytest.mark.parametrize("native", BACKENDS)
def test_a_trial_continues_with_the_moments_and_the_step_count(
    name: OptimiserName, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setattr(search.training.trial, "stepper_for", EagerStepper)
    decay = 0.1 if name is OptimiserName.ADAMW else 0.0
    setting = replace(SETTING, optimiser=name, learning_rate=0.01, weight_decay=decay)
    assert_continues("gru-layer-norm", XML, setting, RUNGS if native else (4, 12))


@pytest.mark.parametrize("variational", [False, True], ids=["step", "variational"])
@pytest.mark.parametrize("native", BACKENDS)
def test_a_trial_continues_with_the_masks_of_its_steps(
    native: bool, variational: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setattr(search.training.trial, "stepper_for", EagerStepper)
    setting = replace(SETTING, layers=2, dropout=0.3, variational=variational, tied=True)
    assert_continues("lstm", XML, setting, RUNGS if native else (4, 12))


@pytest.mark.parametrize("rule", [RateRule.CONSTANT, RateRule.COSINE])
def test_a_trial_continues_at_its_learning_rate(rule: RateRule) -> None:
    budget = replace(BUDGET, patience=3, halvings=4, rule=rule, warmup=6)
    whole = train_trial(GRU, XML, SETTING, budget, 3)
    checkpoint = None
    for until in RUNGS:
        paused = train_trial(GRU, XML, SETTING, budget, 3, until=until, checkpoint=checkpoint)
        assert same(paused, whole.at(until))
        checkpoint = paused.checkpoint
        assert same(train_trial(GRU, XML, SETTING, budget, 3, checkpoint=checkpoint), whole)
    plain = train_trial(GRU, XML, SETTING, replace(budget, rule=RateRule.STUDY, warmup=0), 3, checkpoint=checkpoint)
    assert plain.curve != whole.curve
    assert same(plain, train_trial(GRU, XML, SETTING, replace(budget, rule=RateRule.STUDY, warmup=0), 3))


def test_the_identity_of_a_trial_by_the_studys_rule_is_what_it_was() -> None:
    """A budget's text is part of it."""
    assert repr(Budget()) == (
        "Budget(batch=20, unroll=35, epoch_steps=1000, epochs=100, patience=3, halvings=4, chance_epochs=4, "
        "target=None, marks=(), floor=())"
    )


def test_a_checkpoint_of_before_there_were_moments_is_read() -> None:
    """SGD keeps none, so its archives are as they were."""
    paused = train_trial(GRU, XML, SETTING, BUDGET, 3, until=4)
    assert paused.checkpoint is not None
    assert set(np.load(io.BytesIO(paused.checkpoint))) == {"values", "weights", "best_weights", "states"}
    adam = replace(SETTING, optimiser=OptimiserName.ADAM, learning_rate=0.01)
    paused = train_trial(GRU, XML, adam, BUDGET, 3, until=4)
    assert paused.checkpoint is not None
    moments = np.load(io.BytesIO(paused.checkpoint))["moments"]
    assert moments.shape == (2, paused.parameters)
    assert moments.any(axis=1).all()


TASKS: dict[str, Callable[[], Task]] = {
    "arithmetic": lambda: Arithmetic(digits=1, validation=400, test=400),
    "language": lambda: Language(vocabulary=100, max_evaluation_tokens=600),
    "music": Music,
}


@pytest.mark.parametrize("name", TASKS)
def test_a_trial_continues_on_every_kind_of_task(name: str) -> None:
    setting = replace(SETTING, learning_rate=0.1, parameter_budget=6_000, layers=2)
    assert_continues("rwkv-4", TASKS[name](), setting)


@pytest.mark.parametrize(("cell", "task"), [("lstm", XML), ("sru", Chords())], ids=["lstm", "sru"])
def test_the_eager_backend_continues_too(cell: str, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.training.trial, "stepper_for", EagerStepper)
    assert_continues(cell, task, replace(SETTING, layers=2), rungs=(4, 12))


@pytest.mark.parametrize("task", [XML, Chords()], ids=lambda task: task.name)
def test_marks_change_nothing_but_the_curve(task: Task) -> None:
    """The learning rate falls after an epoch without improvement, so a mark that counted would change the weights."""
    plain = train_trial(GRU, task, SETTING, replace(BUDGET, marks=()), 1)
    told: list[Point] = []
    marked = train_trial(GRU, task, SETTING, replace(BUDGET, marks=(1, 2, 3, 5, 6, 7, 11, 12)), 1, on_epoch=told.append)
    assert [point.step for point in marked.curve] == [1, 2, 3, 5, 6, 7, 11, 12, 18]  # 6 and 12 are measured once
    assert tuple(point for point in marked.curve if point.step % 6 == 0) == plain.curve
    assert same(replace(marked, curve=()), replace(plain, curve=()))
    assert tuple(told) == marked.curve


def test_the_loss_at_a_mark_is_the_mean_of_the_epoch_so_far() -> None:
    """With one epoch up to the mark, the loss there is that of a whole epoch of so many steps."""
    marked = train_trial(GRU, XML, SETTING, replace(BUDGET, marks=(4,)), 1)
    short = train_trial(GRU, XML, SETTING, replace(BUDGET, marks=(), epoch_steps=4), 1)
    assert marked.curve[0] == short.curve[0]


def test_the_best_weights_are_those_of_an_epochs_end_even_if_a_mark_is_better() -> None:
    budget = replace(BUDGET, batch=16, epochs=4, patience=9, halvings=0)
    result = train_trial(GRU, Turning(turn=9), replace(SETTING, learning_rate=1.0), budget, 0)
    values = {point.step: point.validation for point in result.curve}
    assert values[9] > values[6]  # the trial has forgotten at 12 what it knew at the mark
    assert values[6] > values[12]
    assert (result.best_step, result.validation) == (6, values[6])
    # The best weights and those at the pause differ: both must come out of the checkpoint.
    paused = train_trial(GRU, Turning(turn=9), replace(SETTING, learning_rate=1.0), budget, 0, until=12)
    ended = train_trial(
        GRU, Turning(turn=9), replace(SETTING, learning_rate=1.0), budget, 0, checkpoint=paused.checkpoint
    )
    assert same(ended, result)


def test_seconds_add_up_over_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = itertools.count()
    clock = functools.partial(TrialClock, lambda: 0.5 * next(readings), lambda: 0.0)
    monkeypatch.setattr("search.training.trial.TrialClock", clock)
    # Read after 4 batches of training and 2 times 5 of validation, and at the end.
    paused = train_trial(GRU, XML, SETTING, BUDGET, 0, until=4)
    assert paused.seconds == 7.5
    # And after 18 batches of training, 4 of them again, 4 times 5 of validation and 6 of the test, and at the end.
    ended = train_trial(GRU, XML, SETTING, BUDGET, 0, checkpoint=paused.checkpoint)
    assert ended.seconds == 7.5 + 22.5
    assert ended.at(9).seconds == 15.0


@pytest.mark.parametrize("until", [0, -1, 2, 7, 24])
def test_a_trial_pauses_only_where_validation_is_measured(until: int) -> None:
    with pytest.raises(ValueError, match=f"cannot pause at step {until}: .* mark .1, 4, 9. .* epoch of 6 steps, up to"):
        train_trial(GRU, XML, SETTING, BUDGET, 0, until=until)


def test_a_trial_that_ends_at_or_before_the_pause_ends_so() -> None:
    graph = parse_formula("h' = linear(x) + linear(h, identity=1.1)")
    wild = replace(SETTING, learning_rate=1e30, max_norm=1e30)
    diverged = train_trial(graph, XML, wild, BUDGET, 0)
    assert (diverged.state, diverged.steps) == (TrialState.DIVERGED, 1)  # the mark at step 1 shows it
    assert diverged.reason == "the validation loss is not finite at step 1"
    easy = replace(BUDGET, target=0.0)
    reached = train_trial(GRU, XML, SETTING, easy, 0)
    assert (reached.state, reached.steps) == (TrialState.STOPPED, 6)  # a mark reaches no target
    for whole, given in (
        (diverged, (graph, XML, wild, BUDGET)),
        (reached, (GRU, XML, SETTING, replace(BUDGET, target=0.0))),
    ):
        for until in (6, 9, 18):
            assert same(train_trial(*given, 0, until=until), whole)
            assert whole.at(until) is whole
    last = train_trial(GRU, XML, SETTING, BUDGET, 0, until=18)
    assert last.state is TrialState.OK
    assert last.checkpoint is None


def test_a_result_knows_only_where_it_was_measured() -> None:
    whole = train_trial(GRU, XML, SETTING, BUDGET, 0)
    assert whole.at(18) is whole
    assert whole.at(100) is whole
    with pytest.raises(ValueError, match=r"18 steps \(ok\) has no measurement at step 5; .* \[1, 4, 6, 9, 12, 18\]"):
        whole.at(5)
    paused = whole.at(9)
    assert paused.at(9) is paused
    assert paused.at(4) == replace(whole.at(4), seconds=paused.at(4).seconds)
    with pytest.raises(ValueError, match=r"9 steps \(paused\) has no measurement at step 12"):
        paused.at(12)
    without = {field.name for field in fields(TrialResult) if getattr(paused, field.name) is None}
    assert without == {
        *("validation_se", "validation_loss", "test", "test_se", "test_loss"),
        *("environment", "checkpoint"),
    }


@pytest.fixture(scope="module")
def paused() -> TrialResult:
    return train_trial(GRU, XML, SETTING, BUDGET, 0, until=4)


@pytest.fixture(scope="module")
def whole() -> TrialResult:
    return train_trial(GRU, XML, SETTING, BUDGET, 0)


def steps_trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by an entry with every training step."""
    trained: list[int] = []
    train = NativeStepper.train

    def counted(self: NativeStepper, batch: Batch, rate: float, max_norm: float) -> object:
        trained.append(len(trained))
        return train(self, batch, rate, max_norm)

    monkeypatch.setattr(NativeStepper, "train", counted)
    return trained


def test_a_damaged_checkpoint_is_ignored_and_a_whole_one_saves_its_steps(
    paused: TrialResult, whole: TrialResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_host()
    data = paused.checkpoint
    assert data is not None
    trained = steps_trained(monkeypatch)
    assert same(train_trial(GRU, XML, SETTING, BUDGET, 0, checkpoint=data), whole)
    assert len(trained) == 14
    places = np.random.default_rng(0).integers(len(data), size=6)
    flipped = [data[:k] + bytes([data[k] ^ 0xFF]) + data[k + 1 :] for k in map(int, places)]
    for damaged in (b"", b"nonsense", data[:100], data[:-1], *flipped):
        trained.clear()
        assert same(train_trial(GRU, XML, SETTING, BUDGET, 0, checkpoint=damaged), whole)
        assert len(trained) in (14, 18)  # a flipped bit may be one of the archive that nobody reads
    trained.clear()
    train_trial(GRU, XML, SETTING, BUDGET, 0, checkpoint=data[:-1])
    assert len(trained) == 18


def test_no_flipped_byte_of_a_checkpoint_changes_what_is_read(paused: TrialResult) -> None:
    data = paused.checkpoint
    assert data is not None
    identity = identity_in(data)
    known = Checkpoint.from_bytes(data, identity)
    assert known is not None
    for k in range(0, len(data), 61):
        found = Checkpoint.from_bytes(data[:k] + bytes([data[k] ^ 0x10]) + data[k + 1 :], identity)
        if found is not None:
            for field in fields(Checkpoint):
                np.testing.assert_array_equal(getattr(found, field.name), getattr(known, field.name))


def identity_in(data: bytes) -> str:
    """Return the identity that an archive holds."""
    text = bytes(np.load(io.BytesIO(data))["values"]).decode()
    return text.partition('"identity": "')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("cell", "task", "setting", "budget", "seed", "constant"),
    [
        ("gru", XML, SETTING, BUDGET, 1, 0.1),
        ("gru", XML, SETTING, BUDGET, 0, 0.2),
        ("gru", XML, SETTING, replace(BUDGET, patience=2), 0, 0.1),
        ("gru", XML, replace(SETTING, learning_rate=0.4), BUDGET, 0, 0.1),
        ("gru", Xml(min_letters=1, max_letters=2, validation=600, test=950), SETTING, BUDGET, 0, 0.1),
        ("gru-after", XML, SETTING, BUDGET, 0, 0.1),
    ],
    ids=["seed", "constant baseline", "budget", "setting", "data", "cell"],
)
def test_a_checkpoint_of_another_trial_is_ignored(
    cell: str, task: Task, setting: Setting, budget: Budget, seed: int, constant: float
) -> None:
    other = train_trial(GRU, XML, SETTING, BUDGET, 0, chance=0.1, until=4)
    given = LIBRARY[cell].graph, task, setting, budget, seed
    whole = train_trial(*given, chance=constant)
    assert same(train_trial(*given, chance=constant, checkpoint=other.checkpoint), whole)


def test_a_checkpoint_after_the_pause_is_ignored_and_one_at_the_pause_is_returned() -> None:
    late = train_trial(GRU, XML, SETTING, BUDGET, 0, until=9)
    early = train_trial(GRU, XML, SETTING, BUDGET, 0, until=4, checkpoint=late.checkpoint)
    assert same(early, train_trial(GRU, XML, SETTING, BUDGET, 0, until=4))
    again = train_trial(GRU, XML, SETTING, BUDGET, 0, until=9, checkpoint=late.checkpoint)
    assert same(again, late)
    assert again.checkpoint is not None


def test_a_trial_far_behind_is_given_up_and_reports_its_best_epoch() -> None:
    free = train_trial(GRU, XML, SETTING, BUDGET, 0)
    values = {point.step: point.validation for point in free.curve}
    above = max(value for step, value in values.items() if step <= 9) + 1e-6
    behind = train_trial(GRU, XML, SETTING, replace(BUDGET, floor=((5, 0.0), (9, above))), 0)
    assert (behind.state, behind.steps) == (TrialState.BEHIND, 9)
    assert behind.state.is_ranked
    assert behind.reason.startswith(f"the best value so far, {above - 1e-6:.4f}, is worse than {above:.4f}")
    assert (behind.best_step, behind.validation) == (6, values[6])  # the epoch's, not the mark's
    assert behind.curve == free.curve[:4]
    at_six = train_trial(GRU, XML, SETTING, replace(BUDGET, epochs=1, halvings=0, marks=()), 0)
    assert (behind.test, behind.validation_se, behind.others) == (at_six.test, at_six.validation_se, at_six.others)
    continued = replace(BUDGET, floor=((9, above),))
    paused = train_trial(GRU, XML, SETTING, continued, 0, until=6)
    ended = train_trial(GRU, XML, SETTING, continued, 0, checkpoint=paused.checkpoint)
    assert same(ended, train_trial(GRU, XML, SETTING, continued, 0))
    assert ended.state is TrialState.BEHIND


def test_a_trial_behind_before_its_first_epoch_has_ended_reports_that_mark() -> None:
    free = train_trial(GRU, XML, SETTING, BUDGET, 0)
    behind = train_trial(GRU, XML, SETTING, replace(BUDGET, floor=((1, 1.0),)), 0)
    assert (behind.state, behind.steps, behind.best_step) == (TrialState.BEHIND, 1, 1)
    assert behind.validation == free.curve[0].validation
    assert behind.test is not None
    whole = train_trial(GRU, XML, SETTING, replace(BUDGET, epoch_steps=1, epochs=1, halvings=0, marks=()), 0)
    assert (behind.test, behind.validation_loss) == (whole.test, whole.validation_loss)


@pytest.mark.parametrize("kind", [EagerStepper, NativeStepper])
def test_states_are_carried_from_one_stepper_to_another(kind: type) -> None:
    """With 13 units a row of the native states has padding."""
    require_host()
    models = [SequenceModel(LIBRARY["lstm"].graph, 13, 2, XML.interface) for _ in range(2)]
    models[0].initialise(1.0, torch.Generator().manual_seed(0))
    first, second = (EagerStepper(m) if kind is EagerStepper else stepper_for(m) for m in models)
    assert type(first) is type(second) is kind
    stream = XML.training(4, 16, np.random.default_rng(0))
    for _ in range(2):
        first.train(next(stream), 0.1, 1.0)
    states = first.carried()
    assert states.shape == (2, 2, 4, 13)
    assert states.dtype == np.float32
    assert np.unique(states).size == states.size
    models[1].flat.copy_(models[0].flat)
    second.carry(states)
    np.testing.assert_array_equal(second.carried(), states)
    batch = next(stream)
    assert not batch.starts
    assert second.train(batch, 0.1, 1.0) == first.train(batch, 0.1, 1.0)
    np.testing.assert_array_equal(second.carried(), first.carried())
    with pytest.raises(KernelError, match=r"states have shape .1, 2, 4, 13.; the model's have .2, 2, sequences, 13."):
        second.carry(states[:1])


@pytest.mark.parametrize("kind", [EagerStepper, NativeStepper])
def test_sequences_that_ended_are_continued_from_no_stepper(kind: type) -> None:
    """A resumed trial refuses what an uninterrupted one does; zero states would continue another sequence silently."""
    require_host()
    models = [SequenceModel(LIBRARY["lstm"].graph, 13, 2, XML.interface) for _ in range(2)]
    first, second = (EagerStepper(m) if kind is EagerStepper else stepper_for(m) for m in models)
    window = next(XML.training(4, 16, np.random.default_rng(0)))
    first.train(window, 0.1, 1.0)
    states = first.carried()
    first.train(replace(window, starts=True, lengths=np.full(4, 16)), 0.1, 1.0)
    ended = first.carried()
    assert ended.shape == (2, 2, 0, 13)
    second.carry(ended)
    for stepper in (first, second):
        with pytest.raises(KernelError, match="a batch of 4 sequences continues from states of 0"):
            stepper.train(replace(window, starts=False), 0.1, 1.0)
    models[1].flat.copy_(models[0].flat)
    for stepper in (first, second):  # states of sequences that go on are taken again
        stepper.carry(states)
    assert first.train(replace(window, starts=False), 0.1, 1.0) == second.train(replace(window, starts=False), 0.1, 1.0)
    np.testing.assert_array_equal(first.carried(), second.carried())
