"""Resolves what people type to an account they may see: by name, number, or last digits."""

from collections.abc import Iterable
from difflib import get_close_matches

from controller.registry import Account, Registry
from handlers.chat.people import People
from handlers.texts.phone_numbers import WrongNumberError, ending, parse_number, tidy

_DIGITS_AT_LEAST = 2
"""The least number of digits to search by: a single one matches nearly everything."""
_AROUND_NAMES = " \"'“”„‟«»’`.,;:!?"
"""What people put around a name that is not part of it."""


class NoAccountError(LookupError):
    """Nothing visible to this person matches."""


class SeveralAccountsError(LookupError):
    """More than one matches: `accounts`."""

    def __init__(self, accounts: list[Account]) -> None:
        super().__init__("several accounts fit")
        self.accounts = accounts


def visible(accounts: Registry, people: People, user: int) -> list[Account]:
    """Return the accounts that the person may see, oldest first."""
    return [account for account in accounts.accounts() if people.sees(user, account)]


def find_account(accounts: Registry, people: People, user: int, words: str, region: str | None) -> Account:
    """Return the matching account: by name first, then by number, then by last digits.

    Raises NoAccountError, SeveralAccountsError.
    """
    own = visible(accounts, people, user)
    found = _called(own, words) or _called(own, words.strip(_AROUND_NAMES))
    if not found:
        number = _number(words, region)
        found = [account for account in own if account.number == number]
    if not found and (digits := ending(words)) is not None:
        found = [account for account in own if account.number.endswith(digits)]
    if not found:
        raise NoAccountError(words)
    if len(found) > 1:
        raise SeveralAccountsError(found)
    return found[0]


def told_apart(accounts: Registry, number: str, name: str) -> str:
    """Return an account's new name, with its last four digits if another account is called like that."""
    others = [each for each in accounts.accounts() if each.number != number]
    return f"{name} …{number[-4:]}" if _called(others, name) else name


def _called(accounts: Iterable[Account], words: str) -> list[Account]:
    wanted = _plain(words)
    return [account for account in accounts if wanted and _plain(account.name) == wanted]


def fitting(accounts: Iterable[Account], words: str) -> list[Account]:
    """Return the accounts whose names contain these words, or whose numbers contain these digits."""
    wanted = _plain(words)
    digits = "".join(each for each in words if each.isdecimal())
    others = [each for each in words if not each.isdecimal() and each not in " +-()"]
    by_number = len(digits) >= _DIGITS_AT_LEAST and not others
    return [
        account
        for account in accounts
        if (wanted and wanted in _plain(account.name)) or (by_number and digits in account.number)
    ]


def suggested(accounts: Iterable[Account], words: str) -> list[Account]:
    """Return the accounts that unknown words may mean: those they fit, or else the one with the nearest name."""
    known = list(accounts)
    if meant := fitting(known, words):
        return meant
    name = nearest(words, [account.name for account in known if account.name])
    return [account for account in known if name and account.name == name]


def _plain(name: str) -> str:
    """Normalise a name for comparison: without case, joiners and variants of the same letters."""
    return " ".join(tidy(name).split()).casefold()


def nearest(typed: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """Suggest the known word closest to an unknown one, if any is close. cutoff: how close, from 0 to 1."""
    by_word = {each.casefold(): each for each in known}
    found = get_close_matches(" ".join(typed.split()).casefold(), by_word, n=1, cutoff=cutoff)
    return by_word[found[0]] if found else None


def _number(words: str, region: str | None) -> str | None:
    try:
        return parse_number(words, region)
    except WrongNumberError:
        return None
