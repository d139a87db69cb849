"""Where numbers come from: environment, platform, time and data, for the run's record."""

import json
import platform
import time
from collections.abc import Mapping
from typing import Any

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
