"""`python -m tests.chaos`: break the whole program on the stand-ins, fault by fault, and judge each by the contract.

`stage` runs the program with its accounts and looks at it from outside; `faults` and `outages` are the things that go
wrong, each with what docs/lifecycle.md expects of it; `trial` makes one row of one fault; `pairs` lets two meet at
random; `table` prints the rows.
"""
