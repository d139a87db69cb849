"""Sequence tasks: what is read, what is predicted, and how it is measured."""
