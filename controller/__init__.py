"""Accounts: their domain (`accounts`), the runtime that manages them (this folder), and the browser (`chromium`).

Imports run chromium → this folder → accounts. Nothing here imports Telegram or SQL.
"""
