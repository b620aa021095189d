"""People's actions on alerts: acknowledge, silence, end a silence, list open ones, start many accounts at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from controller.incidents import Incident, Silence
from controller.registry import Account
from handlers.alerts import alert_text
from handlers.alerts.escalation.duty import Duty
from handlers.alerts.incidents.incident_text import restartable
from handlers.alerts.incidents.recipients import Recipients
from handlers.alerts.incidents.silences import is_duration, parse_duration
from handlers.alerts.service import Alerts
from handlers.chat.messages import escape
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import (
    NoAccountError,
    SeveralAccountsError,
    find_account,
    suggested,
    visible,
)
from handlers.telegram.ui import duty_text, keyboards
from handlers.texts import answers
from handlers.texts.overview import Need, need
from handlers.texts.vocabulary import alert_wording, clock


class AlertActions:
    """Acts on alerts for people with a role, whose permissions are checked here. unwritable: as in `StatusList`."""

    def __init__(
        self,
        context: Context,
        *,
        alerts: Alerts,
        recipients: Recipients,
        duty: Duty,
        unwritable: Callable[[], Sequence[str]],
    ) -> None:
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._responder, self._region, self._clock = context.responder, context.region, context.clock
        self._handling, self._silences, self._duty = alerts.handling, alerts.silences, duty
        self._recipients, self._unwritable = recipients, unwritable

    def find(self, chat: int, incident: int) -> Incident | None:
        """Return an incident of the chat, if it still exists."""
        return self._handling.find(chat, incident)

    async def acknowledge(self, request: Request, incident: Incident) -> str:
        """Acknowledge an incident. Returns the text shown above the chat."""
        if not incident.open_entries:
            return alert_text.OVER_ALREADY
        if incident.acknowledged_by:
            return alert_text.TAKEN_ALREADY
        if not self._may_answer(request, incident):
            return answers.NOT_YOURS
        line = alert_text.is_on_it(request.name, self._clock())
        if not await self._handling.acknowledge(incident, line):
            return alert_text.TAKEN_ALREADY
        await self._audit(request, "acknowledge", incident)
        return alert_text.ACKNOWLEDGED

    async def take_over(self, request: Request, incident: Incident) -> str:
        """Transfer an acknowledgement to this person. Returns the text shown above the chat."""
        if not incident.open_entries:
            return alert_text.OVER_ALREADY
        if not self._may_answer(request, incident):
            return answers.NOT_YOURS
        line = alert_text.is_on_it(request.name, self._clock())
        await self._handling.acknowledge(incident, line, take_over=True)
        await self._audit(request, "take over", incident)
        return alert_text.TAKEN_OVER

    async def release(self, request: Request, incident: Incident) -> str:
        """Withdraw an acknowledgement. Returns the text shown above the chat."""
        if not incident.open_entries:
            return alert_text.OVER_ALREADY
        if not incident.acknowledged_by:
            return alert_text.NOBODY_IS_ON_IT
        if not self._may_answer(request, incident):
            return answers.NOT_YOURS
        await self._handling.release(incident, alert_text.released_by(request.name, self._clock()))
        await self._audit(request, "release", incident)
        return alert_text.RELEASED

    async def silence(self, request: Request, incident: Incident, lasts: timedelta) -> str:
        """Silence the incident's open entries in this chat for so long."""
        numbers = {entry.number for entry in incident.open_entries}
        if not numbers:
            return alert_text.OVER_ALREADY
        theirs = request.private or self._people.is_admin(request.user)  # in a private chat it is for themselves alone
        if not theirs and not (numbers := self._own(numbers, request)):
            return answers.NOT_YOURS
        silence = await self._silences.begin(request.place.chat, numbers, lasts, user=request.user, name=request.name)
        await self._handling.add_line(incident, alert_text.silenced_by(silence, self._clock()))
        about = ",".join(sorted(number for number in numbers if number)) or None
        await self._context.audit(request.user, "silence", about, f"until {clock(silence.until, self._clock())}")
        return ""

    def restartable(self, request: Request, incident: Incident) -> list[Account]:
        """Return the accounts of the incident that a start may fix and that this person may start."""
        those = {entry.number for entry in restartable(incident)}
        return [
            each for each in self._accounts.accounts() if each.number in those and self._people.may(request.user, each)
        ]

    async def reconnect_all(self, request: Request, incident: Incident) -> int:
        """Start every account of the incident that may be fixed by it and that this person may start; count them."""
        started = 0
        for account in self.restartable(request, incident):
            if await self._accounts.start(account.number):
                started += 1
                await self._context.audit(request.user, "reconnect", account.number, "started")
        await self.show_press(request, incident, f"Reconnect for {started}")
        return started

    async def show_press(self, request: Request, incident: Incident, what: str) -> None:
        """Show on the incident's message who pressed what."""
        await self._handling.add_line(incident, alert_text.pressed_by(request.name, what, self._clock()))

    async def end_silence(self, request: Request, silence: int) -> str:
        """End a silence early."""
        lasting = next((each for each in self._silences.active_in(request.place.chat) if each.id == silence), None)
        if lasting is None:
            return alert_text.NO_SUCH_SILENCE
        if not self._may_end(request, lasting):
            return alert_text.ONLY_ADMINS_END_IT
        await self._end(request, lasting)
        await self.list_alerts(request)
        return alert_text.SILENCE_ENDED

    # --- commands -----------------------------------------------------------------------------------------------------

    async def silence_command(self, request: Request) -> None:
        """Answer /silence: list active silences, each with a button that ends it, or create one."""
        parts = request.words.split()
        if not parts:
            await self.list_alerts(request)
            return
        if parts[-1].casefold() == "off":
            await self._end_by_command(request, " ".join(parts[:-1]))
            return
        typed = _whom_and_how_long(parts)
        if typed is None:
            await self._responder.answer(request, alert_text.HOW_TO_SILENCE)
            return
        who, lasts, reason = typed
        if (covered := await self._covered(request, who)) is None:
            return
        chat, numbers = covered
        left = request.sent_at + lasts - self._context.telegram_clock()
        if left <= timedelta(0):
            await self._responder.answer(request, alert_text.SILENCE_TOO_LATE)
            return
        silence = await self._silences.begin(
            chat, numbers, left, user=request.user, name=request.name, reason=reason[:200]
        )
        await self._context.audit(
            request.user, "silence", ",".join(numbers) or None, f"until {clock(silence.until, self._clock())}"
        )
        await self._responder.answer(
            request,
            alert_text.silence_began(silence, self._names(silence.numbers), self._clock()),
            keyboards.end_silences([silence.id]),
        )

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _covered(self, request: Request, who: str) -> tuple[int | None, tuple[str, ...]] | None:
        """Return the chat (None: all) and the accounts (none: all) to silence; None if there are none, and say so."""
        if who.casefold() != "all":
            account = await self._account(request, who)
            return None if account is None else (request.place.chat, (account.number,))
        if self._people.is_admin(request.user):
            return None, ()
        if request.private:
            return request.place.chat, ()
        own = visible(self._accounts, self._people, request.user)  # alerts of other people's accounts arrive here, too
        if not own:
            await self._responder.answer(request, answers.no_accounts(links=True))
            return None
        return request.place.chat, tuple(account.number for account in own)

    async def _account(self, request: Request, who: str) -> Account | None:
        """Return the account that is to be silenced, or not any more; otherwise answer why there is none."""
        try:
            return find_account(self._accounts, self._people, request.user, who, self._region)
        except NoAccountError:
            meant = suggested(visible(self._accounts, self._people, request.user), who)
            await self._responder.answer(request, answers.unknown_account(who, meant, links=True, buttons=False))
        except SeveralAccountsError:
            await self._responder.answer(request, alert_text.which_account(who))
        return None

    async def _end_by_command(self, request: Request, who: str) -> None:
        """End the silences of one account, or all of this chat, and say what is still silenced."""
        chosen, subject, lasting = self._silences.active_in(request.place.chat), "", self._context.telegram_clock()
        if who.casefold() not in {"", "all"}:
            account = await self._account(request, who)
            if account is None:
                return
            chosen = [each for each in chosen if each.covers(request.place.chat, account.number, lasting)]
            subject = answers.title(account)
            ended = [each for each in chosen if each.numbers == {account.number}]
        else:
            ended = list(chosen)
        ended = [each for each in ended if self._may_end(request, each)]
        for each in ended:
            await self._end(request, each)
        left = [self._as_told_to(request, each) for each in chosen if each not in ended]
        now = self._clock()
        text = alert_text.silences_ended(
            [self._names(each.numbers) for each in ended],
            [alert_text.silence_line(each, self._names(each.numbers), now) for each in left],
            subject=subject,
            only_admins=not all(self._may_end(request, each) for each in left),
        )
        own = [each.id for each in left if self._may_end(request, each)]
        await self._responder.answer(request, text, keyboards.end_silences(own))

    async def _end(self, request: Request, silence: Silence) -> None:
        """End a silence early; alerts that say until when it was to last say who ended it."""
        await self._silences.end(silence.id)
        now, lasting = self._clock(), self._context.telegram_clock()
        for incident in self._handling.all_open_incidents():
            covered = any(silence.covers(incident.chat, entry.number, lasting) for entry in incident.open_entries)
            if covered and incident.parts:
                await self._handling.add_line(incident, alert_text.silence_ended_by(request.name, now))
        await self._context.audit(request.user, "end silence", None, f"silence {silence.id}")

    def _may_end(self, request: Request, silence: Silence) -> bool:
        return self._people.is_admin(request.user) or self._is_own(silence, request)

    async def list_alerts(self, request: Request) -> None:
        """Answer /alerts: open incidents of this chat, and active silences."""
        chat, now = request.place.chat, self._clock()
        silences = self._silences.active_in(chat)
        here = self._handling.open_incidents(chat)
        elsewhere = self._elsewhere(request, here) if request.private else []
        told = [self._as_told_to(request, each) for each in silences]
        quiet = [alert_text.silence_line(each, self._names(each.numbers), now) for each in told]
        text = alert_text.alerts_and_silences(
            [line for each in here for line in alert_text.open_incident(each, self._name, now)],
            [line for each in elsewhere for line in alert_text.open_incident(each, self._name, now)],
            quiet,
            beside=self._need_somebody(request, [*here, *elsewhere]) if request.private else 0,
            comes_here=request.private or chat == self._recipients.alert_chat,
            silences_all=self._context.links(request.user),
        )
        if line := duty_text.on_duty_line(self._duty.now(), now):
            text = f"{line}\n{text}"
        if self._people.is_admin(request.user):
            text = "\n".join([text, *self._unwritable()])
        keyboard = keyboards.end_silences([each.id for each in silences])
        await self._responder.answer(request, text, keyboard)

    def _elsewhere(self, request: Request, here: Sequence[Incident]) -> list[Incident]:
        """Return open incidents of other chats that are not listed here, as far as this person may see them."""
        listed = {(entry.number, entry.reason) for each in here for entry in each.open_entries}
        found = []
        for each in self._handling.all_open_incidents():
            those = [
                e for e in each.open_entries if (e.number, e.reason) not in listed and self._sees(request, e.number)
            ]
            listed |= {(entry.number, entry.reason) for entry in those}
            if those:
                found.append(replace(each, entries=tuple(those)))
        return found

    def _need_somebody(self, request: Request, listed: Sequence[Incident]) -> int:
        """Return how many accounts need a person without an alert in the list: alerts may have been turned off."""
        listed_numbers = {entry.number for each in listed for entry in each.open_entries}
        accounts = [each.number for each in visible(self._accounts, self._people, request.user)]
        return sum(need(self._accounts.status(each)) is Need.PERSON for each in accounts if each not in listed_numbers)

    def _sees(self, request: Request, number: str) -> bool:
        if self._people.is_admin(request.user):
            return True
        return number in {each.number for each in visible(self._accounts, self._people, request.user)}

    def _as_told_to(self, request: Request, silence: Silence) -> Silence:
        """Return a silence, without its reason if an admin set it for all chats and others can read it here."""
        hidden = silence.chat is None and not (request.private and self._people.is_admin(request.user))
        return replace(silence, reason="") if hidden else silence

    async def _audit(self, request: Request, command: str, incident: Incident) -> None:
        """Record an action on an incident, with its accounts and reasons."""
        entries = incident.open_entries
        about = ",".join(dict.fromkeys(entry.number for entry in entries if entry.number)) or None
        titles = dict.fromkeys(alert_wording(entry.reason).title for entry in entries)
        await self._context.audit(request.user, command, about, "; ".join(titles))

    def _may_answer(self, request: Request, incident: Incident) -> bool:
        """Return whether this person may acknowledge: people alerted, viewers, and owners of all of it."""
        about = {entry.number for entry in incident.open_entries}
        called = self._people.is_admin(request.user) or self._duty.is_called(request.user)
        called = called or self._people.role(request.user) is Role.VIEWER
        return called or self._own(about, request) == about

    def _own(self, numbers: set[str], request: Request) -> set[str]:
        """Return this person's accounts among these: all for an admin or a viewer."""
        return numbers & {account.number for account in visible(self._accounts, self._people, request.user)}

    def _is_own(self, silence: Silence, request: Request) -> bool:
        """Return whether a silence only affects this person's accounts, or their own chat."""
        if silence.chat is None:
            return False
        numbers = set(silence.numbers)
        return request.private or (bool(numbers) and self._own(numbers, request) == numbers)

    def _names(self, numbers: frozenset[str]) -> list[str]:
        return [self._name(number) for number in sorted(numbers)]

    def _name(self, number: str) -> str:
        if not number:
            return alert_text.CONTROLLER
        account = self._accounts.find(number)
        return escape(number) if account is None else answers.title(account)


def _whom_and_how_long(words: Sequence[str]) -> tuple[str, timedelta, str] | None:
    """Return whom `/silence` is about, for how long, and why: `Shop 2h moving`, `Shop for 2 hours moving`."""
    for length in (1, 2):  # a name may end in what looks like the beginning of a length: `Shop 2 2h`
        for at in range(1, len(words) - length + 1):
            typed = " ".join(words[at : at + length]).rstrip(".,;!")
            if typed[:1].isdigit() and is_duration(typed):
                whom = words[: at - 1] if at > 1 and words[at - 1].casefold() == "for" else words[:at]
                return " ".join(whom), parse_duration(typed), " ".join(words[at + length :])
    return None
