"""Telegram's formatted text: parsing HTML and Markdown, counting characters, and limits."""
