"""An account's folder on disk: its paths, its lock, its saved copies, and who still uses it."""
