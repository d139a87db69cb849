"""Allocations of training: how much of it each candidate of a search gets."""
