"""The schema, as the ordered steps that lead to it. A step that has been released is never edited: add another.

Each step is a sequence of statements, run in one transaction; `PRAGMA user_version` counts the steps applied.
Times are UTC in ISO 8601. Numbers are E.164. Ids are Telegram's. No code, token or session key is ever kept here.
"""

from collections.abc import Sequence

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """
        CREATE TABLE accounts (
            number TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            owner INTEGER NOT NULL,
            wanted TEXT NOT NULL,
            linked INTEGER NOT NULL,
            state TEXT NOT NULL,
            reason TEXT,
            detail TEXT NOT NULL,
            since TEXT NOT NULL,
            block_ends_at TEXT,
            added_at TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE transitions (
            id INTEGER PRIMARY KEY,
            number TEXT NOT NULL,
            at TEXT NOT NULL,
            from_state TEXT NOT NULL,
            to_state TEXT NOT NULL,
            reason TEXT NOT NULL,
            cause TEXT,
            detail TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            errors INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX transitions_of_account ON transitions (number, id)",
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            user_id INTEGER NOT NULL,
            command TEXT NOT NULL,
            number TEXT,
            outcome TEXT NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            chat INTEGER NOT NULL,
            topic INTEGER,
            message INTEGER NOT NULL,
            shown TEXT NOT NULL,
            UNIQUE (kind, key, chat)
        ) STRICT
        """,
        "CREATE TABLE strangers (user_id INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT",
    ),
    (
        """
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chat INTEGER NOT NULL,
            kind TEXT NOT NULL,
            number TEXT NOT NULL,
            body TEXT NOT NULL,
            at TEXT NOT NULL,
            due_at TEXT NOT NULL,
            claimed_until TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            waited INTEGER NOT NULL DEFAULT 0,
            picture BLOB
        ) STRICT
        """,
        "CREATE INDEX outbox_of_chat ON outbox (chat, id)",
        "CREATE TABLE incidents (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
        """
        CREATE TABLE silences (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chat INTEGER,
            numbers TEXT NOT NULL,
            until TEXT NOT NULL,
            at TEXT NOT NULL,
            user_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            reason TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE topics (
            chat INTEGER NOT NULL,
            number TEXT NOT NULL,
            topic INTEGER NOT NULL,
            PRIMARY KEY (chat, number)
        ) STRICT
        """,
        "CREATE TABLE moved_chats (chat INTEGER PRIMARY KEY, moved_to INTEGER NOT NULL) STRICT",
    ),
)
