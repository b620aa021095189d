"""The tests. Signals that a shell makes its background jobs ignore are restored for whatever the tests start."""

import signal

for _number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL if _number is signal.SIGHUP else signal.default_int_handler)
