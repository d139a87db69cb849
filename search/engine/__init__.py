"""Engine of the search: baselines, proposals, stages, finalists, confirmation, runs and their verification."""
