"""A search that is killed over and over, each time at a moment drawn at random, and resumed.

    python -m tests.test_search.test_cli.lives SEED MOMENTS NAME PROFILE [WORKERS]

A program of its own, so that its children, which are forked, find everything imported and have but one thread. Prints
how often the search was killed, and how often it then had candidates in training. Run it by hand with other seeds and
more moments to look for trouble. The run that is not killed has no worker processes, whatever WORKERS is.
"""

import importlib
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import torch

from results.store.runs import run_folder
from results.store.store import FILE, Store
from search.cli.main import run

POLL_SECONDS = 0.01


def start(*arguments: str, workers: str = "0") -> int:
    """A process that runs a command line; returns its id."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os._exit(run(("search", *arguments, "--workers", workers)))


def trials(folder: Path, state: str = "%") -> int:
    """How many trials, of all states or of one, a run has stored."""
    try:
        with Store.open(folder, readonly=True) as store:
            return int(store.select("SELECT count(*) FROM trials WHERE state LIKE ?", (state,))[0][0])
    except ValueError:
        return 0  # it is being made


def killed_at(moment: float, seconds_a_trial: float, child: int, folder: Path) -> bool:
    """Kill the child once it has stored so many trials, and the fraction of one more; false if it ended before."""
    while trials(folder) < int(moment):
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(POLL_SECONDS)
    time.sleep(moment % 1 * seconds_a_trial)
    started = psutil.Process(child).children(recursive=True)
    os.kill(child, signal.SIGKILL)
    for process in started:  # Ray's own; psutil makes sure that the id was not given to another process since
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main() -> None:
    """Kill the run NAME at so many moments, then let it come to its end."""
    seed, moments, name, profile = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    workers = sys.argv[5] if len(sys.argv) > 5 else "0"
    torch.set_num_threads(1)
    for module in ("search.cli.commands.search", "search.engine.run", "search.cli.run_table"):
        importlib.import_module(module)  # once, not in every child
    started = time.monotonic()
    whole = start("whole", "--profile", profile)
    assert os.waitpid(whole, 0)[1] == 0
    count = trials(run_folder("whole"))
    seconds_a_trial = (time.monotonic() - started) / count
    kills = paused = 0
    for moment in sorted(np.random.default_rng(seed).uniform(0.0, 0.9 * count, size=moments)):
        exists = (run_folder(name) / FILE).exists() and trials(run_folder(name)) > 0
        arguments = ("--resume",) if exists else ("--profile", profile)
        child = start(name, *arguments, workers=workers)
        kills += killed_at(moment, seconds_a_trial, child, run_folder(name))
        paused += trials(run_folder(name), "paused") > 0
    assert os.waitpid(start(name, "--resume", workers=workers), 0)[1] == 0
    print(kills, paused)


if __name__ == "__main__":
    main()
