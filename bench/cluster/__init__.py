"""Measures the costs and the guarantees of many machines: a simulated month here, a real cluster in `real`."""
