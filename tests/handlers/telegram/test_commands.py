"""Commands, from a person's message to the answer in their chat."""

from controller.accounts.reasons import Reason, State
from controller.registry import ShuttingDownError
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, STRANGER
from tests.waiting import until


async def test_help_says_who_you_are(rig: Rig):
    answer = await rig.answer(ADMIN, "/start", "Switchboard")
    assert "an admin" in answer["text"]
    assert str(ADMIN) in answer["text"]
    assert "an operator" in (await rig.answer(OPERATOR, "/help", "Switchboard"))["text"]


async def test_strangers_learn_their_own_id_once_a_minute_and_admins_hear_of_them_once(rig: Rig):
    await rig.say(ADMIN, "/help")
    await rig.seen(ADMIN, lambda m: "Switchboard" in m["text"])
    await rig.answer(STRANGER, "/start", f"Your Telegram id is {STRANGER}.")
    await rig.seen(ADMIN, lambda m: str(STRANGER) in m["text"])
    for text in ("/start", "/status", f"/link {BERLIN}", "hello", "/help"):
        await rig.say(STRANGER, text)
    await rig.answer(ADMIN, "/status", "no account yet")
    assert len(rig.bot_texts(STRANGER)) == 1
    assert len([text for text in rig.bot_texts(ADMIN) if str(STRANGER) in text]) == 1
    assert rig.accounts.calls == []


async def test_the_menu_is_scoped(rig: Rig):
    await rig.answer(OPERATOR, "/start", "Switchboard")
    await until(lambda: "link" in [c["command"] for c in rig.client.commands(OPERATOR, OPERATOR)], "the menu")
    assert [c["command"] for c in rig.client.commands(STRANGER, STRANGER)] == ["start"]


async def test_link_registers_starts_and_follows_the_account(rig: Rig):
    answer = await rig.answer(ADMIN, "/link +49 1511 2345678 Support Berlin", "Keep the account’s phone at hand")
    assert rig.accounts.calls == [("add", BERLIN, "Support Berlin", ADMIN), ("start", BERLIN, False)]
    assert rig.records.audited == [(ADMIN, "link", BERLIN, "started")]
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    seen = await rig.seen(ADMIN, lambda m: m["message_id"] == answer["message_id"] and "🟢" in m["text"])
    assert seen["text"].startswith("🟢 Support Berlin · +49 1511 2345678\nConnected since ")


async def test_link_alone_asks_for_the_number(rig: Rig):
    await rig.answer(ADMIN, "/link", "Which number")
    await rig.answer(ADMIN, "+33 6 12 34 56 78", "+33 6 12 34 56 78")
    assert ("start", PARIS, False) in rig.accounts.calls


async def test_a_number_that_nobody_asked_for_is_not_linked(rig: Rig):
    await rig.answer(ADMIN, "+33 6 12 34 56 78", "/link +33612345678")
    assert rig.accounts.calls == []


async def test_bad_numbers_are_refused_with_an_example(rig: Rig):
    for typed in ("abc", "+49", "12345", "+999123456", "+4915112345678901234"):
        answer = await rig.answer(ADMIN, f"/link {typed}", "+491511234567")
        assert "\n" not in answer["text"]
    assert rig.accounts.calls == []


async def test_status_of_all_and_of_one(rig: Rig):
    assert "no account yet" in (await rig.answer(ADMIN, "/status", "no account"))["text"]
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED, is_connected=True, uptime=200.0)
    rig.accounts.put(PARIS, "Sales <Paris>", state=State.SUSPENDED, reason=Reason.EXHAUSTED, reconnect_attempts=10)
    text = (await rig.answer(ADMIN, "/status", "2 accounts"))["text"]
    assert "🟢 Support Berlin Connected for 0 s" in text
    assert "🔴 Sales <Paris> Needs you (0 s) · every attempt to reconnect failed · 10 attempts" in text
    one = await rig.answer(ADMIN, "/status sales <paris>", "Why: every attempt")
    assert [[b["text"] for b in row] for row in one["buttons"]] == [["Reconnect"], ["History"], ["All accounts"]]
    assert (await rig.answer(ADMIN, "/status 5678", "2 accounts for “5678”"))["buttons"]


async def test_status_of_what_nobody_knows(rig: Rig):
    await rig.answer(ADMIN, "/status <b>nobody", "No account is called “<b>nobody”")


async def test_operators_act_on_their_own_accounts_alone(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=OPERATOR)
    assert "Support Berlin" not in (await rig.answer(OPERATOR, "/status", "1 account"))["text"]
    await rig.answer(OPERATOR, "/suspend Support Berlin", "No account is called")
    await rig.answer(OPERATOR, f"/link {BERLIN}", "cannot link that number for you")
    assert rig.accounts.calls == []
    await rig.answer(OPERATOR, "/reconnect sales paris", "Connecting")
    assert rig.accounts.calls == [("start", PARIS, False)]


async def test_reconnect_of_a_running_account_changes_nothing_and_says_so(rig: Rig):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED, is_connected=True, uptime=3700.0)
    await rig.answer(ADMIN, "/reconnect Support Berlin", "It was connected already: nothing to do.")


async def test_suspend_and_reconnect_through_pickers(rig: Rig):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    picker = await rig.answer(ADMIN, "/suspend", "Which account")
    await rig.press(picker, "Support Berlin")
    await rig.seen(ADMIN, lambda m: m["message_id"] == picker["message_id"] and "Paused since" in m["text"])
    await rig.answer(ADMIN, "/suspend", "No account needs that now")
    picker = await rig.answer(ADMIN, "/reconnect", "Which account")
    await rig.press(picker, "Support Berlin")
    await rig.seen(ADMIN, lambda m: m["message_id"] == picker["message_id"] and "Connecting: " in m["text"])
    assert [entry[1] for entry in rig.records.audited] == ["suspend", "reconnect"]


async def test_what_goes_wrong_is_one_clear_line(rig: Rig):
    rig.accounts.put()
    rig.accounts.failing = ShuttingDownError("stopping")
    await rig.answer(ADMIN, "/suspend Support Berlin", "Switchboard is stopping right now")
    rig.accounts.failing = OSError("disk full")
    await rig.answer(ADMIN, "/suspend Support Berlin", "Nothing was changed")
    rig.accounts.failing = RuntimeError("a bug")
    await rig.answer(ADMIN, "/suspend Support Berlin", "did not work")


async def test_a_long_status_is_split(rig: Rig):
    for number in range(150):
        rig.accounts.put(f"+49151123{number:05}", f"Account & number {number}")
    await rig.answer(ADMIN, "/status all", "number 149")
    told = "\n".join(rig.bot_texts(ADMIN))
    assert all(f"Account & number {number} Off" in told for number in range(150))
    assert all(len(text) <= 4096 for text in rig.bot_texts(ADMIN))


async def test_unknown_commands_and_plain_words(rig: Rig):
    await rig.answer(ADMIN, "/statsu", "I do not know /statsu. Did you mean /status?")
    await rig.answer(ADMIN, "/xyzzy", "I do not know /xyzzy. /help shows")
    await rig.answer(ADMIN, "hello " + "x" * 4000, "I understand commands")


async def test_a_group_is_served_too(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, STRANGER, SECOND_ADMIN])["id"]
    rig.accounts.put()
    await rig.answer(ADMIN, "/status", "1 account", chat=group)
    await rig.say(STRANGER, "/status", chat=group)
    await rig.answer(SECOND_ADMIN, "/suspend Support Berlin", "Paused since", chat=group)
    assert len(rig.bot_texts(group)) == 2


async def test_a_mistyped_name_is_met_with_the_nearest(rig: Rig):
    rig.accounts.put()
    await rig.answer(ADMIN, "/status Suport Berln", "Did you mean Support Berlin?")
    rig.accounts.put(PARIS, "Secret Paris", owner=ADMIN)
    answer = await rig.answer(OPERATOR, "/status Secret Pari", "No account is called")
    assert "Did you mean" not in answer["text"], "of others' accounts nothing is told"
    assert not answer["buttons"]


async def test_part_of_a_name_offers_whom_it_fits_and_acts_only_when_one_is_picked(rig: Rig):
    rig.accounts.put()
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    answer = await rig.answer(ADMIN, "/suspend berlin", "Did you mean Support Berlin?")
    assert rig.accounts.calls == []
    await rig.press(answer, "Support Berlin")
    await until(lambda: ("suspend", BERLIN) in rig.accounts.calls, "the picked account is suspended")
    rig.accounts.put(PARIS, "Support Paris", owner=ADMIN)
    answer = await rig.answer(ADMIN, "/reconnect support", "Did you mean one of these?")
    assert len(answer["buttons"]) == len(["Support Berlin", "Support Paris", "Cancel"])


async def test_an_account_is_renamed_from_the_chat(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    await rig.answer(ADMIN, "/rename Support Berlin Support Hamburg", "Support Berlin is now called Support Hamburg")
    await rig.answer(OPERATOR, "/rename 5678, Shop", "Support Hamburg is now called Shop")
    assert rig.accounts.account(BERLIN).name == "Shop"
    assert [entry[1:] for entry in rig.records.audited][-1] == ("rename", BERLIN, "renamed to Shop")
    await rig.answer(ADMIN, "/rename Shop", "and then the new name")
    await rig.answer(ADMIN, "/rename nobody, Market", "No account is called “nobody”")
    await rig.answer(ADMIN, "/rename Shpo Market", "Did you mean Shop?")
    await rig.answer(ADMIN, f"/rename Shop {'n' * 41}", "40 are allowed")
    rig.accounts.put(PARIS, "Secret Paris", owner=ADMIN)
    await rig.answer(OPERATOR, "/rename Secret Paris Mine", "and then the new name")
    assert rig.accounts.account(PARIS).name == "Secret Paris"


async def test_a_picker_of_many_accounts_has_pages_and_leaves_out_none(rig: Rig):
    numbers = [f"+49151123{number:05}" for number in range(45)]
    for number in numbers:
        rig.accounts.put(number, f"Account {number[-2:]}", state=State.SUSPENDED, reason=Reason.EXHAUSTED)
    picker = await rig.answer(ADMIN, "/reconnect", "Which account")
    seen: set[str] = set()
    for page in ("2/3", "3/3", "1/3"):
        now = rig.client.message(ADMIN, picker["message_id"])
        labels = [b["text"] for row in now["buttons"] for b in row]
        assert len(labels) <= 23
        seen |= {label for label in labels if "Account" in label}
        await rig.press(picker, f"{page} »")
        await rig.seen(ADMIN, lambda m, before=now: m["buttons"] != before["buttons"] and "Which account" in m["text"])
    assert len(seen) == 45
    await rig.press(picker, "Account 07")
    await until(lambda: ("start", numbers[7], False) in rig.accounts.calls, "it is started")


async def test_why_an_admin_silences_everything_is_not_told_to_operators(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    await rig.answer(ADMIN, "/silence all 2h police at the door", "no alerts until")
    assert "police" in (await rig.answer(ADMIN, "/silence", "1 silence"))["text"]
    assert "police" not in (await rig.answer(OPERATOR, "/silence", "1 silence"))["text"]
