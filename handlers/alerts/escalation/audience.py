"""Whom alerts go to at this moment: the chats that get them, and whoever is on duty."""

from collections.abc import Sequence

from controller.registry import Registry, UnknownAccountError
from handlers.alerts.escalation.duty import Duty, OnDuty
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.messages import Place
from handlers.texts import answers


class Audience:
    """Looks it up anew each time: accounts, people, duty and chats change meanwhile."""

    def __init__(self, accounts: Registry, recipients: Recipients, duty: Duty) -> None:
        self.recipients, self.duty = recipients, duty
        self._accounts = accounts

    def on_duty(self) -> OnDuty | None:
        """Return who is on duty; None also where their chat cannot be written to, so that alerts sound elsewhere."""
        now = self.duty.now()
        return None if now is None or now.user in self.recipients.gone else now

    def of_account(self, number: str) -> Sequence[Place]:
        """Return where an account's alerts go; those of an account that is not there any more go to the admins."""
        try:
            return self._with_duty(self.recipients.of_alerts(self._accounts.account(number)))
        except UnknownAccountError:
            return self.of_controller()

    def of_controller(self) -> Sequence[Place]:
        """Return where troubles of the controller itself go."""
        return self._with_duty(self.recipients.of_admins())

    def name(self, number: str) -> str:
        """Return what an account is called, as HTML; "" for the controller itself."""
        if not number:
            return ""
        try:
            return answers.title(self._accounts.account(number))
        except UnknownAccountError:
            return answers.number_title(number)

    def _with_duty(self, places: Sequence[Place]) -> Sequence[Place]:
        on_duty = self.on_duty()
        if on_duty is None or any(place.chat == on_duty.user for place in places):
            return places
        return (*places, Place(on_duty.user))
