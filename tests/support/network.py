"""Keeps the lower test layers off the network.

CPython raises an audit event before every connect and every name lookup, so one hook sees them all,
whichever library asks. Two callers escape it because they never go through Python's socket module:
uvloop's own transports and libraries written in C (libpq, the AWS runtime). Tests of those belong to
the integration layer, where the network is open.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any


class NetworkPolicy(Enum):
    """How far a test may reach."""

    CLOSED = "closed"
    LOOPBACK = "loopback"
    OPEN = "open"


class NetworkBlockedError(RuntimeError):
    """A test reached further than its layer may.

    Not an OSError, so that code under test which retries network errors cannot swallow it.
    """


_policy = NetworkPolicy.OPEN
_installed = False
_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


def install() -> None:
    """Add the audit hook; a second call does nothing, for a hook cannot be taken back."""
    global _installed
    if not _installed:
        sys.addaudithook(_audit)
        _installed = True


@contextmanager
def limit_to(policy: NetworkPolicy) -> Iterator[None]:
    """Apply *policy* to the whole process for the length of the block."""
    global _policy
    before, _policy = _policy, policy
    try:
        yield
    finally:
        _policy = before


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _policy is NetworkPolicy.OPEN:
        return
    if event in _CONNECTING:
        _check_address(args[1])
    elif event == "socket.getaddrinfo":
        _check_host(args[0])


def _check_address(address: object) -> None:
    # A UNIX path (text or bytes) or None stays on this machine.
    if isinstance(address, tuple):
        _check_host(address[0], connecting=True)


def _check_host(host: object, *, connecting: bool = False) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not isinstance(name, str):
        return
    local = _is_loopback(name)
    # Looking up one's own name sends nothing; connecting to it does.
    if local and (_policy is NetworkPolicy.LOOPBACK or not connecting):
        return
    act = "connect to" if connecting else "look up"
    raise NetworkBlockedError(
        f"this test may not {act} {name!r}: the network is {_policy.value} in its layer; "
        "use a fake, or move the test to tests/integration/"
    )


def _is_loopback(host: str) -> bool:
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
