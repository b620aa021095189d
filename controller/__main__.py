"""`python -m controller` was the program's name up to 0.1; it says what is used now."""

import sys

if __name__ == "__main__":
    sys.exit("The program is started by `switchboard` or `python -m switchboard` now; the settings are the same.")
