"""``python -m heavylift``, and the script ``heavylift``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import NoReturn

_COLLECT_AFTER = 200_000
"""Objects between two collections while modules are imported: more than a command imports, nearly all of
which stays. :mod:`heavylift.aio` sets a number of its own for the work itself."""


def main() -> None:
    """Run the command line with the process's arguments and exit with its status."""
    gc.set_threshold(_COLLECT_AFTER)
    # pydantic looks for plug-ins in the metadata of every installed package; none is wanted here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    from heavylift.cli import app
    from heavylift.cli.run import run, stop_on_sigterm

    stop_on_sigterm()
    _leave(run(app, sys.argv[1:]))


def _leave(status: int) -> NoReturn:
    """End the process at once, as a forked child of multiprocessing ends.

    Python would first take every module and object apart, a sixth of a short command's time, though all
    of it goes with the process. By now no work is left, in no thread, and what was printed is flushed.
    """
    if sys.getprofile() is not None or sys.gettrace() is not None:
        sys.exit(status)  # who looks on has something to write yet
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
