"""Strategies of the search: which cell to try next."""
