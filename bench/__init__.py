"""Figures for speed and size, each beside its aim. Nothing here is a test: machines differ."""
