"""The `gatesearch` command line."""
