"""New builds of WhatsApp Web: the first account that meets one tries it out, and what is planned for others waits.

WhatsApp changes its page without notice. When a build is first loaded, planned recycles of other accounts wait until
the account that loaded it has been CONNECTED on it for some minutes. If it fails there, people are told once, with
what the build lacks, and nothing planned goes on until one of them says so. Accounts that are down are tried as ever.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from controller.accounts.notices import BuildLoaded, Notice, Transition
from controller.accounts.numbers import mask
from controller.accounts.reasons import TRAITS, State
from controller.tasks import Tasks
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

PROVEN_AFTER = 300.0
"""Seconds of CONNECTED on a build after which it counts as one that works."""


@dataclass(slots=True)
class _Trial:
    """A build that is being tried out. by: the account. failed: it did not work there."""

    by: str
    missing: frozenset[str]
    proof: asyncio.TimerHandle | None = None
    failed: bool = False


class BuildWatch:
    """Watches which builds are loaded and whether they work. Give it every notice (`note`); end it with `stop`.

    known: builds that need no trial.
    """

    def __init__(self, troubles: Troubles, known: Iterable[str] = ()) -> None:
        self._troubles = troubles
        self._proven = set(known)
        self._trials: dict[str, _Trial] = {}
        self._builds: dict[str, str] = {}
        """account → the build that it has open."""
        self._connected: set[str] = set()
        self._tasks = Tasks("build watch")

    @property
    def failed(self) -> tuple[str, ...]:
        """The builds that did not work, and on which nobody has said to go on."""
        return tuple(build for build, trial in self._trials.items() if trial.failed)

    def may_plan(self, number: str) -> bool:
        """Tell whether what is planned for an account, such as a recycle, may be done now."""
        return all(trial.by == number and not trial.failed for trial in self._trials.values())

    def go_on(self) -> bool:
        """Take a person's word that what is planned may go on all the same. Returns False if nothing was held."""
        failed = self.failed
        for build in failed:
            self._prove(build)
        return bool(failed)

    def note(self, notice: Notice) -> None:
        """Take a notice; returns at once."""
        match notice:
            case BuildLoaded(build=build) if build:
                self._loaded(notice)
            case Transition(within_state=False):
                self._moved(notice)

    async def run(self) -> None:
        """Do nothing but end, when cancelled, what is still under way."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Forget what is being tried out."""
        for trial in self._trials.values():
            if trial.proof is not None:
                trial.proof.cancel()
        await self._tasks.stop()

    def _loaded(self, loaded: BuildLoaded) -> None:
        first = not self._proven and not self._trials
        self._builds[loaded.number] = loaded.build
        if loaded.build in self._proven or loaded.build in self._trials:
            return
        if first:  # there is nothing to compare it with, and nobody else is on another
            self._proven.add(loaded.build)
            return
        log.info(
            "%s is the first on WhatsApp Web %s: what is planned for others waits", mask(loaded.number), loaded.build
        )
        self._trials[loaded.build] = _Trial(loaded.number, loaded.missing)

    def _moved(self, moved: Transition) -> None:
        number = moved.number
        trial = self._trials.get(self._builds.get(number, ""))
        if moved.state is State.CONNECTED:
            self._connected.add(number)
            if trial is not None and trial.by == number and trial.proof is None:
                trial.proof = asyncio.get_running_loop().call_later(PROVEN_AFTER, self._prove, self._builds[number])
            return
        self._connected.discard(number)
        if moved.state is State.CONNECTING:
            return
        build = self._builds.pop(number, "")
        if trial is None or trial.by != number or trial.failed:
            return
        if trial.proof is not None:
            trial.proof.cancel()
            trial.proof = None
        if TRAITS[moved.reason].by_person or moved.state is State.IDLE:
            del self._trials[build]  # it was closed, and has shown nothing: the next to load it tries it out
            return
        trial.failed = True
        lacks = f"; not found in it: {', '.join(sorted(trial.missing))}" if trial.missing else ""
        self._tasks.start(
            self._troubles.tell_trouble(Trouble.NEW_BUILD, f"{build}, first met by {mask(number)}{lacks}")
        )

    def _prove(self, build: str) -> None:
        trial = self._trials.pop(build, None)
        self._proven.add(build)
        log.info("WhatsApp Web %s works", build)
        if trial is not None and trial.failed:
            self._tasks.start(self._troubles.tell_trouble_over(Trouble.NEW_BUILD))
