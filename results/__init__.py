"""What a run leaves behind: the store, and the tables projected from it."""
