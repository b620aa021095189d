"""What must outlive the process, in one SQLite file. Knows nothing of Telegram, Playwright or the lifecycle."""
