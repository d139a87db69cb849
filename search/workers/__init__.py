"""Execution of trials: in this process, in isolated worker processes, and on a Ray cluster."""
