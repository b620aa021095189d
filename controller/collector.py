"""How often Python's garbage collector looks: seldom, since nearly everything here lives long and dies by its count.

With 10,000 accounts and Python's own thresholds, half of an idle program's time is spent looking at objects that stay.
"""

import gc

YOUNG = 10_000
"""Allocations beyond releases before the young objects are looked at; Python's own is 700 to 2,000."""
MIDDLE, OLD = 20, 50
"""Looks at one generation before the next older is looked at too; Python's own are 10."""


def tune_collector() -> None:
    """Set the thresholds, once, at start."""
    gc.set_threshold(YOUNG, MIDDLE, OLD)
