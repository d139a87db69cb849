"""Number of processors that this process may use, which may be fewer than the machine has.

A scheduler, `taskset` or a container restricts a process in one of two ways. The affinity is the set of processors that
it may run on. The quota of a control group is processor time per period: 2 seconds a second are two processors.
"""

import os
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_GROUPS = Path("/proc/self/cgroup")


def usable_processors() -> int:
    """Return the number of processors of the affinity, or of the smallest quota if that is less; at least 1."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # pragma: no cover - macOS has no affinity
        allowed = os.cpu_count() or 1
    quota = processor_quota()
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def processor_quota(root: Path = _ROOT, groups: Path = _GROUPS) -> float | None:
    """Return the smallest quota of this process's control groups in processors, or None if there is none.

    Args:
        root: where the file systems of the control groups are mounted.
        groups: names the groups of this process, as /proc/self/cgroup does.
    """
    try:
        lines = groups.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    quotas: list[float] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        # Version 2 has one tree without a name; version 1 has one for each set of controllers.
        mounts = [root] if not controllers else [root / controllers, root / "cpu"]
        if not controllers or "cpu" in controllers.split(","):
            for mount in mounts:
                quotas += _quotas(mount, path)
    return min(quotas, default=None)


def _quotas(mount: Path, path: str) -> list[float]:
    """Return the quotas of a group and of those that it is in. In a container its path may not exist, but the root."""
    group = mount / path.lstrip("/")
    folders = [group, *group.parents]
    found = (_quota(folder) for folder in folders[: folders.index(mount) + 1]) if mount in folders else iter(())
    return [quota for quota in found if quota is not None]


def _quota(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text("utf-8").split()  # version 2
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text("utf-8").strip()  # version 1
            period = (folder / "cpu.cfs_period_us").read_text("utf-8").strip()
        except (OSError, ValueError):
            return None
    try:
        return float(quota) / float(period) if float(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max", or -1: no quota
        return None
