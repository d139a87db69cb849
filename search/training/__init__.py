"""One trial: settings, the model, a training step, the schedule, and its simulation."""
