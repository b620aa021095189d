"""New builds of WhatsApp Web: the first account to load one tries it out, while planned actions of others wait.

WhatsApp changes its page without notice. When a build is first loaded, planned recycles of other accounts wait until
that account has been CONNECTED with it for some minutes. If it fails, people are alerted once, with what the build
lacks, and planned actions wait for their decision. Accounts that are down are still retried.
Only an end that the page itself can cause is a failure. One that the network, the phone or a person causes shows
nothing: the trial is over without a verdict, and the next account to load the build tries it.
"""

# ruff: noqa: D102 - the class docstring explains the members of a data protocol

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from controller.accounts.e164 import mask
from controller.accounts.model import Stage
from controller.accounts.notices import BuildLoaded, Notice, Transition
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.manager import utc_now
from controller.tasks import Tasks
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

PROVEN_AFTER = 300.0
"""Seconds of CONNECTED after which a build counts as working."""
STORE_SECONDS = 1.0
"""At shutdown, for what is still to be stored."""

_SUSPICIOUS = frozenset({Reason.SESSION_CLOSED, Reason.NAVIGATED, Reason.UNKNOWN})
"""Ends that a build or our own processes may cause: the second one of the same build is a failure."""
_FAILURES = frozenset(reason for reason, verdict in VERDICTS.items() if verdict.by_page) - _SUSPICIOUS
"""Ends that a build itself causes."""
_MOST_SUSPICIONS = 2
_FOR_A_PERSON = frozenset({Stage.AWAITING_SCAN, Stage.PASSKEY, Stage.DIALOG})
"""Stages that wait for a person: if they take too long, nobody came."""


@dataclass(slots=True)
class _Trial:
    """A build on trial. by: the account. failed: it did not work there."""

    by: str
    missing: frozenset[str]
    proof: asyncio.TimerHandle | None = None
    failed: bool = False


class Known(Protocol):
    """A build with a known verdict. works: False if it failed. by: the account that tried it, E.164."""

    @property
    def build(self) -> str: ...
    @property
    def works(self) -> bool: ...
    @property
    def by(self) -> str: ...
    @property
    def missing(self) -> frozenset[str]: ...


class BuildStore(Protocol):
    """Storage of loads and builds. Methods raise OSError."""

    async def record(self, loaded: BuildLoaded) -> None:
        """Store a load."""

    async def builds(self) -> Sequence[Known]:
        """Return the builds with a known verdict."""

    async def judge(self, build: str, *, works: bool, by: str, missing: frozenset[str], at: datetime) -> None:
        """Store the verdict on a build."""


class BuildWatch:
    """Watches which builds are loaded and whether they work. Pass it every notice (`note`); end it with `stop`.

    known: builds that need no trial. store: None to store nothing.
    """

    def __init__(
        self,
        troubles: Troubles,
        known: Iterable[str] = (),
        store: BuildStore | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._troubles, self._store, self._clock = troubles, store, clock
        self._proven = set(known)
        self._trials: dict[str, _Trial] = {}
        self._builds: dict[str, str] = {}
        """account → the build that it has loaded."""
        self._stages: dict[str, Stage] = {}
        """account → the stage of its attempt."""
        self._connected: set[str] = set()
        self._suspicions: Counter[str] = Counter()
        self._tasks = Tasks("build watch")

    async def load(self) -> None:
        """Load the results of earlier runs; what cannot be read is tried again."""
        if self._store is None:
            return
        try:
            rows = await self._store.builds()
        except OSError as error:
            log.error("Which versions of WhatsApp Web are known cannot be read: %s", error)
            return
        self._proven |= {row.build for row in rows if row.works}
        self._trials |= {row.build: _Trial(row.by, row.missing, failed=True) for row in rows if not row.works}

    @property
    def failed(self) -> tuple[str, ...]:
        """Builds that did not work, and that nobody has approved."""
        return tuple(build for build, trial in self._trials.items() if trial.failed)

    def may_plan(self, number: str) -> bool:
        """Return whether planned actions for an account, such as a recycle, may be performed now."""
        return all(trial.by == number and not trial.failed for trial in self._trials.values())

    def go_on(self) -> bool:
        """Approve planned actions in spite of a failed build. Returns False if nothing was waiting."""
        failed = self.failed
        for build in failed:
            self._prove(build)
        return bool(failed)

    def note(self, notice: Notice) -> None:
        """Handle a notice; returns at once."""
        match notice:
            case BuildLoaded(build=build) if build:
                if self._store is not None:
                    self._keep(self._store.record(notice))
                self._loaded(notice)
            case Transition():
                self._moved(notice)

    async def run(self) -> None:
        """Wait for cancellation, then end what is in progress."""
        try:
            await self._troubles.clear_trouble(
                Trouble.NEW_BUILD
            )  # what an earlier run held back is not held back any more
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Store what is pending, within a moment, and forget running trials."""
        for trial in self._trials.values():
            if trial.proof is not None:
                trial.proof.cancel()
        await self._tasks.drain(STORE_SECONDS)
        await self._tasks.stop()

    def _loaded(self, loaded: BuildLoaded) -> None:
        first = not self._proven and not self._trials
        before = self._builds.get(loaded.number, "")
        self._builds[loaded.number] = loaded.build
        if before != loaded.build:
            self._leave(before, loaded.number)
        if loaded.build in self._proven or loaded.build in self._trials:
            return
        if first:  # there is nothing to compare it with, and no account has another one
            self._judge(loaded.build, _Trial(loaded.number, loaded.missing), works=True)
            return
        log.info(
            "%s is the first on WhatsApp Web %s: what is planned for others waits", mask(loaded.number), loaded.build
        )
        self._trials[loaded.build] = trial = _Trial(loaded.number, loaded.missing)
        if loaded.number in self._connected:  # some pages know their version some seconds after they are ready
            self._begin_proof(loaded.build, trial)

    def _begin_proof(self, build: str, trial: _Trial) -> None:
        trial.proof = asyncio.get_running_loop().call_later(PROVEN_AFTER, self._prove, build)

    def _leave(self, build: str, number: str) -> None:
        """Take it that an account is on another build by now: what it had shown of this one proves nothing."""
        trial = self._trials.get(build)
        if trial is not None and trial.by == number and not trial.failed:
            if trial.proof is not None:
                trial.proof.cancel()
            del self._trials[build]

    def _moved(self, moved: Transition) -> None:
        number = moved.number
        stage = self._stages.pop(number, None)
        if moved.stage is not None:
            self._stages[number] = moved.stage
        build = self._builds.get(number, "")
        trial = self._trials.get(build)
        if trial is not None and (trial.by != number or trial.failed):
            trial = None
        if moved.state is State.CONNECTED:
            self._connected.add(number)
            if trial is not None and trial.proof is None:
                self._begin_proof(build, trial)
            return
        self._connected.discard(number)
        if trial is not None and trial.proof is not None:
            trial.proof.cancel()
            trial.proof = None
        if moved.state is State.CONNECTING:
            return
        self._builds.pop(number, None)
        if trial is not None:
            self._ended(build, trial, moved.cause or moved.reason, stage)

    def _ended(self, build: str, trial: _Trial, reason: Reason, stage: Stage | None) -> None:
        self._suspicions[build] += reason in _SUSPICIOUS
        nobody_came = reason is Reason.DEADLINE and stage in _FOR_A_PERSON
        if nobody_came or (reason not in _FAILURES and self._suspicions[build] < _MOST_SUSPICIONS):
            del self._trials[build]
            return
        trial.failed = True
        self._judge(build, trial, works=False)
        words = "; ".join(_words(failed, self._trials[failed]) for failed in self.failed)
        self._tasks.start(self._troubles.raise_trouble(Trouble.NEW_BUILD, words))

    def _prove(self, build: str) -> None:
        trial = self._trials.pop(build, None)
        self._suspicions.pop(build, None)
        self._judge(build, trial or _Trial("", frozenset()), works=True)
        log.info("WhatsApp Web %s works", build)
        if trial is not None and trial.failed:
            self._tasks.start(self._troubles.clear_trouble(Trouble.NEW_BUILD))

    def _judge(self, build: str, trial: _Trial, *, works: bool) -> None:
        """Remember a verdict, also for later runs."""
        if works:
            self._proven.add(build)
        if self._store is not None:
            store = self._store
            self._keep(store.judge(build, works=works, by=trial.by, missing=trial.missing, at=self._clock()))

    def _keep(self, storing: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(self._stored(storing))

    @staticmethod
    async def _stored(storing: Coroutine[Any, Any, None]) -> None:
        try:
            await storing
        except OSError as error:
            log.error("What is known of a version of WhatsApp Web could not be stored: %s", error)


def _words(build: str, trial: _Trial) -> str:
    """Describe a build that did not work, for people."""
    lacks = f"; not found in it: {', '.join(sorted(trial.missing))}" if trial.missing else ""
    return f"{build}, first met by {mask(trial.by)}{lacks}"
