"""What goes wrong over HTTP, as errors of Heavylift: by status, or for want of an answer."""

from __future__ import annotations

import ssl

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    NoRoomError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
    ThrottledError,
)

FORBIDDEN = "3003"
"""The code of the ``CredentialError`` of one act that these credentials may not do."""


def error_for_status(what: str, status: int, detail: str) -> HeavyliftError:
    """Return the error of an HTTP status.

    :param detail: the store's own error code or message; never a credential.
    """
    got = f"HTTP {status}" + (f" {detail}" if detail else "")
    if status in {401, 403}:
        return CredentialError(
            what,
            got=got,
            expected="permission",
            state="this object was not changed",
            remedy="give the connection's identity the permission that this act needs",
            code="3003",
        )
    if status == 404:
        return NotFoundError(
            what,
            got=got,
            expected="an existing object and container",
            state="nothing was changed",
            remedy="check the URL and that it was not deleted meanwhile",
            code="3004",
        )
    if status in {412, 304}:
        return PreconditionError(
            what,
            got=got,
            expected="the version that was listed",
            state="nothing was changed",
            remedy="run again: the new version is then found and moved",
            code="3007",
        )
    if status == 429:
        return ThrottledError(what, got=got, remedy="lower the concurrency or wait", code="3001")
    if status in {408, 500, 502, 503, 504}:
        return ServerUnavailableError(what, got=got, remedy="run again later", code="3002")
    if status == 507:
        return NoRoomError(
            what,
            got=got,
            expected="room for the object",
            state="nothing of this object is visible",
            remedy="free space or raise the quota, then run again",
            code="3010",
        )
    return PermanentError(
        what,
        got=got,
        expected="success",
        state="this request had no effect",
        remedy="see the store's message",
        code="3000",
    )


def no_answer(what: str, error: BaseException) -> HeavyliftError:
    """Return the error of a request that got no whole answer; no URL shows in it."""
    if isinstance(error, ssl.SSLError):
        return PermanentError(
            what,
            got=f"no trusted TLS connection ({error})",
            expected="a certificate of a known authority for this host",
            state="nothing was sent",
            remedy="name the authority's certificates in the connection, or correct the host of the endpoint",
            code="3008",
        )
    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return ServerUnavailableError(
        what,
        got=f"no complete answer ({detail})",
        expected="an answer",
        state="unknown whether the request had its effect; asking again is safe",
        remedy="check that the endpoint is up and reachable from here",
        code="3005",
    )


def no_attempt(what: str) -> ServerUnavailableError:
    """Return the error of a client that may not try even once."""
    return ServerUnavailableError(
        what, got="no attempt allowed", remedy="set attempts to at least 1", code="3006"
    )
