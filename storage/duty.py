"""The duty roster and the escalation list, as the dataclasses of `controller.incidents`."""

from controller.incidents import DutyOverride, Roster, Shift, Target
from storage import tolerant
from storage.database import Database


class DutyRecords:
    """The roster's tables. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def roster(self) -> Roster:
        """Return the roster; an override whose end cannot be parsed is skipped."""
        turns = await self._database.rows("SELECT * FROM duty_turn")
        shifts = await self._database.rows("SELECT * FROM duty_shifts ORDER BY position")
        targets = await self._database.rows("SELECT * FROM escalation_targets ORDER BY position")
        override = None
        for row in turns:
            if (until := tolerant.time(row["until"])) is not None:
                override = DutyOverride(row["user_id"], row["name"], until)
        return Roster(
            override,
            tuple(
                Shift(
                    row["user_id"],
                    row["name"],
                    frozenset(int(day) for day in row["days"] if day.isdigit()),
                    row["start_minute"],
                    row["end_minute"],
                )
                for row in shifts
            ),
            tuple(Target(row["chat"], row["name"]) for row in targets),
        )

    async def save(self, roster: Roster) -> None:
        """Replace the stored roster."""
        async with self._database.transaction() as connection:
            for table in ("duty_turn", "duty_shifts", "escalation_targets"):
                await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - ours
            if (override := roster.override) is not None:
                await connection.execute(
                    "INSERT INTO duty_turn (id, user_id, name, until) VALUES (1, ?, ?, ?)",
                    (override.user, override.name, override.until.isoformat()),
                )
            await connection.executemany(
                "INSERT INTO duty_shifts (position, user_id, name, days, start_minute, end_minute)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (at, one.user, one.name, "".join(map(str, sorted(one.days))), one.start, one.end)
                    for at, one in enumerate(roster.shifts)
                ],
            )
            await connection.executemany(
                "INSERT INTO escalation_targets (position, chat, name) VALUES (?, ?, ?)",
                [(at, one.chat, one.name) for at, one in enumerate(roster.targets)],
            )
