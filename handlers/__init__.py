"""The chat side: messages, alerts, commands and cards. Imports neither Playwright nor SQL.

Imports run telegram → alerts → texts → chat: only `telegram` depends on a particular chat service.
"""
