"""Stand-ins for what the monitoring observes, shared by its tests and its bench."""

from datetime import datetime

from controller.troubles import Trouble


class Chat:
    """People's side where all is well."""

    deaf = ""
    poll_age = 1.0

    def __init__(self) -> None:
        self.troubles: list[tuple[str, str]] = []
        """What was raised with its detail, and what was cleared with ""."""

    async def raise_trouble(self, reason: Trouble, detail: str = "") -> None:
        self.troubles.append((reason, detail))

    async def clear_trouble(self, reason: Trouble) -> None:
        self.troubles.append((reason, ""))

    async def look_at_alerts(self) -> None: ...

    async def call(self) -> bool:
        return True

    def unsent(self) -> list[datetime]:
        return []
