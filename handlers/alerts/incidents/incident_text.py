"""The wording of an incident: its messages, its buttons, its end. Pure.

One account gets a line about what happened and one about what to do. For several, each cause is named once, with the
accounts concerned. An end is shown in the same messages, as of that moment; later events appear elsewhere. Times are
relative to the incident's own day, so that a text stays stable until something changes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from html import unescape

from controller.accounts.reasons import Reason, Remedy
from controller.incidents import CRITICAL, Entry, Incident
from controller.troubles import traits_of
from handlers.chat.button_codes import Verb, button_code
from handlers.chat.html import split
from handlers.chat.messages import Button, Keyboard, Text, escape
from handlers.texts import remedies
from handlers.texts.vocabulary import WHY, Readers, alert_wording, clock, count, span

Names = Callable[[str], str]
"""An account's name for a line, as HTML; its number if it has none."""
Offers = Callable[[Entry], tuple[Remedy, ...]]
"""What can be done about an entry now: the remedies whose buttons belong below it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What whoever reads a chat's alerts may do. In a group everybody sees the same buttons, and each press is checked.

    acts: on an account, by its number, or on the controller itself (""). silences: whether they may silence.
    """

    acts: Callable[[str], bool] = lambda _: True
    silences: bool = True


EVERYBODY = Reader()
NAMES_IN_A_LINE = 12
EACH_WITH_BUTTONS = 3
"""Up to this many accounts have buttons of their own."""
NAME_IN_BUTTON = 20
CLOSED_BY_PERSON = "Closed by an operator."
SUPERSEDED = "Something else has happened to it since."
SUPERSEDED_ALL = "Something else has happened since"
REMINDER_PAST = "☑️ The alert above tells how it is now."
"""Text of an obsolete reminder that cannot be deleted."""
WITH_DETAIL = frozenset(
    {
        Reason.DIALOG,
        Reason.CONFIRM_NUMBER,
        Reason.BANNED,
        Reason.FLAPPING,
        Reason.CONFLICT,
        Reason.WRONG_NUMBER,
        Reason.WRONG_NUMBER_STAYS,
        Reason.ARCHIVE_OUTDATED,
        Reason.PAGE_MISBEHAVES,
    }
)
"""Account reasons whose detail is more specific than the title and written for people."""

_ONLY_BY_PERSON = frozenset({Remedy.LINK, Remedy.USE_HERE, Remedy.CONFIRM, Remedy.CONTINUE})
"""What no retry does."""


def by_traits(entry: Entry) -> tuple[Remedy, ...]:
    """Return the remedy of the entry's reason."""
    remedy = traits_of(entry.reason).remedy
    return () if remedy is Remedy.NONE else (remedy,)


def parts(incident: Incident, names: Names, offers: Offers = by_traits, reader: Reader = EVERYBODY) -> list[Text]:
    """Return the incident's messages; the first has the buttons."""
    entries = [entry for entry in incident.entries if not entry.handled or incident.over_at is not None]
    todo = partial(_todo, incident, _offered(incident, offers, reader), reader)
    if len(entries) == 1 and entries[0].open:
        lines = _one(incident, entries[0], names, todo)
    elif incident.over_at is not None and len({entry.number or entry.reason for entry in entries}) == 1:
        lines = _over_of_one(incident, entries, names)
    else:
        lines = _many(incident, entries, names, todo)
    if incident.acknowledged_by and incident.open_entries:
        lines.append(f"👤 {incident.acknowledged_by}")
    lines.extend(incident.done)
    lines.extend(_fallbacks(incident))
    first, *more = split("\n".join(lines))
    return [Text(first, keyboard(incident, names, offers, reader)), *(Text(part) for part in more)]


def reminder(
    incident: Incident, names: Names, now: datetime, offers: Offers = by_traits, reader: Reader = EVERYBODY
) -> Text:
    """Return the reminder sent when nobody has acknowledged for long."""
    entries = [entry for entry in incident.open_entries if entry.reason in CRITICAL]
    who = ", ".join(dict.fromkeys(_name(entry, names) for entry in entries[:NAMES_IN_A_LINE]))
    more = f" and {len(entries) - NAMES_IN_A_LINE} more" if len(entries) > NAMES_IN_A_LINE else ""
    since = span((now - min(entry.at for entry in entries)).total_seconds())
    text = f"⏰ Still open after {since}, and nobody is on it: {who}{more}."
    return Text(text, keyboard(incident, names, offers, reader))


def what_happened(entry: Entry, name: str, when: str = "") -> str:
    """Describe what happened, as HTML: half a line, and a line for what only the page or the phone knows.

    name: of the account, as HTML; "" for the controller itself. when: as text.
    """
    title = alert_wording(entry.reason).title
    cause = f" ({WHY[Reason(entry.cause)]})" if entry.cause in WHY else ""
    at = f", {when}" if when else ""
    if not name:
        return f"<b>{capitalized(title)}</b>{cause}{_figures(entry)}{at}"
    detail = f"\n{escape(capitalized(entry.detail))}" if entry.detail and entry.reason in WITH_DETAIL else ""
    return f"<b>{name}</b>: <b>{title}</b>{cause}{at}{detail}"


def restartable(incident: Incident) -> list[Entry]:
    """Return the open entries that a start may fix: the scope of "Reconnect all"."""
    return [entry for entry in incident.open_entries if entry.number and Remedy.RECONNECT in by_traits(entry)]


def keyboard(incident: Incident, names: Names, offers: Offers = by_traits, reader: Reader = EVERYBODY) -> Keyboard:
    """Offer what can be done about the open entries by whoever reads it."""
    entries = incident.open_entries
    if not entries:
        return ()
    subject = f".{incident.id}"
    rows: list[tuple[Button, ...]] = []
    accounts = [entry for entry in entries if entry.number]
    below = _offered(incident, offers, reader)
    if len(accounts) <= EACH_WITH_BUTTONS:
        for entry in accounts:
            name = names(entry.number) if len(accounts) > 1 else ""
            rows.append(remedies.buttons(below(entry), f"{entry.number}.{incident.id}", partial(_labelled, name)))
    elif those := [entry for entry in restartable(incident) if reader.acts(entry.number)]:
        label = f"Reconnect {count(len(those), 'account')}"
        rows.append((Button(label, button_code(Verb.RECONNECT, subject)),))
    rows.extend(remedies.buttons(below(entry), subject) for entry in entries if not entry.number)
    rows = [row for row in rows if row]
    silences = (
        (
            Button("Silence 1 h", button_code(Verb.SILENCE, subject)),
            Button("Silence 8 h", button_code(Verb.LONG_SILENCE, subject)),
        )
        if reader.silences
        else ()
    )
    if incident.acknowledged_by:
        rows.append(
            (
                Button("Take over", button_code(Verb.TAKE_OVER, subject)),
                Button("Let go", button_code(Verb.RELEASE, subject)),
            )
        )
        rows += [silences] if silences else []
    else:
        rows.append((Button("Acknowledge", button_code(Verb.ACKNOWLEDGE, subject)), *silences))
    return tuple(rows)


# --- parts ----------------------------------------------------------------------------------------------------------


def _one(incident: Incident, entry: Entry, names: Names, todo: Callable[[Sequence[Entry]], str]) -> list[str]:
    """Describe one open trouble: what happened and what to do, a line each."""
    happened = what_happened(entry, names(entry.number) if entry.number else "", clock(entry.at, incident.opened_at))
    return [f"🚨 {happened}", f"➡️ {todo([entry])}", *_times([entry])]


def _over_of_one(incident: Incident, entries: list[Entry], names: Names) -> list[str]:
    """Describe how the troubles of one account, or one of the controller, ended."""
    last, began = entries[-1], min(entry.at for entry in entries)
    name, words = _name(last, names), alert_wording(last.reason)
    who = f"<b>{name}</b>: " if last.number else ""
    titles = "; then ".join(dict.fromkeys(alert_wording(entry.reason).title for entry in entries))
    at = clock(began, incident.opened_at)
    recovered = [entry for entry in entries if not entry.handled]
    if not recovered:
        return [f"▪️ {who}{titles}, {at}", CLOSED_BY_PERSON if last.by_person else SUPERSEDED]
    ended = max(entry.over_at for entry in recovered if entry.over_at is not None)
    over_at, lasted = clock(ended, incident.opened_at), span((ended - began).total_seconds())
    when = f"at {at}" if at == over_at else f"from {at} to {over_at}"
    was = f"It was: {titles}, {when}."
    if last.number and not all(_persists(entry) for entry in recovered):
        return [f"✅ <b>{name}</b> connected at {over_at}, after {lasted}.", was, *_times(entries)]
    over = words.over[:1].lower() + words.over[1:] if who and not _is_name(words.over) else words.over
    return [f"✅ {who}<b>{over}</b>, after {lasted}.", was, *_times(entries)]


def _fallbacks(incident: Incident) -> list[str]:
    sent = dict.fromkeys((e.fallback, e.fallback_at) for e in incident.entries if e.fallback_at is not None)
    return [f"📨 Sent by {escape(way)}, {clock(at, incident.opened_at)}" for way, at in sent if at is not None]


def _many(incident: Incident, entries: list[Entry], names: Names, todo: Callable[[Sequence[Entry]], str]) -> list[str]:
    """Describe several troubles: each open one with its accounts and remedy, then the accounts that have recovered."""
    still_open = [entry for entry in entries if entry.open]
    since = clock(min(entry.at for entry in entries), incident.opened_at)
    lines = [f"🚨 <b>{_head(still_open)}</b> · since {since}"] if still_open else [_over_of_many(incident, entries)]
    for reason in dict.fromkeys(entry.reason for entry in still_open):
        those = [entry for entry in still_open if entry.reason == reason]
        words = alert_wording(reason)
        if not those[0].number:
            lines.append(f"<b>{capitalized(words.title)}</b>{_figures(those[0])}")
        else:
            lines.append(f"<b>{capitalized(words.title)}</b> ({len(those)})")
            lines.extend(_names_and_details(those, names))
        lines.append(f"➡️ {todo(those)}")
    lines.extend(f"✅ {alert_wording(entry.reason).over}" for entry in entries if not entry.open and not entry.number)
    over = [entry for entry in entries if not entry.open and entry.number]
    if over:
        label = "It was about" if not still_open and all(entry.handled for entry in entries) else "Over"
        lines.append(f"<b>{label}</b> ({len({entry.number for entry in over})})")
        lines.extend(_names(over, names))
    return lines


def _head(still_open: Sequence[Entry]) -> str:
    """Count the accounts with trouble, and those of them that wait for a person: the others are tried again."""
    accounts = {entry.number for entry in still_open if entry.number}
    waiting = {entry.number for entry in still_open if entry.number and _needs_person(entry)}
    if not accounts:
        return "Something needs you"
    need = "needs you" if len(waiting) == 1 else "need you"
    if waiting == accounts:
        return f"{count(len(accounts), 'account')} {need}"
    have = "has" if len(accounts) == 1 else "have"
    return f"{count(len(accounts), 'account')} {have} a problem" + (f", {len(waiting)} {need}" if waiting else "")


def _needs_person(entry: Entry) -> bool:
    """Return whether nothing goes on without a person. A ban may end by itself: whether it does is in its detail."""
    traits = traits_of(entry.reason)
    return (traits.critical and entry.reason != Reason.BANNED) or traits.remedy in _ONLY_BY_PERSON


def _over_of_many(incident: Incident, entries: list[Entry]) -> str:
    """Return the first line of several troubles that are over: what it states held at that moment."""
    over_at = incident.over_at
    assert over_at is not None
    lasted = span((over_at - min(entry.at for entry in entries)).total_seconds())
    moment = f"{clock(over_at, incident.opened_at)}, after {lasted}"
    connected = {entry.number for entry in entries if entry.number and not entry.handled and not _persists(entry)}
    if connected:
        return f"✅ <b>{count(len(connected), 'account')} connected</b> by {moment}"
    if not all(entry.handled for entry in entries):
        return f"✅ <b>Over</b> at {moment}"
    by_person = all(entry.by_person for entry in entries)
    return f"▪️ <b>{CLOSED_BY_PERSON[:-1] if by_person else SUPERSEDED_ALL}</b>, {moment}"


def _todo(incident: Incident, below: Offers, reader: Reader, entries: Sequence[Entry]) -> str:
    """Return what to do about entries of one reason: with the buttons of each, or what the reader can do without."""
    offered = [remedy for remedy in below(entries[0]) if all(remedy in below(entry) for entry in entries)]
    readers = Readers.ACTS if all(reader.acts(entry.number) for entry in entries) else Readers.WATCHES
    return alert_wording(entries[0].reason).todo(offered, Readers.MANY if incident.chat < 0 else readers)


def _names(entries: list[Entry], names: Names) -> Iterable[str]:
    times: dict[str, int] = {}
    for entry in entries:
        name = _name(entry, names)
        times[name] = max(times.get(name, 1), entry.times)
    told_names = [name + (f" ×{most}" if most > 1 else "") for name, most in times.items()]
    for start in range(0, len(told_names), NAMES_IN_A_LINE):
        end = start + NAMES_IN_A_LINE
        yield ", ".join(told_names[start:end]) + ("," if end < len(told_names) else "")


def _names_and_details(entries: list[Entry], names: Names) -> Iterable[str]:
    """List accounts with one reason, and what only the page or the phone knows: once where it is the same for all.

    Where it differs for many, only the first is quoted: the others' are in their details.
    """
    details = {entry.number: entry.detail for entry in entries if entry.detail and entry.reason in WITH_DETAIL}
    different = list(dict.fromkeys(details.values()))
    if len(different) > 1 and len(entries) <= EACH_WITH_BUTTONS:
        for entry in entries:
            detail = details.get(entry.number)
            yield f"{_name(entry, names)}: {escape(detail)}" if detail else _name(entry, names)
        return
    yield from _names(entries, names)
    if len(different) == 1 and len(details) == len({entry.number for entry in entries}):
        yield escape(capitalized(different[0]))
    elif different:
        number = next(iter(details))
        yield f"{names(number)}: {escape(different[0])} The others’ differ."


def _times(entries: Sequence[Entry]) -> list[str]:
    times = max(entry.times for entry in entries)
    return [f"🔁 It has happened {times} times; what comes again is shown here without a sound."] if times > 1 else []


def _name(entry: Entry, names: Names) -> str:
    return names(entry.number) if entry.number else alert_wording(entry.reason).title


def _figures(entry: Entry) -> str:
    """Return the figures of one of the controller's troubles, which follow its title."""
    return f": {escape(entry.detail)}" if entry.detail else ""


def _persists(entry: Entry) -> bool:
    """Return whether the trouble is one that an account has while connected."""
    return traits_of(entry.reason).persists


def capitalized(words: str) -> str:
    """Return words with a capital letter at the start, and the others as they are."""
    return words[:1].upper() + words[1:]


def _is_name(words: str) -> bool:
    """Return whether a sentence begins with a word that is capitalized everywhere."""
    return words.startswith("WhatsApp")


def _offered(incident: Incident, offers: Offers, reader: Reader) -> Offers:
    """Return what follows below each entry; for several accounts, only what they have in common."""
    accounts = sum(1 for entry in incident.open_entries if entry.number)

    def below(entry: Entry) -> tuple[Remedy, ...]:
        if not entry.open or not reader.acts(entry.number):
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
