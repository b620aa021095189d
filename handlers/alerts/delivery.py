"""What an incident's messages owe next: sent, edited, taken away, replied to, repeated. Pure.

`next_duty` compares what an incident should say with what its chat shows; `sent` and its like record what was done. The
first message goes before everything; edits of an incident that grows are spaced, so that a storm leaves the chat's
budget to others; its end is shown at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handlers.alerts import incident_text
from handlers.alerts.incident_text import Names, digest
from handlers.alerts.incidents import Incident, Part
from handlers.chat.messages import Text

YOUNG = timedelta(seconds=60)
SPACING_YOUNG, SPACING_OLD = timedelta(seconds=4), timedelta(seconds=12)
"""Between two edits of an incident: while it is young, and later."""
STEADY, SPACING_FLAPPING = 2, timedelta(minutes=5)
"""What came more often than this is flapping, and is edited ever more rarely, down to this."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a part for the first time."""

    part: int
    text: Text
    silent: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Let a part say something else; an empty text takes it away."""

    part: int
    message: int
    text: Text


@dataclass(frozen=True, slots=True)
class Reply:
    """Tell that it is over, below; `message` is the reply to edit, None to send it."""

    text: Text
    message: int | None


@dataclass(frozen=True, slots=True)
class Remind:
    """Sound again, since nobody has acknowledged."""

    text: Text


@dataclass(frozen=True, slots=True)
class OpenTopic:
    """Find or open the forum's topic of an account."""

    number: str


Action = Send | Edit | Reply | Remind | OpenTopic


def next_duty(
    incident: Incident, names: Names, now: datetime, *, quiet_until: datetime | None
) -> Action | datetime | None:
    """Return what is owed now, else the moment from which something is, else None.

    quiet_until: when the silence ends that covers all that stands in it, None without one.
    """
    if incident.about and incident.topic is None and incident.told_at is None:
        return OpenTopic(incident.about)
    texts = incident_text.parts(incident, names)
    for number, text in enumerate(texts):
        if number >= len(incident.parts) or incident.parts[number].message is None:
            return Send(number, text, silent=number > 0 or incident.over_at is not None)
    later: list[datetime] = []
    change = _edit(incident, texts) or _reply(incident, names)
    if change is not None:
        due = _edit_due(incident)
        if due <= now:
            return change
        later.append(due)
    if incident.repeat_at is not None and incident.critical and not incident.acknowledged_by:
        due = max(incident.repeat_at, quiet_until or incident.repeat_at)
        if due <= now:
            return Remind(incident_text.reminder(incident, names, now))
        later.append(due)
    return min(later, default=None)


def sending(incident: Incident, duty: Send) -> Incident:
    """Record that a part is about to be sent: from now on it may be in the chat without our knowing."""
    return _with_part(incident, duty.part, Part(sending=True))


def is_uncertain(incident: Incident) -> bool:
    """Tell whether a message may be in the chat without our knowing."""
    return any(part.sending for part in (*incident.parts, *((incident.reply,) if incident.reply else ())))


def sent(incident: Incident, duty: Send, message: int, now: datetime, repeat_after: timedelta) -> Incident:
    """Record that a part was sent."""
    incident = _with_part(incident, duty.part, Part(message, digest(duty.text)))
    if duty.part == 0:
        incident = replace(incident, told_at=now, edited_at=now)
    return _with_repeat(incident, now, repeat_after)


def edited(incident: Incident, duty: Edit, now: datetime, repeat_after: timedelta) -> Incident:
    """Record that a part says something else now, or is gone."""
    if not duty.text.html:
        incident = replace(incident, parts=incident.parts[: duty.part])
    else:
        incident = _with_part(incident, duty.part, Part(duty.message, digest(duty.text)))
    return _with_repeat(replace(incident, edited_at=now), now, repeat_after)


def is_news(incident: Incident) -> bool:
    """Tell whether the next edit says that something more has come: then somebody is to see it."""
    return incident.edited_at is not None and incident.grown_at > incident.edited_at and bool(incident.open_entries)


def gone(incident: Incident, duty: Edit) -> Incident:
    """Record that somebody has deleted a part: it and what follows are to be sent anew."""
    return replace(incident, parts=incident.parts[: duty.part])


def replying(incident: Incident) -> Incident:
    """Record that the reply is about to be sent."""
    return replace(incident, reply=Part(sending=True))


def replied(incident: Incident, duty: Reply, message: int, now: datetime) -> Incident:
    """Record what the reply says."""
    return replace(incident, reply=Part(message, digest(duty.text)), edited_at=now)


def reminded(incident: Incident, now: datetime, repeat_after: timedelta) -> Incident:
    """Record that it sounded again."""
    return replace(incident, repeat_at=now + repeat_after if repeat_after else None)


def _reply(incident: Incident, names: Names) -> Reply | None:
    shown = incident.reply
    if incident.over_at is None:
        if shown is None:
            return None
        text: Text | None = incident_text.lost_again()
    else:
        text = incident_text.recovery(incident, names)
    if text is None or (shown is not None and shown.shown == digest(text)):
        return None
    return Reply(text, None if shown is None else shown.message)


def _edit(incident: Incident, texts: Sequence[Text]) -> Edit | None:
    if len(incident.parts) > len(texts):
        last = incident.parts[-1].message
        assert last is not None
        return Edit(len(incident.parts) - 1, last, Text(""))
    for number, (part, text) in enumerate(zip(incident.parts, texts, strict=False)):
        assert part.message is not None
        if part.shown != digest(text):
            return Edit(number, part.message, text)
    return None


def _edit_due(incident: Incident) -> datetime:
    """Return from when on the incident may be edited again."""
    if incident.edited_at is None or incident.told_at is None:
        return incident.opened_at
    times = max(entry.times for entry in incident.entries)
    if times > STEADY:
        return incident.edited_at + min(SPACING_OLD * times, SPACING_FLAPPING)
    if incident.over_at is not None:
        return incident.opened_at
    young = incident.edited_at - incident.told_at <= YOUNG
    return incident.edited_at + (SPACING_YOUNG if young else SPACING_OLD)


def _with_part(incident: Incident, number: int, part: Part) -> Incident:
    parts = list(incident.parts)
    parts[number : number + 1] = [part]
    return replace(incident, parts=tuple(parts))


def _with_repeat(incident: Incident, now: datetime, repeat_after: timedelta) -> Incident:
    if incident.repeat_at is None and incident.critical and not incident.acknowledged_by and repeat_after:
        return replace(incident, repeat_at=now + repeat_after)
    return incident
