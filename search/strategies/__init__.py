"""What is tried next: one file a strategy, all behind the ask/tell of `base`."""
