"""Engine of the search: baselines, proposals, stages, finalists, runs and their verification."""
