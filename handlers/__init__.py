"""People's side: what is said and heard in a chat. Knows nothing of Playwright or SQL.

Arrows run telegram → alerts → texts → chat: only `telegram` knows the chat service.
"""
