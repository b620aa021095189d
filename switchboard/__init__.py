"""The program: its command line, its settings and logs, and the one place that ties every part together."""
