"""Phone numbers as typed by people: parsing, validation, conversion to E.164, and formatting.

Every error says what is wrong and shows an example. Invisible characters that phones paste along with numbers
are removed from numbers only: names keep their joiners. Not here: which accounts exist.
"""

import re
import unicodedata
from itertools import chain

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from handlers.chat.messages import visible

EXAMPLE = "+491511234567"
NAME_LIMIT = 40
"""The most characters in a name."""

_NUMBER_WORD = re.compile(r"^[+(]?[\d().\-–/+]+$")
_NUMBER_BEGINS = re.compile(r"[+(]?\d")
_LABEL = re.compile(
    r"(?:tel(?:efon|ephone)?|phone|mob(?:ile|il)?|handy|cell|whatsapp)\b[.:]*\s*(?=[+(]?\d)", re.IGNORECASE
)
_CHAT_LINK = re.compile(r"(?:https?://)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=)\+?(\d+)(?=\s|$)", re.IGNORECASE)
_INTERNATIONAL = re.compile(r"\(?(?:\+|00)\d")
_BETWEEN = frozenset({"und", "and", "&", "+", "y", "et", "e", "i", "/", "|", "-", "–", "or", "oder"})
"""Words between two numbers that are no name."""
_DIGITS = 4
_WHOLE = 11
"""Digits from which on the first word counts as the whole number, so that further digits begin the name."""


class WrongNumberError(ValueError):
    """The text is not a phone number that could be linked. The message is for people: the error, and an example."""


class WrongNameError(ValueError):
    """The name is not acceptable. The text is for people."""


def parse_number(text: str, region: str | None) -> str:
    """Return the number as E.164. region: the two-letter country for national numbers, if any.

    Raises WrongNumberError.
    """
    typed = tidy(text)
    example = _example(region)
    if not typed:
        raise WrongNumberError(f"The phone number is missing. Send it like {example}.")
    if not any(character.isdigit() for character in typed):
        raise WrongNumberError(f"“{_short(typed)}” is not a phone number. Send it like {example}.")
    typed = re.sub(r"^00(?=\d)", "+", re.sub(r"[\s().\-–/]", "", typed))
    try:
        number = phonenumbers.parse(typed, region)
    except NumberParseException as error:
        raise WrongNumberError(_parse_problem(error, typed, example, region)) from None
    problem = {
        ValidationResult.TOO_SHORT: "is too short",
        ValidationResult.TOO_LONG: "is too long",
        ValidationResult.INVALID_LENGTH: "has the wrong length",
        ValidationResult.INVALID_COUNTRY_CODE: "has no country code that exists",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "is too short",
    }.get(phonenumbers.is_possible_number_with_reason(number))
    if problem is not None:
        raise WrongNumberError(f"{_short(typed)} {problem}. Send the whole number, like {example}.")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def split_number_and_name(text: str, region: str | None) -> tuple[str, str]:
    """Return the number (E.164) at the start of `text`, and the name after it, "" if none.

    The number may contain spaces. Raises WrongNumberError, WrongNameError.
    """
    words = _CHAT_LINK.sub(r"+\1", _LABEL.sub("", text.strip(), count=1), count=1).split()
    plain = [tidy(word) for word in words]
    count = next((at for at, word in enumerate(plain) if word and not _NUMBER_WORD.match(word)), len(words))
    if count > 1 and sum(character.isdigit() for character in plain[0]) >= _WHOLE:
        count = 1
    found = [(end, number) for end in range(count, 0, -1) if (number := _possible(plain[:end], region))]
    if not found:
        end = max(count, 1)
        return parse_number(" ".join(plain[:end]), region), check_name(" ".join(words[end:]))
    valid = (pair for pair in found if phonenumbers.is_valid_number(phonenumbers.parse(pair[1])))
    end, number = next(valid, found[0])
    return number, check_name(" ".join(words[end:]))


def split_numbers(text: str, region: str | None) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the numbers (E.164) in a message, each with the name after it; and errors for the others.

    Separated by line ends, commas or semicolons, or by the + or 00 with which the next one begins. What follows a comma
    and does not begin with a digit belongs to the preceding name. Duplicates are dropped. Errors are plain text for
    people.
    """
    pieces: list[str] = []
    for row in _CHAT_LINK.sub(r"+\1", text).splitlines():
        fresh = True
        for piece in filter(None, (_LABEL.sub("", part.strip()) for part in re.split(r"[,;]", row))):
            if fresh or _NUMBER_BEGINS.match(tidy(piece)):
                pieces.append(piece)
            else:
                joint = " " if _is_number(pieces[-1]) else ", "
                pieces[-1] += f"{joint}{piece}"
            fresh = False
    found: dict[str, str] = {}
    problems: list[str] = []
    for piece in chain.from_iterable(_each_number(each, region) for each in pieces):
        try:
            number, name = split_number_and_name(piece, region)
        except (WrongNumberError, WrongNameError) as error:
            problems.append(str(error))
        else:
            found[number] = name or found.get(number, "")
    return list(found.items()), problems


def _each_number(piece: str, region: str | None) -> list[str]:
    """Split a piece in front of every further number that is written with its + or 00."""
    words = piece.split()
    for at in range(len(words) - 1, 0, -1):
        if not _INTERNATIONAL.match(tidy(words[at])):
            continue
        rest = " ".join(words[at:])
        try:
            split_number_and_name(rest, region)
        except (WrongNumberError, WrongNameError):
            continue
        before = words[:at]
        while len(before) > 1 and before[-1].casefold() in _BETWEEN:
            before.pop()
        if any(character.isdigit() for character in before[0]):
            return [*_each_number(" ".join(before), region), rest]
    return [piece]


def _is_number(piece: str) -> bool:
    """Return whether the text is nothing but a number."""
    return all(_NUMBER_WORD.match(tidy(word)) for word in piece.split())


def check_name(name: str) -> str:
    """Return the name with normalised spaces, without control and direction characters.

    Raises WrongNameError.
    """
    name = " ".join(visible(name).split())
    if len(name) > NAME_LIMIT:
        raise WrongNameError(f"That name has {len(name)} characters; {NAME_LIMIT} are allowed. Try “Support Berlin”.")
    return name


def show_number(number: str) -> str:
    """Format an E.164 number for people: `+49 1511 234567`."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(number), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return number


def ending(text: str) -> str | None:
    """Return the digits of text that may be the end of a number (four or more), else None."""
    digits = re.sub(r"[\s•…().\-/]", "", tidy(text))
    return digits if digits.isdecimal() and len(digits) >= _DIGITS else None


def tidy(text: str) -> str:
    """Return a number's text without the invisible characters that phones paste along, and with ASCII digits.

    Not for names, as it also removes joiners. Suitable for comparing names, if applied to both.
    """
    kept = (sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFKC", "".join(kept)).strip()


def _possible(words: list[str], region: str | None) -> str | None:
    try:
        return parse_number(" ".join(words), region)
    except WrongNumberError:
        return None


def _parse_problem(error: NumberParseException, typed: str, example: str, region: str | None) -> str:
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        if region is None and _lacks_plus(typed):
            return f"{_short(typed)} has no + and country code in front. If the code is there, send +{typed}."
        if region is None and not typed.startswith("+"):
            return f"{_short(typed)} has no country code. Send the whole number, like {example}."
        return f"{_short(typed)} has no country code that exists. Send the whole number, like {example}."
    words = {
        NumberParseException.TOO_SHORT_AFTER_IDD: "is too short",
        NumberParseException.TOO_SHORT_NSN: "is too short",
        NumberParseException.TOO_LONG: "is too long",
    }
    problem = words.get(error.error_type, "is not a phone number")
    return f"“{_short(typed)}” {problem}. Send the whole number, like {example}."


def _lacks_plus(typed: str) -> bool:
    try:
        return typed.isdecimal() and phonenumbers.is_possible_number(phonenumbers.parse(f"+{typed}"))
    except NumberParseException:
        return False


def _example(region: str | None) -> str:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE) if region else None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if number else EXAMPLE


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 1] + "…"
