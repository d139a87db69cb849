"""Tasks of a profile, with their data."""

from collections.abc import Mapping

from results.store.words import MEMORIZATION, ScoreKind
from search.core.errors import SearchError
from search.profiles.fields import Scalar
from search.profiles.sections import MemorizationSection, Profile, TaskSection
from search.training.tying import check_tied
from tasks.errors import TaskError
from tasks.registry import load_task
from tasks.task import Task


def task_names(profile: Profile) -> tuple[str, ...]:
    """Return memorization and the names of the profile's tasks, in the order of loading."""
    return (MEMORIZATION, *profile.tasks)


def section_of(profile: Profile, name: str) -> TaskSection | MemorizationSection:
    """Return the section of a task of the profile, or of memorization."""
    return profile.memorization if name == MEMORIZATION else profile.tasks[name]


def section_like(profile: Profile, name: str) -> TaskSection | MemorizationSection:
    """Return the section of a task of the profile; for another one, a section with the sizes of the first task."""
    if name in task_names(profile):
        return section_of(profile, name)
    first = next(iter(profile.tasks.values()))
    return TaskSection(task=name, parameters=first.parameters, grid=first.grid, schedule=first.schedule)


def path_of(profile: Profile, name: str) -> str:
    """Return the name in the registry, or the import path, of a task of the profile."""
    return _path(section_of(profile, name), name)


def load_task_of(profile: Profile, name: str) -> Task:
    """Build and check a task of the profile, or memorization.

    Raises:
        TaskError: as `tasks.registry.load_task`.
        SearchError: the grid ties embedding and readout, which a model of this task does not have.
    """
    section = section_of(profile, name)
    task = load_section(section, name)
    if profile.grid_of(section).tied:
        try:
            check_tied(task.interface)
        except SearchError as error:
            raise SearchError(f"the grid of task {name!r}: {error}") from error
    return task


def load_section(
    section: TaskSection | MemorizationSection, name: str, options: Mapping[str, Scalar] | None = None
) -> Task:
    """Build and check the task `name` of a section; `options` take precedence over its own. Raises `TaskError`."""
    return load_task(_path(section, name), **section.options | dict(options or {}))


def load_named_task(profile: Profile, name: str, options: Mapping[str, Scalar] | None = None) -> Task:
    """Build and check a task: one of the profile with its options, a registered one, or `package.module:Class`.

    Args:
        profile: source of the options of its own tasks.
        name: name of the task in the profile or the registry, or its import path.
        options: arguments of the task's constructor, on top of the profile's.

    Raises:
        TaskError: there is no such task, its data cannot be read, or it breaks a rule of tasks.
    """
    return load_section(section_like(profile, name), name, options)


def load_tasks(profile: Profile) -> dict[str, Task]:
    """Build and check memorization and every task of the profile.

    Raises:
        TaskError: as `tasks.registry.load_task`, or a task's metric may be negative and the score is a ratio.
    """
    tasks = {name: load_task_of(profile, name) for name in task_names(profile)}
    for name in profile.ranked:
        metric, output = tasks[name].metric, tasks[name].output
        if profile.search.score is ScoreKind.RATIO and output in metric.signed:
            raise TaskError(
                f"task {name!r} is ranked by {metric.name} of real values, which may be negative, so a ratio of two "
                'such numbers says nothing; set score = "gain" in the section [search] of the profile'
            )
    return tasks


def _path(section: TaskSection | MemorizationSection, name: str) -> str:
    return section.task if isinstance(section, TaskSection) and section.task else name
