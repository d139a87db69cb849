"""Errors of tasks and their data."""


class TaskError(ValueError):
    """Invalid task name, parameter or data file; the message is one line with the value, the rule and the remedy."""


class TaskCodeError(TaskError):
    """Exception in the code of a user's task, which is the cause."""
