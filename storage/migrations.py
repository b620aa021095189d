"""The schema, as an ordered list of migrations. A released migration is never edited: append another.

Each migration is a sequence of statements, and of functions where SQL is not enough, run in one transaction;
`PRAGMA user_version` counts those applied.
Times are UTC in ISO 8601. Numbers are E.164. Ids are Telegram's. No code, token or session key is ever stored here.
"""

import sqlite3
from collections.abc import Callable, Sequence

from storage.outbox_migration import outbox_to_incidents

Statement = str | Callable[[sqlite3.Connection], None]

MIGRATIONS: Sequence[Sequence[Statement]] = (
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
    (
        "ALTER TABLE incidents RENAME TO old_incidents",
        """
        CREATE TABLE incidents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chat INTEGER NOT NULL,
            opened_at TEXT NOT NULL,
            grown_at TEXT NOT NULL,
            topic INTEGER,
            about TEXT NOT NULL DEFAULT '',
            told_at TEXT,
            edited_at TEXT,
            news INTEGER NOT NULL DEFAULT 0,
            acknowledged_by TEXT NOT NULL DEFAULT '',
            done TEXT NOT NULL DEFAULT '',
            repeat_at TEXT
        ) STRICT
        """,
        """
        CREATE TABLE incident_entries (
            incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            number TEXT NOT NULL,
            reason TEXT NOT NULL,
            at TEXT NOT NULL,
            cause TEXT,
            detail TEXT NOT NULL DEFAULT '',
            times INTEGER NOT NULL DEFAULT 1,
            over_at TEXT,
            handled INTEGER NOT NULL DEFAULT 0,
            silent INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (incident, position)
        ) STRICT
        """,
        """
        CREATE TABLE incident_messages (
            incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            message INTEGER,
            shown TEXT NOT NULL DEFAULT '',
            sending INTEGER NOT NULL DEFAULT 0,
            refused INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (incident, position)
        ) STRICT
        """,
        """
        CREATE TABLE notes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chat INTEGER NOT NULL,
            html TEXT NOT NULL,
            incident INTEGER REFERENCES incidents (id) ON DELETE CASCADE,
            picture BLOB,
            sounds INTEGER NOT NULL DEFAULT 0,
            sending INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE TABLE gone_chats (chat INTEGER PRIMARY KEY) STRICT",
        "INSERT OR IGNORE INTO gone_chats SELECT chat FROM messages WHERE kind = 'gone'",
        "DELETE FROM messages WHERE kind = 'gone'",
        outbox_to_incidents,
        "DROP TABLE old_incidents",
        "DROP TABLE outbox",
    ),
    (
        """
        CREATE TABLE pulse (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            at TEXT NOT NULL,
            boot_id TEXT NOT NULL,
            started_at TEXT NOT NULL,
            oom_kills INTEGER,
            ended TEXT NOT NULL DEFAULT ''
        ) STRICT
        """,
    ),
    (
        "ALTER TABLE accounts ADD COLUMN cause TEXT",
        "ALTER TABLE accounts ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE accounts ADD COLUMN errors INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE accounts ADD COLUMN alias TEXT",
    ),
    (
        """
        CREATE TABLE inbox (
            update_id INTEGER PRIMARY KEY,
            user_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            chat INTEGER NOT NULL,
            topic INTEGER,
            private INTEGER NOT NULL,
            words TEXT NOT NULL,
            message INTEGER,
            code TEXT NOT NULL,
            press TEXT NOT NULL,
            sent_at TEXT NOT NULL,
            started_at TEXT,
            done_at TEXT
        ) STRICT
        """,
        "CREATE INDEX inbox_done ON inbox (done_at)",
    ),
    (
        "ALTER TABLE incident_entries ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE incident_entries ADD COLUMN escalated_at TEXT",
        "ALTER TABLE incident_entries ADD COLUMN second_way TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE incident_entries ADD COLUMN second_way_at TEXT",
        """
        CREATE TABLE duty_turn (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            user_id INTEGER,
            name TEXT NOT NULL,
            until TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE duty_shifts (
            position INTEGER PRIMARY KEY,
            user_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            days TEXT NOT NULL,
            start_minute INTEGER NOT NULL,
            end_minute INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE escalation_targets (
            position INTEGER PRIMARY KEY,
            chat INTEGER NOT NULL,
            name TEXT NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE people (
            user_id INTEGER PRIMARY KEY,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            added_by INTEGER NOT NULL,
            at TEXT NOT NULL
        ) STRICT
        """,
        "ALTER TABLE strangers ADD COLUMN name TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE strangers ADD COLUMN ignored INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE notes ADD COLUMN buttons TEXT NOT NULL DEFAULT ''",
    ),
    (
        """
        CREATE TABLE page_loads (
            id INTEGER PRIMARY KEY,
            number TEXT NOT NULL,
            at TEXT NOT NULL,
            build TEXT NOT NULL,
            present TEXT NOT NULL,
            missing TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX page_loads_of_account ON page_loads (number, id)",
        """
        CREATE TABLE builds (
            build TEXT PRIMARY KEY,
            verdict TEXT NOT NULL,
            by_number TEXT NOT NULL,
            missing TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE destination (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            chat INTEGER NOT NULL,
            topic INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE loudness (
            chat INTEGER NOT NULL,
            kind TEXT NOT NULL,
            loudness TEXT NOT NULL,
            PRIMARY KEY (chat, kind)
        ) STRICT
        """,
        """
        CREATE TABLE quiet_hours (
            chat INTEGER PRIMARY KEY,
            begins INTEGER NOT NULL,
            ends INTEGER NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE account_proxies (
            number TEXT PRIMARY KEY,
            server TEXT NOT NULL,
            login TEXT NOT NULL,
            encrypted INTEGER NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE feeds (
            chat INTEGER NOT NULL,
            words TEXT NOT NULL,
            PRIMARY KEY (chat)
        ) STRICT
        """,
    ),
    (
        "ALTER TABLE incident_entries RENAME COLUMN second_way TO fallback",
        "ALTER TABLE incident_entries RENAME COLUMN second_way_at TO fallback_at",
    ),
)
