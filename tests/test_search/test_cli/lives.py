"""A search that is killed over and over, each time at a moment drawn at random, and resumed.

    python -m tests.test_search.test_cli.lives SEED MOMENTS NAME PROFILE

A program of its own, so that its children, which are forked, find everything imported and have but one thread. Prints
how often the search was killed. Run it by hand with other seeds and more moments to look for trouble.
"""

import importlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from results.store.runs import run_folder
from results.store.store import FILE, Store
from search.cli.main import run

POLL_SECONDS = 0.002


def start(*arguments: str) -> int:
    """A process that runs a command line; returns its id."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os._exit(run(("search", *arguments, "--workers", "0")))


def trials(folder: Path) -> int:
    """How many trials a run has stored."""
    try:
        with Store.open(folder, readonly=True) as store:
            return int(store.select("SELECT count(*) FROM trials")[0][0])
    except ValueError:
        return 0  # it is being made


def killed_at(moment: float, seconds_a_trial: float, child: int, folder: Path) -> bool:
    """Kill the child once it has stored so many trials, and the fraction of one more; false if it ended before."""
    while trials(folder) < int(moment):
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(POLL_SECONDS)
    time.sleep(moment % 1 * seconds_a_trial)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main() -> None:
    """Kill the run NAME at so many moments, then let it come to its end."""
    seed, moments, name, profile = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    torch.set_num_threads(1)
    importlib.import_module("search.cli.commands.search")  # once, not in every child
    started = time.monotonic()
    whole = start("whole", "--profile", profile)
    assert os.waitpid(whole, 0)[1] == 0
    count = trials(run_folder("whole"))
    seconds_a_trial = (time.monotonic() - started) / count
    kills = 0
    for moment in sorted(np.random.default_rng(seed).uniform(0.0, 0.9 * count, size=moments)):
        exists = (run_folder(name) / FILE).exists() and trials(run_folder(name)) > 0
        child = start(name, "--resume") if exists else start(name, "--profile", profile)
        kills += killed_at(moment, seconds_a_trial, child, run_folder(name))
    assert os.waitpid(start(name, "--resume"), 0)[1] == 0
    print(kills)


if __name__ == "__main__":
    main()
