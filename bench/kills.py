"""`python -m bench.kills [N] [--beside CHECKOUT]`: N kills (200) of the process in a storm of alerts."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from bench.beside import Beside
from bench.ending import ends_children
from bench.figures import Figure, table
from tests.handlers.alerts.kills import kill_again_and_again, kill_over_both_ways


@ends_children()
def main() -> None:
    """Kill, count and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=200)
    parser.add_argument("--beside", type=Path, help="another checkout, whose bench runs meanwhile")
    options = parser.parse_args()
    kills = options.kills
    beside = Beside(options.beside, "bench.kills", str(kills)) if options.beside else None
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="switchboard-kills-") as folder:
        toll = asyncio.run(kill_again_and_again(Path(folder), kills, seed=time.time_ns()))
        (Path(folder) / "both").mkdir()
        both = asyncio.run(kill_over_both_ways(Path(folder) / "both", kills, seed=time.time_ns()))
    figures = [
        Figure("kill -9 in a storm", toll.kills, "times"),
        Figure("alerts stored, for each of three chats", toll.alerts, "alerts"),
        Figure("alerts lost", toll.lost, "alerts"),
        Figure("messages under way when killed: outcome unknown", toll.uncertain, "messages"),
        Figure("messages that came twice", toll.twice, "messages"),
        Figure("of these, taken and never answered, which no program can know", toll.unanswered, "messages"),
        Figure("of these, taken from a connection that outlived the process", toll.after, "messages"),
        Figure(
            "of these, killed between their arrival and its record",
            toll.twice - toll.unanswered - toll.after,
            "messages",
        ),
        Figure("with a fallback channel, while Telegram comes and goes: kill -9", both.kills, "times"),
        Figure("alerts stored", both.alerts, "alerts"),
        Figure("alerts that came neither way", both.lost, "alerts"),
        Figure("alerts that went out by the fallback channel", both.outside, "alerts"),
        Figure("of these, alerts that came so twice", both.outside_twice, "alerts"),
        Figure("alerts that came by both ways: sent to the chat when it was back", both.both, "alerts"),
        Figure("messages to Telegram under way when killed: outcome unknown", both.uncertain, "messages"),
        Figure("messages to Telegram that came twice", both.twice, "messages"),
        Figure("took", time.perf_counter() - began, "s"),
    ]
    print(beside.table(figures) if beside else table(figures))
    if toll.lost or both.lost or toll.twice > toll.uncertain:
        raise SystemExit("An alert was lost, or came twice without cause.")


if __name__ == "__main__":
    main()
