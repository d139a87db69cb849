"""A search on a Ray cluster of two nodes on this machine, while nodes leave and join, and then the head is killed.

Real `ray start` processes, with ports, a home and a temporary folder of their own. What comes out is compared with the
run `whole` of `search_end_to_end.py`, which was not disturbed.
"""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil

from results.tables.columns import TIME_COLUMNS

GATESEARCH = Path(sys.executable).with_name("gatesearch")
RAY = Path(sys.executable).with_name("ray")
PROFILE = Path(__file__).with_name("smoke.toml")
RUNS = Path(os.environ["GATESEARCH_RUNS"])
LIMIT_SECONDS = 300


def free_port() -> int:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return int(connection.getsockname()[1])


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"it never came that {what}"
        time.sleep(0.1)


class TwoNodes:
    """Nodes of one core each. Every node is a session of processes, so that it can be removed as a whole."""

    def __init__(self, home: str) -> None:
        self.environment = os.environ | {"HOME": home, "OMP_NUM_THREADS": "1"}
        self.address = f"127.0.0.1:{free_port()}"
        self.nodes: list[subprocess.Popen[bytes]] = []
        head = ("--head", "--include-dashboard=false", f"--port={self.address.split(':')[1]}", f"--temp-dir={home}/ray")
        self.head = self.add(*head)
        wait_until("the head answers", lambda: socket.socket().connect_ex(("127.0.0.1", int(head[2][7:]))) == 0)
        self.second = self.join()

    def add(self, *arguments: str) -> subprocess.Popen[bytes]:
        ports = (f"--dashboard-agent-listen-port={free_port()}", "--node-ip-address=127.0.0.1")
        size = ("--num-cpus=1", "--object-store-memory=100000000")
        command = [RAY, "start", "--block", "--disable-usage-stats", *size, *ports, *arguments]
        self.nodes.append(
            subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, env=self.environment)
        )
        return self.nodes[-1]

    def join(self) -> subprocess.Popen[bytes]:
        return self.add(f"--address={self.address}")

    def worker_processes(self, node: subprocess.Popen[bytes]) -> list[int]:
        """Return the worker processes of a node, recognised by the name of their module in the command line."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            try:
                words = process.info["cmdline"] or []
                if any("worker_main" in word for word in words) and os.getsid(process.pid) == node.pid:
                    found.append(process.pid)
            except ProcessLookupError:
                continue
        return found

    def remove(self, node: subprocess.Popen[bytes]) -> None:
        self.nodes.remove(node)
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def search(self, *arguments: str) -> subprocess.Popen[str]:
        command = [str(GATESEARCH), "search", *arguments, "--address", self.address]
        return subprocess.Popen(
            command, start_new_session=True, stderr=subprocess.PIPE, text=True, env=self.environment
        )


def trials(name: str) -> int:
    """Return the number of trials that the run has stored so far."""
    try:
        with sqlite3.connect(f"file:{RUNS / name / 'run.sqlite'}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the store is being created


def assert_same_table(name: str) -> None:
    tables = [pd.read_csv(RUNS / run / "leaderboard_full.csv").drop(columns=[*TIME_COLUMNS]) for run in (name, "whole")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def nodes_leave_and_join(cluster: TwoNodes) -> None:
    search = cluster.search("moving", "--profile", str(PROFILE), "--seed", "7")
    wait_until("both nodes train", lambda: all(map(cluster.worker_processes, cluster.nodes)) and trials("moving") >= 20)
    cluster.remove(cluster.second)
    before = trials("moving")
    wait_until("the search continues with one node", lambda: trials("moving") >= before + 5)
    third = cluster.join()
    wait_until("a node that joins trains", lambda: bool(cluster.worker_processes(third)))
    assert search.poll() is None, "the search ended before the third node could help"
    _, said = search.communicate(timeout=LIMIT_SECONDS)
    assert (search.returncode, said) == (0, ""), said
    assert_same_table("moving")


def the_head_is_killed(cluster: TwoNodes) -> None:
    search = cluster.search("headless", "--profile", str(PROFILE), "--seed", "7")
    wait_until("trials are stored", lambda: trials("headless") >= 20)
    cluster.remove(cluster.head)
    _, said = search.communicate(timeout=60)
    assert search.returncode == 2
    assert said.count("\n") == 1, said
    assert "is gone" in said, said
    kept = trials("headless")
    assert subprocess.run([GATESEARCH, "search", "headless", "--resume", "--workers", "0"]).returncode == 0
    assert_same_table("headless")
    print(f"cluster: nodes left and joined, and {kept} trials survived its end; the tables are those of one process")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as home:
        cluster = TwoNodes(home)
        try:
            nodes_leave_and_join(cluster)
            the_head_is_killed(cluster)
        finally:
            for node in list(cluster.nodes):
                cluster.remove(node)


main()
