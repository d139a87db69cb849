"""Sizes and budgets of a search: the dataclasses that a TOML profile fills, and the profiles shipped."""
