"""Handles pressed buttons. Permissions are checked again; a question can only be answered by the person asked, once."""

import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

from controller.accounts.e164 import mask_apart
from controller.accounts.notices import PastTransition
from controller.accounts.reasons import Reason
from controller.incidents import Incident
from controller.registry import Account
from handlers.alerts import alert_text
from handlers.alerts.incidents.incident_text import restartable
from handlers.chat.button_codes import Press, StaleButtonError, Verb, read_code
from handlers.chat.messages import escape
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.account_actions import AccountActions
from handlers.telegram.actions.alert_actions import AlertActions
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.detail import Detail
from handlers.telegram.actions.linking import Linking
from handlers.telegram.actions.pick import pickable
from handlers.telegram.actions.restore import RestoreActions
from handlers.telegram.commands.router import Router
from handlers.telegram.commands.table import ButtonRow, Topic
from handlers.telegram.ui import keyboards
from handlers.texts import answers
from handlers.texts import linking as linking_text
from handlers.texts import people as people_text
from handlers.texts import status as status_text

HISTORY = 20
"""Transitions shown by History."""
ASKED_LATELY = 100
"""Rows of the audit that are searched for who requested a transition."""
AT_ONCE = timedelta(seconds=10)
"""The largest difference in time between a transition and its row in the audit."""
BY_PEOPLE = frozenset({Reason.ASKED, Reason.SUSPENDED_BY_OPERATOR})
_SILENCES = {Verb.SILENCE: timedelta(hours=1), Verb.LONG_SILENCE: timedelta(hours=8)}
READING = frozenset({Verb.DETAIL, Verb.ALL, Verb.HISTORY, Verb.CANCEL, Verb.PAGE})
"""Actions that change nothing, and may be late."""
FOR_VIEWERS = READING | {Verb.ACKNOWLEDGE, Verb.TAKE_OVER, Verb.RELEASE}
REMEMBERED = 1000
"""How many answered questions are remembered: only the first answer to each counts."""


class Buttons:
    """The buttons by subject: general ones, those of an incident, those of an account, and those of topics.

    earlier: finds a request by its update; take_webhook: removes the webhook, so that updates reach us again.
    """

    def __init__(
        self,
        context: Context,
        *,
        actions: AccountActions,
        alert_actions: AlertActions,
        restoring: RestoreActions,
        linking: Linking,
        router: Router,
        earlier: Callable[[int], Awaitable[Request | None]],
        take_webhook: Callable[[], Awaitable[bool]],
        detail: Detail,
        topics: Iterable[Topic] = (),
    ) -> None:
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._records, self._responder = context.records, context.responder
        self._clock, self._telegram_clock = context.clock, context.telegram_clock
        self._actions = actions
        self._alert_actions, self._restoring, self._details = alert_actions, restoring, detail
        self._linking = linking
        self._router = router
        self._earlier, self._take_webhook = earlier, take_webhook
        self._answered: OrderedDict[tuple[int, int], Verb] = OrderedDict()
        self._general: dict[Verb, Callable[[Request, Press], Awaitable[str]]] = {
            Verb.CANCEL: self._cancel,
            Verb.END_SILENCE: self._end_silence,
            Verb.REDO: self._redo,
            Verb.PAGE: self._turn_page,
            Verb.SKIP: self._skip,
            Verb.STOP: self._stop,
        }
        self._rows: dict[Verb, ButtonRow] = {}
        for topic in topics:
            self._rows |= topic.BUTTONS
            self._general |= {verb: partial(row.handler, topic) for verb, row in topic.BUTTONS.items()}
        self._of_incident: Mapping[Verb, Callable[[Request, Press, Incident], Awaitable[str]]] = {
            Verb.ACKNOWLEDGE: lambda request, _, incident: alert_actions.acknowledge(request, incident),
            Verb.TAKE_OVER: lambda request, _, incident: alert_actions.take_over(request, incident),
            Verb.RELEASE: lambda request, _, incident: alert_actions.release(request, incident),
            Verb.SILENCE: self._silence,
            Verb.LONG_SILENCE: self._silence,
            Verb.RECONNECT: self._reconnect_all,
            Verb.GO_ON: self._go_on,
            Verb.TAKE_WEBHOOK: self._take_webhook_back,
        }
        self._of_account: Mapping[Verb, Callable[[Request, Press, Account], Awaitable[str]]] = {
            Verb.DETAIL: self._detail,
            Verb.HISTORY: self._history,
            Verb.RECONNECT: self._reconnect,
            Verb.LINK: self._link,
            Verb.NEW_CODE: self._new_code,
            Verb.SUSPEND: self._suspend,
            Verb.USE_HERE: self._use_here,
            Verb.RESTORE: self._restore,
            Verb.SAME_NUMBER: partial(self._confirm_number, same=True),
            Verb.OTHER_NUMBER: partial(self._confirm_number, same=False),
            Verb.CONTINUE: self._continue,
        }

    async def handle(self, request: Request) -> str:
        """Perform the button's action; return the text shown above the chat for a moment, "" for none."""
        try:
            press = read_code(request.code)
        except StaleButtonError:
            return answers.STALE_BUTTON
        if (problem := self._problem(request, press)) is not None:
            if problem == answers.TOO_LATE:
                await self._responder.answer(request, answers.EXPIRED)  # its buttons go, too
            return problem
        if press.presser is None or press.verb is Verb.PAGE or request.message is None:
            return await self._act(request, press)
        question = request.place.chat, request.message
        self._answered[question] = press.verb
        self._responder.questions.close(*question)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        try:
            return await self._act(request, press)
        except Exception:
            self._answered.pop(question, None)  # it was not done: a further press may retry
            raise

    def changes(self, request: Request) -> bool:
        """Return whether a press may change something."""
        press = _read(request)
        if press is None:
            return False
        row = self._rows.get(press.verb)
        return press.verb not in READING if row is None else not row.reads

    def expires(self, request: Request) -> bool:
        """Return whether a button expires by itself: it belongs to a question or choice of a moment ago."""
        press = _read(request)
        return press is not None and press.until is not None

    def described(self, request: Request) -> str:
        """Return which button was pressed, and for which account, as HTML."""
        press = _read(request)
        label = "a button"
        if press is not None:
            row = self._rows.get(press.verb)
            label = row.label if row is not None else keyboards.LABELS.get(press.verb, label)
        account = None if press is None or press.number is None else self._accounts.find(press.number)
        return answers.pressed(label, account)

    def _problem(self, request: Request, press: Press) -> str | None:
        """Return why a press is invalid; None if it is valid."""
        problem = self._problem_of_role(request, press) or self._problem_of_question(request, press)
        if problem is not None or press.verb in self._general or press.number is None:
            return problem
        account = self._accounts.find(press.number)
        if account is None:
            return answers.ACCOUNT_GONE
        may = self._people.sees if press.verb in READING else self._people.may
        return None if may(request.user, account) else answers.NOT_YOURS

    def _problem_of_role(self, request: Request, press: Press) -> str | None:
        """Return why a press is invalid for the presser's role; None if it is valid."""
        role, row = self._people.role(request.user), self._rows.get(press.verb)
        if row is not None and role is not None and role >= row.role:
            return None
        if row is not None and row.role is Role.ADMIN:
            return answers.ONLY_ADMINS
        may = role is not None and (press.verb in FOR_VIEWERS or (row is None and role > Role.VIEWER))
        return None if may else people_text.ONLY_VIEWER

    def _problem_of_question(self, request: Request, press: Press) -> str | None:
        """Return why a press is no valid answer to a question: somebody else's, too late, or answered already."""
        if press.presser is None or press.until is None or request.confirmed:
            return None
        if press.presser != request.user:
            return answers.NOT_YOUR_BUTTON
        if self._telegram_clock().timestamp() > press.until:
            return answers.TOO_LATE
        answer = self._answered.get((request.place.chat, request.message or 0))
        if answer is None:
            return None
        return answers.CANCELLED if answer is Verb.CANCEL else answers.DONE_ALREADY

    async def _act(self, request: Request, press: Press) -> str:
        if (general := self._general.get(press.verb)) is not None:
            return await general(request, press)
        if press.number is not None:
            account = self._accounts.account(press.number)
            of_account = self._of_account.get(press.verb)
            return answers.STALE_BUTTON if of_account is None else await of_account(request, press, account)
        of_incident = self._of_incident.get(press.verb)
        if press.item is None or of_incident is None:
            return answers.STALE_BUTTON
        incident = self._alert_actions.find(request.place.chat, press.item)
        return alert_text.OVER_ALREADY if incident is None else await of_incident(request, press, incident)

    # --- general ------------------------------------------------------------------------------------------------------

    async def _cancel(self, request: Request, press: Press) -> str:
        left = press.item is not None  # what is left may be done in part
        await self._responder.answer(request, answers.LEFT if left else answers.CANCELLED)
        return ""

    async def _turn_page(self, request: Request, press: Press) -> str:
        if press.item is None:
            return answers.STALE_BUTTON
        verb, page = keyboards.page_of(press.item)
        offered = pickable(self._accounts, self._people, request.user, verb)
        keyboard = keyboards.picker(verb, offered, request.user, self._telegram_clock(), page)
        await self._responder.answer(request, answers.pick(keyboards.LABELS[verb].lower()), keyboard)
        return ""

    async def _end_silence(self, request: Request, press: Press) -> str:
        if press.item is None:
            return answers.STALE_BUTTON
        return await self._alert_actions.end_silence(request, press.item)

    async def _redo(self, request: Request, press: Press) -> str:
        """Carry out an earlier request of the same person, who was asked to confirm it."""
        earlier = None if press.item is None else await self._earlier(press.item)
        if earlier is None or earlier.user != request.user:
            return answers.STALE_BUTTON
        if earlier.press:
            shown = await self.handle(replace(earlier, update=request.update, confirmed=True))
            if shown or earlier.message != request.message:
                await self._responder.answer(request, shown or answers.taken_up(self.described(earlier)))
            return shown
        await self._router.handle(replace(earlier, update=request.update, message=request.message, confirmed=True))
        return ""

    async def _skip(self, request: Request, press: Press) -> str:
        number = self._in_line(request, press)
        if number is None or not await self._linking.skip(number):
            return linking_text.NOT_QUEUED
        await self._context.audit(request.user, "skip", number, "the next one begins")
        return ""

    async def _stop(self, request: Request, press: Press) -> str:
        number = self._in_line(request, press)
        if number is None or not await self._linking.stop(number):
            return linking_text.NOT_QUEUED
        await self._context.audit(request.user, "stop", number, "the queue ended")
        return ""

    # --- about an incident --------------------------------------------------------------------------------------------

    async def _silence(self, request: Request, press: Press, incident: Incident) -> str:
        return await self._alert_actions.silence(request, incident, _SILENCES[press.verb])

    async def _reconnect_all(self, request: Request, press: Press, incident: Incident) -> str:
        accounts = len(self._alert_actions.restartable(request, incident))
        if not accounts:
            return answers.NOT_YOURS if restartable(incident) else alert_text.OVER_ALREADY
        if press.presser is None:
            self._ask(request, press, alert_text.confirm_all(accounts), "Yes, reconnect")
            return ""
        started = await self._alert_actions.reconnect_all(request, incident)
        await self._responder.answer(request, answers.ON_IT if started else alert_text.started(0))
        return alert_text.started(started)

    async def _go_on(self, request: Request, press: Press, incident: Incident) -> str:
        shown = await self._actions.go_on(request)
        if shown == answers.GOES_ON:
            await self._alert_actions.show_press(request, incident, keyboards.LABELS[press.verb])
        return shown

    async def _take_webhook_back(self, request: Request, press: Press, incident: Incident) -> str:
        if not self._people.is_admin(request.user):
            return answers.ONLY_ADMINS
        taken = await self._take_webhook()
        await self._context.audit(request.user, "take webhook back", None, "taken back" if taken else "refused")
        if not taken:
            return answers.WEBHOOK_NOT_TAKEN
        await self._alert_actions.show_press(request, incident, keyboards.LABELS[press.verb])
        return answers.WEBHOOK_TAKEN

    # --- about an account ---------------------------------------------------------------------------------------------

    async def _detail(self, request: Request, _: Press, account: Account) -> str:
        await self._details.show(request, account)
        return ""

    async def _history(self, request: Request, _: Press, account: Account) -> str:
        past = await self._records.history(account.number, HISTORY)
        asked = await self._records.audit_trail(ASKED_LATELY, number=account.number)

        def by(one: PastTransition) -> str:
            """Return who requested a transition: the person with an audit row of the same time."""
            near = [each for each in asked if abs(each.at - one.at) <= AT_ONCE] if one.reason in BY_PEOPLE else []
            person = self._people.get(near[0].user) if near else None
            return escape(person.name) if person is not None else ""

        text = status_text.history(account, past, self._clock(), by)
        await self._responder.answer(request, text, keyboards.back(account.number))
        return ""

    async def _reconnect(self, request: Request, press: Press, account: Account) -> str:
        await self._actions.reconnect(await self._shown_in_incident(request, press), account)
        return ""

    async def _link(self, request: Request, press: Press, account: Account) -> str:
        await self._actions.link(await self._shown_in_incident(request, press), account.number)
        return ""

    async def _new_code(self, request: Request, _: Press, account: Account) -> str:
        shown = await self._linking.new_code(account.number)
        if shown is None:
            return linking_text.ON_ITS_WAY
        if not shown:
            return linking_text.NOT_QUEUED
        await self._context.audit(request.user, "new code", account.number, "begun anew")
        return linking_text.ON_ITS_WAY

    async def _suspend(self, request: Request, press: Press, account: Account) -> str:
        if press.presser is None:
            self._ask(request, press, answers.confirm_suspend(account), "Yes, suspend")
        else:
            await self._actions.suspend(request, account)
        return ""

    async def _use_here(self, request: Request, press: Press, account: Account) -> str:
        if press.presser is None:
            self._ask(request, press, answers.confirm_use_here(account), "Yes, use here")
        else:
            await self._actions.reconnect(await self._shown_in_incident(request, press), account, takeover=True)
        return ""

    async def _confirm_number(self, request: Request, press: Press, account: Account, *, same: bool) -> str:
        """Ask about the number in question now, or handle the answer, which is valid for that number only."""
        number = self._accounts.status(account.number).unconfirmed
        if number is None:
            return answers.NOT_ASKED
        if press.presser is None:
            subject = f"{account.number}.{press.item or 0}.{_fingerprint(number)}"
            yes = "Yes, it is the same" if same else "Yes, log it out"
            question = answers.confirm_number(account, mask_apart(number, account.number), same=same)
            self._ask(request, replace(press, subject=subject), question, yes)
        elif press.items[1:] != (_fingerprint(number),):
            return answers.ANOTHER_ASKED
        else:
            bare = replace(press, subject=f"{account.number}.{press.items[0]}")
            shown_in = await self._shown_in_incident(request, bare)
            await self._actions.confirm_number(shown_in, account, number, same=same)
        return ""

    async def _continue(self, request: Request, press: Press, account: Account) -> str:
        shown = await self._actions.answer_dialog(request, account)
        if shown == answers.CONTINUED:
            await self._shown_in_incident(request, press)
        return shown

    async def _restore(self, request: Request, press: Press, account: Account) -> str:
        pressed_in_alert = press.item is not None and self._alert_actions.find(request.place.chat, press.item)
        if press.item is None or pressed_in_alert:
            await self._restoring.offer(await self._shown_in_incident(request, press), account)
        elif press.presser is not None:
            await self._restoring.restore(request, account, press.item)
        elif (question := await self._restoring.question(account, press.item)) is not None:
            self._ask(request, press, question, "Yes, restore it")
        else:
            return answers.STALE_BUTTON
        return ""

    # --- parts --------------------------------------------------------------------------------------------------------

    def _in_line(self, request: Request, press: Press) -> str | None:
        """Return the account that Skip and Stop refer to: that of the code they are under, else the open one."""
        if press.number is None:
            return self._linking.open_of(request.user)
        account = self._accounts.find(press.number)
        return account.number if account is not None and self._people.may(request.user, account) else None

    def _ask(self, request: Request, press: Press, question: str, yes: str) -> None:
        """Ask for confirmation in a new message: the one whose button was pressed remains unchanged."""
        keyboard = keyboards.confirm(press.verb, press.subject, yes, request.user, self._telegram_clock())
        self._responder.ask(request, question, keyboard)

    async def _shown_in_incident(self, request: Request, press: Press) -> Request:
        """Show on the incident who pressed; return a request whose answer leaves the incident's message unchanged."""
        if press.item is None:
            return request
        incident = self._alert_actions.find(request.place.chat, press.item)
        if incident is not None:
            await self._alert_actions.show_press(request, incident, keyboards.LABELS[press.verb])
        return request if press.presser is not None else replace(request, message=None)


def _fingerprint(number: str) -> int:
    """Return a few digits by which a button distinguishes numbers: it has no room for a whole one."""
    return zlib.crc32(number.encode("ascii")) % 1_000_000


def _read(request: Request) -> Press | None:
    try:
        return read_code(request.code)
    except StaleButtonError:
        return None
