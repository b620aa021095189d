"""What an account is and what follows from what happens to it: pure values and functions, no I/O, no clock."""
