"""`python -m controller`: reads the settings, runs the program, and turns whatever is wrong into one clear line.

Exit codes: 0 after a stop that was asked for, 2 for something that a person must mend first, 1 for a bug.
"""

import asyncio
import os
import sys

from controller.datadir import DataDirError
from controller.driver import DriverError
from controller.logs import set_up_logging
from controller.settings import SettingsError, read_settings

EXIT_MEND = 2


def main() -> int:
    """Run the program; return its exit code."""
    os.umask(0o077)
    try:
        settings = read_settings()
    except SettingsError as error:
        return _mend(error)
    set_up_logging(settings.log_level, settings.log_format)
    from controller.app import serve  # the rest of the program is loaded only when it can run
    from handlers.chat import TokenRefusedError
    from storage.database import StorageError

    try:
        asyncio.run(serve(settings))
    except (DataDirError, StorageError, DriverError, TokenRefusedError) as error:
        return _mend(error)
    return 0


def _mend(error: Exception) -> int:
    sys.stderr.write(f"{error}\n")
    return EXIT_MEND


if __name__ == "__main__":
    sys.exit(main())
