"""Adapts launches to the machine: measures its load while anybody launches or waits, and sets the slots' limits.

Idle while nobody requests a slot. `launch_policy` evaluates a measurement, `pressure` takes it.
"""

import asyncio
import logging
from collections.abc import Callable

from controller.host.launch_policy import Machine, Strain, decide, first_room
from controller.launch_slots import LaunchSlots, Room

log = logging.getLogger(__name__)

EVERY = 0.25
"""Seconds between two measurements while anybody launches or waits."""


class LaunchPressure:
    """look: measures the load since its last call, given the event loop's lag in seconds. Call `run` as a task."""

    def __init__(self, slots: LaunchSlots, machine: Machine, look: Callable[[float], Strain]) -> None:
        self._slots, self._machine, self._look = slots, machine, look
        slots.allow(first_room(machine, slots.count))

    async def run(self) -> None:
        """Adjust the limits until cancelled."""
        while True:
            await self._slots.asked.wait()
            try:
                await self._follow()
            except Exception:
                log.exception("The load of the machine cannot be measured; launches go on one for each processor")
                await asyncio.sleep(EVERY)
            self._slots.allow(first_room(self._machine, self._slots.count))

    async def _follow(self) -> None:
        """Follow the load until nobody launches or waits."""
        loop = asyncio.get_running_loop()
        self._look(0.0)  # load from before the request is irrelevant
        while True:
            self._slots.asked.clear()
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            now = self._slots.launches
            starting = now.launching + now.loading
            if not (starting or now.waiting or self._slots.asked.is_set()):
                return
            strain = self._look(max(0.0, loop.time() - due))
            self._allow(now.room, decide(now.room, strain, starting, self._machine, self._slots.count), strain)

    def _allow(self, before: Room, room: Room, strain: Strain) -> None:
        if room.bound is not before.bound:
            log.debug("Launches: %d at once, bound by %s (%s)", room.launching, room.bound, strain)
        self._slots.allow(room)
