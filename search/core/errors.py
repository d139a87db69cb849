"""What can be wrong with what a user asks of a search."""


class SearchError(ValueError):
    """A profile, a setting or a command cannot be used: the message names the value, the rule and the remedy."""


class BudgetError(SearchError):
    """No size of a cell fits a parameter budget."""
