"""`python -m bench.cluster`: a simulated month of 100 machines with 50 accounts each, failing at random (minutes)."""

import argparse
import time

from tests.controller.cluster.simulation import DAY, Cluster


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--accounts", type=int, default=50, help="on each host")
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.monotonic()
    cluster = Cluster(args.hosts, args.hosts * args.accounts, seed=args.seed).run(args.days * DAY)
    moves = sorted(cluster.moves) or [0.0]
    print(f"{args.hosts} hosts × {args.accounts} accounts, {args.days:g} days, seed {args.seed}")
    print(f"faults: {cluster.faults}; deaths of hosts: {sum(cluster.deaths.values())} {dict(cluster.deaths)}")
    print(f"accounts that ran twice: {len(cluster.overlaps)}")
    print(f"availability: {cluster.availability:.5%}")
    print(f"connected again after: median {moves[len(moves) // 2]:.0f} s, p99 {moves[int(len(moves) * 0.99)]:.0f} s")
    print(f"({time.monotonic() - began:.0f} s of real time)")


if __name__ == "__main__":
    main()
