"""Which account a person means: by name, by number as people type it, or by its last digits. Only what they may see."""

from collections.abc import Iterable
from difflib import get_close_matches

from controller.registry import Account, Registry
from handlers.chat.people import People
from handlers.texts.phone_numbers import WrongNumberError, ending, parse_number, tidy

_DIGITS_AT_LEAST = 2
"""Digits that look for a number: one alone fits nearly all."""


class NoAccountError(LookupError):
    """Nothing that this person may see fits."""


class SeveralAccountsError(LookupError):
    """More than one fits: `accounts`."""

    def __init__(self, accounts: list[Account]) -> None:
        super().__init__("several accounts fit")
        self.accounts = accounts


def visible(accounts: Registry, people: People, user: int) -> list[Account]:
    """Return the accounts that the person may see, the longest-served first."""
    return [account for account in accounts.accounts() if people.sees(user, account)]


def find_account(accounts: Registry, people: People, user: int, words: str, region: str | None) -> Account:
    """Return the account that is meant: its name first, then its number, then its last digits.

    Raises NoAccountError, SeveralAccountsError.
    """
    own = visible(accounts, people, user)
    wanted = _plain(words)
    found = [account for account in own if _plain(account.name) == wanted]
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


def fitting(accounts: Iterable[Account], words: str) -> list[Account]:
    """Return the accounts whose names these words are a part of, or whose numbers these digits are."""
    wanted = _plain(words)
    digits = "".join(each for each in words if each.isdecimal())
    others = [each for each in words if not each.isdecimal() and each not in " +-()"]
    by_number = len(digits) >= _DIGITS_AT_LEAST and not others
    return [
        account
        for account in accounts
        if (wanted and wanted in _plain(account.name)) or (by_number and digits in account.number)
    ]


def _plain(name: str) -> str:
    """Return a name as it is compared: without case, joiners and other forms of the same letters."""
    return " ".join(tidy(name).split()).casefold()


def nearest(typed: str, known: Iterable[str]) -> str | None:
    """Return what somebody may have meant by a word that is not known: the nearest that is, if one is near."""
    by_word = {each.casefold(): each for each in known}
    found = get_close_matches(" ".join(typed.split()).casefold(), by_word, n=1, cutoff=0.7)
    return by_word[found[0]] if found else None


def _number(words: str, region: str | None) -> str | None:
    try:
        return parse_number(words, region)
    except WrongNumberError:
        return None
