"""What the page's sights mean, without a page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.reasons import Reason
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Heard,
    PasskeyAsked,
    Report,
    Scanned,
    SocketDown,
    Syncing,
)
from controller.chromium.page.snapshot import Finding, SnapshotReader

CODE = "2@ref,static,identity,secret,1"
OTHER_CODE = "2@other,static,identity,secret,1"
ME = "4915112345678"


def sight(state: str | None = None, **told: Any) -> dict[str, Any]:
    blank = {"synced": None, "code": None, "me": None, "percent": None, "blockEndsIn": None, "marks": {}}
    return {"kind": "sight", "state": state, **blank, **told}


def read(*messages: Any, takeover: bool = False) -> list[Report | Finding]:
    reader = SnapshotReader(takeover=takeover)
    return [meant for message in messages for meant in reader.read(message)]


def test_a_link_from_its_first_code() -> None:
    assert read(
        sight("OPENING"),
        sight("PAIRING"),
        sight("UNPAIRED"),
        sight("UNPAIRED", code=CODE),
        sight("UNPAIRED", code=CODE),
        sight("UNPAIRED", code=OTHER_CODE),
        {"kind": "state", "state": "PAIRING"},
        sight("PAIRING"),
        sight("OPENING", me=ME),
        sight("CONNECTED", me=ME, synced=False, percent=40.2),
        sight("CONNECTED", me=ME, synced=True, percent=100),
        sight("CONNECTED", me=ME, synced=True),
    ) == [
        Finding.RECOGNISED,
        Code(CODE),
        Code(OTHER_CODE),
        Scanned(),
        Authenticated(f"+{ME}"),
        Syncing(40),
        Syncing(100),
        Finding.LINKED,
    ]


def test_a_lost_network_before_the_scan_is_no_scan() -> None:
    told = read(sight("UNPAIRED", code=CODE), sight("OPENING"), sight("PAIRING"), sight("UNPAIRED", code=OTHER_CODE))
    assert told == [Finding.RECOGNISED, Code(CODE), Code(OTHER_CODE)]


def test_a_code_after_a_scan_that_came_to_nothing_is_shown_again() -> None:
    told = read(sight("UNPAIRED", code=CODE), sight("PAIRING"), sight("UNPAIRED", code=CODE))
    assert told == [Finding.RECOGNISED, Code(CODE), Scanned(), Code(CODE)]


@pytest.mark.parametrize(
    "code",
    [
        "undefined,static,identity,secret,1",
        "2@ref,static,identity,undefined,1",
        "2@ref,static,,secret,1",
        "2@ref,static,identity,secret",
        "2@ref,static,identity,secret,1,more",
        "x" * 2000,
        17,
    ],
)
def test_a_code_that_is_none_is_never_told(code: object) -> None:
    assert read(sight("UNPAIRED", code=code)) == [Finding.RECOGNISED]


def test_a_saved_session_does_not_ask_for_a_scan() -> None:
    reader = SnapshotReader(takeover=False)
    told = [*reader.read(sight("OPENING", me=ME)), *reader.read(sight("CONNECTED", me=ME, synced=True))]
    assert told == [Finding.RECOGNISED, Authenticated(f"+{ME}"), Finding.LINKED]
    assert not reader.asked_for_scan
    assert reader.number == f"+{ME}"


def test_an_identity_without_a_number() -> None:
    assert read(sight("CONNECTED", me="", synced=True)) == [Finding.RECOGNISED, Authenticated(None), Finding.LINKED]
    assert Authenticated(None) in read(sight("CONNECTED", me="not a number"))


def test_a_saved_identity_that_must_be_scanned_again_is_no_restore() -> None:
    assert read(sight("UNPAIRED", me=ME, code=CODE)) == [Finding.RECOGNISED, Code(CODE)]


def test_the_chat_list_stands_for_what_cannot_be_read() -> None:
    chats = {"chats": True}
    assert Finding.LINKED in read(sight(None, marks=chats))
    assert Finding.LINKED in read(sight("CONNECTED", me=ME, synced=None, marks=chats))
    assert Finding.LINKED not in read(sight("CONNECTED", me=ME, synced=False, marks=chats))
    assert Finding.LINKED not in read(sight("OPENING", me=ME, synced=True, marks=chats))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("CONFLICT", Reason.CONFLICT),
        ("TOS_BLOCK", Reason.BANNED),
        ("SMB_TOS_BLOCK", Reason.BANNED),
        ("PROXYBLOCK", Reason.BANNED),
        ("DEPRECATED_VERSION", Reason.OUTDATED),
    ],
)
def test_states_that_end_it(state: str, reason: Reason) -> None:
    (ended,) = (meant for meant in read(sight(state, blockEndsIn=90.5)) if isinstance(meant, Ended))
    assert ended.reason is reason
    assert ended.block_ends_in == (90.5 if reason is Reason.BANNED else None)


def test_use_here_is_for_one_opening_and_a_later_conflict_is_told() -> None:
    linked = sight("CONNECTED", me=ME, synced=True)
    told = read(sight("CONFLICT", me=ME), linked, sight("CONFLICT", me=ME), takeover=True)
    assert told.count(Finding.TAKE_OVER) == 1
    assert [meant.reason for meant in told if isinstance(meant, Ended)] == [Reason.CONFLICT]


def test_a_conflict_before_it_is_linked_is_taken_over_each_time() -> None:
    told = read(
        sight("CONFLICT", me=ME), sight("CONFLICT", me=ME, percent=3), sight("CONNECTED", me=ME), sight("CONFLICT"),
        takeover=True,
    )  # fmt: skip
    assert told.count(Finding.TAKE_OVER) == 2
    assert not any(isinstance(meant, Ended) for meant in told)


@pytest.mark.parametrize("state", ["OPENING", "TIMEOUT", "UNLAUNCHED", "PAIRING", "A_NEW_ONE"])
def test_other_states_end_nothing(state: str) -> None:
    assert read(sight(state)) == [Finding.RECOGNISED]


@pytest.mark.parametrize("mark", ["code", "expired", "chats", "startup"])
def test_a_page_is_known_by_any_mark(mark: str) -> None:
    assert Finding.RECOGNISED in read(sight(None, marks={mark: True}))


def test_a_page_without_any_is_not_known() -> None:
    assert read(sight(None, marks={"else": True}), {"kind": "sight"}) == []


def test_a_socket_that_goes_down_is_told_once_each_time() -> None:
    up = sight("CONNECTED", me=ME, synced=True)
    opening = {"kind": "state", "state": "OPENING"}
    told = read(up, opening, sight("OPENING", me=ME, synced=True), up, sight("TIMEOUT", me=ME, synced=True))
    assert told[-3:] == [Finding.LINKED, SocketDown(), SocketDown()]


@pytest.mark.parametrize("state", ["CONFLICT", "TOS_BLOCK"])
def test_what_ends_it_is_no_socket_that_goes_down(state: str) -> None:
    assert SocketDown() not in read(sight("CONNECTED", me=ME, synced=True), sight(state, me=ME))


def test_a_socket_that_has_never_been_up_does_not_go_down() -> None:
    assert SocketDown() not in read(sight("OPENING", me=ME), sight("CONNECTED", me=ME, synced=False), sight("OPENING"))


def test_single_events() -> None:
    told = read(
        {"kind": "heard"}, {"kind": "passkey"}, {"kind": "logged out", "reason": "x"}, {"kind": "new"}, "x", None
    )
    assert told == [Heard(), PasskeyAsked(), Finding.LOGGED_OUT]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
words = st.sampled_from(["kind", "state", "synced", "code", "me", "percent", "blockEndsIn", "marks"])
messages = st.lists(anything | st.dictionaries(words, anything | st.sampled_from(["sight", "CONNECTED", CODE])))


@given(messages, st.booleans())
def test_whatever_a_page_tells_is_survived(told: list[Any], takeover: bool) -> None:
    for meant in read(*told, takeover=takeover):
        if isinstance(meant, Code):
            assert "undefined" not in meant.text.split(",")
            assert len(meant.text.split(",")) == 5
        if isinstance(meant, Syncing):
            assert meant.percent is not None
            assert 0 <= meant.percent <= 100
