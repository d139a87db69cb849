"""Profiles: sizes and budgets of a search, read from TOML."""
