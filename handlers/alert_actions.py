"""What people do about alerts: acknowledge, silence, end a silence, list what stands, start many at once."""

from collections.abc import Callable
from datetime import datetime, timedelta

from controller.registry import UnknownAccountError
from handlers import alert_wording, keyboards, wording
from handlers.access import People
from handlers.actions import Actions, Asker
from handlers.alerts import Alerts
from handlers.answers import Answers
from handlers.incident_text import restartable
from handlers.incidents import Incident
from handlers.lookup import NoAccountError, SeveralAccountsError, find_account, visible
from handlers.messages import escape
from handlers.ports import Accounts
from handlers.silences import Silence, WrongDurationError, parse_duration
from handlers.silencing import Silencing


class AlertActions:
    """Acts on alerts for people. Whoever asks is known; what they may is checked here."""

    def __init__(
        self,
        *,
        people: People,
        accounts: Accounts,
        actions: Actions,
        answers: Answers,
        alerts: Alerts,
        silencing: Silencing,
        region: str | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._people, self._accounts, self._actions, self._answers = people, accounts, actions, answers
        self._alerts, self._silencing, self._region, self._clock = alerts, silencing, region, clock

    # --- buttons ------------------------------------------------------------------------------------------------------

    def find(self, chat: int, incident: int) -> Incident | None:
        """Return an incident of the chat, if it is still remembered."""
        return self._alerts.find(chat, incident)

    async def acknowledge(self, asker: Asker, incident: Incident) -> str:
        """Let everybody see that somebody is on it. Returns what is shown over the chat."""
        if not incident.open_entries:
            return alert_wording.OVER_ALREADY
        if incident.acknowledged_by:
            return alert_wording.TAKEN_ALREADY
        about = {entry.number for entry in incident.open_entries}
        if not self._people.is_admin(asker.user) and self._own(about, asker) != about:
            return wording.NOT_YOURS
        line = alert_wording.is_on_it(asker.name, self._clock())
        await self._alerts.acknowledge(incident, line)
        await self._actions.keep(asker.user, "acknowledge", None, f"incident {incident.id}")
        return alert_wording.ACKNOWLEDGED

    async def silence(self, asker: Asker, incident: Incident, lasts: timedelta) -> str:
        """Let what stands in the incident make no sound in this chat for so long."""
        numbers = {entry.number for entry in incident.open_entries}
        if not numbers:
            return alert_wording.OVER_ALREADY
        if not self._people.is_admin(asker.user) and not (numbers := self._own(numbers, asker)):
            return wording.NOT_YOURS
        silence = await self._silencing.begin(asker.place.chat, numbers, lasts, user=asker.user, name=asker.name)
        await self._alerts.add_line(incident, alert_wording.silenced_by(silence, self._clock()))
        await self._actions.keep(asker.user, "silence", None, f"incident {incident.id} until {silence.until:%F %R} UTC")
        return ""

    async def reconnect_all(self, asker: Asker, incident: Incident) -> str:
        """Start every account of the incident that a start may mend and that this person may start."""
        started = 0
        for entry in restartable(incident):
            try:
                account = self._accounts.account(entry.number)
            except UnknownAccountError:
                continue
            if self._people.may(asker.user, account) and await self._accounts.start(account.number):
                started += 1
                await self._actions.keep(asker.user, "reconnect", account.number, "started")
        await self.tell_done(asker, incident, f"Reconnect for {started}")
        return alert_wording.started(started)

    async def tell_done(self, asker: Asker, incident: Incident, what: str) -> None:
        """Let the incident's message show who pressed what."""
        await self._alerts.add_line(incident, alert_wording.pressed_by(asker.name, what, self._clock()))

    async def end_silence(self, asker: Asker, silence: int, message: int) -> str:
        """End a silence before its time."""
        lasting = next((each for each in self._silencing.here(asker.place.chat) if each.id == silence), None)
        if lasting is None:
            return alert_wording.NO_SUCH_SILENCE
        if not self._people.is_admin(asker.user) and not self._is_own(lasting, asker):
            return alert_wording.ONLY_ADMINS_END_IT
        await self._silencing.end(silence)
        await self._actions.keep(asker.user, "end silence", None, f"silence {silence}")
        await self._list(asker, message)
        return alert_wording.SILENCE_ENDED

    # --- commands -----------------------------------------------------------------------------------------------------

    async def list_alerts(self, asker: Asker) -> None:
        """Answer /alerts: what stands in this chat, and which silences last."""
        await self._list(asker, None)

    async def silence_command(self, asker: Asker, words: str) -> None:
        """Answer /silence: the silences that last, or a new one for an account or for all."""
        if not words.strip():
            await self._list(asker, None)
            return
        parts = words.split()
        at = next((at for at, part in enumerate(parts) if at and part[:1].isdigit() and _is_duration(part)), None)
        if at is None:
            await self._answers.say(asker.place, alert_wording.HOW_TO_SILENCE)
            return
        who, lasts, reason = " ".join(parts[:at]), parse_duration(parts[at]), " ".join(parts[at + 1 :])
        chat: int | None = asker.place.chat
        numbers: tuple[str, ...] = ()
        if who.casefold() == "all":
            chat = None if self._people.is_admin(asker.user) else chat
            if chat is not None and not asker.private:  # others' alerts come here too
                own = visible(self._accounts, self._people, asker.user)
                numbers = tuple(account.number for account in own)
                if not numbers:
                    await self._answers.say(asker.place, wording.NO_ACCOUNTS)
                    return
        else:
            try:
                account = find_account(self._accounts, self._people, asker.user, who, self._region)
            except NoAccountError:
                await self._answers.say(asker.place, wording.unknown_account(who))
                return
            except SeveralAccountsError:
                await self._answers.say(asker.place, alert_wording.which_account(who))
                return
            numbers = (account.number,)
        silence = await self._silencing.begin(
            chat, numbers, lasts, user=asker.user, name=asker.name, reason=reason[:200]
        )
        await self._actions.keep(asker.user, "silence", ",".join(numbers) or None, f"until {silence.until:%F %R} UTC")
        await self._answers.say(
            asker.place,
            alert_wording.silence_began(silence, self._names(silence.numbers), self._clock()),
            keyboards.end_silences([silence.id]),
        )

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _list(self, asker: Asker, message: int | None) -> None:
        chat, now = asker.place.chat, self._clock()
        silences = self._silencing.here(chat)
        incidents = [alert_wording.standing(each, self._name, now) for each in self._alerts.standing(chat)]
        quiet = [alert_wording.silence_line(each, self._names(each.numbers), now) for each in silences]
        text = alert_wording.alerts_and_silences(incidents, quiet)
        keyboard = keyboards.end_silences([each.id for each in silences])
        if message is None:
            await self._answers.say(asker.place, text, keyboard)
        else:
            await self._answers.edit(asker.place, message, text, keyboard)

    def _own(self, numbers: set[str], asker: Asker) -> set[str]:
        """Return those of the accounts that this person may act on."""
        return numbers & {account.number for account in visible(self._accounts, self._people, asker.user)}

    def _is_own(self, silence: Silence, asker: Asker) -> bool:
        """Tell whether a silence holds nothing back but what is this person's, or only in their own chat."""
        if silence.chat is None:
            return False
        numbers = set(silence.numbers)
        return asker.private or (bool(numbers) and self._own(numbers, asker) == numbers)

    def _names(self, numbers: frozenset[str]) -> list[str]:
        return [self._name(number) for number in sorted(numbers)]

    def _name(self, number: str) -> str:
        if not number:
            return alert_wording.CONTROLLER
        try:
            return wording.title(self._accounts.account(number))
        except UnknownAccountError:
            return escape(number)


def _is_duration(word: str) -> bool:
    try:
        parse_duration(word)
    except WrongDurationError:
        return False
    return True
