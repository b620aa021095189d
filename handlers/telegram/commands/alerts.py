"""The commands about alerts: which are open, and which are silenced."""

from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.alert_actions import AlertActions
from handlers.telegram.commands.table import Command, Topic


class AlertCommands(Topic):
    """/alerts and /silence."""

    def __init__(self, actions: AlertActions) -> None:
        self._actions = actions

    async def alerts(self, request: Request) -> None:
        """List the open alerts of this chat, and the silences."""
        await self._actions.list_alerts(request)

    async def silence(self, request: Request) -> None:
        """Silence one account or all, or list the silences."""
        await self._actions.silence_command(request)

    COMMANDS = (
        Command(
            "alerts", "", "what needs somebody, and what is silenced",
            "what needs somebody here, and what is silenced", alerts,
            role=Role.VIEWER,
        ),
        Command(
            "silence", "number, name or all, 2h [reason]", "no alerts from an account, or from all, for a while",
            "no alerts for that long: for one account, or for all while you maintain the server", silence,
            changes=True,
        ),
    )  # fmt: skip
