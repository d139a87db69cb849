"""What can be wrong with the arguments of a kernel."""


class KernelError(ValueError):
    """Weights, inputs or states do not fit the graph: the message names the value, the rule and the remedy."""
