"""``python -m heavylift``, and the script ``heavylift``."""

from __future__ import annotations

import gc
import os
import sys

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
    status = run(app, sys.argv[1:])
    # Python's end looks for garbage among all there is, several times, which takes a sixth of a short
    # command; all of it goes with the process anyway.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
