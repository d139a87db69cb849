"""From a gate graph to a finished run: cells, kernels, training, stages, strategies, workers, command line."""
