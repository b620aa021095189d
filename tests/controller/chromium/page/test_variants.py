"""Variants of what covers a page and of what it shows, as builds and languages have them: what is read of each."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.accounts.reasons import Reason, logout_reason, logout_words
from controller.accounts.reports import Code, Ended, Health
from controller.chromium.page.log_outs import logged_out
from controller.chromium.page.questions import health_of
from controller.chromium.page.snapshot import WORDLESS, Connection, Snapshot, log_out_code, words_of
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.controller.chromium.conftest import Rig, eventually

NONE = None
IN_SHADOW = "<template shadowrootmode=open>{}</template>"
FULL = "position:fixed;inset:0;background:#fff"
ADA = f"<div id=pane-side style='{FULL}'>Ada</div>"
FRAME = f"<iframe style='{FULL};width:100%;height:100%' srcdoc='{{}}'></iframe>"
NEWS = "<h1>What’s new on WhatsApp Web</h1><p>Filters.</p>"
OK = "<button>Continue</button>"
CROSS = "<button aria-label='Close'><svg width=9 height=9></svg></button>"


def box(inner: str, attributes: str = "role=dialog aria-modal=true", style: str = FULL) -> str:
    return f"<div {attributes} style='{style}'>{inner}</div>"


DIALOGS: dict[str, tuple[str, tuple[str, bool, bool] | None]] = {
    # name: HTML, then (how its words begin, known, locked), or None where nothing covers the page
    "with a cross beside its button": (
        box(f"{CROSS}{NEWS}{OK}"), ("What’s new", True, False),
    ),
    "in Spanish": (
        box("<h1>Novedades de WhatsApp</h1><button>Continuar</button>"),
        ("Novedades", True, False),
    ),
    "in Arabic, right to left": (
        box("<h2>ما الجديد في واتساب</h2><button>متابعة</button>", "role=dialog aria-modal=true dir=rtl"),
        ("ما الجديد", True, False),
    ),
    "in Chinese": (
        f"<div role=alertdialog style='{FULL}'><h1>新功能</h1><p>{'很长的一句话' * 8}</p><button>继续</button></div>",
        ("新功能", True, False),
    ),
    "in Swedish": (box("<h1>Nyheter i WhatsApp</h1><button>Fortsätt</button>"), ("Nyheter", True, False)),
    "in Greek": (box("<h1>Τι νέο υπάρχει στο WhatsApp</h1><button>Συνέχεια</button>"), ("Τι νέο", True, False)),
    "in Vietnamese": (box("<h1>Có gì mới</h1><button>Tiếp tục</button>"), ("Có gì mới", True, False)),
    "in Thai": (box("<h1>มีอะไรใหม่</h1><button>ต่อไป</button>"), ("มีอะไรใหม่", True, False)),
    "with a button of another kind": (box(f"{NEWS}<input type=button value=Continue>"), ("What’s new", True, False)),
    "with a button that is none": (box(f"{NEWS}<div tabindex=0>Continue</div>"), ("What’s new", True, False)),
    "whose words are in a frame": (
        box("<iframe style='width:100%;height:90%' srcdoc='<h1>Terms</h1><button>Agree</button>'></iframe>"),
        ("Terms", False, False),
    ),
    "a popover": (
        f"<div popover=manual style='{FULL};width:100%'>{NEWS}{OK}</div>", ("What’s new", True, False),
    ),
    "a plain box over the chats": (
        f"<div id=pane-side style='{FULL}'>Ada</div><div style='{FULL}'><h1>Review</h1><button>OK</button></div>",
        ("Review", False, False),
    ),
    "a plain box in the middle, and a shade over the chats": (
        f"<div id=pane-side style='{FULL}'>Ada</div><div style='{FULL};opacity:.5'></div>"
        + box("<h1>Update</h1><button>Reload</button>", "", "position:fixed;inset:30%;background:#fff"),
        ("Update", False, False),
    ),
    "a plain box in the middle, beside chats that can be used": (
        box("Ada", "id=pane-side", "position:fixed;inset:0 70% 0 0")
        + box("<h1>Get the app</h1><button>Get</button>", "", "position:fixed;inset:40%"),
        NONE,
    ),
    "a plain box that says nothing over the chats": (
        f"<div id=pane-side style='{FULL}'>Ada</div><div style='{FULL};opacity:.5'></div>", NONE,
    ),
    "a plain box beside the chats": (
        box("Ada", "id=pane-side", "position:fixed;inset:0 75% 0 0")
        + box("<h1>Download it</h1><button>Get</button>", "", "position:fixed;inset:0 0 0 25%"),
        NONE,
    ),
    "a plain box before there are chats": (f"<div style='{FULL}'><h1>Log in</h1><button>Link</button></div>", NONE),
    "a native dialog": (f"<dialog open style='{FULL}'>{NEWS}{OK}</dialog>", ("What’s new", True, False)),
    "one button, and no news": (
        box("<h1>Log out?</h1><button>Log out</button>"),
        ("Log out?", False, False),
    ),
    "news with a choice": (
        box(f"{NEWS}<button>No</button><button>Back up</button>"),
        ("What’s new", False, False),
    ),
    "an unknown one over the known one": (
        box(f"{NEWS}{OK}") + box("<h1>Review</h1><button>Later</button><button>Do</button>"),
        ("Review", False, False),
    ),
    "a dialog in its wrapper": (
        f"<div data-animate-modal-popup=true style='{FULL}'><div role=dialog>{NEWS}{OK}</div></div>",
        ("What’s new", True, False),
    ),
    "hidden by CSS": (f"<div role=dialog aria-modal=true style='{FULL};visibility:hidden'>{NEWS}{OK}</div>", NONE),
    "wholly transparent": (f"<div style='opacity:0'><div role=dialog style='{FULL}'>{NEWS}{OK}</div></div>", NONE),
    "beside the screen": (
        "<div role=dialog aria-modal=true style='position:fixed;left:-3000px;width:400px;height:400px'>x</div>", NONE,
    ),
    "empty, waiting for its use": ("<div role=dialog aria-modal=true style='position:fixed'></div>", NONE),
    "a menu in a corner": (
        "<div role=dialog style='position:fixed;top:0;left:0;width:90px;height:60px'><button>Mute</button></div>", NONE,
    ),
    "not displayed": (f"<div role=dialog aria-modal=true style='{FULL};display:none'>{NEWS}{OK}</div>", NONE),
    "the lock, with a renamed test id": (
        f"<div style='{FULL}'><h1>WhatsApp Web está bloqueado</h1><form><input type=password></form></div>",
        ("WhatsApp Web está bloqueado", False, True),
    ),
    "the lock, whose password can be seen": (
        f"<div style='{FULL}'><h1>Bloqueado</h1><input type=text autocomplete='off current-password'></div>",
        ("Bloqueado", False, True),
    ),
    "a field for autofill that nobody sees": ("<input type=password style='opacity:0;position:fixed;top:9px'>", NONE),
    "in a shadow root": (f"<div>{IN_SHADOW.format(box(NEWS + OK))}</div>", ("What’s new", True, False)),
    "in a shadow root of a shadow root": (
        f"<div>{IN_SHADOW.format('<p>' + IN_SHADOW.format(box(NEWS + OK)) + '</p>')}</div>",
        ("What’s new", True, False),
    ),
    "with its words in a shadow root": (
        box(f"<wa-news>{IN_SHADOW.format('<style>h1 { color: red }</style>' + NEWS + OK)}</wa-news>"),
        ("What’s new", True, False),
    ),
    "hidden in a shadow root": (
        f"<div>{IN_SHADOW.format(box(NEWS + OK, style=FULL + ';visibility:hidden'))}</div>", NONE,
    ),
    "a shadow root over the chats that does not say what it is": (
        ADA + f"<div style='{FULL}'>{IN_SHADOW.format('<h1>Review</h1><button>OK</button>')}</div>",
        ("Review", False, False),
    ),
    "the lock in a shadow root": (
        f"<div>{IN_SHADOW.format(box('<h1>Gesperrt</h1><form><input type=password></form>', ''))}</div>",
        ("Gesperrt", False, True),
    ),
    "a dialog in a frame": (
        FRAME.format("<p role=dialog aria-modal=true style=position:fixed;inset:0>Novedades <button>Vale</button>"),
        ("Novedades", True, False),
    ),
    "a frame over the chats that does not say what it is": (
        ADA + FRAME.format("<h1>Terms</h1><button>Agree</button>"),
        ("Terms", False, False),
    ),
    "a frame over the chats that cannot be read": (
        ADA + FRAME.replace("<iframe", "<iframe sandbox").format("<h1>Terms</h1>"), ("", False, False),
    ),
    "a frame that cannot be read and that nobody sees": (
        ADA + FRAME.replace("<iframe style='", "<iframe sandbox style='opacity:0;").format("<h1>Terms</h1>"), NONE,
    ),
    "a picture that says nothing": (box("<canvas></canvas><button><svg></svg></button>"), ("", False, False)),
    "with a headline in pieces": (
        box(f"<h1><span>What</span><i>’s</i> <b>new</b></h1>{OK}"), ("What’s new", True, False),
    ),
    "with marks that nobody sees": (
        box(f"<h1>Was gibt&shy;’s&nbsp;Neu&#8203;es?</h1>{OK}"), ("Was gibt’s Neues?", True, False),
    ),
    "with letters that are put together": (box(f"<h1>Novita&#768; di WhatsApp</h1>{OK}"), ("Novit", True, False)),
    "a PIN asked for over the chats": (
        box("Ada", "id=pane-side") + box("<h1>Enter your PIN</h1><input type=password><button>Next</button>"),
        ("Enter your PIN", False, False),
    ),
}  # fmt: skip

WORDS: dict[str, tuple[str, str]] = {
    # name: HTML of what is in a dialog, then all that it says: what stands apart has a dot between
    "buttons beside each other": ("<button>Not now</button><button>Review</button>", "Not now · Review"),
    "buttons that are none": (
        "<span role=button>Not now</span><span role=button tabindex=0>Review</span>", "Not now · Review",
    ),
    "a button of another kind": ("<b>Sure?</b><input type=submit value=Yes><input value=mine>", "Sure? · Yes"),
    "items of a list": (
        "<ul><li>One<li>Two</ul><ol style='display:flex'><li>Three<li>Four</ol>", "One · Two · Three · Four",
    ),
    "blocks without spaces": ("<h1>Review</h1><p>Now</p><div>or<br>later</div>", "Review · Now · or · later"),
    "cells": ("<table><tr><td>A<td>B<tr><td>C</table>", "A · B · C"),
    "pieces with room around them": ("<a style='margin-right:9px'>Help</a><a>Terms</a>", "Help · Terms"),
    "pieces of one word": ("<p>Wh<b>at</b><i>’s</i><span style='display:contents'> n</span>ew</p>", "What’s new"),
    "what nobody sees": (
        "A<p hidden>B</p><p style='visibility:hidden'>C<b style='visibility:visible'>D</b></p>", "A · D",
    ),
    "what is put into a slot": (
        f"<div>{IN_SHADOW.format('<b>Not now</b> <slot></slot><slot name=x>none</slot>')}<p>Review</p></div>",
        "Not now · Review · none",
    ),
    "nested too deeply": ("<div>" * 300 + "deep" + "</div>" * 300 + "OK", "OK"),
    "far too much": ("word " * 10_000, ("word " * 80).strip()),
}  # fmt: skip

HEADLINES: dict[str, tuple[str, str]] = {
    # name: HTML of a page that is stuck, then what it says
    "a headline": ("<h2>Your clock is wrong</h2><p>Set it, and try again.</p>", "Your clock is wrong"),
    "a headline in a shadow root": (f"<div>{IN_SHADOW.format('<h2>Out of room</h2>')}</div>", "Out of room"),
    "no headline": ("<p>Database error.</p><button>Reload</button>", "Database error. · Reload"),
    "no headline, in a shadow root": (f"<div>{IN_SHADOW.format('<p>Database error.</p>')}</div>", "Database error."),
    "a list, which may be chats": ("<ul role=list><li>Ada: hello</ul>", ""),
    "chats of another build": ("<div role=grid><div role=row>Ada</div></div>", ""),
    "a code to be typed": ("<div data-link-code='A,B'>AB12-CD34</div>", ""),
    "nothing": ("", ""),
}

PUT = """(html) => {
  document.querySelector('#variant')?.remove();
  const box = document.createElement('div');
  box.id = 'variant';
  document.body.append(box);
  box.setHTMLUnsafe(html);
  box.querySelector('[popover]')?.showPopover();
  const frame = box.querySelector('iframe');
  return frame && new Promise((resolve) => frame.addEventListener('load', resolve));
}"""
PROGRESS: dict[str, tuple[str, float | None]] = {
    # name: HTML of the start screen, then how much of it is loaded
    "a bar": ("<progress max=50 value=12></progress>", 24),
    "a drawn bar": ("<div role=progressbar aria-valuenow=0.125 aria-valuemin=0 aria-valuemax=1></div>", 12.5),
    "a bar that tells nothing": ("<div role=progressbar></div>", None),
    "words": ("<p>Loading your chats [37%]</p>", 37),
    "words of another order": ("<p>Sohbetler yükleniyor: %4,5</p>", 4.5),
    "Arabic digits": ("<p>جارٍ تحميل الدردشات ٤٥٪</p>", 45),
    "Persian digits": ("<p>۷۸٪ بارگیری</p>", 78),
    "Devanagari digits": ("<p>चैट लोड हो रही हैं: ९९%</p>", 99),
    "a number that is no share": ("<p>Loading 37 chats</p>", None),
    "a wide sign": ("<p>正在加载聊天 ４５％</p>", 45),
    "a drawn bar that says it in words": ("<div role=progressbar aria-valuetext='%12,5 geladen'></div>", 12.5),
}
ELSEWHERE: dict[str, tuple[str, float | None]] = {
    # name: HTML of a page without the start screen that we know, then how much of it is loaded
    "a bar": ("<main><progress max=50 value=12></progress></main>", 24),
    "a drawn bar": ("<p><b role=progressbar aria-valuenow=30>…</b></p>", 30),
    "a bar that tells nothing, with words": ("<div><p role=progressbar>…</p>Loading 37 %</div>", 37),
    "a bar that nobody sees": ("<progress max=50 value=12 style='visibility:hidden'></progress>", None),
    "a bar beside the chats": (f"<div id=pane-side style='{FULL}'>Ada</div><progress value=0.5></progress>", None),
}
ADDRESSES = {
    '"4915112345671.0:12@s.whatsapp.net"': "4915112345671",
    '({ _serialized: "4915112345671.0:3@c.us" })': "4915112345671",
    '({ user: "4915112345671", server: "s.whatsapp.net", device: 3 })': "4915112345671",
    '({ user: 4915112345671, server: "c.us" })': "4915112345671",
    '({ user: "4915112345671:3", server: "c.us" })': "4915112345671",
    '({ user: "123456789012345", server: "lid" })': "",
    '"123456789012345"': "",
    '({ user: "4915112345671" })': "",
    "Promise.resolve(null)": None,
    "({})": None,
    "42": None,
}
"""What a page may tell as its own address, and the digits in it; "" where it has none, None where nobody is told."""
TELL_ME = """(address) => {
  localStorage.clear();
  const prefs = require("WAWebUserPrefsMeUser");
  for (const name of Object.keys(prefs)) prefs[name] = () => undefined;
  prefs.getMaybeMeUser = () => eval(address);
}"""


@pytest.fixture
async def stand_in() -> AsyncIterator[WhatsAppStandIn]:
    async with WhatsAppStandIn(Options(timings=Timings().scaled(20))) as here:
        yield here


@pytest.mark.chromium
async def test_what_covers_the_page_is_read_as_a_person_would(tmp_path: Any, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("no_csp", value=True)
    rig = Rig(tmp_path / "data", stand_in.url)
    try:
        session = await rig.open()
        await eventually(lambda: session._documents.is_recognised)
        for name, (html, expected) in DIALOGS.items():
            await session.channel.evaluate(PUT, html)
            told = await session.channel.ask("dialog()")
            if expected is None:
                assert told is None, name
                continue
            begins, known, locked = expected
            assert told is not None, name
            assert words_of(told["words"]).startswith(begins), name
            assert "…" not in words_of(told["words"])[:-1], name
            assert (told["known"], told["locked"]) == (known, locked), name
            assert await session.channel.ask("dismiss()") is known, name
        for name, (html, words) in WORDS.items():
            await session.channel.evaluate(PUT, box(html))
            assert (await session.channel.ask("dialog()"))["words"] == words, name
        hidden = "<div id=pane-side style='visibility:hidden;position:fixed;inset:0'>Ada</div>"
        await session.channel.evaluate(PUT, hidden)
        assert (await session.channel.ask("marks()"))["chats"] is False, "a list that is drawn in advance is no sign"
        two = f"{hidden}<div data-testid=chat-list style='position:fixed;inset:0'>Ada</div>"
        await session.channel.evaluate(PUT, two)
        assert (await session.channel.ask("marks()"))["chats"] is True, "one of two is seen"
        for address, digits in ADDRESSES.items():
            await session.channel.evaluate(TELL_ME, address)
            assert await session.channel.ask("me()") == digits, address
        await session.channel.evaluate("() => delete window.require", None)
        for name, (html, percent) in PROGRESS.items():
            await session.channel.evaluate(PUT, f"<div id=wa_web_initial_startup>{html}</div>")
            assert await session.channel.ask("percent()") == percent, name
        await session.channel.evaluate("() => document.querySelector('#app').remove()", None)
        for name, (html, percent) in ELSEWHERE.items():
            await session.channel.evaluate(PUT, html)
            assert await session.channel.ask("percent()") == percent, name
        for name, (html, words) in HEADLINES.items():
            await session.channel.evaluate(PUT, html)
            assert await session.channel.ask("headline()") == words, name
    finally:
        for session in rig.sessions:
            await session.close()
        await rig.driver.stop()


@pytest.mark.parametrize(
    "code", ["ACCOUNT_LOCKED", "AccountLocked", "accountLocked", "account_locked", "ACCOUNT-LOCKED", "account locked"]
)
def test_a_code_is_understood_in_whatever_letters(code: str) -> None:
    assert log_out_code(code) == "account_locked"


NAMED = [
    "user_initiated",
    "syncd_failure",
    "invalid_adv_status",
    "critical_sync_timeout",
    "syncd_timeout",
    "history_sync_timeout",
    "account_sync_timeout",
    "md_opt_out",
    "unknown_companion",
    "client_version_outdated",
    "syncd_error_during_bootstrap",
    "account_sync_error",
    "storage_quota_exceeded",
    "primary_identity_key_change",
    "missing_enc_salt",
    "missing_screen_lock_salt",
    "account_locked",
    "lid_migration_split_thread_mismatch",
    "lid_migration_one_on_one_thread_migration_internal_error",
    "lid_migration_companion_incompatible_killswitch",
    "lid_blocklist_pn_when_migrated",
    "web_fail_add_chat",
    "web_fail_offline_resume",
    "web_fail_storage_initialization",
    "web_fail_enc_salt",
    "cache_storage_open_failed",
    "client_fatal_error",
    "unknown",
]


def test_what_covers_the_page_has_words_for_people() -> None:
    """A card shows a dialog by its words; those of a page that names a number in pieces hide it all the same."""
    covers = [Snapshot.parse({"dialog": {"words": said}}).cover for said in ("", "Is +49 · 1511 · 2345678 yours?")]
    assert [cover and cover.words for cover in covers] == [WORDLESS, "Is •••5678 yours?"]


@pytest.mark.parametrize("code", NAMED)
def test_every_code_that_clients_know_has_a_meaning_or_words(code: str) -> None:
    assert log_out_code(code) == code
    words = logout_words(code)
    assert logout_reason(code) is not Reason.LOGGED_OUT or words != code.replace("_", " ")
    assert words.isprintable()


@pytest.mark.parametrize(
    ("codes", "code", "reason"),
    [
        (("never_seen", "3"), "3", Reason.ACCOUNT_LOCKED),
        (("", "0"), "0", Reason.LOGGED_OUT),
        (("storage_quota_exceeded", "0"), "storage_quota_exceeded", Reason.STORAGE_FULL),
        (("user_initiated", ""), "user_initiated", Reason.LOGGED_OUT),
        ((), "", Reason.LOGGED_OUT),
    ],
)
def test_of_two_codes_for_one_log_out_the_one_with_a_meaning_is_taken(
    codes: tuple[str, ...], code: str, reason: Reason
) -> None:
    assert (logged_out(*codes).code, logout_reason(code)) == (code, reason)


@pytest.mark.parametrize(
    ("words", "fault", "up"),
    [
        ({"state": "HANDSHAKE_V2", "stream": "CONNECTED", "mode": "MAIN", "info": "NORMAL"}, None, True),
        ({"state": "HANDSHAKE_V2", "info": "NORMAL"}, None, True),
        ({"state": "HANDSHAKE_V2"}, "in no state that we know", False),
        ({"state": "HANDSHAKE_V2", "stream": "DISCONNECTED", "info": "NORMAL"}, "DISCONNECTED (its stream)", False),
        ({"state": "CONNECTED", "mode": "SOMETHING_NEW", "info": "IDLE"}, None, True),
        ({"state": "CONNECTED", "info": "NORMAL", "offline": True}, "not connected (its notice)", False),
    ],
)
def test_a_word_of_another_version_is_weighed_with_the_others(
    words: dict[str, Any], fault: str | None, up: bool
) -> None:
    assert (Connection.parse(words).fault, Connection.parse(words).is_up) == (fault, up)
    assert (health_of(words) == Health()) is up


def test_a_state_that_is_not_known_is_watched_in_part_only() -> None:
    told = {"state": "HANDSHAKE_V2", "stream": "CONNECTED", "mode": "MAIN", "info": "NORMAL", "synced": True}
    snapshot = Snapshot.parse(told)
    assert snapshot.is_ready
    assert snapshot.partial == "by its screen's own state only, not by its socket"


@pytest.mark.chromium
async def test_a_page_that_spoke_of_a_log_out_and_asks_for_a_scan_is_logged_out(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ever going to the log-out address: it reloads its start page instead."""

    async def asks_for_scan(_: str) -> dict[str, str]:
        return {"state": "UNPAIRED"}

    async with WhatsAppStandIn(Options(timings=Timings().scaled(20))) as stand_in:
        rig = Rig(tmp_path / "data", stand_in.url)
        try:
            session = await rig.linked(stand_in)
            session.channel._receive = lambda _: None  # what the real page goes on saying would take it back
            monkeypatch.setattr(session.channel, "ask", asks_for_scan)
            session.receive({"kind": "logged out", "reason": "account_locked"})
            for _ in range(2):
                session.renew()
                session.receive({"kind": "snapshot", "state": "UNPAIRED", "code": "a,b,c,d,1", "marks": {"code": True}})
                await asyncio.sleep(0.1)
            ended = await eventually(lambda: next((one for one in rig.reports if isinstance(one, Ended)), None))
            assert (ended.reason, ended.code) == (Reason.LOGGED_OUT, "account_locked")
            assert not [one for one in rig.reports[-3:] if isinstance(one, Code)]
        finally:
            for session in rig.sessions:
                await session.close()
            await rig.driver.stop()
