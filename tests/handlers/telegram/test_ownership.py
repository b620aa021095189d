"""An account is given to somebody else, or removed for good, from the chat."""

from controller.accounts.reasons import Reason, State
from controller.driver import DriverError
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN
from tests.waiting import until


async def confirmed_removal(rig: Rig, user: int = ADMIN, name: str = "Support Berlin") -> None:
    question = await rig.answer(user, f"/remove {name}", "for good? Its device is logged out")
    await rig.press(question, "Yes, remove", user)


async def test_a_typo_of_an_account_goes(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    await rig.answer(OPERATOR, "/help", "Switchboard")
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.QR_EXPIRED)
    await rig.seen(OPERATOR, lambda m: "Support Berlin" in m["text"])
    await confirmed_removal(rig, OPERATOR)
    await rig.seen(OPERATOR, lambda m: "is removed" in m["text"] and "logged out" in m["text"])
    assert ("remove", BERLIN) in rig.accounts.calls
    await rig.answer(OPERATOR, "/status", "no account yet")
    assert (OPERATOR, "remove", None, "•••5678 removed, logged out") in rig.records.audited
    cards = [m for m in rig.client.from_bot(OPERATOR) if not m["deleted"] and "Paused since" in m["text"]]
    await until(lambda: not [m for m in cards if not rig.client.message(OPERATOR, m["message_id"])["deleted"]], "gone")


async def test_removal_asks_once_more_and_picks(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
    picker = await rig.answer(ADMIN, "/remove", "Which account shall I remove")
    await rig.press(picker, "Sales Paris")
    question = await rig.seen(ADMIN, lambda m: "Remove Sales Paris" in m["text"])
    await rig.press(question, "Cancel")
    assert rig.accounts.calls == []
    question = await rig.answer(ADMIN, "/remove Sales Paris", "for good?")
    assert "somebody else" in (await rig.press(question, "Yes, remove", SECOND_ADMIN) or {})["text"]
    assert rig.accounts.calls == []


async def test_nobody_removes_what_is_not_theirs(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(OPERATOR, "/remove Support Berlin", "No account is called")
    assert rig.accounts.calls == []


async def test_a_device_that_could_not_be_logged_out_is_a_person_s_business(rig: Rig):
    rig.accounts.put(owner=ADMIN, linked=True)
    rig.accounts.logs_out = None
    await confirmed_removal(rig)
    await rig.seen(ADMIN, lambda m: "is not known: on the phone" in m["text"])


async def test_a_removal_that_fails_says_so_and_may_be_tried_again(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.failing = DriverError(Reason.PROFILE_IN_USE, "the profile is in use")
    await confirmed_removal(rig)
    await rig.seen(ADMIN, lambda m: "could not be removed: the profile is in use" in m["text"])
    rig.accounts.failing = None
    await confirmed_removal(rig)
    await rig.seen(ADMIN, lambda m: "is removed" in m["text"])


async def test_a_removal_that_the_database_refuses_shows_no_path_and_claims_no_pause_that_was_not_seen(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.failing = OSError("/srv/data/switchboard.sqlite: disk is full")
    await confirmed_removal(rig)
    message = await rig.seen(ADMIN, lambda m: "could not be removed: the database cannot be written" in m["text"])
    assert "It is still here" in message["text"]
    assert "/srv" not in message["text"]
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    await confirmed_removal(rig)
    await rig.seen(ADMIN, lambda m: "paused, and still here; its session and its copies may be deleted" in m["text"])


async def test_what_stood_about_a_removed_account_ends(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    await rig.seen(ADMIN, lambda m: "every attempt" in m["text"])
    await confirmed_removal(rig)
    await rig.seen(ADMIN, lambda m: "is removed" in m["text"])
    await until(lambda: rig.service.alerts.handling.open_incidents(ADMIN) == [], "nothing stands")

    def shows_number() -> bool:
        shown = [m["text"] for m in rig.client.from_bot(ADMIN) if not m["deleted"]]
        return any(BERLIN in text.replace(" ", "") for text in shown)

    await until(lambda: not shows_number(), "its number is nowhere any more")


async def test_an_account_is_given_to_another_operator(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(OPERATOR, "/status", "no account yet")
    await rig.answer(ADMIN, f"/owner Support Berlin {OPERATOR}", "now: its card, codes and alerts go there")
    await rig.seen(OPERATOR, lambda m: "Ada gave you Support Berlin" in m["text"])
    await rig.answer(OPERATOR, "/status", "1 account")
    await rig.answer(ADMIN, "/owner Support Berlin olga", "already")
    assert (ADMIN, "owner", BERLIN, "given to Olga") in rig.records.audited


async def test_owners_are_offered_by_buttons(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(OPERATOR, "/status", "no account yet")
    picker = await rig.answer(ADMIN, "/owner", "Which account shall I give to somebody")
    await rig.press(picker, "Support Berlin")
    question = await rig.seen(ADMIN, lambda m: "Who is to own Support Berlin" in m["text"])
    await rig.press(question, "Olga")
    await until(lambda: rig.accounts.known[BERLIN].owner == OPERATOR, "it is theirs")
    await rig.answer(ADMIN, "/owner Support Berlin nobody", "Only an operator or an admin")
    await rig.answer(ADMIN, "/owner no such thing", "/owner 4567 Olga")
    await rig.answer(OPERATOR, f"/owner Support Berlin {ADMIN}", "/owner is for admins only")
