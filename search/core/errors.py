"""Errors of a search that a user can cause and remedy."""


class SearchError(ValueError):
    """Unusable profile, setting or command; the message names the value, the rule and the remedy."""


class BudgetError(SearchError):
    """Parameter budget that no size of a cell fits."""
