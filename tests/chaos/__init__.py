"""`python -m tests.chaos`: break the whole program on the stand-ins, fault by fault, and judge each by the contract.

`stage` runs the program with its accounts and observes it from outside; `faults` and `outages` are the faults, each
with what docs/lifecycle.md expects of it; `trial` runs one fault and returns its row; `pairs` combines two at
random; `table` prints the rows.
"""
