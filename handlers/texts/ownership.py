"""Texts for transferring and removing accounts. HTML; pure."""

from controller.registry import Account
from handlers.chat.messages import escape
from handlers.chat.people import Person
from handlers.texts.answers import WORKING_ON_IT, title, title_and_number
from handlers.texts.people import named
from handlers.texts.vocabulary import count

HOW_TO_OWNER = (
    "Say which account, and who is to own it, by their id or name; without a person I offer everybody:\n"
    "<code>/owner 4567 Olga</code>"
)
NOT_AN_OPERATOR = "Only an operator or an admin can own an account. /people shows who is what."


def whose(account: Account, more: int = 0) -> str:
    """Ask for an account's new owner. more: people who have no button here."""
    others = f" {count(more, 'more person', 'more people')}: <code>/owner {account.number} ID</code>" if more else ""
    return f"Who is to own {title_and_number(account)}?{others}"


def is_theirs(account: Account, owner: Person, *, changed: bool) -> str:
    """Answer /owner."""
    who = named(owner.user, owner.name)
    if not changed:
        return f"👤 {title_and_number(account)} belongs to {who} already."
    return f"👤 {title_and_number(account)} belongs to {who} now: its card, codes and alerts go there."


def yours_now(account: Account, by: str) -> str:
    """Tell somebody that an account is theirs now."""
    return f"👤 {escape(by)} gave you {title_and_number(account)}. /status {account.number} shows it."


def confirm_remove(account: Account) -> str:
    """Ask for confirmation before an account is removed for good."""
    return (
        f"Remove {title_and_number(account)} for good? Its device is logged out; its session and the saved copies of it"
        " are deleted. Its history stays, without its number and name. (60 s to answer)"
    )


def removing(account: Account) -> str:
    """Announce that an account is being removed."""
    return f"{WORKING_ON_IT}Removing {title_and_number(account)} …"


def removed(account: Account, *, linked: bool, logged_out: bool | None) -> str:
    """Report that an account was removed. linked: a phone had linked it. logged_out: as in `Registry.remove`."""
    text = f"🗑 {title(account)} is removed: its session and its copies are deleted."
    if logged_out:
        return f"{text} Its device is logged out."
    if not linked:
        return text
    return (
        f"{text}\nWhether its device is logged out is not known: on the phone, look under WhatsApp → Settings → "
        "Linked devices, and remove it there."
    )


def not_removed(account: Account, why: str, *, is_paused: bool, may_be_deleted: bool) -> str:
    """Report that an account could not be removed. may_be_deleted: its session and its copies may be gone already."""
    now = "It is paused, and still here" if is_paused else "It is still here"
    deleted = "; its session and its copies may be deleted already" if may_be_deleted else ""
    return f"⚠️ {title_and_number(account)} could not be removed: {escape(why)}. {now}{deleted}; /remove tries it again."
