"""The program: command line, settings, logging, and the composition root."""
