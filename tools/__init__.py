"""Commands for developers and for `make`; nothing here is needed while the program runs."""
