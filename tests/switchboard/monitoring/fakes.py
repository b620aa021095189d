"""Stand-ins for what the monitoring observes, shared by its tests and its bench."""

from datetime import datetime


class Chat:
    """People's side where all is well."""

    deaf = ""
    poll_age = 1.0

    async def look_at_alerts(self) -> None: ...

    async def call(self) -> bool:
        return True

    def unsent(self) -> list[datetime]:
        return []
