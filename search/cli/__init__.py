"""The `gatesearch` command: one file a subcommand."""
