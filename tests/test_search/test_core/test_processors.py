"""Processors that a process may use: its affinity, and the quotas of its control groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.core import processors
from search.core.processors import processor_quota, usable_processors


def write(folder: Path, **values: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("_max", ".max").replace("cfs", "cpu.cfs")).write_text(value)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_a_process_bound_to_one_processor_may_use_one() -> None:
    first = min(os.sched_getaffinity(0))
    program = (
        f"import os; os.sched_setaffinity(0, [{first}]); "
        "from search.core.processors import usable_processors; print(usable_processors())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({"": "max 100000", "a": "max 100000", "a/b": "150000 100000"}, 1.5),
        ({"a": "400000 100000", "a/b": "max 100000"}, 4.0),
        ({"a": "50000 100000", "a/b": "200000 100000"}, 0.5),
        ({"": "200000 100000"}, 2.0),  # a container sees its own group as the root
        ({"a": "broken", "a/b": "1 0"}, None),
        ({}, None),
    ],
)
def test_the_smallest_quota_of_a_group_and_those_it_is_in_counts(
    quotas: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    for folder, quota in quotas.items():
        write(tmp_path / "root" / folder, cpu_max=quota)
    (tmp_path / "groups").write_text("0::/a/b\n")
    assert processor_quota(tmp_path / "root", tmp_path / "groups") == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3.0), ("-1", None)])
def test_quotas_of_the_first_version_of_control_groups_count(
    quota: str, expected: float | None, tmp_path: Path
) -> None:
    write(tmp_path / "root" / "cpu,cpuacct" / "a", cfs_quota_us=quota, cfs_period_us="100000")
    (tmp_path / "groups").write_text("9:pids:/b\n4:cpu,cpuacct:/a\n")
    assert processor_quota(tmp_path / "root", tmp_path / "groups") == expected


def test_a_quota_is_rounded_down_to_whole_processors_and_is_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for quota, expected in ((None, 8), (0.5, 1), (2.9, 2), (64.0, 8)):
        monkeypatch.setattr(processors, "processor_quota", lambda quota=quota: quota)
        assert usable_processors() == expected
