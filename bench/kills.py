"""`python -m bench.kills [N] [--beside CHECKOUT]`: N kills (200) of the process in a storm of alerts.

With another checkout (`git worktree add`), both storms begin and end at the same moments, and both have the same load.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from bench.ending import ends_children
from bench.figures import Figure, side_by_side, table, written
from tests.handlers.alerts.kills import Toll, kill_again_and_again, kill_over_both_ways


@ends_children()
def main() -> None:
    """Kill, count and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=200)
    parser.add_argument("--beside", type=Path, help="another checkout, killed at the same moments")
    options = parser.parse_args()
    kills, beside = options.kills, options.beside
    with tempfile.TemporaryDirectory(prefix="switchboard-kills-") as folder:
        if beside is not None:
            toll, theirs = asyncio.run(kill_again_and_again(Path(folder), kills, time.time_ns(), beside.absolute()))
            print(side_by_side(_of_kills(toll), beside.name, {each.what: written(each) for each in _of_kills(theirs)}))
        else:
            (toll,) = asyncio.run(kill_again_and_again(Path(folder), kills, time.time_ns()))
            print(table(_of_kills(toll)))
            (Path(folder) / "both").mkdir()
            both = asyncio.run(kill_over_both_ways(Path(folder) / "both", kills, time.time_ns()))
            print(table(_over_both_ways(both)))
            toll.lost += both.lost
    if toll.lost or toll.twice > toll.uncertain:
        raise SystemExit("An alert was lost, or came twice without cause.")


def _of_kills(toll: Toll) -> list[Figure]:
    per_thousand = 1000 * toll.unrecorded / max(1, toll.messages)
    return [
        Figure("kill -9 in a storm", toll.kills, "times"),
        Figure("alerts stored, for each of three chats", toll.alerts, "alerts"),
        Figure("alerts lost", toll.lost, "alerts"),
        Figure("messages that the chats got", toll.messages, "messages"),
        Figure("messages under way when killed: outcome unknown", toll.uncertain, "messages"),
        Figure("messages that came twice", toll.twice, "messages"),
        Figure("of these, taken and never answered, which no program can know", toll.unanswered, "messages"),
        Figure("of these, taken from a connection that outlived the process", toll.after, "messages"),
        Figure("of these, killed between their arrival and its record", toll.unrecorded, "messages"),
        Figure("the latter, of 1,000 messages", per_thousand, "messages"),
    ]


def _over_both_ways(toll: Toll) -> list[Figure]:
    return [
        Figure("with a fallback channel, while Telegram comes and goes: kill -9", toll.kills, "times"),
        Figure("alerts stored", toll.alerts, "alerts"),
        Figure("alerts that came neither way", toll.lost, "alerts"),
        Figure("alerts that went out by the fallback channel", toll.outside, "alerts"),
        Figure("of these, alerts that came so twice", toll.outside_twice, "alerts"),
        Figure("alerts that came by both ways: sent to the chat when it was back", toll.both, "alerts"),
        Figure("messages to Telegram under way when killed: outcome unknown", toll.uncertain, "messages"),
        Figure("messages to Telegram that came twice", toll.twice, "messages"),
    ]


if __name__ == "__main__":
    main()
