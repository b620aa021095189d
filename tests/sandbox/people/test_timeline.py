"""What the page shows about a phone: from polling WhatsApp's stand-in, and from people's actions."""

from typing import Any

import pytest

from sandbox.people.timeline import Timeline, act_of

NUMBER = "+4915112345678"


class Desk:
    """A timeline and the one device that it looks at."""

    def __init__(self) -> None:
        self.at = 100.0
        self.timeline = Timeline(lambda: self.at)
        self.device: dict[str, Any] = {
            "number": NUMBER, "device_id": 1, "page": "p1", "state": "CONNECTED", "online": True,
        }  # fmt: skip

    def look(self, *, after: float = 1.0, **changed: Any) -> None:
        self.at += after
        self.device.update(changed)
        self.timeline.look([self.device])

    def told(self) -> list[str]:
        return [entry["text"] for entry in self.timeline.since(0)]


def test_a_crash_and_its_healing_are_told_with_how_long_it_took():
    desk = Desk()
    desk.look()
    desk.timeline.did("You crashed its page", NUMBER)
    desk.look(page=None, state=None, online=False)
    desk.look(page="p2", state="OPENING", after=2)
    desk.look(state="CONNECTED", online=True, after=2.5)
    assert desk.told() == [
        "Linked as a new device", "You crashed its page", "Its page is gone", "A page opens and connects", "Connected",
    ]  # fmt: skip
    last = desk.timeline.since(0)[-1]
    assert (last["seconds"], last["link_state"], last["kind"]) == (4.5, "good", "good")


def test_the_page_that_is_loaded_once_more_after_a_link_is_no_loss():
    desk = Desk()
    desk.look()
    for _ in range(2):
        desk.look(page=None, state=None, online=False)
        desk.look(page="p2", state="CONNECTED", online=True)
    lines = desk.timeline.since(0)[1:]
    assert [line["text"] for line in lines] == [
        "Its page closed; after a new link it is loaded once more", "Connected", "Its page is gone", "Connected",
    ]  # fmt: skip
    assert [line["seconds"] for line in lines] == [None, None, None, 1.0]
    assert [line["kind"] for line in lines] == ["busy", "good", "bad", "good"]


def test_a_reload_that_no_look_saw_is_told_all_the_same():
    desk = Desk()
    desk.look()
    desk.look(page="p2")
    assert desk.told()[-1] == "The page was loaded anew and is connected"


@pytest.mark.parametrize(
    ("state", "text"), [("CONFLICT", "Opened somewhere else: conflict"), ("TIMEOUT", "The connection is gone")]
)
def test_what_ended_a_connection_is_named(state: str, text: str):
    desk = Desk()
    desk.look()
    desk.look(state=state, online=False)
    assert desk.told()[-1] == text


def test_a_device_that_goes_and_another_that_comes():
    desk = Desk()
    desk.look()
    desk.timeline.look([])
    desk.look(device_id=2)
    assert desk.told()[1:] == ["No longer linked: the device is gone", "Linked as a new device"]


def test_a_first_connection_is_no_return():
    desk = Desk()
    desk.look(online=False, state="OPENING")
    desk.look(online=True, state="CONNECTED")
    assert (desk.told()[-1], desk.timeline.since(0)[-1]["seconds"]) == ("Connected", None)


def test_nothing_new_is_told_of_what_stays():
    desk = Desk()
    for _ in range(3):
        desk.look()
    assert len(desk.told()) == 1


def test_what_comes_after_a_number():
    desk = Desk()
    desk.timeline.did("You killed the bot")
    desk.timeline.did("You crashed its page", NUMBER)
    assert [(each["text"], each["phone"]) for each in desk.timeline.since(1)] == [("You crashed its page", NUMBER)]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("phone/crash", {}, "You crashed its page"),
        ("phone/network", {"lost": False}, "You gave its network back"),
        ("phone/network", {"number": NUMBER}, "You took its network away"),
        ("phone/silence", {"on": False}, "You let the server answer again"),
        ("phone/passkey", {"action": "approve"}, "You gave the passkey"),
        ("switches", {"name": "endless_load", "value": True}, "You switched “endless load”: on"),
        ("switches", {"reset": True}, "You set every nasty case back to normal"),
        ("phone/devices", {}, None),
    ],
)
def test_what_somebody_did_is_said_in_words(path: str, body: dict[str, Any], words: str | None):
    assert act_of(path, body) == words
