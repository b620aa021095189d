"""`switchboard status`: whether the program runs, and its accounts, from what is stored. Read-only."""

import json
import sys
from collections import Counter
from collections.abc import Sequence

from controller.accounts.e164 import mask
from handlers.texts.vocabulary import count
from storage.summary import AccountSummary, read_summaries
from switchboard.data_dir import lock_holder
from switchboard.logs import one_line
from switchboard.settings import ProfileSettings


def run_status(settings: ProfileSettings, *, in_json: bool) -> int:
    """Print the status and return 0. Raises StorageError."""
    accounts = read_summaries(settings.data_dir / "switchboard.sqlite")
    pid = lock_holder(settings.data_dir)
    sys.stdout.write(f"{as_json(accounts, pid) if in_json else as_text(accounts, pid)}\n")
    return 0


def as_text(accounts: Sequence[AccountSummary], pid: int | None) -> str:
    """Return one line about the program and one per account. pid: None if no program runs."""
    states = ", ".join(f"{many} {state}" for state, many in Counter(one.state for one in accounts).most_common())
    runs = "It does not run; this is how it stood at the end." if pid is None else f"It runs (process {pid})."
    lines = [f"{runs} {count(len(accounts), 'account')}{': ' + states if states else ''}."]
    for one in accounts:
        why = f" ({one.reason})" if one.reason else ""
        lines.append(
            f"{mask(one.number)}  {one.state:<12}  since {one.since[:19]}Z{why}  {one_line(one.name)}".rstrip()
        )
    return "\n".join(lines)


def as_json(accounts: Sequence[AccountSummary], pid: int | None) -> str:
    """Return one object: running, process, and accounts with numbers masked."""
    fields = {
        "running": pid is not None,
        "process": pid or None,
        "accounts": [
            {
                "number": mask(one.number), "name": one.name, "wanted": one.wanted, "linked": one.linked,
                "state": one.state, "reason": one.reason, "since": one.since,
            }
            for one in accounts
        ],
    }  # fmt: skip
    return json.dumps(fields, ensure_ascii=False, indent=2)
