"""Dashboard: a local, read-only server with a page of all runs, and one of each run, which renew themselves."""
