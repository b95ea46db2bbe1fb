"""Started for every model: shuts the door behind the process, then becomes the model's own interpreter.

Run as a file by Heavylift's interpreter, with the limits as JSON and the command that follows. It imports
nothing but the standard library and knows nothing of Heavylift.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38


def main(arguments: list[str]) -> None:
    """Apply the limits in ``arguments[0]`` and run the rest."""
    limits = json.loads(arguments[0])
    libc = ctypes.CDLL(None, use_errno=True)
    # The process must not outlive who watches over it.
    libc.prctl(_DEATH_SIGNAL, signal.SIGKILL)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if os.getppid() != limits["parent"]:
        sys.exit(70)
    for name, value in limits["resources"].items():
        kind = getattr(resource, name)
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))
    os.environ["HEAVYLIFT_ISOLATION"] = _shut_off(libc)
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - the model's interpreter, no shell


def _shut_off(libc: Any) -> str:
    """Leave the network, and the right to look into other processes; tell how far that went."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return f"none: {os.strerror(ctypes.get_errno())}"
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            return f"network: {name}: {error.strerror}"
    return "network"


if __name__ == "__main__":
    main(sys.argv[1:])
