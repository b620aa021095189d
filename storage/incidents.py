"""Incidents, notes, silences, topics and chat migrations, as the dataclasses of `controller.incidents`.

Each `Changes` is stored in one transaction, and only rows that differ are written. `Changes` is computed within the
transaction, so that nothing can be stored in between, and its `committed` runs before the next transaction begins, even
if the caller was cancelled meanwhile. A row that cannot be parsed is skipped with a warning.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from controller.accounts.reasons import Reason
from controller.incidents import Changes, Entry, Incident, Message, Note, Silence
from storage import tolerant
from storage.database import Database, Rows

T = TypeVar("T")
log = logging.getLogger(__name__)

_REMINDER = -2
"""The position of an incident's reminder among its messages. Earlier versions had a reply about its end at -1."""
_CONTROLLER = "controller"
"""Represents the controller itself, whose number is "", among the accounts of a silence."""


class IncidentRecords:
    """The tables of alerts. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- incidents and notes ------------------------------------------------------------------------------------------

    async def incidents(self) -> Sequence[Incident]:
        """Return all incidents, oldest first."""
        entries = await self._by_incident("incident_entries", _entry)
        messages = await self._by_incident("incident_messages", _message)
        found = []
        for row in await self._database.rows("SELECT * FROM incidents ORDER BY id"):
            one = _readable(_incident, row, entries.get(row["id"], ()), dict(messages.get(row["id"], ())))
            found += [one] if one is not None and one.entries else []
        return found

    async def notes(self) -> Sequence[Note]:
        """Return all notes, oldest first, without their pictures (see `picture`)."""
        rows = await self._database.rows(
            "SELECT id, chat, html, incident, picture IS NOT NULL AS has_picture, sounds, sending, buttons FROM notes"
            " ORDER BY id"
        )
        return [note for row in rows if (note := _readable(_note, row)) is not None]

    async def last_ids(self) -> tuple[int, int]:
        """Return the highest incident id and note id ever used."""
        rows = await self._database.rows("SELECT name, seq FROM sqlite_sequence WHERE name IN ('incidents', 'notes')")
        last = {row["name"]: row["seq"] for row in rows}
        return last.get("incidents", 0), last.get("notes", 0)

    async def picture(self, note: int) -> bytes | None:
        """Return the PNG attached to a note."""
        rows = await self._database.rows("SELECT picture FROM notes WHERE id = ?", (note,))
        return rows[0]["picture"] if rows else None

    async def save(self, plan: Callable[[], Changes], *, urgent: bool = False) -> None:
        """Store what `plan` returns, in one transaction. `plan` runs within it and may be called again on a retry.

        urgent: as in `Database.write`.
        """
        changes = Changes()

        def committed() -> None:
            changes.committed()

        def planned() -> Sequence[tuple[str, Rows]]:
            nonlocal changes
            changes = plan()
            return statements(changes)

        await self._database.write(planned, committed, urgent=urgent)

    async def _by_incident(self, table: str, read: Callable[[sqlite3.Row], T]) -> dict[int, list[T]]:
        found: dict[int, list[T]] = {}
        rows = await self._database.rows(f"SELECT * FROM {table} ORDER BY incident, position")  # noqa: S608 - ours
        for row in rows:
            if (one := _readable(read, row)) is not None:
                found.setdefault(row["incident"], []).append(one)
        return found

    # --- silences -----------------------------------------------------------------------------------------------------

    async def silences(self, now: datetime) -> Sequence[Silence]:
        """Return the active silences, and delete the expired ones."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM silences WHERE until <= ?", (_iso(now),))
            rows = await connection.execute_fetchall("SELECT * FROM silences ORDER BY id")
        return [silence for row in rows if (silence := _readable(_silence, row)) is not None]

    async def add_silence(self, silence: Silence, at: datetime, user: int) -> int:
        """Insert a silence and return its id."""
        numbers = ",".join(sorted(number or _CONTROLLER for number in silence.numbers))
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO silences (chat, numbers, until, at, user_id, name, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (silence.chat, numbers, _iso(silence.until), _iso(at), user, silence.name, silence.reason),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    async def end_silence(self, silence: int) -> None:
        """Delete a silence early."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM silences WHERE id = ?", (silence,))

    # --- chats --------------------------------------------------------------------------------------------------------

    async def topics(self, chat: int) -> dict[str, int]:
        """Return the chat's forum topics by account."""
        rows = await self._database.rows("SELECT number, topic FROM topics WHERE chat = ?", (chat,))
        return {row["number"]: row["topic"] for row in rows}

    async def moved(self) -> dict[int, int]:
        """Return groups that became supergroups: old id → new id."""
        return {row["chat"]: row["moved_to"] for row in await self._database.rows("SELECT * FROM moved_chats")}

    async def gone(self) -> set[int]:
        """Return the chats that cannot be written to any more."""
        return {row["chat"] for row in await self._database.rows("SELECT chat FROM gone_chats")}


def statements(changes: Changes) -> list[tuple[str, Rows]]:
    """Return what stores these changes, for `Database.write`; their commit must be reported to them."""
    found: list[tuple[str, Rows]] = []
    for before, after in changes.incidents:
        found += _of_incident(before, after)
    found += [
        ("DELETE FROM incidents WHERE id = ?", [(one,) for one in changes.incidents_gone]),
        (
            (
                "INSERT INTO notes (id, chat, html, incident, picture, sounds, sending, buttons)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET chat = excluded.chat, sending = excluded.sending"
            ),
            [
                (
                    one.id, one.chat, one.html, one.incident, changes.pictures.get(one.id), one.sounds, one.sending,
                    json.dumps(one.buttons) if one.buttons else "",
                )
                for one in changes.notes
            ],
        ),
        ("DELETE FROM notes WHERE id = ?", [(one,) for one in changes.notes_gone]),
    ]  # fmt: skip
    for chat, number, topic in changes.topics:
        found.append(("DELETE FROM topics WHERE chat = ? AND number = ?", [(chat, number)]))
        if topic is not None:
            found.append(("INSERT INTO topics (chat, number, topic) VALUES (?, ?, ?)", [(chat, number, topic)]))
    for chat, gone in changes.gone:
        sql = "INSERT OR IGNORE INTO gone_chats VALUES (?)" if gone else "DELETE FROM gone_chats WHERE chat = ?"
        found.append((sql, [(chat,)]))
    if changes.moved is not None:
        chat, to = changes.moved
        found += [
            ("INSERT OR REPLACE INTO moved_chats (chat, moved_to) VALUES (?, ?)", [(chat, to)]),
            ("UPDATE moved_chats SET moved_to = ? WHERE moved_to = ?", [(to, chat)]),
            ("UPDATE silences SET chat = ? WHERE chat = ?", [(to, chat)]),
            ("DELETE FROM messages WHERE chat = ?", [(chat,)]),  # messages do not move to the supergroup
            ("DELETE FROM topics WHERE chat = ?", [(chat,)]),
        ]
    return [(sql, rows) for sql, rows in found if rows]


def _of_incident(before: Incident | None, after: Incident) -> list[tuple[str, Rows]]:
    upsert = (
        "INSERT INTO incidents (id, chat, opened_at, grown_at, topic, about, told_at, edited_at, news, acknowledged_by,"
        " done, repeat_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " chat = excluded.chat, grown_at = excluded.grown_at, topic = excluded.topic, about = excluded.about,"
        " told_at = excluded.told_at, edited_at = excluded.edited_at, news = excluded.news,"
        " acknowledged_by = excluded.acknowledged_by, done = excluded.done, repeat_at = excluded.repeat_at"
    )
    row = (
        after.id, after.chat, _iso(after.opened_at), _iso(after.grown_at), after.topic, after.about,
        _iso(after.told_at), _iso(after.edited_at), after.news, after.acknowledged_by, "\n".join(after.done),
        _iso(after.repeat_at),
    )  # fmt: skip
    entries = _rows_of(
        "incident_entries",
        "number, reason, at, cause, detail, times, over_at, handled, silent, escalated, escalated_at, fallback,"
        " fallback_at",
        after.id,
        dict(enumerate(before.entries)) if before else {},
        dict(enumerate(after.entries)),
        lambda e: (
            e.number, e.reason, _iso(e.at), e.cause, e.detail, e.times, _iso(e.over_at),
            e.handled + e.by_person, e.silent, e.escalated, _iso(e.escalated_at), e.fallback, _iso(e.fallback_at),
        ),
    )  # fmt: skip
    messages = _rows_of(
        "incident_messages", "message, shown, sending, refused", after.id,
        _messages(before) if before else {}, _messages(after),
        lambda m: (m.message, m.shown, m.sending, m.refused),
    )  # fmt: skip
    return [(upsert, [row]), *entries, *messages]


def _rows_of(
    table: str,
    columns: str,
    incident: int,
    before: dict[int, T],
    after: dict[int, T],
    values: Callable[[T], tuple[object, ...]],
) -> list[tuple[str, Rows]]:
    """Return what stores those rows of one incident that differ, keyed by position."""
    marks = ", ".join("?" for _ in columns.split(","))
    return [
        (
            f"INSERT OR REPLACE INTO {table} (incident, position, {columns}) VALUES (?, ?, {marks})",  # noqa: S608 - ours
            [
                (incident, at, *values(one))
                for at, one in after.items()
                if (old := before.get(at)) is not one and old != one  # most are the same object: comparing them is slow
            ],
        ),
        (
            f"DELETE FROM {table} WHERE incident = ? AND position = ?",  # noqa: S608 - ours
            [(incident, at) for at in before if at not in after],
        ),
    ]


def _messages(incident: Incident) -> dict[int, Message]:
    reminder = {} if incident.reminder is None else {_REMINDER: incident.reminder}
    return reminder | dict(enumerate(incident.parts))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="microseconds")


def _at(stored: str) -> datetime:
    return tolerant.time(stored) or datetime.now(UTC)


def _readable(read: Callable[..., T], row: sqlite3.Row, *more: object) -> T | None:
    """Parse a row; returns None, with a warning, if it is malformed."""
    try:
        return read(row, *more)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        log.warning("A row of the database cannot be read and is left out (%s): %s", read.__name__.strip("_"), error)
        return None


def _incident(row: sqlite3.Row, entries: Iterable[Entry], messages: dict[int, Message]) -> Incident:
    return Incident(
        row["id"],
        row["chat"],
        _at(row["opened_at"]),
        _at(row["grown_at"]),
        tuple(entries),
        topic=row["topic"],
        about=row["about"],
        told_at=tolerant.time(row["told_at"]),
        edited_at=tolerant.time(row["edited_at"]),
        news=bool(row["news"]),
        acknowledged_by=row["acknowledged_by"],
        done=tuple(row["done"].split("\n")) if row["done"] else (),
        repeat_at=tolerant.time(row["repeat_at"]),
        parts=tuple(messages[at] for at in sorted(messages) if at >= 0),
        reminder=messages.get(_REMINDER),
    )


def _entry(row: sqlite3.Row) -> Entry:
    number, reason = row["number"], row["reason"]
    if number:  # the controller's own troubles may have any reason
        reason = tolerant.member(Reason, reason, Reason.UNKNOWN)
    over_at = None if row["over_at"] is None else _at(row["over_at"])
    return Entry(
        number, reason, _at(row["at"]), row["cause"], row["detail"], row["times"], over_at,
        bool(row["handled"]), bool(row["silent"]), row["escalated"], tolerant.time(row["escalated_at"]),
        row["fallback"], tolerant.time(row["fallback_at"]), by_person=row["handled"] > 1,
    )  # fmt: skip


def _message(row: sqlite3.Row) -> tuple[int, Message]:
    return row["position"], Message(row["message"], row["shown"], bool(row["sending"]), bool(row["refused"]))


def _note(row: sqlite3.Row) -> Note:
    return Note(
        row["id"], row["chat"], row["html"], row["incident"], bool(row["has_picture"]), bool(row["sounds"]),
        bool(row["sending"]),
        tuple((str(label), str(code)) for label, code in json.loads(row["buttons"] or "[]")),
    )  # fmt: skip


def _silence(row: sqlite3.Row) -> Silence | None:
    numbers = frozenset("" if each == _CONTROLLER else each for each in row["numbers"].split(",") if each)
    until = tolerant.time(row["until"])
    return None if until is None else Silence(row["id"], row["chat"], numbers, until, row["name"], row["reason"])
