"""Which alerts form one incident, and what becomes of it: pure, at times given by the test."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.reasons import VERDICTS, Reason
from controller.incidents import Incident
from controller.troubles import Trouble
from handlers.alerts.incidents import delivery, incident_text
from handlers.alerts.incidents.book import Book, Fact, Kind, Setting
from handlers.alerts.incidents.delivery import Edit, OpenTopic, Remind, Send, Withdraw
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.chat.chat_settings import Loudness
from handlers.chat.html import rendered_length
from handlers.texts.vocabulary import ALERTS, TROUBLES, WHY, alert_wording

T0 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
A, B = "+4915112345678", "+33612345678"
HOURS = timedelta(hours=4)
POLICY = AlertPolicy(repeat_after=HOURS)


class book:  # noqa: N801 - reads as what it stands for
    """One chat's book over time."""

    def __init__(self, *, forum: bool = False) -> None:
        self.forum, self.silenced, self.closed = forum, set(), set()
        self.now, self._ids = Book(7), itertools.count(1)

    @property
    def incidents(self):
        return self.now.incidents

    def absorb(self, facts, at) -> None:
        setting = Setting(
            at, POLICY, lambda: next(self._ids), silenced=self.silenced.__contains__, closed=self.closed,
            forum=self.forum,
        )  # fmt: skip
        self.now = self.now.absorb(facts, setting)

    def put(self, incident) -> None:
        self.now = self.now.put(incident)

    def forget(self, at) -> None:
        self.now = self.now.forget(at, POLICY, str)


def alert(number=A, reason=Reason.LOGGED_OUT, at=T0, **more) -> Fact:
    return Fact(Kind.ALERT, number, reason, at, **more)


def over(number=A, at=T0, kind=Kind.OVER, reason="") -> Fact:
    return Fact(kind, number, reason, at)


def action(one: Incident, at: datetime, names=str, quiet_until=None):
    return delivery.next_action(one, names, at, POLICY, quiet_until=quiet_until)


def seconds(number: float) -> datetime:
    return T0 + timedelta(seconds=number)


def text_of(one: Incident) -> str:
    return incident_text.parts(one, str)[0].html


def told(one: Incident, at: datetime) -> Incident:
    """The incident after all its pending actions have been performed."""
    message = itertools.count(100)
    while isinstance(due := action(one, at), Send | Edit | OpenTopic):
        match due:
            case Send():
                one = delivery.sent(one, due, next(message), at, POLICY)
            case Edit():
                one = delivery.edited(one, due, at, POLICY)
            case OpenTopic():
                one = replace(one, topic=5)
    return one


def tell(of: Book, at: datetime) -> None:
    for one in of.incidents:
        of.put(told(one, at))


def test_what_comes_within_seconds_is_one_incident():
    of = book()
    of.absorb([alert(A), alert(B)], T0)
    tell(of, seconds(1))
    of.absorb([alert("+12025550123")], seconds(4))
    assert len(of.incidents) == 1
    assert len(of.incidents[0].entries) == 3


def test_what_comes_later_is_another():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, seconds(1))
    of.absorb([alert(B)], seconds(7))
    assert len(of.incidents) == 2


def test_an_incident_does_not_grow_for_ever():
    of = book()
    for number in range(100):
        of.absorb([alert(f"+49151123{number:05}")], seconds(number))
        tell(of, seconds(number))
    assert len(of.incidents) == 2


def test_all_that_waits_for_telegram_is_one_incident():
    of = book()
    for number in range(100):
        of.absorb([alert(f"+49151123{number:05}")], seconds(60 * number))
    assert len(of.incidents) == 1


def test_the_same_trouble_again_is_counted_not_told_again():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, seconds(1))
    of.absorb([alert(A)], seconds(600))
    (one,) = of.incidents
    assert one.entries[0].times == 2


def test_another_trouble_of_the_account_takes_the_place_of_the_first():
    of = book()
    of.absorb([alert(A, Reason.BREAKER_OPEN)], T0)
    tell(of, seconds(1))
    of.absorb([alert(A, Reason.TRIAL_FAILED)], seconds(61))
    first, second = of.incidents
    assert first.entries[0].handled
    assert second.open_entries[0].reason == Reason.TRIAL_FAILED
    assert incident_text.SUPERSEDED in text_of(first)


def test_only_those_that_wait_for_a_person_are_said_to_need_one():
    of = book()
    of.absorb([alert(A, Reason.BREAKER_OPEN), alert(B, Reason.BANNED)], T0)
    assert text_of(of.incidents[0]).startswith("🚨 <b>2 accounts have a problem</b>")
    of.absorb([alert("+4915112345679", Reason.PASSKEY)], T0)
    assert text_of(of.incidents[0]).startswith("🚨 <b>3 accounts have a problem, 1 needs you</b>")
    of.absorb([over(A, seconds(2)), over(B, seconds(2)), alert("+4915112345670")], seconds(2))
    assert text_of(of.incidents[0]).startswith("🚨 <b>2 accounts need you</b>")


def test_recovery_is_told_once_all_of_it_is_over():
    of = book()
    of.absorb([alert(A), alert(B)], T0)
    tell(of, seconds(1))
    of.absorb([over(A, seconds(60))], seconds(60))
    assert text_of(of.incidents[0]).startswith("🚨 <b>1 account needs you</b>")
    of.absorb([over(B, seconds(90))], seconds(90))
    assert text_of(of.incidents[0]).startswith("✅ <b>2 accounts connected</b> by 12:01 UTC, after 1 min")


def test_a_flapping_account_starts_no_third_incident_for_the_same_reason():
    of = book()
    for number in range(50):
        of.absorb([alert(A, Reason.BREAKER_OPEN, seconds(40 * number))], seconds(40 * number))
        tell(of, seconds(40 * number + 1))
        of.absorb([over(A, seconds(40 * number + 20))], seconds(40 * number + 20))
        tell(of, seconds(40 * number + 21))
    assert len(of.incidents) == 2
    of.absorb([alert(A, Reason.LOGGED_OUT, seconds(2010))], seconds(2010))
    assert len(of.incidents) == 3, "another reason is told"


def test_what_a_silence_held_back_and_was_mended_is_not_told():
    of = book()
    of.silenced |= {A, B}
    of.absorb([alert(A), alert(B), over(A)], T0)
    assert [entry.number for entry in of.incidents[0].entries] == [B]


def test_a_trouble_of_the_controller_is_updated_in_place_and_ends():
    of = book()
    of.absorb([alert("", Trouble.MEMORY, detail="3 accounts are waiting")], T0)
    of.absorb([alert("", Trouble.MEMORY, detail="4 accounts are waiting")], seconds(5))
    of.absorb([over("", seconds(60), reason=Trouble.DISK)], seconds(60))
    (one,) = of.incidents
    assert (one.entries[0].detail, one.entries[0].times) == ("4 accounts are waiting", 1)
    assert one.open_entries
    of.absorb([over("", seconds(70), reason=Trouble.MEMORY)], seconds(70))
    assert not of.incidents[0].open_entries
    assert text_of(of.incidents[0]).startswith("✅ <b>There is memory again</b>, after 1 min.")


def test_the_end_of_several_troubles_names_each():
    of = book()
    of.absorb([alert("", Trouble.DISK), alert("", Trouble.MEMORY)], T0)
    tell(of, T0)
    of.absorb([over("", seconds(60), reason=Trouble.DISK), over("", seconds(60), reason=Trouble.MEMORY)], seconds(60))
    (one,) = of.incidents
    text = text_of(one)
    assert alert_wording(Trouble.DISK).over in text
    assert alert_wording(Trouble.MEMORY).over in text
    assert "account" not in text
    assert "onnected" not in text


def test_all_is_said_of_all_alone():
    of = book()
    of.absorb([alert(A), alert(B), alert("+4915100000000")], T0)
    tell(of, T0)
    of.absorb(
        [over(A, seconds(60), Kind.HANDLED), over(B, seconds(60)), over("+4915100000000", seconds(60))], seconds(60)
    )
    (one,) = of.incidents
    text = text_of(one)
    assert text.startswith("✅ <b>2 accounts connected</b>")
    assert "All" not in text


def test_in_a_forum_one_account_has_its_topic_and_many_have_none():
    of = book(forum=True)
    of.absorb([alert(A)], T0)
    assert of.incidents[0].about == A
    of.absorb([alert(B), alert("+12025550123")], seconds(1))
    assert [one.about for one in of.incidents] == [A, ""]


def test_the_first_message_sounds_and_the_others_do_not():
    of = book()
    of.absorb([alert(f"+49151123{number:05}") for number in range(1000)], T0)
    one, silents = of.incidents[0], []
    while isinstance(due := action(one, T0, lambda n: f"Account {n}"), Send):
        silents.append(due.silent)
        assert rendered_length(due.text.html) <= 4096
        one = delivery.sent(one, due, len(silents), T0, POLICY)
    assert silents[0] is False
    assert all(silents[1:])
    assert len(silents) > 1


def test_what_was_over_before_it_was_told_makes_no_sound():
    of = book()
    of.absorb([alert(A), over(A, seconds(60))], seconds(60))
    due = action(of.incidents[0], seconds(61))
    assert isinstance(due, Send)
    assert due.silent


def test_a_critical_alert_is_repeated_until_somebody_is_on_it():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, T0)
    (one,) = of.incidents
    assert action(one, seconds(10)) == T0 + HOURS
    assert isinstance(action(one, T0 + HOURS), Remind)
    assert action(one, T0 + HOURS, quiet_until=T0 + 2 * HOURS) == T0 + 2 * HOURS
    taken = told(replace(one, acknowledged_by="Ada is on it", edited_at=None), T0 + HOURS)
    assert action(taken, T0 + 2 * HOURS) is None


def test_what_comes_after_somebody_was_on_it_sounds_and_is_repeated():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, T0)
    of.put(replace(of.incidents[0], acknowledged_by="Ada is on it", repeat_at=None))
    of.absorb([alert(B)], seconds(4))
    due = action(of.incidents[1], seconds(5))
    assert isinstance(due, Send)
    assert not due.silent
    tell(of, seconds(5))
    assert of.incidents[1].repeat_at == seconds(5) + HOURS


def test_who_was_on_it_is_not_any_more_when_it_comes_back():
    of = book()
    for start in (0, 600, 1200):
        of.absorb([alert(A, at=seconds(start))], seconds(start))
        tell(of, seconds(start))
        if start < 1200:
            of.put(replace(of.incidents[-1], acknowledged_by="Ada is on it", repeat_at=None))
            of.absorb([over(A, seconds(start + 300))], seconds(start + 300))
            tell(of, seconds(start + 300))
    flapping = of.incidents[-1]
    assert len(of.incidents) == 2, "the third time is told by an edit"
    assert flapping.acknowledged_by == ""
    assert isinstance(action(told(flapping, seconds(4000)), T0 + 4 * HOURS), Remind)


def test_the_controllers_troubles_are_not_one_account_that_flaps():
    of = book()
    for start, reason in ((0, Trouble.UNREACHABLE), (600, Trouble.MEMORY), (1200, Trouble.DISK)):
        of.absorb([alert("", reason, seconds(start))], seconds(start))
        tell(of, seconds(start))
        of.absorb([over("", seconds(start + 300), reason=reason)], seconds(start + 300))
        tell(of, seconds(start + 300))
    of.absorb([alert("", Trouble.DATABASE, seconds(1800))], seconds(1800))
    due = action(of.incidents[-1], seconds(1801))
    assert isinstance(due, Send)
    assert not due.silent


def test_an_incident_that_shrinks_leaves_none_of_its_messages_behind():
    of = book()
    numbers = [f"+49151123{number:05}" for number in range(1000)]
    of.absorb([alert(number, Reason.BREAKER_OPEN) for number in numbers], T0)
    tell(of, T0)
    shown = {part.message for part in of.incidents[0].parts}
    assert len(shown) > 2
    of.absorb([over(number, seconds(60)) for number in numbers[1:]], seconds(60))
    one = replace(of.incidents[0], entries=of.incidents[0].entries[:1])
    while isinstance(due := action(one, T0 + HOURS), Edit):
        if not due.text.html:
            shown.discard(due.message)
        one = delivery.edited(replace(one, edited_at=None), due, T0 + HOURS, POLICY)
        one = replace(one, edited_at=None)
    assert shown == {one.parts[0].message}
    assert len(one.parts) == 1


def test_what_mends_itself_is_not_repeated():
    of = book()
    of.absorb([alert(A, Reason.BREAKER_OPEN)], T0)
    tell(of, T0)
    assert action(of.incidents[0], T0 + 2 * HOURS) is None


def test_what_came_without_a_sound_is_not_repeated_with_one():
    of, silent = book(), book()
    silent.absorb([alert(A, silent=True)], T0)
    of.absorb([alert(A)], T0)
    for each in (of, silent):
        tell(each, T0)
    assert action(silent.incidents[0], T0 + 2 * HOURS) is None
    assert isinstance(action(of.incidents[0], T0 + 2 * HOURS), Remind)
    chosen = replace(POLICY, loudness={"logged out": Loudness.SILENT})
    assert delivery.next_action(of.incidents[0], str, T0 + 2 * HOURS, chosen, quiet_until=None) is None


def test_a_reminder_goes_once_it_is_over_or_somebody_is_on_it():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, T0)
    first = action(of.incidents[0], T0 + HOURS)
    assert isinstance(first, Remind) and first.earlier is None
    one = delivery.reminded(of.incidents[0], 200, T0 + HOURS, POLICY)
    again = action(one, T0 + 2 * HOURS)
    assert isinstance(again, Remind) and again.earlier == 200, "only the newest stays"
    taken = told(replace(one, acknowledged_by="Ada is on it"), T0 + HOURS)
    assert action(taken, T0 + HOURS) == Withdraw(200)
    of.put(one)
    of.absorb([over(A, T0 + HOURS)], T0 + HOURS)
    ended = told(of.incidents[0], T0 + HOURS)
    assert action(ended, T0 + HOURS) == Withdraw(200)
    assert action(delivery.withdrawn(ended), T0 + HOURS) is None


def test_every_alert_there_is_has_its_words():
    for reason, verdict in VERDICTS.items():
        assert reason in WHY
        assert not verdict.alert or reason in ALERTS
    assert set(TROUBLES) == set(Trouble)
    for word in (*Reason, *Trouble, "something_new"):
        words = alert_wording(word)
        assert words.title
        assert len(words.title) < 80
        assert words.todo().endswith(".")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["alert", "over", "handled", "tell"]),
        st.sampled_from([A, B, "+12025550123"]),
        st.sampled_from([Reason.BREAKER_OPEN, Reason.LOGGED_OUT, Reason.EXHAUSTED]),
        st.floats(0, 4000),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_no_alert_is_left_out(steps):
    """After each alert the account has exactly one open entry, with its newest reason."""
    of, now = book(), T0
    newest: dict[str, str] = {}
    for what, number, reason, pause in steps:
        now += timedelta(seconds=pause)
        if what == "alert":
            of.absorb([alert(number, reason, now)], now)
            newest[number] = reason
        elif what == "tell":
            tell(of, now)
        else:
            of.absorb([over(number, now, Kind(what))], now)
            newest.pop(number, None)
        of.forget(now)
        standing = [(entry.number, entry.reason) for one in of.incidents for entry in one.open_entries]
        assert sorted(standing) == sorted(newest.items())
        for one in of.incidents:
            assert action(told(one, now), now) is None or not isinstance(action(told(one, now), now), Send)


# --- silences, sound, order -------------------------------------------------------------------------------------------


def test_what_is_silenced_and_what_is_not_are_told_apart():
    of = book()
    of.silenced.add(A)
    of.absorb([alert(A), alert(B), alert("+12025550123")], T0)
    assert [[entry.number for entry in one.entries] for one in of.incidents] == [[A], [B, "+12025550123"]]
    quiet = T0 + timedelta(hours=1)
    assert action(of.incidents[0], T0, quiet_until=quiet) == quiet
    assert isinstance(action(of.incidents[0], quiet), Send)


def test_a_silenced_alert_joins_nothing_that_was_sent():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, seconds(1))
    of.silenced.add(B)
    of.absorb([alert(B)], seconds(2))
    assert len(of.incidents) == 2


def test_a_held_alert_that_may_have_been_sent_is_not_dropped():
    of = book()
    of.silenced.add(A)
    of.absorb([alert(A)], T0)
    one = of.incidents[0]
    due = action(one, T0)
    assert isinstance(due, Send)
    of.put(delivery.sending(one, due))
    of.absorb([over(A, seconds(5))], seconds(5))
    assert of.incidents[0].over_at == seconds(5)


def test_the_trouble_that_was_told_ends_where_a_new_one_came_and_went_in_a_silence():
    of = book()
    of.absorb([alert(A, Reason.BREAKER_OPEN)], T0)
    tell(of, seconds(1))
    of.silenced.add(A)
    of.absorb([alert(A, Reason.EXHAUSTED, seconds(60))], seconds(60))
    assert len(of.incidents) == 2
    of.absorb([over(A, seconds(90))], seconds(90))
    (one,) = of.incidents
    assert "✅" in text_of(one), "recovery is told, since the first was"


def test_a_held_alert_takes_the_place_of_what_was_told_once_it_is_told():
    of = book()
    of.absorb([alert(A, Reason.BREAKER_OPEN)], T0)
    tell(of, seconds(1))
    of.silenced.add(A)
    of.absorb([alert(A, Reason.EXHAUSTED, seconds(60))], seconds(60))
    held = told(of.incidents[1], seconds(70))
    of.now = of.now.put(held).superseded_by(held, seconds(70))
    assert [len(one.open_entries) for one in of.incidents] == [0, 1]


def test_nothing_joins_what_is_being_refused():
    of = book()
    of.absorb([alert(A)], T0)
    of.closed.add(of.incidents[0].id)
    of.absorb([alert(B)], T0)
    assert len(of.incidents) == 2


def test_a_silent_alert_is_sent_without_sound_and_swallows_no_sound():
    of = book()
    of.absorb([alert(A, Reason.FLAPPING, silent=True)], T0)
    due = action(of.incidents[0], T0)
    assert isinstance(due, Send)
    assert due.silent
    tell(of, seconds(1))
    of.absorb([alert(B)], seconds(2))
    due = action(of.incidents[1], seconds(2))
    assert isinstance(due, Send)
    assert not due.silent


def test_what_stands_while_connected_is_over_by_its_own_word_or_a_persons():
    of = book()
    of.absorb([alert(A, Reason.FLAPPING), alert(A, Reason.LOGGED_OUT)], T0)
    of.absorb([over(A, seconds(5))], seconds(5))
    assert [entry.reason for entry in of.incidents[0].open_entries] == [Reason.FLAPPING]
    of.absorb([over(A, seconds(6), reason=Reason.FLAPPING)], seconds(6))
    assert of.incidents[0].open_entries == ()
    of.absorb([alert(A, Reason.FLAPPING, seconds(9)), over(A, seconds(9), kind=Kind.HANDLED)], seconds(9))
    assert not any(one.open_entries for one in of.incidents)


def test_a_clock_that_is_set_back_ends_and_forgets_in_order():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, T0)
    back = T0 - timedelta(days=30)
    of.absorb([alert(B, at=back)], back)
    assert len(of.incidents) == 2, "not one of the future"
    of.absorb([over(A, back)], back)
    of.forget(back)
    assert of.incidents[0].over_at == T0
    assert isinstance(action(of.incidents[0], back), Edit), "its end is shown at once"


def test_what_is_over_is_remembered_until_that_was_told():
    of = book()
    of.absorb([alert(A)], T0)
    tell(of, T0)
    of.absorb([over(A, seconds(60))], seconds(60))
    of.forget(T0 + timedelta(days=2))
    assert len(of.incidents) == 1, "a chat that was away for days still learns of it"
    tell(of, T0 + timedelta(days=2))
    of.forget(T0 + timedelta(days=2))
    assert of.incidents == ()


def test_a_book_is_not_changed_by_what_is_made_from_it():
    before = book()
    before.absorb([alert(A)], T0)
    now = before.now
    before.absorb([alert(B), over(A)], T0)
    assert [entry.number for one in now.incidents for entry in one.open_entries] == [A]


def test_an_end_names_an_account_once_whatever_happened_to_it_before():
    here = book()
    here.absorb([alert(reason=Reason.LOGGED_OUT)], T0)
    here.absorb([alert(reason=Reason.WRONG_NUMBER, at=seconds(30))], seconds(30))
    here.absorb([over(at=seconds(90), kind=Kind.OVER)], seconds(90))
    text = text_of(here.incidents[-1])
    assert text.count(A) == 1, text
    assert "connected" in text
    assert "after 1 min" in text


def test_what_a_person_closed_is_not_called_over():
    here = book()
    here.absorb([alert(reason=Reason.LOGGED_OUT)], T0)
    here.absorb([alert(reason=Reason.WRONG_NUMBER, at=seconds(2))], seconds(2))
    here.absorb([over(at=seconds(90), kind=Kind.HANDLED)], seconds(90))
    text = text_of(here.incidents[-1])
    assert text.count(A) == 1, text
    assert "✅" not in text
    assert incident_text.CLOSED_BY_PERSON in text


def test_several_that_were_superseded_are_not_called_over():
    here = book()
    here.absorb([alert(A, Reason.BANNED), alert(B, Reason.BANNED)], T0)
    here.absorb(
        [alert(A, Reason.TRIAL_FAILED, at=seconds(120)), alert(B, Reason.TRIAL_FAILED, at=seconds(120))], seconds(120)
    )
    text = text_of(here.incidents[0])
    assert "✅" not in text, text
    assert "Over" not in text, text


def test_when_the_blocks_of_several_accounts_end_is_said():
    one, other = (
        "The block ends at 12:40 UTC; it is tried once then.",
        "The block ends at 13:00 UTC; it is tried once then.",
    )
    here = book()
    here.absorb([alert(A, Reason.BANNED, detail=one), alert(B, Reason.BANNED, detail=one)], T0)
    assert text_of(here.incidents[0]).split("\n")[2:4] == [f"{A}, {B}", one]
    here = book()
    here.absorb([alert(A, Reason.BANNED, detail=one), alert(B, Reason.BANNED, detail=other)], T0)
    assert text_of(here.incidents[0]).split("\n")[2:4] == [f"{A}: {one}", f"{B}: {other}"]


def test_of_many_only_the_first_details_are_listed():
    here = book()
    many = [f"+49151123450{at:02}" for at in range(20)]
    here.absorb(
        [alert(each, Reason.BANNED, detail=f"The block ends at 12:{at:02} UTC.") for at, each in enumerate(many)], T0
    )
    text = text_of(here.incidents[0])
    assert all(each in text for each in many)
    assert text.count("The block ends") == 1, "the first"


def test_what_only_the_page_knows_is_a_line_of_its_own():
    here = book()
    here.absorb([alert(reason=Reason.BANNED, detail="The block ends at 12:40 UTC; it is tried once then.")], T0)
    _, detail, _ = text_of(here.incidents[0]).split("\n")
    assert detail == "The block ends at 12:40 UTC; it is tried once then."
