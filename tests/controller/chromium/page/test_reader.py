"""How one document's messages are interpreted, without a page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.reasons import Reason
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    DialogClosed,
    Ended,
    Heard,
    Identified,
    Loaded,
    PasskeyAnswered,
    PasskeyAsked,
    Report,
    Scanned,
    SocketDown,
    SocketUp,
    Syncing,
)
from controller.chromium.page.reader import ENDS_AFTER, LOADING_MOVES, Finding, LogOutSaid, PageReader, Stands, Subject
from controller.chromium.page.snapshot import Connection

CODE = "2@ref,static,identity,secret,1"
OTHER_CODE = "2@other,static,identity,secret,1"
ME = "4915112345678"


def snapshot(state: str | None = None, **fields: Any) -> dict[str, Any]:
    blank = {"synced": None, "code": None, "me": None, "percent": None, "blockEndsIn": None, "marks": {}}
    return {"kind": "snapshot", "state": state, **blank, **fields}


Meaning = Report | Finding | LogOutSaid


def read_all(*messages: Any, **reading: Any) -> list[Any]:
    """All findings, including those that must persist first."""
    reader = PageReader(**{"takeover": False, **reading})
    return [meant for message in messages for meant in reader.read(message)]


def read(*messages: Any, **reading: Any) -> list[Meaning]:
    """What is acted upon at once."""
    return [meant for meant in read_all(*messages, **reading) if not isinstance(meant, Stands)]


def stands(*messages: Any, **reading: Any) -> dict[Subject, Any]:
    """The findings that persist after all messages."""
    found = {each.subject: each.meant for each in read_all(*messages, **reading) if isinstance(each, Stands)}
    return {subject: meant for subject, meant in found.items() if meant is not None}


@pytest.mark.parametrize("shown", [{"state": "UNPAIRED"}, {"marks": {"code": True}}])
def test_a_code_that_cannot_be_read_is_said_to_be_in_the_way(shown: dict[str, Any]) -> None:
    reader = PageReader(takeover=False)
    list(reader.read(snapshot(**shown)))
    assert reader.fault == "waiting for a scan, with a code that cannot be read"
    list(reader.read(snapshot("UNPAIRED", code=CODE)))
    list(reader.read(snapshot("UNPAIRED")))
    assert reader.fault == "UNPAIRED"


def test_a_link_from_its_first_code() -> None:
    assert read(
        snapshot("OPENING"),
        snapshot("PAIRING"),
        snapshot("UNPAIRED"),
        snapshot("UNPAIRED", code=CODE),
        snapshot("UNPAIRED", code=CODE),
        snapshot("UNPAIRED", code=OTHER_CODE),
        {"kind": "state", "state": "PAIRING"},
        snapshot("PAIRING"),
        snapshot("OPENING", me=ME),
        snapshot("CONNECTED", me=ME, synced=False, percent=40.2),
        snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL", percent=100),
        snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL"),
    ) == [
        Finding.RECOGNISED,
        Code(CODE),
        Code(OTHER_CODE),
        Scanned(),
        Authenticated(f"+{ME}"),
        Syncing(40.2),
        Syncing(100),
        Finding.LINKED,
    ]


def test_a_lost_network_before_the_scan_is_no_scan() -> None:
    reports = read(
        snapshot("UNPAIRED", code=CODE), snapshot("OPENING"), snapshot("PAIRING"), snapshot("UNPAIRED", code=OTHER_CODE)
    )
    assert reports == [Finding.RECOGNISED, Code(CODE), Code(OTHER_CODE)]


def test_a_code_after_a_scan_that_came_to_nothing_is_shown_again() -> None:
    reports = read(snapshot("UNPAIRED", code=CODE), snapshot("PAIRING"), snapshot("UNPAIRED", code=CODE))
    assert reports == [Finding.RECOGNISED, Code(CODE), Scanned(), Code(CODE)]


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
    assert read(snapshot("UNPAIRED", code=code)) == [Finding.RECOGNISED]


def test_a_saved_session_does_not_ask_for_a_scan() -> None:
    reader = PageReader(takeover=False, had_session=True)
    connected = snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL")
    reports = [*reader.read(snapshot("OPENING", me=ME)), *reader.read(connected)]
    assert [each for each in reports if not isinstance(each, Stands)] == [
        Finding.RECOGNISED,
        Authenticated(f"+{ME}"),
        Finding.LINKED,
    ]
    assert not reader.asked_for_scan
    assert reader.number == f"+{ME}"


def test_an_identity_without_a_number() -> None:
    assert read(snapshot("CONNECTED", me="", synced=True, mode="MAIN", info="NORMAL")) == [
        Finding.RECOGNISED,
        Authenticated(None),
        Finding.LINKED,
    ]
    assert Authenticated(None) in read(snapshot("CONNECTED", me="not a number"))


@pytest.mark.parametrize("reading", [{}, {"had_session": True}])
def test_a_linking_screen_of_a_saved_session_is_believed_only_when_it_stands(reading: dict[str, bool]) -> None:
    screen = snapshot("UNPAIRED", me=None if reading else ME, code=CODE)
    assert read(screen, **reading) == [Finding.RECOGNISED]
    assert stands(screen, **reading)[Subject.CODE] == Code(CODE)
    assert stands(screen, snapshot("CONNECTED", me=ME), **reading).get(Subject.CODE) is None
    reader = PageReader(takeover=False, **reading)
    (code,) = (each.meant for each in reader.read(screen) if isinstance(each, Stands) and isinstance(each.meant, Code))
    assert list(reader.believed(code)) == [Code(CODE)]
    assert Code(OTHER_CODE) in list(reader.read(snapshot("UNPAIRED", code=OTHER_CODE)))
    assert reader.asked_for_scan


CHATS = {"chats": True}


@pytest.mark.parametrize(
    "signs",
    [
        {"synced": True, "mode": "MAIN", "info": "NORMAL"},
        {"synced": True, "marks": CHATS},
        {"synced": None, "marks": CHATS, "mode": "MAIN", "info": "NORMAL"},
        {"synced": False, "marks": CHATS, "mode": "MAIN", "info": "NORMAL"},
        {"synced": True, "marks": CHATS, "mode": "SYNCING", "info": "SYNCING"},
    ],
)
def test_two_signs_that_agree_make_it_ready(signs: dict[str, Any]) -> None:
    assert Finding.LINKED in read(snapshot("CONNECTED", me=ME, **signs))


@pytest.mark.parametrize(
    ("signs", "may_be"),
    [
        ({"synced": True}, True),
        ({"marks": CHATS}, True),
        ({"marks": CHATS, "synced": False}, True),
        ({"synced": True, "mode": "SYNCING", "info": "SYNCING"}, False),
        ({"marks": CHATS, "synced": False, "mode": "SYNCING", "info": "SYNCING"}, False),
        ({"synced": False}, False),
        ({"synced": True, "marks": CHATS, "stream": "DISCONNECTED"}, False),
        ({"synced": True, "marks": CHATS, "mode": "OFFLINE"}, False),
        ({"synced": True, "marks": CHATS, "info": "CONNECTING"}, False),
    ],
)
def test_one_sign_alone_has_to_stand_and_be_asked_about(signs: dict[str, Any], may_be: bool) -> None:
    seen = snapshot("CONNECTED", me=ME, **signs)
    assert Finding.LINKED not in read(seen)
    assert (stands(seen).get(Subject.SIGN) is Finding.ONE_SIGN) is may_be


def test_a_page_without_modules_is_ready_by_its_chat_list_once_that_stands() -> None:
    assert stands(snapshot(None, marks=CHATS))[Subject.SIGN] is Finding.ONE_SIGN
    reader = PageReader(takeover=False)
    list(reader.read(snapshot(None, marks=CHATS)))
    assert Finding.LINKED in list(reader.second_sign())
    assert list(reader.second_sign()) == []
    assert reader.latest is not None
    assert reader.latest.partial == "by its chat list only"


@pytest.mark.parametrize(
    ("words", "is_up"),
    [
        ({"state": "CONNECTED"}, True),
        ({"state": "CONNECTED", "stream": "CONNECTED", "mode": "MAIN", "info": "NORMAL"}, True),
        ({"state": "CONNECTED", "stream": "RESUMING", "mode": "MAIN", "info": "RESUMING"}, True),
        ({"state": "CONNECTED", "stream": "DISCONNECTED"}, False),
        ({"state": "CONNECTED", "mode": "OFFLINE"}, False),
        ({"state": "CONNECTED", "mode": "QR"}, False),
        ({"state": "CONNECTED", "info": "OFFLINE"}, False),
        ({"state": "OPENING", "stream": "CONNECTED", "mode": "MAIN", "info": "NORMAL"}, False),
        ({"state": "A_NEW_ONE"}, False),
        ({"mode": "MAIN", "info": "NORMAL"}, True),
        ({"stream": "CONNECTED"}, True),
        ({"mode": "SYNCING", "info": "SYNCING"}, None),
        ({}, None),
        ({"chats": True}, None),
        ({"chats": True, "offline": True}, False),
    ],
)
def test_no_word_for_a_connection_outvotes_one_against_it(words: dict[str, Any], is_up: bool | None) -> None:
    assert Connection.parse(words).is_up is is_up


UP = {"synced": True, "mode": "MAIN", "info": "NORMAL"}


def test_a_number_that_becomes_known_late_is_told_once_it_stands() -> None:
    reader = PageReader(takeover=False)
    seen = [meant for me in ("", ME) for meant in reader.read(snapshot("CONNECTED", me=me, **UP))]
    assert [each for each in seen if not isinstance(each, Stands)] == [
        Finding.RECOGNISED,
        Authenticated(None),
        Finding.LINKED,
    ]
    assert stands(snapshot("CONNECTED", me="", **UP), snapshot("CONNECTED", me=ME, **UP)) == {
        Subject.NUMBER: Identified(f"+{ME}")
    }
    assert list(reader.believed(Identified(f"+{ME}"))) == [Identified(f"+{ME}")]
    again = list(reader.read(snapshot("CONNECTED", me=ME, **UP)))
    assert Stands(Subject.NUMBER, None, ENDS_AFTER) in again


@pytest.mark.parametrize("after", [ME, "", None])
def test_a_glimpse_of_another_number_logs_nobody_out(after: str | None) -> None:
    """What follows a number that is not the account's cannot be undone."""
    seen = [snapshot("CONNECTED", me=me, **UP) for me in (ME, "4915119999999")]
    assert not [each for each in read(*seen) if isinstance(each, Identified)]
    assert stands(*seen)[Subject.NUMBER] == Identified("+4915119999999")
    assert Subject.NUMBER not in stands(*seen, snapshot("CONNECTED", me=after, **UP))


@pytest.mark.parametrize("account", [f"+{ME}", "+4915119999999"])
def test_another_account_s_number_is_no_more_than_an_identity_until_it_stands(account: str) -> None:
    seen = snapshot("OPENING", me=ME)
    is_ours = account == f"+{ME}"
    assert read(seen, account=account)[-1] == Authenticated(f"+{ME}" if is_ours else None)
    assert stands(seen, account=account).get(Subject.NUMBER) == (None if is_ours else Identified(f"+{ME}"))


def test_what_was_ready_when_it_asked_for_a_passkey_is_ready_when_its_chats_are_back() -> None:
    ready = snapshot("CONNECTED", me=ME, **UP, chats=True, marks=CHATS)
    away, back = snapshot("CONNECTED", me=ME, **UP), ready
    reader = PageReader(takeover=False)
    for seen in (ready, {"kind": "passkey"}, away):
        list(reader.read(seen))
    assert Finding.LINKED not in list(reader.read(back)), "the server is asked first"
    assert Finding.LINKED in list(reader.second_sign())
    for seen in ({"kind": "passkey"}, away):
        list(reader.read(seen))
    told = list(reader.read({"kind": "passkey answered"}))
    assert [each for each in told if not isinstance(each, Stands)] == [PasskeyAnswered(), Finding.LINKED]


def test_a_bar_that_moves_is_told_after_a_code_and_once_it_is_not_the_page_s_own() -> None:
    bar = [snapshot(None, percent=each, marks={"startup": True}) for each in range(LOADING_MOVES + 2)]
    assert read(*bar) == [Finding.RECOGNISED]
    assert read(*bar, had_session=True)[1:] == [Syncing(LOADING_MOVES), Syncing(LOADING_MOVES + 1)]
    assert read(snapshot(None, code=CODE, marks={"code": True}), *bar[:2])[2:] == [Syncing(0), Syncing(1)]
    down = [each | {"state": "OPENING"} for each in bar]
    assert read(*down, had_session=True) == [Finding.RECOGNISED]


def test_a_percentage_that_moves_is_told_where_nobody_is_known() -> None:
    reports = read(*(snapshot("CONNECTED", synced=False, percent=each) for each in (10, 10.4, 20)))
    assert reports == [Finding.RECOGNISED, Syncing(10), Syncing(10.4), Syncing(20)], "a large history moves slowly"


def test_a_dialog_is_told_once_it_stands_and_its_end_only_then() -> None:
    said = {"words": "What's new +4915112345678", "known": True, "locked": False}
    reader = PageReader(takeover=False)
    (seen,) = (
        each
        for each in reader.read(snapshot("OPENING", dialog=said))
        if isinstance(each, Stands) and each.subject is Subject.COVER
    )
    assert seen.meant == Dialog("What's new •••5678", known=True)
    assert not [each for each in reader.read(snapshot("OPENING")) if isinstance(each, DialogClosed)], "never reports"
    list(reader.read(snapshot("OPENING", dialog=said)))
    list(reader.believed(seen.meant))
    assert DialogClosed() in list(reader.read(snapshot("OPENING")))


def test_a_password_asked_for_by_an_unknown_page_is_no_screen_lock() -> None:
    """A hotel's network answers in WhatsApp's place: that needs no person, and is over by itself."""
    lock = {"words": "Welcome to our guest network", "known": False, "locked": True}
    assert stands(snapshot(None, dialog=lock)) == {}
    assert stands(snapshot("UNLAUNCHED", dialog=lock)) == {Subject.COVER: Dialog(lock["words"], locked=True)}


def test_the_parts_of_a_build_are_told() -> None:
    parts = {"socket": True, "stream": False, "made up": True, "messages": "yes"}
    (loaded,) = read({"kind": "loaded", "build": "2.3000.1", "parts": parts})
    assert loaded == Loaded("2.3000.1", frozenset({"socket"}), frozenset({"stream"}))
    assert read({"kind": "loaded", "build": "<b>", "parts": None}) == [Loaded()]


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
    assert not any(isinstance(meant, Ended) for meant in read(snapshot(state))), "at first snapshot"
    ended = stands(snapshot(state, blockEndsIn=90.5))[Subject.END]
    assert ended == stands(snapshot("CONNECTED", mode=state, blockEndsIn=90.5))[Subject.END]
    assert Subject.END not in stands(snapshot(state), snapshot("CONNECTED"))
    assert ended.reason is reason
    assert ended.block_ends_in == (90.5 if reason is Reason.BANNED else None)


def test_use_here_is_for_one_opening_and_a_later_conflict_is_told() -> None:
    linked = snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL")
    seen = (snapshot("CONFLICT", me=ME), linked, snapshot("CONFLICT", me=ME))
    assert read(*seen, takeover=True).count(Finding.TAKE_OVER) == 1
    assert stands(*seen, takeover=True)[Subject.END].reason is Reason.CONFLICT


def test_a_conflict_that_comes_back_is_not_taken_over_again_in_the_same_opening() -> None:
    """Two browsers that take the session from each other would do so for ever."""
    seen = (
        snapshot("CONFLICT", me=ME), snapshot("CONFLICT", me=ME, percent=3), snapshot("OPENING", me=ME),
        snapshot("CONFLICT"),
    )  # fmt: skip
    assert read(*seen[:2], takeover=True).count(Finding.TAKE_OVER) == 1
    assert Subject.END not in stands(*seen[:2], takeover=True), "the page takes a moment"
    assert read(*seen, takeover=True).count(Finding.TAKE_OVER) == 1
    assert stands(*seen, takeover=True)[Subject.END].reason is Reason.CONFLICT


@pytest.mark.parametrize("state", ["OPENING", "TIMEOUT", "UNLAUNCHED", "PAIRING", "A_NEW_ONE"])
def test_other_states_end_nothing(state: str) -> None:
    assert read(snapshot(state)) == [Finding.RECOGNISED]


@pytest.mark.parametrize("mark", ["code", "expired", "chats", "startup"])
def test_a_page_is_known_by_any_mark(mark: str) -> None:
    assert Finding.RECOGNISED in read(snapshot(None, marks={mark: True}))


def test_a_page_without_any_is_not_known() -> None:
    assert read(snapshot(None, marks={"else": True}), {"kind": "snapshot"}) == []


def test_a_socket_that_goes_down_is_told_once_each_time() -> None:
    up = snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL")
    opening = {"kind": "state", "state": "OPENING"}
    reports = read(
        up,
        opening,
        snapshot("OPENING", me=ME, synced=True, mode="MAIN", info="NORMAL"),
        up,
        snapshot("TIMEOUT", me=ME, synced=True, mode="MAIN", info="NORMAL"),
    )
    assert reports[-4:] == [Finding.LINKED, SocketDown(), SocketUp(), SocketDown()]


@pytest.mark.parametrize("state", ["CONFLICT", "TOS_BLOCK"])
def test_what_ends_it_is_no_socket_that_goes_down(state: str) -> None:
    assert SocketDown() not in read(
        snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL"), snapshot(state, me=ME)
    )


def test_a_block_that_did_not_stand_is_told_as_what_was_lost_for_a_moment() -> None:
    up = snapshot("CONNECTED", me=ME, synced=True, mode="MAIN", info="NORMAL")
    assert read(up, snapshot("CONFLICT", me=ME), snapshot("OPENING", me=ME), up)[-1] == SocketUp(Reason.CONFLICT)


def test_a_socket_that_has_never_been_up_does_not_go_down() -> None:
    assert SocketDown() not in read(
        snapshot("OPENING", me=ME), snapshot("CONNECTED", me=ME, synced=False), snapshot("OPENING")
    )


def test_single_events() -> None:
    reports = read(
        {"kind": "heard"}, {"kind": "passkey"}, {"kind": "logged out", "reason": "x"}, {"kind": "new"}, "x", None
    )
    assert reports == [Heard(), Finding.RECOGNISED, PasskeyAsked(), LogOutSaid("x")]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
words = st.sampled_from(["kind", "state", "synced", "code", "me", "percent", "blockEndsIn", "marks"])
messages = st.lists(anything | st.dictionaries(words, anything | st.sampled_from(["snapshot", "CONNECTED", CODE])))


@given(messages, st.booleans())
def test_whatever_a_page_tells_is_survived(reports: list[Any], takeover: bool) -> None:
    for meant in read(*reports, takeover=takeover):
        if isinstance(meant, Code):
            assert "undefined" not in meant.text.split(",")
            assert len(meant.text.split(",")) == 5
        if isinstance(meant, Syncing):
            assert meant.percent is not None
            assert 0 <= meant.percent <= 100
