"""The accounts' side: what an account is (`accounts`), what runs it (this folder), and the browser (`chromium`).

Arrows run chromium → this folder → accounts. Nothing here knows Telegram or SQL.
"""
