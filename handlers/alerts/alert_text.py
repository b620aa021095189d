"""Texts about alerts apart from incidents themselves: who did what, silences, lists. HTML; pure."""

from collections.abc import Sequence
from datetime import datetime

from controller.incidents import Entry, Incident, Silence
from handlers.alerts.incidents.incident_text import Names, what_happened
from handlers.chat.messages import escape
from handlers.texts.vocabulary import Readers, alert_wording, clock, count, span

ACKNOWLEDGED = "Thank you: everybody sees that you are on it."
TAKEN_ALREADY = "Somebody is on it already."
OVER_ALREADY = "That is over already."
SILENCE_TOO_LATE = "Counted from when you sent it, that silence would be over by now: nothing is silenced."
NO_SUCH_SILENCE = "That silence has ended."
SILENCE_ENDED = "The silence has ended."
ONLY_ADMINS_END_IT = "This silence is not yours alone: an admin can end it."
HOW_TO_SILENCE = (
    "Say whom to silence and for how long, up to 30 days:\n"
    "<code>/silence Support Berlin 2h phone is in repair</code>\n"
    "<code>/silence all 30m maintenance</code>"
)
TAKEN_OVER = "It is yours now: everybody sees that."
RELEASED = "Nobody is on it now: it is escalated anew."
NOBODY_IS_ON_IT = "Nobody is on it."
STORED_BY_NOW = "☑️ This was sent while it could not be stored. By now it can: a newer message tells how it is."
CONTROLLER = "Switchboard itself"
NAMES = 5


def is_on_it(name: str, now: datetime) -> str:
    """Return an incident's line about who acknowledged it."""
    return f"{escape(name)} is on it, since {clock(now, now)}"


def released_by(name: str, now: datetime) -> str:
    """Return the line about who released it."""
    return f"↩️ {escape(name)} let go of it, {clock(now, now)}"


def pressed_by(name: str, what: str, now: datetime) -> str:
    """Return the line about who pressed which button."""
    return f"🔄 {escape(name)} pressed {what}, {clock(now, now)}"


def silenced_by(silence: Silence, now: datetime) -> str:
    """Return the line about who silenced it, and for how long."""
    return f"🔕 {escape(silence.name)} silenced it until {clock(silence.until, now)}"


def silence_ended_by(name: str, now: datetime) -> str:
    """Return the line about who ended the silence early."""
    return f"🔔 {escape(name)} ended the silence, {clock(now, now)}"


def started(accounts: int) -> str:
    """Report, above the chat, the effect of "Reconnect all"."""
    return f"{count(accounts, 'account')} started." if accounts else "None of them needed a start."


def confirm_all(accounts: int) -> str:
    """Ask for confirmation before many accounts are started."""
    return f"Reconnect {count(accounts, 'account')}, one after the other? (60 s to answer)"


def which_account(asked: str) -> str:
    """Answer a silence for an ambiguous name."""
    return f"More than one account fits “{escape(asked)}”. Use the whole number."


def silence_began(silence: Silence, names: Sequence[str], now: datetime) -> str:
    """Answer /silence."""
    where = "in any chat" if silence.chat is None else "in this chat"
    return (
        f"🔕 {_whom(silence, names)}: no alerts until {clock(silence.until, now)}, {where}"
        f"{_reason(silence)}.\nWhatever is still wrong then is alerted then."
    )


def silences_ended(ended: Sequence[Sequence[str]], left: Sequence[str], *, subject: str, only_admins: bool) -> str:
    """Answer `/silence … off`. ended: the accounts' names of each silence, none for all accounts.

    left: lines about what still silences it. subject: the account, "" for all. only_admins: the reader may not end all.
    """
    rows = [
        f"🔔 {_some(names) if names else '<b>All accounts</b>'}: that silence is over, alerts come again."
        for names in ended
    ]
    if not ended and subject:
        rows.append(f"<b>{subject}</b> is not silenced by itself.")
    elif not ended and not left:
        rows.append("Nothing is silenced.")
    if left:
        rows += ["Still silenced:", *left]
    if only_admins:
        rows.append("Only an admin can end this one." if len(left) == 1 else "Only an admin can end all of these.")
    return "\n".join(rows)


def silence_line(silence: Silence, names: Sequence[str], now: datetime) -> str:
    """Describe a silence."""
    where = " everywhere" if silence.chat is None else ""
    left = span((silence.until - now).total_seconds())
    return f"🔕 {_whom(silence, names)}{where}, {left} left, by {escape(silence.name)}{_reason(silence)}"


def open_incident(incident: Incident, names: Names, now: datetime) -> list[str]:
    """Describe an open incident: a line for each reason, with whom it is about."""
    by = f" · {incident.acknowledged_by}" if incident.acknowledged_by else ""
    lines = []
    for reason in dict.fromkeys(entry.reason for entry in incident.open_entries):
        those = [entry for entry in incident.open_entries if entry.reason == reason]
        who = _some([names(entry.number) for entry in those]) + ": " if those[0].number else ""
        title = alert_wording(reason).title
        since = span((now - min(entry.at for entry in those)).total_seconds())
        lines.append(f"🚨 {who}{title if who else title[:1].upper() + title[1:]} · open for {since}{by}")
    return lines


def alerts_and_silences(
    here: Sequence[str],
    elsewhere: Sequence[str],
    silences: Sequence[str],
    *,
    beside: int,
    comes_here: bool,
    silences_all: bool,
) -> str:
    """Answer /alerts and /silence: a line for each open incident here, and in other chats.

    beside: how many more accounts need somebody. comes_here: alerts go to this chat. silences_all: the reader may.
    """
    rows = []
    if here:
        rows += [f"<b>{count(len(here), 'alert')} open here</b>", *here]
    if elsewhere:
        rows += [f"<b>{count(len(elsewhere), 'alert')} open in other chats</b>", *elsewhere]
    if beside:
        needs = "needs" if beside == 1 else "need"
        rows.append(f"{count(beside, 'account')} {needs} somebody without an alert: /status bad lists them.")
    if not rows:
        rows.append("Nothing needs you." if comes_here else "No alert is open here. Alerts go to another chat.")
    if silences:
        rows += [f"<b>{count(len(silences), 'silence')}</b>", *silences]
    else:
        rows.append("Nothing is silenced." + (" /silence all 2h does that." if silences_all else ""))
    return "\n".join(rows)


def unstored(entry: Entry, name: str, readers: Readers = Readers.ACTS) -> str:
    """Report a problem without an incident, as nothing can be stored. name: as in `what_happened`."""
    return f"🚨 {what_happened(entry, name)}\n➡️ {alert_wording(entry.reason).todo((), readers)}"


def unstored_over(reason: str) -> str:
    """Report the end of a problem that was reported without an incident."""
    words = alert_wording(reason)
    return f"✅ <b>{words.over}</b>.\nIt was: {words.title}."


def unstored_connected(name: str) -> str:
    """Report that an account recovered which was reported without an incident."""
    return f"✅ <b>{name}</b> connected."


def chat_is_gone(chat: int, name: str, why: str, *, instead: bool) -> str:
    """Tell admins about a chat that cannot be written to.

    name: whose private chat it is, "" if unknown. instead: they get its alerts meanwhile.
    """
    whose = f", that of {escape(name)}" if name else ""
    reached = "it can be reached" if chat < 0 else "it can be reached: after /start there, and without blocking me"
    more = f"Its alerts come here until {reached}." if instead else f"Its alerts are kept until {reached}."
    return f"📪 I cannot write to chat <code>{chat}</code>{whose} ({escape(why)}).\n{more}"


def no_admin_is_reached(why: str) -> str:
    """Tell operators that no admin can be written to."""
    return (
        f"📪 I cannot write to any admin ({escape(why)}).\n"
        "Alerts that only admins get reach nobody until I can. If you can reach one, please tell them."
    )


ADMINS_ARE_REACHED = "📬 I can write to an admin again: the alerts that waited go out now."
HERE_AGAIN = "📬 I could not write here for a while: alerts of that time come only now."


def duty_is_gone(chat: int, why: str) -> str:
    """Tell admins that whoever is on duty cannot be written to."""
    return (
        f"📪 I cannot write to whoever is on duty, in chat <code>{chat}</code> ({escape(why)}).\n"
        "Alerts sound everywhere until then."
    )


def chat_is_back(chat: int) -> str:
    """Tell admins that a chat can be written to again."""
    return f"📬 Chat <code>{chat}</code> can be reached now, and gets its alerts."


def picture_refused(caption: str, why: str) -> str:
    """Say that a picture which an alert refers to cannot be shown. caption: HTML."""
    return f"{caption} Telegram does not take its picture: {escape(why)}."


def refused(chat: int, entries: Sequence[tuple[str, str]], why: str) -> str:
    """Tell admins about an alert that Telegram rejects. entries: the accounts' names, as HTML, with the reasons."""
    lines = [f"🚨 Telegram does not take an alert of chat <code>{chat}</code> ({escape(why)}). It said:"]
    lines += [
        f"{name}: {alert_wording(reason).title}" if name else alert_wording(reason).title
        for name, reason in entries[:NAMES]
    ]
    if len(entries) > NAMES:
        lines.append(f"and {len(entries) - NAMES} more")
    return "\n".join([*lines, "/alerts in that chat lists what stands."])


def no_topics(chat: int, why: str) -> str:
    """Tell admins that a forum's alerts go to its General topic."""
    return (
        f"🧵 I cannot open topics in <code>{chat}</code> ({escape(why)}): alerts go to General there.\n"
        "To have a topic for each account, let the bot manage topics."
    )


def chat_moved(chat: int, to: int) -> str:
    """Tell admins about a group that became a supergroup."""
    return (
        f"📦 The group <code>{chat}</code> has become a supergroup; I write there now.\n"
        f"If it is TELEGRAM_ALERT_CHAT_ID, set that to <code>{to}</code>."
    )


def _whom(silence: Silence, names: Sequence[str]) -> str:
    return _some(names) if silence.numbers else "<b>All accounts</b>"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return f"<b>{', '.join(names[:NAMES])}</b>{more}"


def _reason(silence: Silence) -> str:
    return f" ({escape(silence.reason)})" if silence.reason else ""
