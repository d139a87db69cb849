"""Endings of proposals: the text in the column `outcome` of the table `proposals`.

An ending is `results.store.words.COMPLETE`, `NO_CHILD`, "stopped at TASK", "failed at TASK" or "paused at rung N".
"""

NO_CHILD = "no valid child"
"""Ending of a proposal for which no valid child was drawn."""


def stopped_at(task: str) -> str:
    """Return the ending of a proposal whose cell did not exceed the threshold of a task."""
    return f"stopped at {task}"


def failed_at(task: str) -> str:
    """Return the ending of a proposal none of whose trials on a task could run."""
    return f"failed at {task}"


def paused_at(rung: int) -> str:
    """Return the ending of a proposal that trained its cell to a rung, counted from 0; readers count from 1."""
    return f"paused at rung {rung + 1}"
