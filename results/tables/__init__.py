"""Tables made from a store: the leaderboard, the verdict, failures, progress."""
