"""The benchmark: methods x parameters x seeds under one protocol, and the leaderboard of it."""
