"""The table of commands: menu, /help, README and routes say the same, and every word finds its handler."""

import re
from typing import ClassVar

import pytest

from handlers.chat.people import People, Role
from handlers.chat.request import Request
from handlers.telegram.commands.router import COMMANDS, Router, listed, menu
from handlers.telegram.commands.table import Command, Topic
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, OPERATOR
from tools.diagram import list_commands


def test_every_command_is_one_that_telegram_takes():
    names = [name for row in COMMANDS for name in (row.name, *row.aliases)]

    assert all(re.fullmatch(r"[a-z0-9_]{1,32}", name) for name in names)
    assert len(names) == len(set(names))
    assert all(1 <= len(row.summary) <= 256 and row.help for row in COMMANDS)
    assert len(COMMANDS) <= 100


def test_menu_and_readme_are_made_from_the_rows():
    readme = "\n".join(list_commands())

    assert [name for name, _ in menu(Role.ADMIN)] == [row.name for row in COMMANDS]
    assert all(f"`{row.line}` | {row.help}" in readme for row in COMMANDS)
    assert [name for name, _ in menu(None)] == ["start"]


async def test_one_machine_alone_has_no_commands_about_machines(rig: Rig):
    text = (await rig.answer(ADMIN, "/help", "Switchboard"))["text"]
    assert "machine" not in text
    assert [row.name for row in COMMANDS if row not in listed(hosts=False)] == ["hosts", "drain"]
    assert listed(hosts=True) == COMMANDS
    await rig.answer(ADMIN, "/hosts", "only this one machine")


async def test_help_lists_every_command_and_tells_more_about_one(rig: Rig):
    text = (await rig.answer(ADMIN, "/help", "Switchboard"))["text"]
    assert all(f"{row.line} – {row.summary}" in text for row in listed(hosts=False))
    for row in COMMANDS:
        assert row.help[1:] in (await rig.answer(ADMIN, f"/help {row.name}", row.help[1:]))["text"]


class _Recording(Topic):
    """Commands that note what they are called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def do(self, request: Request) -> None:
        self.calls.append(("do", request.words))

    async def manage(self, request: Request) -> None:
        self.calls.append(("manage", request.words))

    async def plain(self, request: Request, *, to_us: bool) -> None:
        self.calls.append(("plain", request.words))

    COMMANDS: ClassVar[tuple[Command, ...]] = (
        Command("do", "", "does", "does it", do, aliases=("act",)),
        Command("manage", "", "manages", "manages it", manage, role=Role.ADMIN),
    )


class _Answers:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def answer(self, request: Request, html: str) -> None:
        self.sent.append(html)


@pytest.mark.parametrize(
    ("words", "user", "calls", "answer"),
    [
        ("/do it", OPERATOR, [("do", " it")], ""),
        ("/DO@Our_Bot\nit", OPERATOR, [("do", "\nit")], ""),
        ("/do+49 1", OPERATOR, [("do", "+49 1")], ""),
        ("/act", OPERATOR, [("do", "")], ""),
        ("/do@another_bot it", OPERATOR, [], "That is for @another_bot, and I am @our_bot"),
        ("/manage x", ADMIN, [("manage", " x")], ""),
        ("/manage x", OPERATOR, [], "/manage is for admins only"),
        ("/nosuch", ADMIN, [], "I do not know /nosuch"),
        ("hello /do", ADMIN, [("plain", "hello /do")], ""),
        ("/", ADMIN, [("plain", "/")], ""),
    ],
)
async def test_words_find_their_handler(words, user, calls, answer):
    topic, responder = _Recording(), _Answers()
    router = Router(
        [topic], people=People([ADMIN], [OPERATOR]), responder=responder, plain=topic.plain, username=lambda: "our_bot"
    )  # type: ignore[arg-type]

    await router.handle(Request(user=user, name="Ada", chat=user, private=True, words=words))

    assert topic.calls == calls
    assert (answer in responder.sent[0]) if answer else not responder.sent


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("status", "/status"), ("/ status", "/status"), ("//status", "/status"), ("Help", "/help"),
        ("reconect", "/reconnect"), ("/delete sales", "/remove"), ("/stop", "/suspend"), ("/pause sales", "/suspend"),
        ("/mute all", "/silence"), ("/login", "/link"), ("/list", "/status"), ("/users", "/people"),
        ("/log", "/audit"), ("/start_", "/start"),
    ],
)  # fmt: skip
async def test_a_word_that_means_a_command_is_answered_with_it(rig: Rig, typed, meant):
    await rig.answer(ADMIN, typed, f"Did you mean {meant}?")


async def test_what_means_no_command_is_told_what_there_is(rig: Rig):
    await rig.answer(ADMIN, "hello", "I understand commands")
    await rig.answer(ADMIN, "status of the shop in Berlin please", "I understand commands")


async def test_a_number_that_was_refused_is_still_asked_for(rig: Rig):
    await rig.answer(ADMIN, "/link", "Which number")
    await rig.answer(ADMIN, "491511234567", "no + and country code")
    await rig.answer(ADMIN, "+491511234567 Shop", "Shop")
    assert [each.name for each in rig.accounts.accounts()] == ["Shop"]
