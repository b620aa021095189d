"""How an incident is told: its messages, its buttons, its recovery. Pure.

One account gets what happened, what it means and what to do. Of many, each cause is named once, with who it concerns.
Moments are told from the incident's own day on, so that a text stays as it is until something changes.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from html import unescape

from controller.accounts.reasons import Reason, Remedy
from controller.incidents import CRITICAL, Entry, Incident
from controller.troubles import Trouble, traits_of
from handlers.chat.button_codes import Verb, button_code
from handlers.chat.html import split
from handlers.chat.messages import Button, Keyboard, Text, escape
from handlers.texts import remedies
from handlers.texts.vocabulary import WHY, Told, clock, count, span, told_of

Names = Callable[[str], str]
"""An account's name for a line, as HTML; its number where it has none."""
Offers = Callable[[Entry], tuple[Remedy, ...]]
"""What can be done about an entry now: the remedies whose buttons belong under it."""

NAMES_IN_A_LINE = 12
EACH_WITH_BUTTONS = 3
"""Up to so many accounts have buttons of their own."""
NAME_IN_BUTTON = 20
CLOSED_BY_PERSON = "Closed by an operator."
SUPERSEDED = "Something else has happened to it since."


def digest(text: Text) -> str:
    """Return a fingerprint of what a text looks like. The nonces of its buttons are not seen."""
    labels = [[button.label for button in row] for row in text.keyboard]
    return hashlib.sha256(repr((text.html, labels)).encode()).hexdigest()[:16]


def by_traits(entry: Entry) -> tuple[Remedy, ...]:
    """Return what the entry's reason says that mends it."""
    remedy = traits_of(entry.reason).remedy
    return () if remedy is Remedy.NONE else (remedy,)


def parts(incident: Incident, names: Names, offers: Offers = by_traits) -> list[Text]:
    """Return the incident's messages; the first has the buttons."""
    entries = [entry for entry in incident.entries if not entry.handled or incident.over_at is not None]
    below = _offered(incident, offers)
    lines = _one(incident, entries[0], names, below) if len(entries) == 1 else _many(incident, entries, names, below)
    if incident.acknowledged_by and incident.open_entries:
        lines.append(f"👤 {incident.acknowledged_by}")
    lines.extend(incident.done)
    lines.extend(_second_ways(incident))
    first, *more = split("\n".join(lines))
    return [Text(first, keyboard(incident, names, offers)), *(Text(part) for part in more)]


def recovery(incident: Incident, names: Names) -> Text | None:
    """Return the reply that tells that all of it is over; None if nothing of it was mended."""
    mended = [entry for entry in incident.entries if entry.over_at is not None and not entry.handled]
    over_at = incident.over_at
    if over_at is None or not mended:
        return None
    if len(mended) == 1:
        entry = mended[0]
        assert entry.over_at is not None
        lasted = span((entry.over_at - entry.at).total_seconds())
        if not entry.number:
            return Text(f"✅ {_words(entry).over}, after {lasted}.")
        return Text(f"✅ {names(entry.number)} is connected again, after {lasted}.")
    lasted = span((over_at - min(entry.at for entry in mended)).total_seconds())
    accounts = len({entry.number for entry in mended if entry.number})
    lines = [f"{_words(entry).over}, after {lasted}." for entry in mended if not entry.number]
    if accounts:
        every = "All " if accounts > 1 and len(mended) == len(incident.entries) else ""
        lines.insert(0, f"{every}{count(accounts, 'account')} connected again, after {lasted}.")
    return Text("\n".join(f"✅ {line}" for line in lines))


def lost_again(incident: Incident) -> Text:
    """Return what the reply says where it was over, and is not any more."""
    if any(entry.number for entry in incident.open_entries):
        return Text("🔁 It was connected again for a while, and is not any more.")
    return Text("🔁 It was over for a while, and is not any more.")


def reminder(incident: Incident, names: Names, now: datetime, offers: Offers = by_traits) -> Text:
    """Return what sounds when nobody has acknowledged for long."""
    entries = [entry for entry in incident.open_entries if entry.reason in CRITICAL]
    who = ", ".join(dict.fromkeys(_name(entry, names) for entry in entries[:NAMES_IN_A_LINE]))
    more = f" and {len(entries) - NAMES_IN_A_LINE} more" if len(entries) > NAMES_IN_A_LINE else ""
    since = span((now - min(entry.at for entry in entries)).total_seconds())
    return Text(f"⏰ Still open after {since}, and nobody is on it: {who}{more}.", keyboard(incident, names, offers))


def restartable(incident: Incident) -> list[Entry]:
    """Return what stands in the incident and may be mended by a start: what "Reconnect all" is about."""
    return [entry for entry in incident.open_entries if entry.number and Remedy.RECONNECT in by_traits(entry)]


def keyboard(incident: Incident, names: Names, offers: Offers = by_traits) -> Keyboard:
    """Offer what can be done about what stands."""
    entries = incident.open_entries
    if not entries:
        return ()
    subject = f".{incident.id}"
    rows: list[tuple[Button, ...]] = []
    accounts = [entry for entry in entries if entry.number]
    below = _offered(incident, offers)
    if len(accounts) <= EACH_WITH_BUTTONS:
        for entry in accounts:
            name = names(entry.number) if len(accounts) > 1 else ""
            rows.append(remedies.buttons(below(entry), f"{entry.number}.{incident.id}", partial(_labelled, name)))
    elif those := restartable(incident):
        label = f"Reconnect {count(len(those), 'account')}"
        rows.append((Button(label, button_code(Verb.RECONNECT, subject)),))
    rows.extend(remedies.buttons(below(entry), subject) for entry in entries if not entry.number)
    rows = [row for row in rows if row]
    silences = (
        Button("Silence 1 h", button_code(Verb.SILENCE, subject)),
        Button("Silence 8 h", button_code(Verb.LONG_SILENCE, subject)),
    )
    if incident.acknowledged_by:
        rows.append(
            (
                Button("Take over", button_code(Verb.TAKE_OVER, subject)),
                Button("Let go", button_code(Verb.RELEASE, subject)),
            )
        )
        rows.append(silences)
    else:
        rows.append((Button("Acknowledge", button_code(Verb.ACKNOWLEDGE, subject)), *silences))
    return tuple(rows)


# --- parts ----------------------------------------------------------------------------------------------------------


def _one(incident: Incident, entry: Entry, names: Names, below: Offers) -> list[str]:
    words, name = _words(entry), _name(entry, names)
    at = clock(entry.at, incident.opened_at)
    subject = f"<b>{name}</b>: <b>{words.title}</b>" if entry.number else f"<b>{words.title}</b>"
    if not entry.open:
        assert entry.over_at is not None
        if entry.handled:
            return [f"▪️ {subject}, {at}", CLOSED_BY_PERSON if entry.by_person else SUPERSEDED]
        if not entry.number:
            return [f"✅ <b>{words.over}</b>, {clock(entry.over_at, incident.opened_at)}; it began {at}."]
        return [f"✅ {subject}, {at}. Over since {clock(entry.over_at, incident.opened_at)}.", *_times(entry)]
    cause = f" ({WHY[Reason(entry.cause)]})" if entry.cause in WHY else ""
    lines = [f"🚨 {subject}{cause}, {at}", f"{words.means}", f"➡️ {words.todo(below(entry))}"]
    if entry.detail and entry.reason != Trouble.UNREACHABLE:
        lines.insert(1, f"<i>{escape(entry.detail)}</i>")
    return lines + _times(entry)


def _second_ways(incident: Incident) -> list[str]:
    sent = dict.fromkeys((e.second_way, e.second_way_at) for e in incident.entries if e.second_way_at is not None)
    return [f"📨 Sent by {escape(way)}, {clock(at, incident.opened_at)}" for way, at in sent if at is not None]


def _many(incident: Incident, entries: list[Entry], names: Names, below: Offers) -> list[str]:
    standing = [entry for entry in entries if entry.open]
    accounts = len({entry.number for entry in standing if entry.number})
    since = clock(min(entry.at for entry in entries), incident.opened_at)
    if standing:
        need = "needs you" if accounts == 1 else "need you"
        head = f"🚨 <b>{count(accounts, 'account')} {need}</b>" if accounts else "🚨 <b>Something needs you</b>"
        lines = [f"{head} · since {since}"]
    else:
        lines = [f"✅ <b>All of this is over</b> · it began {since}"]
    for reason in dict.fromkeys(entry.reason for entry in standing):
        those = [entry for entry in standing if entry.reason == reason]
        words = _words(those[0])
        if not those[0].number:
            more = f": {escape(those[0].detail)}" if those[0].detail and reason != Trouble.UNREACHABLE else ""
            lines.append(f"<b>{words.title[:1].upper()}{words.title[1:]}</b>{more}")
            if offered := below(those[0]):
                lines.append(f"➡️ {words.todo(offered)}")
            continue
        lines.append(f"<b>{words.title[:1].upper()}{words.title[1:]}</b> ({len(those)})")
        lines.extend(_names(those, names))
        lines.append(f"➡️ {words.todo(_in_common(those, below))}")
    over = [entry for entry in entries if not entry.open and entry.number]
    if over:
        lines.append(f"<b>{'Connected again' if not any(e.handled for e in over) else 'Over'}</b> ({len(over)})")
        lines.extend(_names(over, names))
    return lines


def _in_common(entries: Sequence[Entry], below: Offers) -> list[Remedy]:
    """Return what can be done about each of these entries."""
    return [remedy for remedy in below(entries[0]) if all(remedy in below(entry) for entry in entries)]


def _names(entries: list[Entry], names: Names) -> Iterable[str]:
    told_names = [_name(entry, names) + (f" ×{entry.times}" if entry.times > 1 else "") for entry in entries]
    for start in range(0, len(told_names), NAMES_IN_A_LINE):
        end = start + NAMES_IN_A_LINE
        yield ", ".join(told_names[start:end]) + ("," if end < len(told_names) else "")


def _times(entry: Entry) -> list[str]:
    return [f"🔁 It came {entry.times} times, and is told here without a sound."] if entry.times > 1 else []


def _name(entry: Entry, names: Names) -> str:
    return names(entry.number) if entry.number else _words(entry).title


def _words(entry: Entry) -> Told:
    words = told_of(entry.reason)
    if entry.reason == Trouble.UNREACHABLE and entry.detail:
        return replace(words, title=f"{words.title}: {escape(entry.detail)}")
    return words


def _offered(incident: Incident, offers: Offers) -> Offers:
    """Return what stands below about each entry; of many accounts, no more than they have in common."""
    accounts = sum(1 for entry in incident.open_entries if entry.number)

    def below(entry: Entry) -> tuple[Remedy, ...]:
        if not entry.open:
            return ()
        offered = offers(entry)
        if entry.number and accounts > EACH_WITH_BUTTONS:
            return tuple(remedy for remedy in offered if remedy is Remedy.RECONNECT)
        return offered

    return below


def _labelled(html: str, label: str) -> str:
    if not html:
        return label
    name = unescape(html)
    return f"{label}: {name if len(name) <= NAME_IN_BUTTON else name[: NAME_IN_BUTTON - 1] + '…'}"
