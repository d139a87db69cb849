"""Trials for experiment trackers: MLflow and TensorBoard."""
