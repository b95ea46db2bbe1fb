"""What a process listens on."""

from __future__ import annotations

import psutil

from sandbox.processes import Ident


def listens_on(ident: Ident) -> list[tuple[str, int]]:
    """Return addresses and ports; none of a process that has just ended."""
    try:
        found = psutil.Process(ident.pid).net_connections()
    except psutil.NoSuchProcess:
        return []
    return [(each.laddr.ip, each.laddr.port) for each in found if each.status == psutil.CONN_LISTEN]
