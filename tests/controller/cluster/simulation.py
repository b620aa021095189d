"""A cluster in virtual time: the product's own lease code among machines, a network and a controller that fail.

Everything that may happen to a message happens: it is lost, late by a minute, overtaken. Machines crash, are frozen or
put to sleep, hang, and lose the network one way or both; their clocks run at speeds of their own. True time is known
here alone, and shows whether an account ever ran twice. Times without any fault are skipped, with two beats at the end.

So that a month of 100 machines takes minutes: messages of a healthy network are no reason not to skip, a lease has one
event for its end however often it is extended, and what is counted is not searched for.
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.cluster.leases import Epochs, HostLease, LeaseTable, NoHostError, NotYetError, Placement, Terms

DAY = 86400.0
ROUTINE = {"beat", "look", "deadline", "deliver"}
"""Events that are no reason not to skip the time until the next other one."""
FAULTS = ("worker killed", "machine crashed", "frozen", "asleep", "hung", "cut", "replies lost", "beats lost", "slow")


@dataclass
class Life:
    """One life of a machine's browsers."""

    name: str
    lease: HostLease
    epochs: Epochs = field(default_factory=Epochs)
    dead: bool = False
    has_timer: bool = False


@dataclass
class Machine:
    """A machine. Its clock shows offset + rate × true time."""

    name: str
    rate: float
    offset: float
    life: Life | None = None
    stopped: bool = False
    """Its programs do not run; its kernel does."""
    asleep: bool = False
    """Nothing runs, its timers neither; its clock goes on."""
    down: bool = False
    loses_beats: bool = False
    loses_replies: bool = False
    slow: bool = False
    fault: str = ""


class Cluster:
    """The world. Run it, then read `overlaps`, `deaths`, `availability`."""

    def __init__(
        self,
        machines: int,
        accounts: int,
        *,
        seed: int = 1,
        terms: Terms | None = None,
        real: Terms | None = None,
        mean_between_faults: float = 2 * DAY,
        skips: bool = True,
    ):
        """terms: what the machines keep; real: what the controller keeps, for a mistake that is to be seen."""
        self.random = random.Random(seed)
        self.terms = terms or Terms()
        self.table_terms = real or self.terms
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.between, self.skips = mean_between_faults, skips
        drift = self.random.uniform
        self.machines = [Machine(f"h{i}", 1 + drift(-3e-4, 3e-4), drift(0, 1e6)) for i in range(machines)]
        self.by_life: dict[str, Machine] = {}
        self.lives = 0
        self.capacity = -(-accounts // machines) * 3
        self.accounts = [f"a{i}" for i in range(accounts)]
        self.running: dict[str, dict[str, float]] = {account: {} for account in self.accounts}
        self.connected_at: dict[str, float] = {}
        self.up_time = 0.0
        self.waiting: set[str] = set()
        self.overlaps: list[tuple[str, str, str, float]] = []
        self.deaths = Counter()
        self.moves: list[float] = []
        self.lost_at: dict[str, float] = {}
        self.faults = 0
        self.looked = False
        self.no_skip_before = 0.0
        self.run_of = 0
        self.next_fault = 0.0
        self.table: LeaseTable | None = None

    # --- true time ----------------------------------------------------------------------------------------------------

    def at(self, delay: float, what: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.events, (self.now + delay, self.count, what))

    def run(self, seconds: float) -> "Cluster":
        self.start_controller()
        for machine in self.machines:
            self.live(machine)
        self.plan_fault(after=120.0)
        self.at(120.0 + self.random.expovariate(1 / (7 * DAY)), self.kill_controller)
        while self.events and self.events[0][0] < seconds:
            if self.looked and self.skips and self.is_quiet():
                self.skip()
            self.looked = False
            self.now, _, what = heapq.heappop(self.events)
            what()
        self.now = seconds
        for account in self.accounts:
            self.lose(account)
        return self

    @property
    def availability(self) -> float:
        return self.up_time / (self.now * len(self.accounts))

    def is_quiet(self) -> bool:
        return (
            not self.waiting
            and self.now >= self.no_skip_before
            and self.next_fault - self.now > 60
            and not any(one.fault for one in self.machines)
            and all(one.down or one.life is not None for one in self.machines)
            and len(self.connected_at) == len(self.accounts)
        )

    def skip(self) -> None:
        """Go to shortly before something that is no beat: all beats until then have come and gone."""
        others = [event for event in self.events if event[2].__name__ not in ROUTINE]
        until = min(event[0] for event in others) - 30
        if until <= self.now + 60:
            self.no_skip_before = self.now + 20
            return
        self.events = others
        heapq.heapify(self.events)
        for machine in self.machines:
            if (life := machine.life) is None:
                continue
            for at in (until - 10, until - 5):
                self.now = at
                life.lease.ends_at = self.clock(machine) + self.terms.ttl - 5
                self.table.take_reply(life.name, life.lease.reply(self.clock(machine)), at)
            self.now = until
            self.at(self.random.uniform(0, self.terms.beat), self.beating(machine, life))
            life.has_timer = False
            self.at_deadline(machine, life)
        self.now = until
        self.at(1.0, self.looking(self.run_of))

    # --- machines -----------------------------------------------------------------------------------------------------

    def clock(self, machine: Machine) -> float:
        return machine.offset + machine.rate * self.now

    def live(self, machine: Machine) -> None:
        """Begin a new life: an actor on a machine that is up."""
        if machine.life is not None or machine.down or self.table is None:
            return
        if machine.stopped or machine.asleep or machine.loses_beats or machine.loses_replies:
            self.at(5.0, lambda: self.live(machine))
            return
        self.lives += 1
        life = machine.life = Life(f"{machine.name}/{self.lives}", HostLease(self.terms, self.clock(machine)))
        self.by_life[life.name] = machine
        self.table.join(machine.name, life.name, self.capacity, self.now)
        self.at(self.random.uniform(0, 1), self.beating(machine, life))
        self.at_deadline(machine, life)

    def die(self, machine: Machine, why: str, again: float = 3.0) -> None:
        """End a life with all its browsers, at once: the kernel does it."""
        if (life := machine.life) is None:
            return
        for account, epoch in life.epochs.running.items():
            self.stop(machine, life, account, epoch)
        life.dead, machine.life = True, None
        self.deaths[why] += 1
        self.at(again, lambda: self.live(machine))

    def stop(self, machine: Machine, life: Life, account: str, epoch: int) -> None:
        life.epochs.end(account, epoch)
        if self.running[account].pop(life.name, None) is not None:  # one that slept has been lost already
            self.lose(account)

    def lose(self, account: str) -> None:
        if (since := self.connected_at.pop(account, None)) is not None:
            self.up_time += self.now - since
            self.lost_at[account] = self.now

    def at_deadline(self, machine: Machine, life: Life) -> None:
        """Kill at the end of the lease: a timer of the kernel's, and then up to a second until nothing runs.

        The timer is set anew with each extension; here it finds that out when it expires.
        """
        if life.has_timer:
            return
        life.has_timer = True
        due = (life.lease.ends_at - machine.offset) / machine.rate - self.now

        def deadline() -> None:
            life.has_timer = False
            if life.dead or machine.life is not life or machine.asleep:
                return
            if life.lease.is_over(self.clock(machine)):
                self.die(machine, "lease over")
            else:
                self.at_deadline(machine, life)

        self.at(max(0.0, due) + self.random.uniform(0, 1) + 1e-6, deadline)

    # --- the network --------------------------------------------------------------------------------------------------

    def send(self, machine: Machine, what: Callable[[], None], *, back: bool = False) -> None:
        """Deliver a message, unless it is lost. back: from the machine to the controller."""
        if machine.loses_replies if back else machine.loses_beats:
            return
        delay = self.random.uniform(0, 60) if machine.slow else self.random.uniform(0.001, 0.2)
        run_of = self.run_of

        def deliver() -> None:
            if back:
                if self.table is not None and run_of == self.run_of:
                    what()
            elif machine.stopped or machine.asleep:
                self.at(1.0, deliver_late)  # it lies in a buffer, and is read as soon as somebody can
            elif not machine.down:
                what()

        def deliver_late() -> None:
            deliver()

        self.at(delay, deliver_late if machine.slow else deliver)

    def beating(self, machine: Machine, life: Life) -> Callable[[], None]:
        run_of = self.run_of

        def beat() -> None:
            if self.table is None or run_of != self.run_of or life.name not in self.table._lives:
                return
            echo = self.table.echo(life.name)
            self.send(machine, lambda: self.take_beat(machine, life, echo))
            self.at(self.terms.beat, self.beating(machine, life))

        return beat

    def take_beat(self, machine: Machine, life: Life, echo: float | None) -> None:
        if life.dead:
            return
        now = self.clock(machine)
        if life.lease.is_over(now):
            self.die(machine, "lease over")
            return
        if life.lease.extend(echo, now):
            self.at_deadline(machine, life)
        said = life.lease.reply(now)
        self.send(machine, lambda: self.table.take_reply(life.name, said, self.now), back=True)

    # --- the controller -----------------------------------------------------------------------------------------------

    def start_controller(self) -> None:
        self.run_of += 1
        epoch = self.table_epoch if hasattr(self, "table_epoch") else 1
        self.table = LeaseTable(self.table_terms, self.now, itertools.count(epoch).__next__)
        self.placed: dict[str, Placement] = {}
        self.waiting = set(self.accounts)
        self.at(1.0, self.looking(self.run_of))
        for machine in self.machines:
            self.live(machine)

    def kill_controller(self) -> None:
        """End the controller; its machines' actors end with it or, cut off from it, with their lease."""
        self.table_epoch = self.table._epoch
        self.table = None
        self.faults += 1
        for machine in self.machines:
            if not (machine.loses_beats or machine.stopped or machine.asleep) and self.random.random() < 0.7:
                self.at(self.random.uniform(0, 3), lambda machine=machine: self.die(machine, "controller gone"))
        self.at(self.random.uniform(1, 60), self.start_controller)
        self.at(self.random.expovariate(1 / (7 * DAY)) + 200, self.kill_controller)

    def looking(self, run_of: int) -> Callable[[], None]:
        def look() -> None:
            if self.table is None or run_of != self.run_of:
                return
            for lost in self.table.take_lost(self.now):
                self.end_life(lost.life)
                for placement in lost.placements:
                    self.waiting.add(placement.account)
            if self.waiting:
                for account in sorted(self.waiting):
                    self.open(account)
                if not self.waiting:
                    self.waiting = set()  # one that was large is slow to go through, even when it is empty
            self.at(1.0, self.looking(run_of))
            self.looked = True

        return look

    def end_life(self, name: str) -> None:
        """Order a machine to end what is lost to us, and begin anew; it may hear that much later, or never."""
        machine = self.by_life[name]

        def take() -> None:
            if machine.life is not None and machine.life.name == name:
                self.die(machine, "given up")

        self.send(machine, take)

    def open(self, account: str) -> None:
        try:
            placement = self.table.place(account, self.now)
        except (NotYetError, NoHostError):
            return
        self.waiting.discard(account)
        machine = self.by_life[placement.life]
        self.send(machine, lambda: self.take_open(machine, placement))
        run_of = self.run_of

        def unanswered() -> None:
            """No answer is no proof: it is to be ended for certain, before it goes elsewhere."""
            if self.run_of != run_of or self.table is None or not self.table.is_current(placement):
                return
            if self.placed.get(account) != placement:
                self.close(placement)

        self.at(15.0, unanswered)

    def take_open(self, machine: Machine, placement: Placement) -> None:
        life = machine.life
        if life is None or life.name != placement.life or not life.lease.lasts(self.clock(machine)):
            return
        account = placement.account
        if not life.epochs.begin(account, placement.epoch):
            return
        for other, since in self.running[account].items():
            self.overlaps.append((account, other, life.name, self.now - since))
        self.running[account][life.name] = self.now

        def connected() -> None:
            if not life.dead and life.epochs.running.get(account) == placement.epoch:
                self.connected_at[account] = self.now
                if (lost := self.lost_at.pop(account, None)) is not None:
                    self.moves.append(self.now - lost)
                self.send(machine, lambda: self.placed.__setitem__(account, placement), back=True)

        self.at(self.random.uniform(1, 6), connected)

    def close(self, placement: Placement) -> None:
        """Ask until it is said that nothing is left, or the lease is over."""
        run_of = self.run_of
        machine = self.by_life[placement.life]

        def ask() -> None:
            if run_of == self.run_of and self.table is not None and self.table.is_current(placement):
                self.send(machine, take)
                self.at(5.0, ask)

        def take() -> None:
            life = machine.life
            if life is not None and life.name == placement.life:
                life.epochs.bar(placement.account, placement.epoch)
                if life.epochs.running.get(placement.account) == placement.epoch:
                    self.stop(machine, life, placement.account, placement.epoch)
                self.send(machine, freed, back=True)

        def freed() -> None:
            if self.table.is_current(placement):
                self.table.release(placement)
                self.waiting.add(placement.account)

        ask()

    # --- faults -------------------------------------------------------------------------------------------------------

    def plan_fault(self, after: float = 0.0) -> None:
        delay = after + self.random.expovariate(len(self.machines) / self.between)
        self.next_fault = self.now + delay
        self.at(delay, self.fault)

    def fault(self) -> None:
        self.plan_fault()
        machine = self.random.choice(self.machines)
        if machine.fault or machine.down:
            return
        self.faults += 1
        kind = machine.fault = self.random.choice(FAULTS)
        lasts = self.random.choice((self.random.uniform(1, 30), self.random.uniform(20, 300)))
        if kind == "worker killed":
            self.die(machine, kind, again=self.random.uniform(1, 10))
        elif kind == "machine crashed":
            machine.down, machine.fault = True, ""  # that it is down is no unrest
            lasts = self.random.uniform(60, 1800)
            self.die(machine, kind, again=lasts + 10)
        elif kind == "asleep":
            self.put_to_sleep(machine)
        machine.stopped = kind == "frozen"
        machine.slow = kind == "slow"
        machine.loses_beats = kind in {"hung", "cut", "beats lost"}
        machine.loses_replies = kind in {"hung", "cut", "replies lost"}
        self.at(lasts, lambda: self.mend(machine))

    def put_to_sleep(self, machine: Machine) -> None:
        machine.asleep = True
        if (life := machine.life) is not None:
            for account in life.epochs.running:
                self.lose(account)
                self.running[account].pop(life.name, None)

    def mend(self, machine: Machine) -> None:
        if machine.asleep and (life := machine.life) is not None:
            # Its timers run out before any program runs on; if its lease still lasts, it goes on.
            machine.asleep = False
            if life.lease.is_over(self.clock(machine)):
                self.die(machine, "lease over")
            else:
                self.at_deadline(machine, life)
                for account in life.epochs.running:
                    for other, since in self.running[account].items():
                        self.overlaps.append((account, other, life.name, self.now - since))
                    self.running[account][life.name] = self.now
                    self.connected_at[account] = self.now
                    self.lost_at.pop(account, None)
        machine.fault = ""
        machine.stopped = machine.asleep = machine.down = False
        machine.loses_beats = machine.loses_replies = machine.slow = False
        self.at(1.0, lambda: self.live(machine))
