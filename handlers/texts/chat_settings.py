"""Texts about where alerts go, how loud they are, and quiet hours. HTML; pure."""

from collections.abc import Mapping

from handlers.chat.chat_settings import Loudness

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
HOW_QUIET = "Send them like <code>/quiet 22:00-07:00</code>, or <code>/quiet off</code>."
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


def loudness(chosen: Mapping[str, Loudness], quiet: tuple[int, int] | None, *, may: bool) -> str:
    """Show how loud each kind is in this chat; buttons below change it. may: the reader may choose here."""
    rows = ["<b>How alerts come to this chat</b>"]
    for kind, name in KINDS.items():
        each = chosen.get(kind, Loudness.SOUND)
        rows.append(f"{ICONS[each]} {name}: {WORDS[each]}")
    rows.append("WhatsApp out of reach is told only once it has lasted for a while.")
    rows.append(f"{quiet_hours(quiet)} {HOW_QUIET}" if may else f"{quiet_hours(quiet)} {ONLY_ADMINS_IN_GROUPS}")
    if Loudness.OFF in chosen.values():
        rows.append("🚫 What is off is not told here, however bad it is.")
    return "\n".join(rows)


def quiet_hours(hours: tuple[int, int] | None) -> str:
    """Describe a chat's quiet hours in a sentence."""
    if hours is None:
        return "There are no quiet hours."
    begins, ends = map(time_of_day, hours)
    return f"🌙 Quiet from {begins} to {ends}: what can wait is told afterwards; what is critical comes at once."


def time_of_day(minute: int) -> str:
    """Return a minute of the day as `09:05`."""
    return f"{minute // 60:02}:{minute % 60:02}"
