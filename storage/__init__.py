"""Everything that must survive a restart, in one SQLite file. Imports neither Telegram nor browser code."""
