"""Browser processes on Linux: finding, starting, owning, measuring and ending them. No Playwright here."""
