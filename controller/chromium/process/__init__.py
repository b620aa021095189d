"""Browser processes as Linux has them: found, started, owned, measured and ended. No Playwright here."""
