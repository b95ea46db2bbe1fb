"""Runs one server and ends it, with all that it started, when whoever asked for it is gone: a program.

``python guard.py COMMAND…``: as long as standard input is open, the server is held up; at its end, which the
kernel brings about however the other side ends, the server's whole group is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


def main(argv: list[str]) -> int:
    """Run the command; return its status."""
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 (no shell)
    threading.Thread(target=_until_gone, args=(server.pid,), daemon=True).start()
    return server.wait()


def _until_gone(group: int) -> None:
    while os.read(0, 4096):
        pass
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
