"""What pressed buttons do. Whoever presses is checked again; a question is answered by the one it was put to, once."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.registry import Account, UnknownAccountError
from handlers.alerts import alert_text
from handlers.alerts.incident_text import restartable
from handlers.chat.button_codes import Press, StaleButtonError, Verb, read_code
from handlers.chat.messages import Keyboard, Place
from handlers.chat.people import People
from handlers.ports import Accounts, Records
from handlers.telegram import keyboards
from handlers.telegram.account_actions import AccountActions
from handlers.telegram.alert_actions import AlertActions
from handlers.telegram.find_account import visible
from handlers.telegram.responder import Responder
from handlers.telegram.restore import RestoreActions
from handlers.texts import answers
from handlers.texts import status as status_text

HISTORY = 20
"""Transitions that History shows."""
_SILENCES = {Verb.SILENCE: timedelta(hours=1), Verb.LONG_SILENCE: timedelta(hours=8)}
_PRESSED = {Verb.RECONNECT: "Reconnect", Verb.LINK: "Link again", Verb.USE_HERE: "Use here"}
REMEMBERED = 1000
"""Answered questions that are remembered, each by its message: the one answer counts, whatever is pressed until the
message shows it."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press of a button by a person, on one of our messages. code: what the button says."""

    user: int
    name: str
    place: Place
    private: bool
    message: int
    code: str


class ButtonPresses:
    """The buttons. `take` returns what is shown over the chat for a moment, "" for nothing."""

    def __init__(
        self,
        *,
        people: People,
        accounts: Accounts,
        actions: AccountActions,
        alert_actions: AlertActions,
        restoring: RestoreActions,
        answers: Responder,
        records: Records,
        clock: Callable[[], datetime],
    ) -> None:
        self._people, self._accounts, self._actions, self._answers = people, accounts, actions, answers
        self._alert_actions, self._restoring = alert_actions, restoring
        self._records, self._clock = records, clock
        self._answered: OrderedDict[tuple[int, int], Verb] = OrderedDict()

    async def take(self, pressed: Pressed) -> str:
        """Do what the button says."""
        try:
            press = read_code(pressed.code)
        except StaleButtonError:
            return answers.STALE_BUTTON
        if (problem := self._problem(pressed, press)) is not None:
            return problem
        if press.presser is None:
            return await self._do(pressed, press)
        question = pressed.place.chat, pressed.message
        self._answered[question] = press.verb
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        try:
            return await self._do(pressed, press)
        except Exception:
            self._answered.pop(question, None)  # it was not done: whoever presses again tries again
            raise

    async def _do(self, pressed: Pressed, press: Press) -> str:
        if press.verb is Verb.ALL:
            await self._show_all(pressed)
            return ""
        if press.verb is Verb.CANCEL:
            await self._answers.edit(pressed.place, pressed.message, answers.CANCELLED)
            return ""
        if not press.about_account:
            return await self._act_on_item(pressed, press)
        return await self._act(pressed, press, self._accounts.account(press.number))

    def _problem(self, pressed: Pressed, press: Press) -> str | None:
        """Return why a press does not count."""
        if press.presser is not None and press.until is not None:
            if press.presser != pressed.user:
                return answers.NOT_YOUR_BUTTON
            if self._clock().timestamp() > press.until:
                return answers.TOO_LATE
            answer = self._answered.get((pressed.place.chat, pressed.message))
            if answer is not None:
                return answers.CANCELLED if answer is Verb.CANCEL else answers.DONE_ALREADY
        if press.verb in {Verb.ALL, Verb.CANCEL} or not press.about_account:
            return None
        try:
            account = self._accounts.account(press.number)
        except UnknownAccountError:
            return answers.STALE_BUTTON
        return None if self._people.may(pressed.user, account) else answers.NOT_YOURS

    async def _act_on_item(self, pressed: Pressed, press: Press) -> str:
        """Act on an incident or on a silence."""
        if press.item is None:
            return answers.STALE_BUTTON
        if press.verb is Verb.END_SILENCE:
            return await self._alert_actions.end_silence(pressed, press.item, pressed.message)
        incident = self._alert_actions.find(pressed.place.chat, press.item)
        if incident is None:
            return alert_text.OVER_ALREADY
        match press.verb:
            case Verb.ACKNOWLEDGE:
                return await self._alert_actions.acknowledge(pressed, incident)
            case Verb.SILENCE | Verb.LONG_SILENCE:
                return await self._alert_actions.silence(pressed, incident, _SILENCES[press.verb])
            case Verb.RECONNECT if press.presser is not None:
                told = await self._alert_actions.reconnect_all(pressed, incident)
                await self._answers.edit(pressed.place, pressed.message, answers.ON_IT)
                return told
            case Verb.RECONNECT:
                self._ask(pressed, press, alert_text.confirm_all(len(restartable(incident))), "Yes, reconnect")
                return ""
        return answers.STALE_BUTTON

    async def _tell_incident(self, pressed: Pressed, press: Press) -> int | None:
        """Show in the incident who pressed; returns the message that becomes the answer, None for a new one."""
        if press.item is None:
            return pressed.message
        incident = self._alert_actions.find(pressed.place.chat, press.item)
        if incident is not None:
            await self._alert_actions.tell_done(pressed, incident, _PRESSED[press.verb])
        return pressed.message if press.presser is not None else None

    async def _act(self, pressed: Pressed, press: Press, account: Account) -> str:
        confirmed = press.presser is not None
        match press.verb:
            case Verb.DETAIL:
                await self._show(pressed, self._detail(account), keyboards.detail(account.number))
            case Verb.HISTORY:
                past = await self._records.history(account.number, HISTORY)
                await self._show(
                    pressed, status_text.history(account, past, self._clock()), keyboards.back(account.number)
                )
            case Verb.RECONNECT:
                await self._actions.reconnect(pressed, account, message=await self._tell_incident(pressed, press))
            case Verb.LINK:
                await self._actions.link(pressed, account.number, message=await self._tell_incident(pressed, press))
            case Verb.SUSPEND if confirmed:
                await self._actions.suspend(pressed, account, message=pressed.message)
            case Verb.USE_HERE if confirmed:
                message = await self._tell_incident(pressed, press)
                await self._actions.reconnect(pressed, account, takeover=True, message=message)
            case Verb.RESTORE:
                return await self._restore(pressed, press, account)
            case Verb.SUSPEND:
                self._ask(pressed, press, answers.confirm_suspend(account), "Yes, suspend")
            case Verb.USE_HERE:
                self._ask(pressed, press, answers.confirm_use_here(account), "Yes, use here")
            case _:
                return answers.STALE_BUTTON
        return ""

    async def _restore(self, pressed: Pressed, press: Press, account: Account) -> str:
        if press.item is None:
            await self._restoring.offer(pressed, account, message=pressed.message)
        elif press.presser is not None:
            await self._restoring.restore(pressed, account, press.item, message=pressed.message)
        elif (question := await self._restoring.question(account, press.item)) is not None:
            self._ask(pressed, press, question, "Yes, restore it")
        else:
            return answers.STALE_BUTTON
        return ""

    def _ask(self, pressed: Pressed, press: Press, question: str, yes: str) -> None:
        """Ask once more, below: the message whose button was pressed stays as it is."""
        keyboard = keyboards.confirm(press.verb, press.subject, yes, pressed.user, self._clock())
        self._answers.ask(pressed.place, question, keyboard)

    async def _show_all(self, pressed: Pressed) -> None:
        accounts = visible(self._accounts, self._people, pressed.user)
        lines = [(account, self._accounts.status(account.number)) for account in accounts]
        await self._show(pressed, status_text.overview(lines, self._clock()), keyboards.refresh_all())

    async def _show(self, pressed: Pressed, html: str, keyboard: Keyboard) -> None:
        await self._answers.edit(pressed.place, pressed.message, html, keyboard)

    def _detail(self, account: Account) -> str:
        return status_text.detail(account, self._accounts.status(account.number), self._clock())
