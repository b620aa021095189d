"""What people can ask for: one table of commands, and the buttons."""
