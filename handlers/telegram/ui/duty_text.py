"""Texts of /duty and /escalate. HTML; pure."""

from datetime import datetime

from controller.incidents import Roster
from handlers.alerts.escalation.duty import OnDuty, days_in_words
from handlers.chat.messages import escape
from handlers.texts.chat_settings import time_of_day
from handlers.texts.vocabulary import clock, zone_name

HOW_DUTY = (
    "For example <code>/duty me until 18:00</code>, <code>/duty 123456789 Bob 8h</code>, <code>/duty off</code>\n"
    "<code>/duty plan mon-fri 08:00-18:00 me</code>, <code>/duty plan remove 2</code>"
)
HOW_OWN_DUTY = "For example <code>/duty me until 18:00</code>, <code>/duty off</code>"
HOW_ESCALATE = (
    "For example <code>/escalate me</code>, <code>/escalate here</code>, <code>/escalate 123456789 Bob</code>, "
    "<code>/escalate remove 2</code>, <code>/escalate clear</code>"
)


def roster(now_is: Roster, on_duty: OnDuty | None, now: datetime) -> str:
    """Return who is on duty, the plan, and whom alerts are escalated to."""
    lines = ["📟 Nobody is on duty: alerts sound everywhere."]
    if on_duty is not None:
        lines = [f"📟 <b>{escape(on_duty.name)}</b> is on duty until {clock(on_duty.until, now)}."]
    if now_is.shifts:
        lines.append(f"<b>Each week</b> ({zone_name(now)})")
        lines += [
            f"{at}. {days_in_words(each.days)} {time_of_day(each.start)}-{time_of_day(each.end)} {escape(each.name)}"
            for at, each in enumerate(now_is.shifts, 1)
        ]
    if now_is.targets:
        lines.append("<b>Called next</b>, while nobody acknowledges")
        lines += [f"{at}. {escape(each.name)}" for at, each in enumerate(now_is.targets, 1)]
    else:
        lines.append("If nobody acknowledges, nobody else is called.")
    return "\n".join(lines)


def on_duty_line(on_duty: OnDuty | None, now: datetime) -> str:
    """Return the line about who is on duty that other answers include; "" if nobody is."""
    return "" if on_duty is None else f"📟 {escape(on_duty.name)} is on duty until {clock(on_duty.until, now)}"
