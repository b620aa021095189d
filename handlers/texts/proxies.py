"""Texts about accounts' own proxies (/proxy). HTML; pure. They never contain a password."""

from collections.abc import Sequence

from controller.registry import Account
from handlers.chat.messages import escape
from handlers.texts.answers import title, title_and_number

HOW_TO = (
    "Say which account, and its own proxy, or <code>off</code>:\n"
    "<code>/proxy 4567 http://user:password@proxy.example:3128</code>\n"
    "<code>http://</code>, <code>https://</code> and <code>socks5://</code> work; <code>socks5://</code> only without a"
    " password, since Chromium cannot send one."
)
NO_LOGIN_FOR_SOCKS = (
    "Chromium speaks SOCKS5 without a password only. Name the proxy’s HTTP port, or let it admit this server by its"
    " address. Nothing was changed."
)
NOT_STORED = "I no longer know that address, since it is stored only with the account: send the command again."
DELETED = "I have deleted your message, since it may have a password in it."
DELETE_IT = "⚠️ I cannot delete your message here: delete it yourself, it may have a password in it."
READ_BY_OTHERS = (
    "⚠️ Others in this group may have read it: change a password that was in it, and tell me the next one in private."
)


def problem(error: Exception) -> str:
    """Report that a text is not a proxy's address. error: a sentence without its subject, and without the address."""
    return f"The address {escape(str(error))}. Nothing was changed."


def overview(own: Sequence[tuple[Account, str, bool]], common: str | None) -> str:
    """List accounts with their own proxies: each with its address, and whether its password cannot be read."""
    way = f"through {escape(common)}, as PROXY_URL says" if common else "without a proxy (PROXY_URL is not set)"
    if not own:
        return f"🔀 All accounts go {way}.\n{HOW_TO}"
    lines = [
        f"• {title(account)}: {escape(server)}{' ⚠️ its password cannot be read' if unreadable else ''}"
        for account, server, unreadable in own
    ]
    return "\n".join(["🔀 <b>Accounts with a proxy of their own</b>", *lines, f"All others go {way}."])


def way_of(account: Account, server: str | None, common: str | None, *, unreadable: bool) -> str:
    """Describe one account's route."""
    if unreadable:
        return (
            f"⚠️ {title_and_number(account)} is to go through {escape(server or '')}, but its password cannot be read:"
            " it was stored with another PROFILE_KEY. Nothing is opened until you name the proxy again, or say off."
        )
    if server is not None:
        return f"🔀 {title_and_number(account)} goes through {escape(server)}, a proxy of its own."
    way = f"through {escape(common)}, like all others" if common else "without a proxy, like all others"
    return f"🔀 {title_and_number(account)} goes {way}."


def not_through(account: Account, server: str, why: str) -> str:
    """Report that a proxy was tried and rejected."""
    return (
        f"⚠️ WhatsApp cannot be reached through {escape(server)}: {escape(why)}. {title_and_number(account)} is as it"
        " was. To set it anyway, send the command again with <code>anyway</code> at the end."
    )


def saved(account: Account, server: str, *, tried: bool, encrypted: bool | None, when: str) -> str:
    """Confirm an account's new proxy. encrypted: whether its password is; None if it has none."""
    lines = [f"🔀 {title_and_number(account)} goes through {escape(server)} {when}."]
    if tried:
        lines.append("WhatsApp can be reached through it.")
    if encrypted is not None:
        lines.append(
            "Its password is stored encrypted."
            if encrypted
            else "Its password is stored as it is: where PROFILE_KEY is set, it is encrypted."
        )
    return "\n".join(lines)


def removed(account: Account, common: str | None, *, when: str) -> str:
    """Confirm that an account's own proxy was removed."""
    way = f"through {escape(common)}" if common else "without a proxy"
    return f"🔀 {title_and_number(account)} goes {way}, like all others, {when}."


AT_ONCE = "from now on; its browser is being opened anew"
NEXT = "from its next start on"
