"""Backups: one file with everything another machine needs, created while the program runs."""
