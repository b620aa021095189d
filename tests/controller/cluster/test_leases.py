"""Leases, row by row and with messages that come in any order, late or never: no account ever runs twice."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.cluster.leases import (
    HOME_PATIENCE,
    Epochs,
    HostLease,
    LeaseTable,
    NoHostError,
    NotYetError,
    Terms,
)
from controller.hosts import HostState, UnknownHostError

TERMS = Terms(ttl=20, beat=5, margin=3)


def table(*hosts, now=100.0, capacity=2, **said):
    made = LeaseTable(TERMS, started_at=0.0)
    for host in hosts:
        made.join(host, f"{host}/1", capacity, now - 1)
        for _ in range(2):
            made.take_reply(f"{host}/1", 5.0, now, **said)
    return made


# --- a machine's lease ------------------------------------------------------------------------------------------------


def test_a_lease_lasts_from_what_the_machine_said_itself():
    lease = HostLease(TERMS, 0.0)
    said = lease.reply(1.0)

    assert not lease.lasts(1.0)
    assert lease.extend(said, 15.0)
    assert lease.lasts(20.9)
    assert not lease.lasts(21.0)


def test_a_late_beat_extends_nothing():
    lease = HostLease(TERMS, 0.0)
    first, second = lease.reply(1.0), lease.reply(6.0)

    assert lease.extend(second, 7.0)
    assert not lease.extend(first, 8.0)
    assert lease.ends_at == 26.0


def test_a_lease_that_is_over_never_lasts_again():
    lease = HostLease(TERMS, 0.0)
    lease.extend(lease.reply(1.0), 2.0)
    said = lease.reply(20.0)

    assert not lease.extend(said, 21.0)
    assert lease.is_over(21.0)


def test_a_life_that_is_given_no_lease_ends():
    lease = HostLease(TERMS, 0.0)

    assert not lease.extend(None, 1.0)
    assert not lease.lasts(1.0)
    assert lease.is_over(20.0)


def test_an_echo_of_another_life_extends_nothing():
    lease = HostLease(TERMS, 0.0)
    lease.reply(1.0)

    assert not lease.extend(3.0, 4.0)


# --- epochs -----------------------------------------------------------------------------------------------------------


def test_an_old_placement_is_not_begun():
    epochs = Epochs()
    assert epochs.begin("a", 5)
    epochs.end("a", 5)

    assert not epochs.begin("a", 5)
    assert not epochs.begin("a", 4)
    assert epochs.begin("a", 6)


def test_an_order_that_overtook_the_opening_bars_it():
    epochs = Epochs()
    epochs.end("a", 5)

    assert not epochs.begin("a", 5)


def test_two_placements_never_run_at_once_on_one_machine():
    epochs = Epochs()
    epochs.begin("a", 5)

    assert not epochs.begin("a", 6)
    assert epochs.running == {"a": 5}


# --- the table --------------------------------------------------------------------------------------------------------


def test_nothing_is_placed_while_an_earlier_controllers_leases_may_last():
    made = table("b", now=22.0)

    with pytest.raises(NotYetError) as refused:
        made.place("a", 22.9)
    assert refused.value.until == 23.0
    assert made.place("a", 23.0).host == "b"


def test_the_host_with_the_fewest_accounts_is_next_then_the_one_with_the_most_memory():
    made = table("b", "c")
    made.take_reply("c/1", 5.0, 100.0, free_memory=2)
    made.take_reply("b/1", 5.0, 100.0, free_memory=1)

    assert [made.place(name, 100.0).host for name in "12"] == ["c", "b"]


def test_an_account_is_placed_once_and_anew_when_it_was_released():
    made = table("b")
    first = made.place("a", 100.0)

    with pytest.raises(NotYetError) as refused:
        made.place("a", 101.0)
    assert refused.value.until == 123.0
    made.release(first)
    assert made.place("a", 102.0).epoch > first.epoch


def test_a_release_of_an_older_placement_frees_nothing():
    made = table("b")
    first = made.place("a", 100.0)
    made.release(first)
    second = made.place("a", 101.0)

    made.release(first)

    assert made.is_current(second)


def test_a_silent_host_is_lost_only_when_its_lease_is_surely_over():
    made = table("b", "c")
    placement = made.place("a", 100.0)
    made.note_failure(placement.life)

    assert made.take_lost(122.9) == []
    made.take_reply("c/1", 6.0, 122.0)
    assert [(lost.host, lost.placements) for lost in made.take_lost(123.0)] == [("b", (placement,))]
    assert made.place("a", 123.0).host == "c"


@pytest.mark.parametrize("failed", [True, False])
def test_nothing_is_placed_on_a_host_that_is_silent_or_failed(failed):
    made = table("b")
    if failed:
        made.note_failure("b/1")

    with pytest.raises(NoHostError, match="no host is up"):
        made.place("a", 100.0 if failed else 110.1)


def test_full_short_and_drained_hosts_take_nothing():
    made = table("b", capacity=1)
    made.place("a", 100.0)
    with pytest.raises(NoHostError, match="full"):
        made.place("b", 100.0)

    short = table("b", short=True)
    with pytest.raises(NoHostError, match="short of memory"):
        short.place("a", 100.0)

    drained = table("b")
    drained.drain("b", draining=True)
    with pytest.raises(NoHostError, match="drained"):
        drained.place("a", 100.0)
    drained.drain("b", draining=False)
    assert drained.place("a", 100.0).host == "b"


def test_hosts_are_listed_with_their_state_the_lost_ones_too():
    made = table("b", "c", free_memory=7)
    made.place("a", 100.0)
    made.drain("c", draining=True)
    assert [(one.name, one.state, one.accounts, one.free_memory) for one in made.usage(100.0)] == [
        ("b", HostState.UP, 1, 7),
        ("c", HostState.DRAINING, 0, 7),
    ]

    made.take_lost(200.0)
    assert {one.state for one in made.usage(200.0)} == {HostState.LOST}


def test_only_known_hosts_are_drained():
    with pytest.raises(UnknownHostError):
        table("b").drain("x", draining=True)


# --- any order --------------------------------------------------------------------------------------------------------


class AnyOrder(RuleBasedStateMachine):
    """Two machines and one account; every message is kept and delivered when hypothesis likes, or never."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.table = LeaseTable(TERMS, 0.0)
        self.lives = {}
        self.born = 0
        self.flying = []
        self.runs = {}
        for host in "bc":
            self.begin(host)

    def begin(self, host):
        self.born += 1
        life = f"{host}/{self.born}"
        self.lives[host] = (life, HostLease(TERMS, self.now), Epochs())
        self.table.join(host, life, 5, self.now)

    def end(self, host):
        life, _, _ = self.lives.pop(host)
        self.runs = {run: at for run, at in self.runs.items() if run[0] != life}

    @rule(keep=st.sampled_from(["", "b", "c"]), seconds=st.sampled_from([1, 4.9, 5, 10, 19.9]))
    def pass_time(self, seconds, keep):
        """Let time pass; a machine's kernel ends its life with its lease, up to `margin` later.

        keep: the machine that the controller goes on to hear meanwhile.
        """
        self.now += seconds / 2
        self.talk(keep)
        self.now += seconds / 2
        self.talk(keep)
        for host, (_, lease, _) in list(self.lives.items()):
            if self.now >= lease.ends_at + TERMS.margin - 0.01:
                self.end(host)

    @rule(host=st.sampled_from("bc"))
    def end_or_begin(self, host):
        """End a life before its lease is over, or begin one."""
        if host in self.lives:
            self.end(host)
        else:
            self.begin(host)

    @rule(keep=st.sampled_from(["", "b", "c", "bc"]), seconds=st.sampled_from([5, 10, 19.9]))
    def go_on(self, keep, seconds):
        """Let time pass, and place the account as soon as it may be."""
        self.talk(keep)
        self.pass_time(keep=keep, seconds=seconds)
        self.place(at_once=True)

    @rule(host=st.sampled_from("bc"))
    def beat(self, host):
        if host in self.lives and (host, self.lives[host][0]) in self.table.lives():
            life = self.lives[host][0]
            self.flying.append(("beat", host, life, self.table.echo(life)))

    @rule()
    def look(self):
        self.table.take_lost(self.now)

    @rule(at_once=st.booleans())
    def place(self, at_once):
        self.table.take_lost(self.now)
        try:
            placement = self.table.place("a", self.now)
        except (NotYetError, NoHostError):
            return
        if at_once and placement.host in self.lives and self.lives[placement.host][0] == placement.life:
            self.take_open(placement.host, placement.life, placement)
        else:
            self.flying.append(("open", placement.host, placement.life, placement))

    @rule()
    def close(self):
        if (placement := self.table.placement("a")) is not None:
            self.flying.append(("close", placement.host, placement.life, placement))

    @rule(data=st.data(), twice=st.booleans())
    def deliver(self, data, twice):
        if not self.flying:
            return
        index = data.draw(st.integers(0, len(self.flying) - 1))
        kind, host, life, what = self.flying[index] if twice else self.flying.pop(index)
        if kind == "reply":
            self.table.take_reply(life, what, self.now)
        elif kind == "closed":
            self.table.release(what)
        elif host in self.lives and self.lives[host][0] == life:
            getattr(self, f"take_{kind}")(host, life, what)

    @rule(hosts=st.sampled_from(["b", "c", "bc"]))
    def talk(self, hosts):
        """Let machines and the controller understand each other at once, so that leases are held at all."""
        for host in {
            host for host in hosts if host in self.lives and (host, self.lives[host][0]) in self.table.lives()
        }:
            life, lease, _ = self.lives[host]
            for _ in range(2):
                lease.extend(self.table.echo(life), self.now)
                self.table.take_reply(life, lease.reply(self.now), self.now)

    def take_beat(self, host, life, echo):
        lease = self.lives[host][1]
        lease.extend(echo, self.now)
        self.flying.append(("reply", host, life, lease.reply(self.now)))

    def take_open(self, host, life, placement):
        _, lease, epochs = self.lives[host]
        if lease.lasts(self.now) and epochs.begin(placement.account, placement.epoch):
            self.runs[life, placement.epoch] = self.now

    def take_close(self, host, life, placement):
        self.lives[host][2].end(placement.account, placement.epoch)
        self.runs.pop((life, placement.epoch), None)
        self.flying.append(("closed", host, life, placement))

    @invariant()
    def runs_once(self):
        assert len(self.runs) <= 1, self.runs


AnyOrder.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_no_order_of_messages_lets_an_account_run_twice = AnyOrder.TestCase


# --- where an account's newest session is -----------------------------------------------------------------------------


def test_a_machine_that_has_the_session_is_preferred_while_it_takes_accounts():
    made = table("a", "b")
    made.place("+1", 100.0, "a")

    assert made.place("+2", 100.0, "a").host == "a"
    assert made.place("+3", 100.0, "a").host == "b"  # a is full
    made.drain("b", draining=True)
    with pytest.raises(NoHostError):
        made.place("+4", 100.0, "b")


def test_a_machine_that_alone_has_the_session_takes_it_full_or_draining():
    made = table("a", "b", capacity=1)
    made.place("+1", 100.0, "a")
    made.drain("a", draining=True)

    assert made.place("+2", 100.0, "a", alone=True).host == "a"


def test_a_machine_that_alone_has_the_session_is_waited_for_when_it_was_just_lost():
    made = table("a", "b")
    lost_at = 100.0 + TERMS.fence
    made.take_reply("b/1", 5.0, lost_at)
    made.take_lost(lost_at)

    with pytest.raises(NoHostError, match="host a alone"):
        made.place("+1", lost_at + HOME_PATIENCE - 1, "a", alone=True)
    made.take_reply("b/1", 5.0, lost_at + HOME_PATIENCE)
    assert made.place("+1", lost_at + HOME_PATIENCE, "a", alone=True).host == "b"  # which then asks a person
