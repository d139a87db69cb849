"""Processes that train trials: in this process, in isolated processes, and on a Ray cluster."""
