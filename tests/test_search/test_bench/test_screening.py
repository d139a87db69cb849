"""Screening: memorization of a real search, without the other tasks."""

from dataclasses import replace

from search.bench.screening import screen
from search.profiles.loading import load_profile
from search.profiles.sections import MemorizationSection, Profile
from search.profiles.training_sections import GridSection, ScheduleSection


def gate(accuracy: float) -> Profile:
    section = MemorizationSection(
        accuracy=accuracy,
        settings=2,
        parameters=(5_000,),
        options={"length": 2, "validation": 200, "test": 200},
        grid=GridSection((1.0, 2.0), (0.3, 0.5), (2.5,), (1,)),
        schedule=ScheduleSection(epoch_steps=5, epochs=2, halvings=1, chance_epochs=2),
    )
    return replace(load_profile("overnight"), memorization=section)


def test_every_candidate_gets_a_verdict_and_failing_ones_get_every_setting() -> None:
    found = screen(gate(accuracy=1.0), candidates=6, seed=1)
    assert found.passed == 0
    assert sum(found.endings.values()) == 12  # two settings each
    assert 12 * 5 <= found.steps <= 12 * 10
    assert 0 < found.trial_seconds <= found.seconds
    assert found.per_core_hour == 6 * 3600 / found.seconds


def test_a_candidate_that_passes_is_done_with_its_first_setting() -> None:
    found = screen(gate(accuracy=0.0), candidates=6, seed=1)
    assert found.passed == 6
    assert found.endings == {"stopped": 6}
    assert found.steps == 6 * 5
