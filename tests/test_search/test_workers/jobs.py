"""A job whose training takes a moment."""

from search.cells.library import LIBRARY
from search.training.settings import Setting
from search.training.trial import Budget
from search.workers.job import Job
from tests.test_search.small import small_task

XML = small_task("xml")
SETTING = Setting(1.0, 0.5, 5.0, 1, 6_000)
BUDGET = Budget(batch=4, unroll=8, epoch_steps=3, epochs=1)


def make_job(seed: int = 0) -> Job:
    return Job(LIBRARY["gru"].graph, "xml", SETTING, BUDGET, seed, 0.1)
