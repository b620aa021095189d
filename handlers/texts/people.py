"""Texts about people: strangers who ask for access, roles given and taken, and the list of everybody. HTML; pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from handlers.chat.messages import escape
from handlers.chat.people import Person, Role
from handlers.texts.answers import clip
from handlers.texts.vocabulary import clock, count

ROLES: dict[Role, str] = {
    Role.VIEWER: "viewer",
    Role.OPERATOR: "operator",
    Role.ADMIN: "admin",
}
MAY: dict[Role, str] = {
    Role.VIEWER: "sees all accounts, and acknowledges alerts",
    Role.OPERATOR: "links accounts, and acts on their own",
    Role.ADMIN: "acts on every account, and lets people in",
}
_SET = {Role.OPERATOR: "TELEGRAM_OPERATOR_IDS", Role.ADMIN: "TELEGRAM_ADMIN_IDS"}

ONLY_VIEWER = "You are a viewer here: you can look and acknowledge. An operator or an admin can do that."
NOT_KNOWN = "They are not let in any more. /people lists who is."
SENT_PRIVATELY = "🔒 That is not for a group: I sent it to you privately."


class Stranger(Protocol):
    """Somebody without access who wrote to the bot. at: the first time."""

    @property
    def user(self) -> int: ...  # noqa: D102 - see the class docstring
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102


def named(user: int, name: str) -> str:
    """Return a person's name and id."""
    return f"{escape(clip(name, 40)) or 'Somebody'} (<code>{user}</code>)"


def short(person: Person) -> str:
    """Return a person's name for a button: plain text."""
    return clip(person.name, 30) or str(person.user)


def stranger_came(user: int, name: str) -> str:
    """Tell admins about a stranger; buttons to give access are below."""
    return (
        f"👤 {named(user, name)} wrote to me, and I do not know them.\n"
        "Until you let them in, I tell them nothing but their id."
    )


def stranger_ignored(user: int, name: str, by: str) -> str:
    """Report that a stranger was ignored."""
    return (
        f"👤 {named(user, name)} stays outside: {escape(by)} ignored them. /people can still let them in by their id."
    )


def is_in(person: Person, by: str) -> str:
    """Report that somebody was given access or a new role."""
    return f"👤 {named(person.user, person.name)} is {_a(person.role)} now: {MAY[person.role]}. By {escape(by)}."


def is_in_already(person: Person) -> str:
    """Report that another admin was faster."""
    return f"👤 {named(person.user, person.name)} is {_a(person.role)} already. /people changes that."


def is_out(user: int, name: str, by: str, accounts: int) -> str:
    """Report that somebody was removed. accounts: how many they owned."""
    theirs = f"\nThey own {count(accounts, 'account')}; /owner gives them to somebody else." if accounts else ""
    return (
        f"👤 {named(user, name)} was removed by {escape(by)}: I no longer answer them. "
        f"They still see what I write in groups that they are in.{theirs}"
    )


def outside(user: int, name: str) -> str:
    """Describe somebody who was removed."""
    return f"👤 {named(user, name)} is not let in any more."


def welcome(role: Role, by: str) -> str:
    """Tell somebody their new role."""
    can = {
        Role.VIEWER: "you see all accounts, and can acknowledge alerts",
        Role.OPERATOR: "you can link accounts, and act on your own",
        Role.ADMIN: "you can act on every account, and let people in",
    }[role]
    return f"👋 {escape(by)} made you {_a(role)} here: {can}. /help tells more."


def not_reached(one: Person) -> str:
    """Tell an admin that somebody does not know of their role."""
    return f"📪 I cannot write to {named(one.user, one.name)}: let them send me /start, and not block me."


def people(everybody: Sequence[Person], strangers: Sequence[Stranger], page: int, pages: int, now: datetime) -> str:
    """List one page of people, and the strangers who are waiting."""
    rows = [f"<b>{count(len(everybody), 'person', 'people')}</b>" if page == 0 else "<b>People</b>"]
    if pages > 1:
        rows[0] += f" · page {page + 1} of {pages}"
    return "\n".join(
        [
            rows[0],
            *(f"{named(each.user, each.name)}: {ROLES[each.role]}{_set(each)}" for each in everybody),
            *(["", "<b>Outside</b>, waiting to be let in:"] if strangers else []),
            *(f"{named(each.user, each.name)}, since {clock(each.at, now)}" for each in strangers),
            "",
            "A button shows somebody, to change or remove them. By id: <code>/people 123456789 operator</code>",
        ]
    )


def person(one: Person, added_by: str, accounts: int, now: datetime) -> str:
    """Describe one person. added_by: who gave them access, as HTML."""
    rows = [f"👤 {named(one.user, one.name)}", f"<b>{ROLES[one.role]}</b>: {MAY[one.role]}"]
    if one.at is not None:
        rows.append(f"Let in by {added_by}, {clock(one.at, now)}")
    if one.floor is not None:
        rows.append(f"{_SET[one.floor]} names them: only there can they get fewer rights, or be removed.")
    if accounts:
        rows.append(f"Owns {count(accounts, 'account')}")
    return "\n".join(rows)


def confirm_remove(one: Person) -> str:
    """Ask for confirmation before somebody is removed."""
    return f"Remove {named(one.user, one.name)}? I no longer answer them then. (60 s to answer)"


def confirm_admin(user: int, name: str) -> str:
    """Ask for confirmation before somebody becomes an admin."""
    return f"Make {named(user, name)} an admin, who may do everything here? (60 s to answer)"


def how_to() -> str:
    """Explain the usage of /people."""
    return "Send <code>/people</code>, or an id and a role: <code>/people 123456789 operator</code>"


def cannot_remove(one: Person) -> str:
    """Explain that the settings contain this person. Plain text."""
    assert one.floor is not None
    return f"{_SET[one.floor]} names them: take the id out there and restart."


def _set(one: Person) -> str:
    return f", by {_SET[one.floor]}" if one.floor is not None and one.floor is one.role else ""


def _a(role: Role) -> str:
    return ("a " if role is Role.VIEWER else "an ") + ROLES[role]
