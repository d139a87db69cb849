"""Training budgets of a profile, and of its stored trials."""

from dataclasses import replace

from results.store.records import TrialRow
from search.profiles.sections import MemorizationSection, Profile, TaskSection
from search.profiles.tasks import section_of, task_names
from search.training.schedule import Budget


def budgets(profile: Profile) -> dict[str, Budget]:
    """Return the training budget of memorization and each task.

    Only memorization has a target: its trials stop at the accuracy that passes.
    """
    return {name: budget_of(section_of(profile, name)) for name in task_names(profile)}


def stored_budget(profile: Profile, row: TrialRow) -> Budget:
    """Return the budget of a stored trial, whose curve it repeats.

    It has the measurements between epochs that an allocation by rungs asked for; `row` has its curve.
    """
    budget = budgets(profile)[row.task]
    return replace(budget, marks=tuple(step for step, _, _ in row.curve if step % budget.epoch_steps))


def budget_of(section: TaskSection | MemorizationSection) -> Budget:
    """Return the training budget of a task's section."""
    return section.schedule.budget(section.accuracy if isinstance(section, MemorizationSection) else None)
