"""Store of a run: one SQLite file, its schema and its rows."""
