"""What must outlive the process, in one SQLite file. Knows neither Telegram nor the browser."""
