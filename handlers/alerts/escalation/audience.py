"""The current recipients of alerts: chats, and whoever is on duty."""

from collections.abc import Sequence

from controller.registry import Registry
from handlers.alerts.escalation.duty import Duty, OnDuty
from handlers.alerts.incidents.incident_text import Reader
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.messages import Place
from handlers.texts import answers


class Audience:
    """Looks recipients up on each call, since accounts, people, duty and chats change."""

    def __init__(self, accounts: Registry, recipients: Recipients, duty: Duty) -> None:
        self.recipients, self.duty = recipients, duty
        self._accounts = accounts

    def on_duty(self) -> OnDuty | None:
        """Return who is on duty; None also if their chat is unreachable, so that alerts make a sound elsewhere."""
        now = self.duty.now()
        return None if now is None or now.user in self.recipients.gone else now

    def of_account(self, number: str) -> Sequence[Place]:
        """Return the chats for an account's alerts; those of a removed account go to the admins."""
        account = self._accounts.find(number)
        return self.of_controller() if account is None else self._with_duty(self.recipients.of_alerts(account))

    def of_controller(self) -> Sequence[Place]:
        """Return the chats for troubles of the controller itself."""
        return self._with_duty(self.recipients.of_admins())

    def reader(self, chat: int) -> Reader:
        """Return what whoever reads a chat may do there."""

        def acts(number: str) -> bool:
            account = self._accounts.find(number)
            if number and account is None:
                return True  # whatever is pressed says that it is not there any more
            return self.recipients.may_act(chat, account)

        return Reader(acts, silences=self.recipients.may_silence(chat))

    def name(self, number: str) -> str:
        """Return an account's name as HTML; "" for the controller itself."""
        if not number:
            return ""
        account = self._accounts.find(number)
        return answers.removed_title(number) if account is None else answers.title(account)

    def _with_duty(self, places: Sequence[Place]) -> Sequence[Place]:
        on_duty = self.on_duty()
        if on_duty is None or any(place.chat == on_duty.user for place in places):
            return places
        return (*places, Place(on_duty.user))
