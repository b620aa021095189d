"""Whatever people type or press, over the real polling: one answer at most, no failure, nothing to whom it is not due.

The rig is the whole Telegram side over HTTP. Two operators own an account each, an admin a third; each account's name
is a word that nobody else ever types, so that its mere appearance in a chat proves that somebody saw it.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controller.accounts.reasons import Reason, State
from handlers.chat.button_codes import Verb, button_code
from handlers.chat.messages import TEXT_LIMIT
from handlers.telegram.commands.router import COMMANDS
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, OPERATOR, PARIS, SECOND_ADMIN, STRANGER
from tests.waiting import until

OTHER_OPERATOR = 2002
BERLIN, LONDON = "+491511234567", "+447400123456"
OWNERS = {BERLIN: ADMIN, PARIS: OPERATOR, LONDON: OTHER_OPERATOR}
LOST: dict[str, Any] = {"state": State.DISCONNECTED, "reason": Reason.CONNECTION_LOST}
"""How the accounts are: there is something to be done with them."""
NAMES = {BERLIN: "Zinnober", PARIS: "Quittung", LONDON: "Flachs & <Wolle>"}
ADMINS, OPERATORS = (ADMIN, SECOND_ADMIN), (OPERATOR, OTHER_OPERATOR)
CALLBACK_ANSWER = 200
"""Characters that Telegram shows over a chat."""

QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# --- what people type and press ---------------------------------------------------------------------------------------

NASTY = (
    "<b>", "</b></i>", "<a href='tg://user?id=1'>x</a>", "&lt;", "&#0;", "*_`[](",
    "\u202e\u2066evil\u2069", "\u200b\u200d",
    "\x00\x1b[31m\x7f", "\r\n\r\n", "a\u0301" * 200, "👨‍👩‍👧‍👦" * 40,
    "x" * 4096, "<" * 4096, "😀" * 2000,
    "' OR 1=1; --",
    "${jndi:x}", "%s%n{0}", "../../../etc/passwd", "٠١٢٣٤", "²h", "all 2h", "all ²h", "all 9999d",
    "all 0m x", "3456 1h",
    "+491511234567 <b>&amp;", "+491511234567 " + "n" * 41, "0" * 4000, "+" * 300, "+1 (2) 3-4/5.6",
    "/link", "@", "",
)  # fmt: skip
words = st.one_of(
    st.sampled_from(NASTY),
    st.sampled_from([*OWNERS, *NAMES.values(), *(number[-4:] for number in OWNERS)]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)
commands = st.sampled_from([f"/{row.name}" for row in COMMANDS] + ["/start", "/STATUS", "/nosuch", "/", ""])
texts = st.builds(
    lambda command, gap, rest: (command + gap + " ".join(rest)).strip()[:4096] or "/",
    commands, st.sampled_from([" ", "\n", "\u00a0", "@elsewhere ", ""]), st.lists(words, max_size=3),
)  # fmt: skip

subjects = st.one_of(
    st.sampled_from([*OWNERS, "", "1", ".1", ".0", ".", "..", ".1.2", "." + "9" * 22, "9" * 24, "4915112345678.1"]),
    st.text("0123456789.", max_size=24),
)
pressers = st.one_of(st.none(), st.sampled_from([*ADMINS, *OPERATORS, STRANGER]), st.integers(0, 36**11 - 1))
forged = st.one_of(
    st.builds(
        lambda verb, subject, presser, until: button_code(verb, subject, presser=presser, until=until)[:64],
        st.sampled_from(list(Verb)), subjects, pressers, st.sampled_from([0, 1, 36**8 - 1]),
    ),
    st.builds(
        lambda version, rest: f"{version}:{rest}",
        st.sampled_from(["0", "2", "", "١"]), st.sampled_from(["s:447400123456:abcd", "s:447400123456", "l::abcd"]),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=16),
)  # fmt: skip


# --- the world that they do it in -------------------------------------------------------------------------------------


@dataclass
class Fuzz:
    rig: Rig
    group: int
    records: list[logging.LogRecord] = field(default_factory=list)
    since: int = 0
    """What people did last came after this message."""

    def restore(self) -> None:
        """Return every account to its owner, without a connection."""
        self.rig.accounts.known.clear()
        for number, owner in OWNERS.items():
            self.rig.accounts.put(number, NAMES[number], owner, **LOST)
        self.rig.accounts.calls.clear()
        self.records.clear()

    async def quiet(self) -> None:
        """Wait until all that people did has been dealt with."""
        intake, service = self.rig.service._bot._intake, self.rig.service
        updates = self.rig.telegram.world.updates
        await until(
            lambda: not updates.pending and updates.polling and intake.idle and not service._tasks._running,
            "everything is dealt with",
        )

    def sounding(self, chat: int) -> list[dict[str, Any]]:
        return [m for m in self.rig.client.from_bot(chat, deleted=True) if not m["silent"]] if self.knows(chat) else []

    def knows(self, chat: int) -> bool:
        return self.rig.knows(chat)

    def seen(self, chat: int) -> str:
        """All that a chat has been shown since: texts and buttons."""
        return "\n".join(
            " ".join([m["text"] or "", *(button["text"] for row in m["buttons"] or [] for button in row)])
            for m in (self.rig.client.from_bot(chat) if self.knows(chat) else [])
            if m["message_id"] > self.since
        )

    def assert_in_order(self, user: int, chat: int, before: int, most: int = 1) -> None:
        bad = [r for r in self.records if r.levelno >= logging.WARNING]
        assert not bad, [r.getMessage() + (r.exc_text or str(r.exc_info or "")) for r in bad]
        new = self.sounding(chat)[before:]
        assert len(new) <= most, [m["text"] for m in new]
        assert all(0 < len((m["text"] or "").encode("utf-16-le")) // 2 <= TEXT_LIMIT for m in new)
        assert not [m["text"] for m in new if any(sign in m["text"] for sign in "\u202e\u2066\u200f\x1b\x7f")]
        self.assert_allowed(user)

    def assert_allowed(self, user: int) -> None:
        """Whatever was done was done to accounts of this person, or to new ones."""
        for call in self.rig.accounts.calls:
            assert user in (*ADMINS, *OPERATORS), call
            owner = OWNERS.get(call[1], user)
            assert user in ADMINS or owner == user, call
        for number, name in NAMES.items():
            assert self.rig.accounts.known[number].owner == OWNERS[number]
            if user in OPERATORS and OWNERS[number] != user:
                assert self.rig.accounts.known[number].name == name

    def assert_blind(self, user: int, typed: str = "") -> None:
        """An operator sees nothing of others' accounts in their chat but what they typed themselves."""
        seen = self.seen(user)
        for number, name in NAMES.items():
            if user in ADMINS or OWNERS[number] == user:
                continue
            word = name.split(maxsplit=1)[0]
            assert word not in seen or word in typed, seen


@pytest.fixture
async def fuzz(telegram, database) -> AsyncIterator[Fuzz]:
    telegram.client.add_user(OTHER_OPERATOR, "Otto <b>")
    async with running_rig(telegram, database, operators=OPERATORS) as rig:
        group = rig.client.add_group("Ops", [*ADMINS, *OPERATORS, STRANGER])["id"]
        made = Fuzz(rig, group)
        handler = logging.Handler()
        handler.emit = made.records.append
        loggers = [logging.getLogger(name) for name in ("switchboard", "telegram", "asyncio")]
        for each in loggers:
            each.addHandler(handler)
        for user in (*ADMINS, *OPERATORS, STRANGER):
            await rig.say(user, "/start")
        await until(lambda: rig.client.commands(OPERATOR, OPERATOR), "the menu")
        try:
            await made.quiet()
            made.restore()
            yield made
        finally:
            for each in loggers:
                each.removeHandler(handler)


async def say(fuzz: Fuzz, user: int, text: str, chat: int) -> None:
    fuzz.restore()
    before, fuzz.since = len(fuzz.sounding(chat)), newest(fuzz, chat)
    await fuzz.rig.say(user, text, chat)
    await fuzz.quiet()
    is_trial = text.lstrip().casefold().startswith("/test")  # sends an alert with a sound, and then what came of it
    fuzz.assert_in_order(user, chat, before, most=2 if is_trial else 1)


async def press(fuzz: Fuzz, user: int, chat: int, message: int, data: str) -> str:
    """Press a button that need not be there, as a client of one's own can; returns what is shown over the chat."""
    fuzz.restore()
    before, fuzz.since = len(fuzz.sounding(chat)), message - 1
    world = fuzz.rig.telegram.world
    query = world.next_query_id()
    world.queries[query] = {
        "at": world.now(), "chat_id": chat, "message_id": message, "user_id": user, "answer": None,
    }  # fmt: skip
    body = {
        "id": query, "from": world.user(user).to_json(), "message": world.chats[chat].messages[message].to_json(),
        "chat_instance": str(chat), "data": data,
    }  # fmt: skip
    world.updates.push("callback_query", body)
    await fuzz.quiet()
    fuzz.assert_in_order(user, chat, before)
    answer = world.queries[query]["answer"]
    if user == STRANGER:
        assert answer is None or not answer["text"]
        return ""
    assert answer is not None, "the button would go on spinning"
    shown = answer["text"] or ""
    assert len(shown) <= CALLBACK_ANSWER
    return shown


def newest(fuzz: Fuzz, chat: int) -> int:
    return max((m["message_id"] for m in fuzz.rig.client.from_bot(chat)), default=0)


# --- the properties ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
@QUICK
@given(st.sampled_from([ADMIN, OPERATOR]), texts)
@example(OPERATOR, "/silence all ²h")
@example(ADMIN, "/proxy @")
@example(OPERATOR, "/ ")
async def test_whatever_a_known_person_types(fuzz: Fuzz, user, text):
    await say(fuzz, user, text, user)
    if user == OPERATOR:
        fuzz.assert_blind(user, text)


@pytest.mark.timeout(300)
@settings(QUICK, max_examples=25)
@given(st.sampled_from([ADMIN, OPERATOR]), texts)
async def test_whatever_is_said_in_a_group(fuzz: Fuzz, user, text):
    await say(fuzz, user, text, fuzz.group)


@pytest.mark.timeout(300)
@settings(QUICK, max_examples=25)
@given(texts, st.booleans())
async def test_a_stranger_gets_nothing_and_moves_nothing(fuzz: Fuzz, text, in_group):
    chat = fuzz.group if in_group else STRANGER
    await say(fuzz, STRANGER, text, chat)
    assert fuzz.rig.bot_texts(STRANGER) == [f"Your Telegram id is {STRANGER}."]
    assert fuzz.rig.accounts.calls == []


@pytest.mark.timeout(300)
@QUICK
@given(st.sampled_from([ADMIN, OPERATOR, OTHER_OPERATOR]), forged)
async def test_forged_and_stale_buttons(fuzz: Fuzz, user, data):
    await press(fuzz, user, user, newest(fuzz, user), data)
    fuzz.assert_blind(user)


@pytest.mark.timeout(300)
@settings(QUICK, max_examples=30)
@given(forged)
async def test_a_stranger_presses_in_vain(fuzz: Fuzz, data):
    await press(fuzz, STRANGER, STRANGER, newest(fuzz, STRANGER), data)
    assert fuzz.rig.accounts.calls == []


ACTING = (Verb.DETAIL, Verb.HISTORY, Verb.RECONNECT, Verb.SUSPEND, Verb.USE_HERE, Verb.LINK)


@pytest.mark.parametrize("verb", list(Verb))
async def test_no_button_shows_or_moves_anothers_account(fuzz: Fuzz, verb):
    for told in ({}, {"presser": OPERATOR, "until": 36**8 - 1}):
        for number in (BERLIN, LONDON):
            await press(fuzz, OPERATOR, OPERATOR, newest(fuzz, OPERATOR), button_code(verb, number, **told))
            assert fuzz.rig.accounts.calls == []
            fuzz.assert_blind(OPERATOR)
        if verb in ACTING:
            code = button_code(verb, PARIS, **told)
            assert await press(fuzz, OPERATOR, OPERATOR, newest(fuzz, OPERATOR), code) == ""


@pytest.mark.parametrize(
    "command", ["link", "status", "reconnect", "suspend", "restore", "silence", "alerts", "help", "start"]
)
async def test_no_command_shows_or_moves_anothers_account(fuzz: Fuzz, command):
    for asked in (BERLIN, NAMES[BERLIN], BERLIN[-4:], LONDON, f"{LONDON} Mine now", "all", ""):
        text = f"/{command} {asked}" + (" 1h" if command == "silence" and asked else "")
        await say(fuzz, OPERATOR, text, OPERATOR)
        fuzz.assert_blind(OPERATOR, text)
        assert fuzz.rig.accounts.calls == []


async def test_anothers_question_is_not_answered_and_ones_own_only_once(fuzz: Fuzz):
    await say(fuzz, ADMIN, f"/status {NAMES[BERLIN]}", fuzz.group)
    detail = newest(fuzz, fuzz.group)
    data = next(
        b["data"]
        for row in fuzz.rig.client.message(fuzz.group, detail)["buttons"]
        for b in row
        if b["text"] == "Suspend"
    )
    await press(fuzz, ADMIN, fuzz.group, detail, data)
    question = newest(fuzz, fuzz.group)
    yes = fuzz.rig.client.message(fuzz.group, question)["buttons"][0][0]["data"]

    for other in (SECOND_ADMIN, OPERATOR):
        assert "somebody else" in await press(fuzz, other, fuzz.group, question, yes)
        assert fuzz.rig.accounts.calls == []
    assert await press(fuzz, ADMIN, fuzz.group, question, yes) == ""
    assert fuzz.rig.accounts.calls == [("suspend", BERLIN)]
    assert "already" in await press(fuzz, ADMIN, fuzz.group, question, yes)
    assert fuzz.rig.accounts.calls == []


@settings(QUICK, max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), st.sampled_from(list(State)))
@example("</b><a href='tg://user?id=1'>x</a>&amp;", State.CONNECTED)
async def test_names_are_shown_as_they_are_in_every_text(fuzz: Fuzz, name, state):
    fuzz.restore()
    for user, chat in ((ADMIN, ADMIN), (ADMIN, fuzz.group)):
        fuzz.rig.accounts.put(BERLIN, name, ADMIN, state=state, reason=Reason.UNKNOWN, detail=name, linked=False)
        for text in (
            "/status",
            f"/status {BERLIN}",
            f"/suspend {BERLIN}",
            f"/reconnect {BERLIN}",
            "/reconnect",
            "/alerts",
        ):
            await fuzz.rig.say(user, text, chat)
    await fuzz.quiet()
    bad = [r.getMessage() for r in fuzz.records if r.levelno >= logging.WARNING]
    assert not bad
