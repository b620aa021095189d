"""`python -m controller` ran the program up to 0.1; now it prints the command to use instead."""

import sys

if __name__ == "__main__":
    sys.exit("The program is started by `switchboard` or `python -m switchboard` now; the settings are the same.")
