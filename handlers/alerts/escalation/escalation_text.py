"""Texts about escalation and duty: lines on alerts, changes of duty, and the test of all channels. HTML; pure."""

from collections.abc import Sequence
from datetime import datetime

from handlers.alerts.escalation.duty import OnDuty
from handlers.chat.messages import escape
from handlers.texts.vocabulary import clock

BY_FALLBACK_UNSTORED = "This comes by the fallback channel: Telegram has not accepted it, and it cannot be stored."


def escalated(name: str, now: datetime) -> str:
    """Return the line about whom an alert was escalated to. name: "" for everybody."""
    return f"⏫ Nobody acknowledged it: {escape(name) or 'everybody'} was called, {clock(now, now)}"


def called_first(on_duty: OnDuty) -> str:
    """Return the line of an alert that is silent here because somebody else is on duty."""
    return f"📟 {escape(on_duty.name)} is on duty"


def duty_changed(on_duty: OnDuty | None, now: datetime) -> str:
    """Announce a change of duty."""
    if on_duty is None:
        return "📟 Nobody is on duty now: alerts sound everywhere."
    return f"📟 {escape(on_duty.name)} is on duty until {clock(on_duty.until, now)}: alerts sound in their chat first."


def test_alert(name: str, now: datetime, *, silent: bool) -> str:
    """Return the text of a test alert."""
    how = "without a sound" if silent else "with a sound"
    return f"🧪 <b>A test</b> by {escape(name)}, {clock(now, now)}: nothing is wrong. An alert {how} looks like this."


def tested(name: str, sounding: str, silent: str) -> str:
    """Report a chat's result of a test. sounding, silent: the error, "" for success. name: as HTML."""
    return f"Telegram, {name}: with a sound {_taken(sounding)}, without {_taken(silent)}"


def tested_outside(name: str, *, took: bool) -> str:
    """Report whether a fallback service accepted a test."""
    return f"Fallback channel {escape(name)}: {_taken('' if took else 'not accepted, see the log')}"


def test_result(lines: Sequence[str], *, outside: bool) -> str:
    """Answer /test. outside: there is a fallback channel."""
    more = [] if outside else ["There is no fallback channel: ALERT_FALLBACK_URLS sets one."]
    return "\n".join(
        [
            "🧪 <b>Every way was tried</b>",
            *lines,
            *more,
            "✅ means that the service accepted it: check that it arrived.",
        ]
    )


def _taken(why: str) -> str:
    return f"❌ {escape(why)}" if why else "✅"
