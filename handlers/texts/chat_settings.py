"""Texts about where alerts go, how loud they are, and quiet hours. HTML; pure."""

from collections.abc import Mapping
from datetime import datetime

from handlers.chat.chat_settings import Loudness
from handlers.chat.messages import escape
from handlers.texts.answers import clip
from handlers.texts.vocabulary import zone_name

KINDS: dict[str, str] = {
    "circuit": "Paused after errors",
    "given up": "Attempts used up",
    "logged out": "Logged out",
    "banned": "Blocked by WhatsApp",
    "elsewhere": "Opened somewhere else",
    "wrong phone": "Wrong phone",
    "asks": "Something asks for an answer",
    "page": "A page that is new, or misbehaves",
    "drops out": "Keeps dropping out",
    "unreachable": "WhatsApp cannot be reached",
    "server": "The server itself",
    "other": "Everything else",
}
"""The names of the kinds of alerts, in display order."""
ICONS = {Loudness.SOUND: "🔔", Loudness.SILENT: "🔕", Loudness.OFF: "🚫"}
WORDS = {Loudness.SOUND: "with a sound", Loudness.SILENT: "without a sound", Loudness.OFF: "not at all"}
ONLY_ADMINS_IN_GROUPS = "In a group an admin chooses that. In your private chat with me you choose it for yourself."


def here(topic: int | None) -> str:
    """Answer /here."""
    where = "this topic" if topic is not None else "this chat"
    return (
        f"📍 Alerts come to {where} from now on, also after a restart. What stands already goes on where it is.\n"
        "<code>/here off</code> sends them where the settings say."
    )


def not_here(*, to_chat: bool) -> str:
    """Answer `/here off`."""
    where = "to the chat that TELEGRAM_ALERT_CHAT_ID names" if to_chat else "to each admin privately"
    return f"📍 Alerts go {where} again."


def loudness(chosen: Mapping[str, Loudness], quiet: tuple[int, int] | None, now: datetime, *, may: bool) -> str:
    """Show how loud each kind is in this chat. may: the reader may choose here, with a button for each kind below."""
    rows = ["<b>How alerts come to this chat</b>"]
    if may:
        rows.append(
            "A button changes its kind: " + ", ".join(f"{ICONS[each]} {WORDS[each]}" for each in Loudness) + "."
        )
    else:
        of = {kind: chosen.get(kind, Loudness.SOUND) for kind in KINDS}
        rows += [f"{ICONS[of[kind]]} {name}: {WORDS[of[kind]]}" for kind, name in KINDS.items()]
    rows.append("WhatsApp out of reach is told only once it has lasted for a while.")
    rows.append(quiet_hours(quiet, now, may=may))
    if Loudness.OFF in chosen.values():
        rows.append("🚫 What is off is not told here, however bad it is.")
    return "\n".join(rows)


def quiet_hours(hours: tuple[int, int] | None, now: datetime, *, may: bool) -> str:
    """Describe a chat's quiet hours, and how they are changed. may: the reader may choose here."""
    if hours is None:
        words, how = "No quiet hours here.", "<code>/quiet 22:00-07:00</code> sets them."
    else:
        begins, ends = map(time_of_day, hours)
        words = (
            f"🌙 Quiet from {begins} to {ends} {zone_name(now)}: what can wait is told afterwards; what is critical"
            " comes at once."
        )
        how = "<code>/quiet off</code> ends that."
    return f"{words} {how if may else ONLY_ADMINS_IN_GROUPS}"


def wrong_hours(typed: str) -> str:
    """Answer hours that cannot be understood."""
    return f"“{escape(clip(typed, 20))}” cannot be quiet hours. Send them like <code>/quiet 22:00-07:00</code>."


def time_of_day(minute: int) -> str:
    """Return a minute of the day as `09:05`."""
    return f"{minute // 60:02}:{minute % 60:02}"
