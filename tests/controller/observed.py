"""What an account's notices say happened: shared by accounts in real browsers (`nasty`) and in none (`pretend`)."""

from controller.accounts.notices import CodeShown, Notice, Transition
from controller.accounts.reasons import Reason


class Observed:
    """Reads `told`, the notices of one account, oldest first."""

    told: list[Notice]

    @property
    def moves(self) -> list[Transition]:
        return [each for each in self.told if isinstance(each, Transition) and not each.within_state]

    @property
    def alerts(self) -> list[Reason]:
        return [each.alert for each in self.told if isinstance(each, Transition) and each.alert is not None]

    @property
    def overs(self) -> list[Reason]:
        return [reason for each in self.told if isinstance(each, Transition) for reason in each.over]

    @property
    def codes(self) -> list[str]:
        return [each.code.text for each in self.told if isinstance(each, CodeShown)]
