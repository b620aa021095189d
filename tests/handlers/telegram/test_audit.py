"""/audit: who changed what, in pages and with a filter, for admins alone; and the names in an account's history."""

from datetime import timedelta

from controller.accounts.reasons import Reason, State
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, Past


async def test_an_admin_reads_who_changed_what_the_newest_first(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    await rig.answer(OPERATOR, "/suspend Support Berlin", "Paused")
    await rig.answer(ADMIN, "/silence Support Berlin 2h phone", "no alerts until")
    text = (await rig.answer(ADMIN, "/audit", "Who changed what"))["text"]
    first, second = text.split("\n")[1:]
    assert "Ada silence · Support Berlin: until" in first
    assert "Olga suspend · Support Berlin: suspended" in second


async def test_the_list_is_for_admins_alone_and_goes_to_their_private_chat(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    await rig.answer(OPERATOR, "/audit", "for admins only")
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.answer(ADMIN, "/audit", "privately", chat=group)
    await rig.seen(ADMIN, lambda m: "Who changed what" in m["text"])
    assert not any("Who changed what" in text for text in rig.bot_texts(group) + rig.bot_texts(OPERATOR))


async def test_it_is_filtered_by_account_person_and_command(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    rig.accounts.put(PARIS, "Sales Paris", owner=OPERATOR)
    await rig.answer(OPERATOR, "/suspend Support Berlin", "Paused")
    await rig.answer(ADMIN, "/suspend Sales Paris", "Paused")
    await rig.answer(ADMIN, "/silence Sales Paris 1h", "no alerts until")
    for words, rows in (("Sales Paris", 2), ("Olga", 1), (str(ADMIN), 2), ("suspend", 2), ("/silence", 1), ("duty", 0)):
        text = (await rig.answer(ADMIN, f"/audit {words}", "Who changed what: "))["text"]
        assert len([row for row in text.split("\n")[1:] if "·" in row]) == rows, (words, text)
    await rig.answer(ADMIN, "/audit nonsense", "Send /audit for everything")


async def test_more_than_a_page_is_turned_with_its_filter(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    for number in range(40):
        await rig.records.audit(rig.accounts.clock(), ADMIN, "rename", BERLIN, f"number {number}")
        await rig.records.audit(rig.accounts.clock(), ADMIN, "owner", BERLIN, "another")
    listed = await rig.answer(ADMIN, "/audit rename", "number 39")
    assert "number 25" in listed["text"] and "number 24" not in listed["text"]
    await rig.press(listed, "More")
    second = await rig.seen(ADMIN, lambda m: "number 24" in m["text"])
    assert second["message_id"] == listed["message_id"] and "another" not in second["text"]
    await rig.press(second, "More")
    last = await rig.seen(ADMIN, lambda m: "number 0" in m["text"])
    assert [b["text"] for row in last["buttons"] for b in row] == ["« Back"]


async def test_an_accounts_history_names_who_asked(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    now = rig.accounts.clock()
    rig.records.past[BERLIN] = [
        Past(now, State.CONNECTED, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR),
        Past(now - timedelta(hours=1), State.DISCONNECTED, State.CONNECTING, Reason.RETRY),
        Past(now - timedelta(hours=2), State.SUSPENDED, State.CONNECTING, Reason.ASKED),
    ]
    await rig.answer(OPERATOR, "/help", "Switchboard")
    await rig.records.audit(now - timedelta(hours=2), OPERATOR, "reconnect", BERLIN, "started")
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.records.audit(now + timedelta(seconds=1), ADMIN, "suspend", BERLIN, "suspended")
    detail = await rig.answer(OPERATOR, "/status Support Berlin", "Attempts")
    await rig.press(detail, "History", user=OPERATOR)
    history = await rig.seen(OPERATOR, lambda m: "newest first" in m["text"])
    suspended, retried, asked = history["text"].split("\n")[1:]
    assert suspended.endswith("suspended by Ada")
    assert "by Olga" in asked and " by " not in retried
