"""Telegram's formatted text: what is parsed from HTML and Markdown, and how it is counted and limited."""
