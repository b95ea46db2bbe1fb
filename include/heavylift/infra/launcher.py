"""Stands between a worker and terraform: when the worker is killed, terraform is told to stop, and ends well.

Run as a file by Heavylift's interpreter, with the worker's process id and the command that follows. It
imports nothing but the standard library and knows nothing of Heavylift.

A signal at the worker's death (``PR_SET_PDEATHSIG``) would do without this process, but comes once for each
thread of the worker, and terraform takes a second interrupt for an order to leave everything where it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.3
ORPHANED = 70
"""The exit status where the worker was gone before the command began."""


def main(arguments: list[str]) -> None:
    """Run the command in ``arguments[1:]``, and end as it does."""
    worker = int(arguments[0])
    if os.getppid() != worker:
        sys.exit(ORPHANED)
    process = subprocess.Popen(arguments[1:], stdin=subprocess.DEVNULL)  # noqa: S603  (the user's terraform)

    def interrupt(*_signal: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, interrupt)
    threading.Thread(target=_watch, args=(worker, interrupt), daemon=True).start()
    status = process.wait()
    if status < 0:
        # As it was killed, so is this: whoever waits sees the same end.
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _watch(worker: int, interrupt: Callable[[], None]) -> None:
    """Interrupt once, when the worker has gone: its state is kept then, and its lock released."""
    while os.getppid() == worker:
        time.sleep(_LOOK_SECONDS)
    interrupt()


if __name__ == "__main__":
    main(sys.argv[1:])
