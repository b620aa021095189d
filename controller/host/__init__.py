"""The machine or container around us: what it leaves free, what the kernel ended, and what is left to reap."""
