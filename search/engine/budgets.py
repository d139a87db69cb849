"""Training budgets of a profile."""

from search.profiles.sections import MEMORIZATION, Profile
from search.training.schedule import Budget


def budgets(profile: Profile) -> dict[str, Budget]:
    """Return the training budget of memorization and each task.

    Only memorization has a target: its trials stop at the accuracy that passes.
    """
    gate = profile.memorization
    found = {MEMORIZATION: gate.schedule.budget(target=gate.accuracy)}
    found.update({name: section.schedule.budget() for name, section in profile.tasks.items()})
    return found
