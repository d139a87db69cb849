"""Where numbers come from: environment, platform, time and data, for the run's record."""

import json
import platform
import time
from collections.abc import Mapping
from typing import Any

from results.publication.consistency import Check
from results.store.store import Store
from search.workers.environment import changes, own_environment
from tasks.task import Task


def provenance(tasks: Mapping[str, Task]) -> dict[str, Any]:
    """This process's environment (versions, processor, commit), the platform, the time, checksums of the data."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **json.loads(own_environment()),
        "platform": platform.platform(),
        "data": {name: task.checksum for name, task in tasks.items()},
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two records in a way that can change numbers, one line each."""
    changed = changes(before, now)
    for name, new in now["data"].items():
        old = before.get("data", {}).get(name)
        if old != new:
            changed[f"data of {name}"] = (old, new)
    return [f"the {what} is {new}, and was {old} when the run began" for what, (old, new) in changed.items()]


def data_check(store: Store, tasks: Mapping[str, Task]) -> Check:
    """Check that the data of the tasks have the checksums that the run recorded."""
    recorded = store.information.get("data", {})
    changed = [name for name, task in tasks.items() if recorded.get(name) != task.checksum]
    if changed:
        return Check("data", False, f"the data of {', '.join(changed)} differ from those that the run trained on")
    return Check("data", True, f"the data of {', '.join(tasks)} are those that the run trained on")
