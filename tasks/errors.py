"""Errors of tasks and their data."""


class TaskError(ValueError):
    """Invalid task name, parameter or data file; the message is one line with the value, the rule and the remedy."""
