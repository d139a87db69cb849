"""One thread, as a worker has: sums come out in the same order, and helpers of the library do not get in each other's
way."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
