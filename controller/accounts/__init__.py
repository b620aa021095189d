"""The account domain: states, reasons and the lifecycle, as pure values and functions. No I/O, no clock."""
