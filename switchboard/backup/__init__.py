"""Backups: one file that holds all that another machine needs, made while the program runs."""
