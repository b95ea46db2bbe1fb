"""Choosing TCP ports on the loopback interface."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping, Sequence

from heavylift.errors import ConnectionConfigError, ServerUnavailableError

# Below Linux's and macOS's ephemeral ranges, so that no outgoing connection takes a port
# between the moment it is chosen and the moment the server binds it.
_RANGE = (20000, 31999)
_TRIES = 400


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def configured(server: str, environ: Mapping[str, str] = os.environ) -> int | None:
    """Return the port that ``HEAVYLIFT_PORT_<SERVER>`` asks for, or None.

    :raises ConnectionConfigError: the variable is set to something that is no port.
    """
    variable = f"HEAVYLIFT_PORT_{server.upper()}"
    text = environ.get(variable, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65535:
        raise ConnectionConfigError(
            f"choosing the port of {server}",
            got=f"{variable}={text!r}",
            expected="a number between 1 and 65535",
            state="nothing was started",
            remedy=f"correct or unset {variable}",
            code="9001",
        )
    return int(text)


def choose(
    server: str,
    roles: Sequence[str],
    *,
    before: Mapping[str, int],
    taken: set[int],
    environ: Mapping[str, str] = os.environ,
) -> dict[str, int]:
    """Return a port for each role of a server; chosen ports are added to ``taken``.

    The configured port goes to the first role. Ports of an earlier start are kept where they are
    still free, so that exported environments stay valid.

    :raises ConnectionConfigError: a configured port is in use by somebody else.
    :raises ServerUnavailableError: no free port was found.
    """
    chosen: dict[str, int] = {}
    wanted = configured(server, environ)
    for index, role in enumerate(roles):
        if index == 0 and wanted is not None:
            port = _demand(server, wanted, taken)
        else:
            port = _find(server, before.get(role), taken)
        chosen[role] = port
        taken.add(port)
    return chosen


def _demand(server: str, port: int, taken: set[int]) -> int:
    if port in taken or not is_free(port):
        raise ConnectionConfigError(
            f"choosing the port of {server}",
            got=f"port {port} in use",
            expected="a free port",
            state="nothing was started",
            remedy=f"end what listens there, or change HEAVYLIFT_PORT_{server.upper()}",
            code="9002",
        )
    return port


def _find(server: str, before: int | None, taken: set[int]) -> int:
    if before is not None and before not in taken and is_free(before):
        return before
    source = random.SystemRandom()
    for _ in range(_TRIES):
        port = source.randint(*_RANGE)
        if port not in taken and is_free(port):
            return port
    raise ServerUnavailableError(
        f"choosing a port for {server}",
        got=f"none free in {_TRIES} tries between {_RANGE[0]} and {_RANGE[1]}",
        state="nothing was started",
        remedy=f"end other servers, or set HEAVYLIFT_PORT_{server.upper()} to a free port",
        code="9003",
    )
