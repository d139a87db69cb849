"""Names of the files of a run's tables."""

TABLE_FILE = "leaderboard.csv"
"""Short leaderboard in a run's folder: what a person reads."""

FULL_FILE = "leaderboard_full.csv"
"""Leaderboard with all columns."""

COLUMNS_FILE = "columns.json"
"""Type, unit, direction and meaning of the columns of the other files."""

TRIALS_FILE = "trials.parquet"
"""Every trial of the run, one a row."""

TEXT_FILES = (TABLE_FILE, FULL_FILE, COLUMNS_FILE)
"""Files that are kept up to date while a search runs."""
