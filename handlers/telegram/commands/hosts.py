"""/hosts and /drain: the machines that run browsers, and how to drain one."""

import asyncio

from controller.hosts import Hosts, UnknownHostError
from controller.registry import UnknownAccountError
from handlers.chat.messages import Text
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.commands.table import Command, Topic
from handlers.texts import answers
from handlers.texts import hosts as texts

MOVE_SECONDS = 120.0
"""Seconds that a drain waits for one account to be connected elsewhere, before it continues with the next."""
LOOK_SECONDS = 0.5
DRAINED = "its host is being drained"


class HostCommands(Topic):
    """Lists machines and drains them. hosts: None if there is only one machine."""

    def __init__(self, context: Context, hosts: Hosts | None) -> None:
        self._context, self._hosts = context, hosts
        self._accounts, self._responder = context.accounts, context.responder

    async def show(self, request: Request) -> None:
        """List the machines."""
        text = texts.ONE_MACHINE if self._hosts is None else texts.listed(self._hosts.usage())
        await self._responder.answer(request, text)

    async def drain(self, request: Request) -> None:
        """Move all accounts away from a machine, one by one, or make it available again."""
        name, _, rest = request.words.strip().partition(" ")
        if self._hosts is None:
            await self._responder.answer(request, texts.ONE_MACHINE)
            return
        if not name or rest.strip() not in {"", "off"}:
            await self._responder.answer(request, texts.HOW_TO_DRAIN)
            return
        draining = not rest
        try:
            self._hosts.drain(name, draining=draining)
        except UnknownHostError:
            await self._responder.answer(request, texts.unknown(name))
            return
        await self._context.audit(request.user, "drain", None, f"{name} {'on' if draining else 'off'}")
        if draining:
            moving = self._context.tasks.start(self._empty(request, self._hosts, name), "draining a host")
            self._context.responder.track(request, moving)
        else:
            await self._responder.answer(request, texts.filled_again(name))

    async def _empty(self, request: Request, hosts: Hosts, name: str) -> None:
        """Move the accounts one by one, and show the progress in one message."""
        numbers = [one.number for one in self._accounts.accounts() if hosts.host_of(one.number) == name]
        live = await self._responder.answer(request, texts.draining(name, 0, len(numbers)))
        moved, stayed, last = 0, [], ""
        for number in numbers:
            try:
                said = await self._move(hosts, number, name)
            except UnknownAccountError:  # it was removed meanwhile
                continue
            if said is None:
                stayed.append(answers.title(self._accounts.account(number)))
                continue
            moved, last = moved + 1, said
            if live is not None:
                live.show(Text(texts.draining(name, moved, len(numbers), said)))
        if live is not None and numbers:
            live.show(Text(texts.drained(name, moved, stayed, last)))

    async def _move(self, hosts: Hosts, number: str, name: str) -> str | None:
        """Move one account; return its outcome for people, None if it is not connected elsewhere in time.

        An account that waits for a scan or is connecting is left to finish: its next browser opens elsewhere.
        """
        loop = asyncio.get_running_loop()
        began, asked = loop.time(), False
        while loop.time() - began < MOVE_SECONDS:
            status = self._accounts.status(number)
            host = hosts.host_of(number)
            if host not in {"", name} and status.is_connected:
                return texts.moved(answers.title(self._accounts.account(number)), host, loop.time() - began)
            if host == name and status.is_connected and not asked:
                asked = self._accounts.recycle(number, DRAINED)
            if host == "" and not status.wants_connection:
                return texts.closed(answers.title(self._accounts.account(number)))
            await asyncio.sleep(LOOK_SECONDS)
        return None

    COMMANDS = (
        Command(
            "hosts", "", "the machines that run browsers",
            "the machines that run browsers: how they are, their accounts, memory and version", show,
            role=Role.ADMIN,
        ),
        Command(
            "drain", "host [off]", "move all accounts away from a machine",
            "moves all accounts to other machines, one by one with clean closes; off lets it take accounts again",
            drain,
            changes=True,
            role=Role.ADMIN,
        ),
    )  # fmt: skip
