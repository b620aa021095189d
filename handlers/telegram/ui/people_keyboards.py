"""The buttons about people. Each contains the person's id, and the number of the role it assigns."""

from collections.abc import Sequence

from handlers.chat.button_codes import Verb, button_code
from handlers.chat.messages import Button, Keyboard
from handlers.chat.people import Person, Role
from handlers.telegram.ui.keyboards import turn_pages
from handlers.texts.people import ROLES, short

_BACK = Button("« People", button_code(Verb.PEOPLE, ".0"))
BACK: Keyboard = ((_BACK,),)
"""The button that leads back to the list."""


def stranger(user: int) -> Keyboard:
    """Return the buttons to give a stranger access."""
    return (
        (_let_in(user, Role.OPERATOR), _let_in(user, Role.VIEWER)),
        (Button("Ignore", button_code(Verb.IGNORE, f".{user}")),),
    )


def people(shown: Sequence[Person], outside: Sequence[tuple[int, str]], page: int, pages: int) -> Keyboard:
    """Return buttons for the people on the page, strangers, and other pages. outside: strangers' ids and names."""
    buttons = [Button(short(each), button_code(Verb.PERSON, f".{each.user}")) for each in shown]
    buttons += [Button(f"👤 {name or user}"[:40], button_code(Verb.PERSON, f".{user}")) for user, name in outside]
    rows = [tuple(buttons[start : start + 2]) for start in range(0, len(buttons), 2)]
    return (*rows, *turn_pages(Verb.PEOPLE, page, pages))


def person(one: Person) -> Keyboard:
    """Return the possible actions on a person, as far as the settings do not forbid them."""
    roles = [role for role in Role if role is not one.role and (one.floor is None or role > one.floor)]
    change = [Button(f"Make {ROLES[role]}", button_code(Verb.SET_ROLE, f".{one.user}.{role:d}")) for role in roles]
    remove = [] if one.floor is not None else [Button("Remove", button_code(Verb.REMOVE_PERSON, f".{one.user}"))]
    return (*((tuple(change),) if change else ()), (*remove, _BACK))


def _let_in(user: int, role: Role) -> Button:
    return Button(f"Let in as {ROLES[role]}", button_code(Verb.LET_IN, f".{user}.{role:d}"))
