"""Training budgets of a profile."""

from search.profiles.sections import MemorizationSection, Profile, TaskSection
from search.profiles.tasks import section_of, task_names
from search.training.schedule import Budget


def budgets(profile: Profile) -> dict[str, Budget]:
    """Return the training budget of memorization and each task.

    Only memorization has a target: its trials stop at the accuracy that passes.
    """
    return {name: budget_of(section_of(profile, name)) for name in task_names(profile)}


def budget_of(section: TaskSection | MemorizationSection) -> Budget:
    """Return the training budget of a task's section."""
    return section.schedule.budget(section.accuracy if isinstance(section, MemorizationSection) else None)
