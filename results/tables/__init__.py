"""Tables made from a store: the leaderboard, failures, progress."""
