"""The commands that people can use, in one table, and the buttons."""
