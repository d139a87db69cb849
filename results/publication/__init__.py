"""Runs that are published: consistency checks and the manifest."""
