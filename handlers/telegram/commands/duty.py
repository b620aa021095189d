"""The commands about who is alerted: /duty (who is first, until when), /escalate (who is next), and /test."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from controller.incidents import DutyOverride, Roster, Shift, Target
from handlers.alerts.escalation.duty import (
    Duty,
    WrongDutyError,
    parse_days,
    parse_minute,
    parse_until,
    with_shift,
    with_target,
)
from handlers.alerts.incidents.silences import is_duration
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.delivery_check import DeliveryCheck
from handlers.telegram.commands.table import Command, Topic
from handlers.telegram.ui import duty_text
from handlers.texts import answers

T = TypeVar("T")
NAME_LENGTH = 40
"""The maximum length of a stored name."""


class DutyCommands(Topic):
    """/duty, /escalate and /test. All may read, admins change it; people on the roster may take or end their duty."""

    def __init__(self, context: Context, *, duty: Duty, delivery_check: DeliveryCheck) -> None:
        self._context, self._people = context, context.people
        self._responder, self._clock = context.responder, context.telegram_clock
        self._duty, self._delivery_check = duty, delivery_check

    async def duty(self, request: Request) -> None:
        """Show who is on duty, or change it."""
        await self._answer(request, "duty", self._change_duty, duty_text.HOW_DUTY)

    async def escalate(self, request: Request) -> None:
        """Show who is alerted next, or change it."""
        await self._answer(request, "escalate", self._change_targets, duty_text.HOW_ESCALATE)

    async def test(self, request: Request) -> None:
        """Test every channel."""
        await self._delivery_check.run(request)

    COMMANDS = (
        Command(
            "duty", "me until 18:00", "who is called first, and until when",
            "who is on duty: their chat sounds first, the others' when nobody acknowledges", duty,
            changes=True,
        ),
        Command(
            "escalate", "me, here or id [name]", "who is called when nobody acknowledges",
            "who is called next when nobody acknowledges a critical alert, in which order", escalate,
            changes=True,
        ),
        Command(
            "test", "", "test every way that alerts take",
            "sends a test alert with and without a sound by every way, and shows which of them worked", test,
            role=Role.ADMIN,
        ),
    )  # fmt: skip

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _answer(
        self, request: Request, command: str, change: Callable[[Request, Roster], Roster | None], how: str
    ) -> None:
        refusal = None
        if request.words.strip():
            try:
                refusal = await self._changed(request, command, change)
            except WrongDutyError as error:
                refusal = f"{answers.refused(error)}\n{self._hint(request, how)}".rstrip()
        if refusal is not None:
            await self._responder.answer(request, refusal)
            return
        shown = duty_text.roster(self._duty.roster, self._duty.now(), self._clock())
        if not request.words.strip() and (hint := self._hint(request, how)):
            shown = f"{shown}\n{hint}"
        await self._responder.answer(request, shown)

    def _hint(self, request: Request, how: str) -> str:
        """Return how to change it, limited to what this person may do: everything, something, or nothing."""
        if self._people.is_admin(request.user):
            return how
        return duty_text.HOW_OWN_DUTY if how is duty_text.HOW_DUTY and self._duty.is_called(request.user) else ""

    async def _changed(
        self, request: Request, command: str, change: Callable[[Request, Roster], Roster | None]
    ) -> str | None:
        """Change the roster; return the error for people, None if it was changed. Raises WrongDutyError, OSError."""
        if not self._people.is_admin(request.user) and not self._may(request):
            return answers.ONLY_ADMINS

        def changing(roster: Roster) -> Roster:
            changed = change(request, roster)
            if changed is None:
                raise WrongDutyError("That is nothing I know.")
            return changed

        await self._duty.change(changing)
        await self._context.audit(request.user, command, None, request.words.strip()[:200])
        return None

    def _may(self, request: Request) -> bool:
        """Return whether the request is permitted: people on the list may take duty themselves, and end their own."""
        words, now = request.words.split(), self._duty.now()
        if words[0].casefold() == "off":
            return now is not None and now.user == request.user
        return words[0].casefold() == "me" and self._duty.is_called(request.user)

    def _change_duty(self, request: Request, roster: Roster) -> Roster | None:
        words, now = request.words.split(), self._clock()
        if words[0].casefold() == "off":
            on_duty = self._duty.now()
            by_plan = on_duty is not None and (roster.override is None or roster.override.until <= now)
            return replace(
                roster, override=DutyOverride(None, "", on_duty.until) if on_duty is not None and by_plan else None
            )
        if words[0].casefold() == "plan":
            return self._change_plan(request, roster, words[1:])
        *who, until = words
        if who and who[-1].isdecimal() and is_duration(f"{who[-1]}{until}"):  # "8 h"
            until = f"{who.pop()}{until}"
        who = who[:-1] if who and who[-1].casefold() in {"until", "for"} else who
        user, name = self._person(request, " ".join(who))
        return replace(roster, override=DutyOverride(user, name, parse_until(until, now)))

    def _change_plan(self, request: Request, roster: Roster, words: list[str]) -> Roster | None:
        if not words:
            return None
        if words[0].casefold() == "clear":
            return replace(roster, shifts=())
        if words[0].casefold() == "remove":
            return replace(roster, shifts=_without(roster.shifts, words[1:]))
        if len(words) < 3 or "-" not in words[1]:  # noqa: PLR2004 - days, hours and a person
            return None
        days, (start, _, end) = parse_days(words[0]), words[1].partition("-")
        user, name = self._person(request, " ".join(words[2:]))
        return with_shift(roster, Shift(user, name, days, parse_minute(start), parse_minute(end)))

    def _change_targets(self, request: Request, roster: Roster) -> Roster | None:
        words = request.words.split()
        match words[0].casefold():
            case "clear":
                return replace(roster, targets=())
            case "remove":
                return replace(roster, targets=_without(roster.targets, words[1:]))
            case "here":
                name = " ".join(words[1:])[:NAME_LENGTH] or ("this chat" if request.private else "the group")
                name = request.name[:NAME_LENGTH] if request.private else name
                return with_target(roster, Target(request.place.chat, name))
            case _:
                return with_target(roster, Target(*self._person(request, request.words.strip())))

    def _person(self, request: Request, typed: str) -> tuple[int, str]:
        """Return the typed person: `me`, an id (and a name), or a name on the roster. Raises WrongDutyError."""
        first, _, rest = typed.partition(" ")
        if typed.casefold() == "me":
            return request.user, request.name[:NAME_LENGTH]
        user = int(first) if first.isdecimal() and len(first) <= 16 else self._duty.find(typed)  # noqa: PLR2004 - digits
        if user is None:
            raise WrongDutyError(f"I know nobody called “{typed[:NAME_LENGTH]}”: send the Telegram id with the name.")
        if not self._people.is_known(user):
            raise WrongDutyError(f"{user} may not use this bot: an admin lets them in by /people first.")
        name = rest.strip() if first.isdecimal() else typed
        return user, (name or self._duty.name_of(user) or str(user))[:NAME_LENGTH]


def _without(entries: tuple[T, ...], words: list[str]) -> tuple[T, ...]:
    """Return the entries without the one whose list number was typed. Raises WrongDutyError."""
    at = int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 4 else 0  # noqa: PLR2004 - digits
    if not 1 <= at <= len(entries):
        raise WrongDutyError("Say which line: its number in the list.")
    return entries[: at - 1] + entries[at:]
