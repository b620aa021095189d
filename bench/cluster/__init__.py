"""Measures what many machines cost and hold: a simulated month here, a real cluster in `real`."""
