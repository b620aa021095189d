"""Launching through Playwright, the process that it shares, and its errors translated once."""
