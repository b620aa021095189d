"""The operators' side: everything that is said and heard on Telegram. Knows nothing of Playwright or SQL."""
