"""Decides what an incident's messages need next: to be sent, edited, deleted, repeated. Pure.

`next_action` compares what an incident should say with what its chat shows; `sent` and the like record what was done.
The first message takes precedence over everything; edits of a growing incident are spaced, so that a storm leaves some
of the chat's budget to others; its end is shown at once, or within seconds where it keeps coming back. A timestamp in
the future means that the clock was set back, and is not waited for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from controller.incidents import CRITICAL, Entry, Incident, Message
from handlers.alerts.incidents import incident_text
from handlers.alerts.incidents.incident_text import EVERYBODY, Names, Offers, Reader, by_traits
from handlers.alerts.incidents.policy import AlertPolicy, elapsed
from handlers.chat.chat_settings import Loudness
from handlers.chat.messages import Text


@dataclass(frozen=True, slots=True)
class Send:
    """Send a part for the first time."""

    part: int
    text: Text
    silent: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Change the text of a part; an empty text deletes it."""

    part: int
    message: int
    text: Text


@dataclass(frozen=True, slots=True)
class Remind:
    """Sound again, since nobody has acknowledged. earlier: the previous reminder, which it replaces."""

    text: Text
    earlier: int | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Delete an obsolete reminder: the incident is over or acknowledged."""

    message: int


@dataclass(frozen=True, slots=True)
class OpenTopic:
    """Find or open the forum's topic of an account."""

    number: str


Action = Send | Edit | Remind | Withdraw | OpenTopic


def next_action(
    incident: Incident,
    names: Names,
    now: datetime,
    policy: AlertPolicy,
    *,
    quiet_until: datetime | None,
    offers: Offers = by_traits,
    reader: Reader = EVERYBODY,
) -> Action | datetime | None:
    """Return the next action, else the time at which one is due, else None.

    quiet_until: when the silence that covers all its open entries ends, None without one.
    """
    if quiet_until is not None and incident.told_at is None and not is_uncertain(incident):
        return quiet_until
    if incident.about and incident.topic is None and incident.told_at is None:
        return OpenTopic(incident.about)
    texts = incident_text.parts(incident, names, offers, reader)
    for number, text in enumerate(texts):
        part = incident.parts[number] if number < len(incident.parts) else Message()
        if part.message is None and not _is_set_aside(incident, part, text):
            return Send(number, text, silent=number > 0 or all(entry.silent for entry in incident.open_entries))
    later: list[datetime] = []
    if (change := _edit(incident, texts)) is not None:
        due = _edit_due(incident, now, policy)
        if due is None:
            return change
        later.append(due)
    next_reminder = _reminder(incident, names, now, policy, quiet_until=quiet_until, offers=offers, reader=reader)
    if isinstance(next_reminder, datetime):
        later.append(next_reminder)
    elif next_reminder is not None:
        return next_reminder
    return min(later, default=None)


def sending(incident: Incident, action: Send) -> Incident:
    """Record that a part is about to be sent: from now on it may be in the chat without our knowing.

    What is recorded already stays the same object: a failed attempt must not look like a change that needs another.
    """
    if action.part < len(incident.parts) and incident.parts[action.part] == Message(sending=True):
        return incident
    return _with_part(incident, action.part, Message(sending=True))


def is_uncertain(incident: Incident) -> bool:
    """Return whether a message may be in the chat without our knowing."""
    return any(part.sending for part in incident.parts)


def sent(incident: Incident, action: Send, message: int, now: datetime, policy: AlertPolicy) -> Incident:
    """Record that a part was sent."""
    incident = _with_part(incident, action.part, Message(message, action.text.digest))
    if action.part == 0:
        incident = replace(incident, told_at=now, edited_at=now)
    return _with_repeat(incident, now, policy)


def edited(incident: Incident, action: Edit, now: datetime, policy: AlertPolicy) -> Incident:
    """Record that a part was edited, or deleted."""
    if not action.text.html:
        incident = replace(incident, parts=incident.parts[: action.part])
    else:
        incident = _with_part(incident, action.part, Message(action.message, action.text.digest))
    return _with_repeat(replace(incident, edited_at=now), now, policy)


def with_news(incident: Incident, shown: Incident) -> Incident:
    """Record whether the incident has grown since the version from which its messages were made."""
    before = {(entry.number, entry.reason, entry.times) for entry in shown.entries}
    news = any((entry.number, entry.reason, entry.times) not in before for entry in incident.open_entries)
    return replace(incident, news=news)


def gone(incident: Incident, action: Edit) -> Incident:
    """Record that somebody has deleted a part: it and the following ones are to be sent anew."""
    return replace(incident, parts=incident.parts[: action.part])


def reminded(incident: Incident, message: int | None, now: datetime, policy: AlertPolicy) -> Incident:
    """Record that it sounded again. message: the reminder, None if the chat service rejected it."""
    repeat_at = now + policy.repeat_after if policy.repeat_after else None
    return replace(incident, repeat_at=repeat_at, reminder=None if message is None else Message(message))


def withdrawn(incident: Incident) -> Incident:
    """Record that the reminder is gone."""
    return replace(incident, reminder=None)


def shows_an_end(incident: Incident) -> bool:
    """Return whether it is over and something in it recovered, which its recipients should learn."""
    return incident.over_at is not None and not all(entry.handled for entry in incident.entries)


def set_aside(
    incident: Incident, action: Send | Remind | Withdraw | OpenTopic, now: datetime, policy: AlertPolicy
) -> Incident:
    """Record that the chat service rejects a message, so that it is not retried."""
    match action:
        case Send():
            refused = _with_part(incident, action.part, Message(shown=action.text.digest, refused=True))
            return _with_repeat(replace(refused, told_at=incident.told_at or now, edited_at=now), now, policy)
        case Remind():
            return reminded(incident, None, now, policy)
        case Withdraw():
            return withdrawn(incident)
        case OpenTopic():
            return replace(incident, about="")


def afresh(incident: Incident, chat: int) -> Incident:
    """Return the incident as it is sent to another chat: anew, unless it is over."""
    over = incident.over_at is not None
    parts = tuple(replace(part, sending=False) for part in incident.parts) if over else ()
    return replace(incident, chat=chat, topic=None, about="", parts=parts, reminder=None)


def _is_set_aside(incident: Incident, part: Message, text: Text) -> bool:
    """Return whether a rejected message is not retried: only its end is, which is another text."""
    return part.refused and not (shows_an_end(incident) and part.shown != text.digest)


def _sounds(entry: Entry, policy: AlertPolicy) -> bool:
    return entry.reason in CRITICAL and not entry.silent and policy.loudness_of(entry.reason) is Loudness.SOUND


def _reminder(
    incident: Incident,
    names: Names,
    now: datetime,
    policy: AlertPolicy,
    *,
    quiet_until: datetime | None,
    offers: Offers,
    reader: Reader,
) -> Remind | Withdraw | datetime | None:
    """Return the reminder that is due, else the time of the next, else None. Silent alerts are not repeated."""
    earlier = None if incident.reminder is None else incident.reminder.message
    if not incident.critical or incident.acknowledged_by:
        return None if earlier is None else Withdraw(earlier)
    if incident.repeat_at is None or not any(_sounds(entry, policy) for entry in incident.open_entries):
        return None
    repeat_at = incident.repeat_at
    if repeat_at - now > 2 * policy.repeat_after:  # the clock was set back since
        repeat_at = now
    due = max(repeat_at, quiet_until or repeat_at)
    return due if due > now else Remind(incident_text.reminder(incident, names, now, offers, reader), earlier)


def _edit(incident: Incident, texts: Sequence[Text]) -> Edit | None:
    if len(incident.parts) > len(texts):
        last = incident.parts[-1].message
        if last is not None:
            return Edit(len(incident.parts) - 1, last, Text(""))
    for number, (part, text) in enumerate(zip(incident.parts, texts, strict=False)):
        if part.message is not None and part.shown != text.digest:
            return Edit(number, part.message, text)
    return None


def _edit_due(incident: Incident, now: datetime, policy: AlertPolicy) -> datetime | None:
    """Return when the incident may be edited again; None if it may be now."""
    if incident.edited_at is None or incident.told_at is None:
        return None
    times = max(entry.times for entry in incident.entries)
    if incident.over_at is not None:
        if times <= policy.steady:
            return None
        wait = policy.spacing_young
    elif times > policy.steady:
        wait = min(policy.spacing_old * times, policy.spacing_flapping)
    else:
        young = incident.edited_at - incident.told_at <= policy.young
        wait = policy.spacing_young if young else policy.spacing_old
    return None if elapsed(incident.edited_at, now, wait) else incident.edited_at + wait


def _with_part(incident: Incident, number: int, part: Message) -> Incident:
    parts = list(incident.parts)
    parts[number : number + 1] = [part]
    return replace(incident, parts=tuple(parts))


def _with_repeat(incident: Incident, now: datetime, policy: AlertPolicy) -> Incident:
    if incident.repeat_at is None and incident.critical and not incident.acknowledged_by and policy.repeat_after:
        return replace(incident, repeat_at=now + policy.repeat_after)
    return incident


def is_settled(incident: Incident, names: Names) -> bool:
    """Return whether an incident that is over shows so in all its messages."""
    texts = incident_text.parts(incident, names)
    shown = [part.shown for part in incident.parts]
    return incident.over_at is not None and incident.reminder is None and shown == [text.digest for text in texts]
