"""A small job, for tests of executors."""

from search.cells.library import LIBRARY
from search.training.schedule import Budget
from search.training.settings import Setting
from search.workers.job import Job
from tests.test_search.small import small_task

XML = small_task("xml")
SETTING = Setting(1.0, 0.5, 5.0, 1, 6_000)
BUDGET = Budget(batch=4, unroll=8, epoch_steps=3, epochs=1)


def make_job(seed: int = 0, task: str = "xml") -> Job:
    """Return a job that trains the GRU for three steps."""
    return Job(LIBRARY["gru"].graph, task, SETTING, BUDGET, seed, 0.1)
