"""A small simulated comparison that the tests share: its plan, its tasks, and the files that it leaves."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from search.compare.comparison import compare
from search.compare.plan import Plan, base_profile, parse_plan
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.workers.executor import Executor, LocalExecutor
from tasks.task import Task
from tests.tiny import TINY

WITHOUT = """
[methods.without]
vocabulary.relu = 0
"""
"""A method that never draws the structure whose cells learn more."""

HEAD = """
profile = "tiny.toml"
seeds = [0, 1, 2]
trainings = 9
confirm = 3
[simulation]
equal = true
planted = 0.15
[methods.with]
"""
TABLES = ("comparison.csv", "methods.csv", "pairs.csv", "incumbents.csv", "comparison.svg", "comparison.md")


def plan_of(folder: Path, text: str = HEAD + WITHOUT) -> Plan:
    """Read a plan whose profile is the tiny one."""
    (folder / "tiny.toml").write_text(TINY)
    return parse_plan(text, "the plan", folder)


@cache
def tiny_tasks(folder: Path) -> Mapping[str, Task]:
    """Load the tasks of the tiny profile once."""
    return load_tasks(base_profile(plan_of(folder)))


def run(folder: Path, plan: Plan, executor: Executor | None = None, resume: bool = False) -> dict[str, bytes]:
    """Run a comparison in this process, and return the files that it leaves."""
    tasks = tiny_tasks(folder.parent)

    def load(profile: Profile) -> Mapping[str, Task]:
        return tasks

    compare(folder, plan, resume=resume, load=load, executor=executor or LocalExecutor(tasks))
    return {name: (folder / name).read_bytes() for name in TABLES}
