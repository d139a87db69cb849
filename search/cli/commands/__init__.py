"""The subcommands of `gatesearch`, one file each."""
