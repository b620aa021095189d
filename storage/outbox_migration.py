"""Migrates the outbox and JSON incidents of earlier schemas to today's tables. Used by one of `storage.migrations`.

Nothing is lost: pending alerts become an unsent incident of their chat, and those that a silence held back another one.
A body that cannot be parsed costs that row, with a warning. The grouping rules are those of that time and stay as they
are here even when `handlers.alerts.incidents` changes.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass
class _Chat:
    """One chat's incidents during the migration. untold: (waited) → the incident made of pending alerts."""

    chat: int
    incidents: list[Row] = field(default_factory=list)
    untold: dict[bool, Row] = field(default_factory=dict)
    notes: list[tuple[Any, Row, int | None]] = field(default_factory=list)

    def open_entries(self) -> Iterable[tuple[Row, Row]]:
        for incident in self.incidents:
            for entry in incident["entries"]:
                if entry.get("over_at") is None:
                    yield incident, entry


def outbox_to_incidents(connection: sqlite3.Connection) -> None:
    """Fill today's tables from `old_incidents` and `outbox`."""
    chats: dict[int, _Chat] = {}
    last = 0
    for row in connection.execute("SELECT id, chat, body FROM old_incidents ORDER BY id"):
        last = max(last, row["id"])
        if (incident := _incident(row)) is not None:
            chats.setdefault(row["chat"], _Chat(row["chat"])).incidents.append(incident)
    for row in connection.execute("SELECT * FROM outbox ORDER BY id"):
        last = _take_over(chats.setdefault(row["chat"], _Chat(row["chat"])), row, last)
    for chat in chats.values():
        for incident in chat.incidents:
            _write(connection, incident)
        for row, said, about in chat.notes:
            _note(connection, row, said, about)


def _take_over(chat: _Chat, row: Any, last: int) -> int:
    """Migrate a chat's pending alerts; returns the highest incident id."""
    said = _said(row)
    match row["kind"]:
        case "alert":
            return _alert(chat, row, said, last)
        case "over" | "handled":
            _over(chat, row, str(said.get("reason", "")))
        case "note":
            chat.notes.append((row, said, None))
        case "picture":
            about = (row["number"], said.get("reason"))
            told = [one for one in chat.incidents if any((e["number"], e["reason"]) == about for e in one["entries"])]
            chat.notes += [(row, said, told[-1]["id"])] if told else []
        case kind:
            log.warning("A pending message to chat %d is of an unknown kind and is skipped: %s", row["chat"], kind)
    return last


def _incident(row: Any) -> Row | None:
    try:
        body = json.loads(row["body"])
        incident: Row = {
            "id": row["id"],
            "chat": row["chat"],
            "opened_at": str(body["opened_at"]),
            "grown_at": str(body.get("grown_at") or body["opened_at"]),
            "entries": [{"number": each["number"], "reason": each["reason"], **each} for each in body["entries"]],
            "parts": [dict(each) for each in body.get("parts") or ()],
            "reply": dict(body["reply"]) if body.get("reply") else None,
            "done": [str(each) for each in body.get("done") or ()],
        }
        incident |= {key: body.get(key) for key in ("topic", "told_at", "edited_at", "repeat_at")}
        incident |= {key: body.get(key) or "" for key in ("about", "acknowledged_by")}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log.warning("Incident %d cannot be read and is left out: %s", row["id"], error)
        return None
    return incident


def _said(row: Any) -> Row:
    try:
        return dict(json.loads(row["body"]))
    except (TypeError, ValueError) as error:
        log.warning("A pending message to chat %d cannot be read in full (row %d): %s", row["chat"], row["id"], error)
        return {}


def _alert(chat: _Chat, row: Any, said: Row, last: int) -> int:
    """Migrate one pending alert; returns the highest incident id."""
    number, reason, waited = row["number"], str(said.get("reason", "unknown")), bool(row["waited"])
    for _, entry in chat.open_entries():
        if (entry["number"], entry["reason"]) == (number, reason):
            entry["times"] = entry.get("times", 1) + (1 if number else 0)
            entry["detail"] = str(said.get("detail") or entry.get("detail") or "")
            return last
    for _, entry in list(chat.open_entries()):
        if number and entry["number"] == number and not waited:
            entry |= {"over_at": row["at"], "handled": True}
    incident = chat.untold.get(waited)
    if incident is None:
        last += 1
        incident = chat.untold[waited] = {
            "id": last, "chat": chat.chat, "opened_at": row["at"], "grown_at": row["at"], "entries": [], "parts": [],
            "reply": None, "done": [], "topic": None, "told_at": None, "edited_at": None, "repeat_at": None,
            "about": "", "acknowledged_by": "",
        }  # fmt: skip
        chat.incidents.append(incident)
    cause, detail = said.get("cause"), str(said.get("detail") or "")
    incident["entries"].append({"number": number, "reason": reason, "at": row["at"], "cause": cause, "detail": detail})
    incident["grown_at"] = row["at"]
    return last


def _over(chat: _Chat, row: Any, reason: str) -> None:
    """Close what was open; an alert that a silence held back and that is over is dropped."""
    number = row["number"]
    for incident, entry in list(chat.open_entries()):
        if entry["number"] == number and (number or entry["reason"] == reason):
            if incident is chat.untold.get(True):
                incident["entries"].remove(entry)
            else:
                entry |= {"over_at": row["at"], "handled": row["kind"] == "handled"}


def _write(connection: sqlite3.Connection, incident: Row) -> None:
    if not incident["entries"]:  # its pictures have no incident any more and are dropped with it
        return
    connection.execute(
        "INSERT INTO incidents (id, chat, opened_at, grown_at, topic, about, told_at, edited_at, news, acknowledged_by,"
        " done, repeat_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            incident["id"], incident["chat"], incident["opened_at"], incident["grown_at"], incident["topic"],
            incident["about"], incident["told_at"], incident["edited_at"],
            bool(incident["edited_at"] and incident["grown_at"] > incident["edited_at"]),
            incident["acknowledged_by"], "\n".join(incident["done"]), incident["repeat_at"],
        ),
    )  # fmt: skip
    for at, entry in enumerate(incident["entries"]):
        try:
            connection.execute(
                "INSERT INTO incident_entries (incident, position, number, reason, at, cause, detail, times, over_at,"
                " handled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    incident["id"], at, entry["number"], entry["reason"], entry["at"], entry.get("cause"),
                    entry.get("detail") or "", entry.get("times") or 1, entry.get("over_at"),
                    bool(entry.get("handled")),
                ),
            )  # fmt: skip
        except (KeyError, sqlite3.Error) as error:
            log.warning("An entry of incident %d cannot be read and is left out: %s", incident["id"], error)
    messages = list(enumerate(incident["parts"])) + ([(-1, incident["reply"])] if incident["reply"] else [])
    for at, message in messages:
        connection.execute(
            "INSERT INTO incident_messages (incident, position, message, shown, sending) VALUES (?, ?, ?, ?, ?)",
            (incident["id"], at, message.get("message"), message.get("shown") or "", bool(message.get("sending"))),
        )


def _note(connection: sqlite3.Connection, row: Any, said: Row, incident: int | None) -> None:
    known = connection.execute("SELECT 1 FROM incidents WHERE id = ?", (incident,)).fetchone()
    if incident is not None and not known:
        return
    connection.execute(
        "INSERT INTO notes (chat, html, incident, picture, sending) VALUES (?, ?, ?, ?, ?)",
        (row["chat"], str(said.get("detail", "")), incident, row["picture"], bool(row["claimed_until"])),
    )
