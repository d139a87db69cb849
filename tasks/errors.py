"""What a user can do wrong with a task or its data."""


class TaskError(ValueError):
    """A bad task name, parameter or data file; the message is one line: the value, the rule, the remedy."""
