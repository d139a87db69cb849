"""The search itself: baselines, proposals, stages, finalists, and its verification."""
