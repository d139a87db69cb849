"""A search as a user runs it: started with Ray, killed without warning, resumed, and read back by pandas."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from results.tables.columns import TIME_COLUMNS

GATESEARCH = Path(sys.executable).with_name("gatesearch")
PROFILE = Path(__file__).with_name("smoke.toml")
RUNS = Path(os.environ["GATESEARCH_RUNS"])
LIMIT_SECONDS = 600


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own, so that the group can be killed as a whole."""
    return subprocess.Popen([GATESEARCH, "search", *arguments], start_new_session=True)


def trials(name: str) -> int:
    """Return the number of trials that the run has stored so far."""
    store = RUNS / name / "run.sqlite"
    if not store.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the store is being created


def main() -> None:
    profile = ("--profile", str(PROFILE), "--workers", "2", "--seed", "7")
    killed = start("killed", *profile)
    deadline = time.monotonic() + LIMIT_SECONDS
    while trials("killed") < 40:
        assert killed.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline, "the search makes no progress"
        time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = trials("killed")
    assert start("killed", "--resume", "--workers", "2").wait(LIMIT_SECONDS) == 0
    # In this process and undisturbed: the same search, so the same table.
    assert start("whole", *profile[:2], "--workers", "0", "--seed", "7").wait(LIMIT_SECONDS) == 0

    tables = [
        pd.read_csv(RUNS / name / "leaderboard_full.csv").drop(columns=list(TIME_COLUMNS))
        for name in ("killed", "whole")
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    table = tables[0]
    assert (table["origin"] == "baseline").sum() == 13, "all named cells stand in the table"
    assert (table["origin"] == "found").any(), "no found cell stands in the table"
    assert table.loc[table["name"] == "gru", "score"].item() == 1.0
    fresh = table["evidence"].isin(["retrained", "confirmed"])
    assert fresh.sum() in (14, 15), "named cells and the best found were retrained"
    print(f"end to end: {kept} trials survived the kill; {len(table)} rows, equal to an undisturbed run's")


main()
