"""Playwright: its shared driver process, launching a browser through it, and the translation of its errors."""
