"""/duty and /escalate as people type them, and who takes over or releases an alert."""

from tests.handlers.alerts.escalation.test_escalator import Outside, alerts, lose, rigged, sounding
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, OPERATOR, SECOND_ADMIN
from tests.virtual_time import pass_time, virtual


async def ask(rig: Rig, user: int, text: str) -> str:
    before = len(rig.bot_texts(user))
    await rig.say(user, text)
    await pass_time(3)
    return "\n".join(rig.bot_texts(user)[before:])


@virtual
async def test_duty_is_taken_shown_handed_over_and_ended(tmp_path):
    async with rigged(tmp_path) as rig:
        assert "Nobody is on duty" in await ask(rig, ADMIN, "/duty")
        assert "Ada is on duty until" in await ask(rig, ADMIN, "/duty me until 18:00")
        assert "Ada is on duty" in await ask(rig, OPERATOR, "/alerts")
        assert "Bobby is on duty until" in await ask(rig, ADMIN, f"/duty {SECOND_ADMIN} Bobby 8h")
        lose(rig)
        await pass_time(20)
        assert (sounding(rig, SECOND_ADMIN), sounding(rig, ADMIN)) == (1, 0)
        for length in ("8 h", "for 2 hours", "for 90m"):
            assert "Bobby is on duty until" in await ask(rig, ADMIN, f"/duty {SECOND_ADMIN} Bobby {length}")
        assert "Nobody is on duty" in await ask(rig, SECOND_ADMIN, "/duty off")
        assert any(entry[:2] == (ADMIN, "duty") for entry in rig.records.audited)
        assert "Ada is on duty" in await ask(rig, ADMIN, "/duty plan daily 00:00-24:00 me")
        shown = await ask(rig, ADMIN, "/duty")
        assert "1. daily 00:00-24:00 Ada" in shown
        assert "Nobody is on duty" in await ask(rig, ADMIN, "/duty off"), "though the plan says so"


@virtual
async def test_what_cannot_be_is_refused_with_how_it_is_typed(tmp_path):
    async with rigged(tmp_path) as rig:
        for words, part in (
            ("/duty me until noon", "no time of the day"),
            ("/duty 777 until 18:00", "may not use this bot"),
            ("/duty Charlie until 18:00", "I know nobody called “Charlie”"),
            ("/duty plan", "nothing I know"),
            ("/duty plan remove 4", "Say which line"),
            ("/duty plan mon 8-9 me", "no time of the day"),
            ("/escalate remove", "Say which line"),
        ):
            answer = await ask(rig, ADMIN, words)
            assert part in answer
            assert "/duty me until" in answer or "/escalate me" in answer
        assert "admin" in await ask(rig, OPERATOR, "/duty me until 18:00")
        assert "Nobody is on duty" in await ask(rig, OPERATOR, "/duty")


@virtual
async def test_the_list_is_set_in_the_chat_and_those_on_it_may_answer(tmp_path):
    async with rigged(tmp_path) as rig:
        assert "1. Olga" in await ask(rig, ADMIN, f"/escalate {OPERATOR} Olga")
        assert "2. Ada" in await ask(rig, ADMIN, "/escalate me")
        assert "1. Ada" in await ask(rig, ADMIN, "/escalate remove 1")
        assert "2. Olga" in await ask(rig, ADMIN, f"/escalate {OPERATOR} Olga")
        assert "Olga is on duty" in await ask(rig, OPERATOR, "/duty me 2h"), "who is on the roster may"
        lose(rig)
        await pass_time(60)
        shown = await rig.press(alerts(rig, OPERATOR)[0], "Acknowledge", OPERATOR)
        assert shown is not None
        assert "you are on it" in shown["text"]


@virtual
async def test_an_alert_is_taken_over_and_let_go_and_then_escalated_anew(tmp_path):
    async with rigged(tmp_path) as rig:
        await ask(rig, ADMIN, f"/escalate {OPERATOR} Olga")
        lose(rig)
        await pass_time(60)
        await rig.press(alerts(rig, ADMIN)[0], "Acknowledge", ADMIN)
        await pass_time(30)
        await rig.press(alerts(rig, SECOND_ADMIN)[0], "Take over", SECOND_ADMIN)
        await pass_time(30)
        assert "👤 Bob is on it" in alerts(rig, ADMIN)[0]["text"]
        await pass_time(3600)
        assert sounding(rig, OPERATOR) == 0
        await rig.press(alerts(rig, ADMIN)[0], "Let go", ADMIN)
        await pass_time(30)
        seen = alerts(rig, SECOND_ADMIN)[0]
        assert "Ada let go of it" in seen["text"]
        assert "is on it" not in seen["text"]
        assert "Acknowledge" in [b["text"] for row in seen["buttons"] for b in row]
        await pass_time(910)
        assert sounding(rig, OPERATOR) == 1


@virtual
async def test_every_way_is_tried_and_one_message_tells_what_arrived(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside) as rig:
        rig.client.block(SECOND_ADMIN)
        await ask(rig, ADMIN, f"/escalate {OPERATOR} Olga")
        answer = await ask(rig, ADMIN, "/test")
        assert f"chat {ADMIN}: with a sound ✅, without ✅" in answer
        assert f"chat {SECOND_ADMIN}: with a sound ❌ " in answer
        assert "Olga: with a sound ✅, without ✅" in answer
        assert "Fallback channel 1 (mailto): ✅" in answer
        sent = [m for m in rig.client.from_bot(OPERATOR) if "🧪" in m["text"]]
        assert [m["silent"] for m in sent] == [False, True]
        assert [title for title, _ in outside.sent] == ["Switchboard: a test"]
        outside.takes = False
        assert "Fallback channel 1 (mailto): ❌" in await ask(rig, ADMIN, "/test")
        assert "🧪" not in await ask(rig, OPERATOR, "/test")
    async with rigged(tmp_path / "other") as rig:
        assert "There is no fallback channel" in await ask(rig, ADMIN, "/test")
