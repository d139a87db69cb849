"""Training of one cell on one task with the sizes of a profile."""

import math

import pytest

from search.cells.library import LIBRARY
from search.core.errors import SearchError
from search.core.keys import trial_seed
from search.engine.single import Overrides, plan_trial
from search.kernels.optimisers import OptimiserName
from search.profiles.loading import parse_profile
from search.training.schedule import Budget
from search.training.settings import Setting
from search.training.trial import Point, train_trial
from tasks.errors import TaskError
from tasks.xml import Xml
from tests.test_search.small import Chords

PROFILE = parse_profile(
    """
[grid]
scales = [2.0, 0.5, 1.0]
learning_rates = [0.1, 0.3]
max_norms = [5.0]
layers = [1, 2, 3]
[memorization]
accuracy = 0.75
parameters = [9000]
options = { length = 2, validation = 300, test = 300 }
schedule = { epoch_steps = 3, epochs = 2, halvings = 1 }
[tasks.short]
task = "xml"
parameters = [8000, 12000, 10000]
options = { min_letters = 1, max_letters = 2, validation = 400, test = 400 }
schedule = { epoch_steps = 5, epochs = 2, halvings = 1 }
[tasks.xml]
grid = { layers = [1] }
""",
    "test",
)


def test_settings_are_the_middle_values_of_the_grid_and_the_budget_is_the_tasks() -> None:
    trial = plan_trial(PROFILE, "short")
    assert trial.setting == Setting(1.0, 0.3, 5.0, 2, 10_000)
    assert trial.budget == Budget(epoch_steps=5, epochs=2, halvings=1)
    assert isinstance(trial.task, Xml)
    assert trial.task.max_letters == 2


def test_overrides_win_and_options_reach_the_task() -> None:
    trial = plan_trial(PROFILE, "short", Overrides(0.7, 0.2, 1.5, 1, 20_000, 7, 9), {"max_letters": 3})
    assert trial.setting == Setting(0.7, 0.2, 1.5, 1, 20_000)
    assert (trial.budget.epochs, trial.budget.epoch_steps) == (7, 9)
    assert isinstance(trial.task, Xml)
    assert (trial.task.min_letters, trial.task.max_letters) == (1, 3)


def test_another_optimiser_has_its_own_learning_rate_and_weight_decay() -> None:
    assert plan_trial(PROFILE, "short", Overrides(optimiser="adam")).setting == Setting(
        1.0, 0.005, 5.0, 2, 10_000, OptimiserName.ADAM
    )
    given = Overrides(learning_rate=0.002, optimiser="adamw", weight_decay=0.1)
    assert plan_trial(PROFILE, "short", given).setting == Setting(1.0, 0.002, 5.0, 2, 10_000, OptimiserName.ADAMW, 0.1)
    with pytest.raises(SearchError, match=r"^optimiser is 'lion'; it must be one of sgd, adam, adamw$"):
        plan_trial(PROFILE, "short", Overrides(optimiser="lion"))
    with pytest.raises(SearchError, match=r"^weight_decay is 0.1, but the optimiser sgd has no weight decay"):
        plan_trial(PROFILE, "short", Overrides(weight_decay=0.1))


def test_dropout_and_tying_are_given_or_left_out() -> None:
    given = Overrides(dropout=0.2, variational=True, tied=True)
    expected = Setting(1.0, 0.3, 5.0, 2, 10_000, dropout=0.2, variational=True, tied=True)
    assert plan_trial(PROFILE, "short", given).setting == expected
    assert not plan_trial(PROFILE, "short", Overrides(dropout=0.2)).setting.variational
    with pytest.raises(SearchError, match=r"^tied is true, but the model reads values"):
        plan_trial(PROFILE, Chords(), Overrides(tied=True))
    with pytest.raises(SearchError, match=r"^dropout is 1.0; it must be a number from 0 to 0.99$"):
        plan_trial(PROFILE, "short", Overrides(dropout=1.0))
    with pytest.raises(SearchError, match=r"^weight_decay is nan; it must be a number from 0 to 1$"):
        plan_trial(PROFILE, "short", Overrides(weight_decay=math.nan))


def test_memorization_ends_at_its_accuracy() -> None:
    trial = plan_trial(PROFILE, "memorization")
    assert (trial.task.name, trial.budget.target, trial.setting.parameter_budget) == ("memorization", 0.75, 9000)


def test_a_task_that_the_profile_lacks_has_the_sizes_of_its_first() -> None:
    for task in ("arithmetic", Chords()):
        trial = plan_trial(PROFILE, task)
        assert trial.setting == Setting(1.0, 0.3, 5.0, 2, 10_000)
        assert trial.budget == Budget(epoch_steps=5, epochs=2, halvings=1)
    with pytest.raises(TaskError, match="arithmetics"):
        plan_trial(PROFILE, "arithmetics")


def test_a_cell_trains_as_its_trial_with_the_derived_seed() -> None:
    graph, task = LIBRARY["gru"].graph, Xml(min_letters=1, max_letters=2, validation=400, test=400)
    points: list[Point] = []
    trial = plan_trial(PROFILE, "short", Overrides(layers=1, epoch_steps=2))
    result = trial.train(graph, 6, on_epoch=points.append)
    setting, budget = Setting(1.0, 0.3, 5.0, 1, 10_000), Budget(epoch_steps=2, epochs=2, halvings=1)
    expected = train_trial(graph, task, setting, budget, trial_seed(6, graph.id, "xml", setting.key, 0))
    assert result.curve == expected.curve == tuple(points)
    assert len(points) == 2
    assert result.test is not None
    assert (result.test, result.units) == (expected.test, expected.units)


def test_a_task_object_has_the_sizes_of_the_profiles_task_of_its_name() -> None:
    trial = plan_trial(PROFILE, Xml(min_letters=1, max_letters=2))
    assert trial.setting.layers == 1
    assert trial.setting.parameter_budget == 1_000_000  # the default section has 250,000 and 1,000,000


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (Overrides(scale=-1.0), "scale is -1.0"),
        (Overrides(scale=float("nan")), "scale is nan"),
        (Overrides(learning_rate=0.0), "learning_rate is 0.0"),
        (Overrides(max_norm=float("inf")), "max_norm is inf"),
        (Overrides(layers=0), "layers is 0"),
        (Overrides(layers=17), "layers is 17"),
        (Overrides(parameter_budget=10**12), "parameters is 1000000000000"),
        (Overrides(epochs=0), "epochs is 0"),
        (Overrides(epoch_steps=-1), "epoch_steps is -1"),
        (Overrides(optimiser="adamw", weight_decay=1.5), "weight_decay is 1.5"),
    ],
)
def test_values_that_no_profile_may_have_are_refused(overrides: Overrides, named: str) -> None:
    with pytest.raises(SearchError, match=f"^{named}; it must be a "):
        plan_trial(PROFILE, "short", overrides)


def test_a_seed_out_of_range_is_refused() -> None:
    plan = plan_trial(PROFILE, "short")
    with pytest.raises(SearchError, match=r"^seed is -1; it must be a whole number from 0 to "):
        plan.train(LIBRARY["gru"].graph, -1)
