"""What a control plane over HTTP answers when it refuses, as errors of Heavylift."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    ThrottledError,
    UnsupportedError,
)
from heavylift.platforms.control import denied
from heavylift.platforms.http import Request

EXPIRED = "7658"
"""The code of the error that tells that a listing can't go on from where it was."""
_MOST = 300
Told = tuple[str, str]
"""The reason that an error answer gives, as one word, and its message."""


def no_reason(_answer: Mapping[str, Any]) -> Told:
    """Tell nothing of an error answer's cause."""
    return "", ""


@dataclass(frozen=True)
class Reading:
    """How one platform refuses.

    :param told: finds reason and message in an error answer.
    :param permission: request line → the permission that it needs.
    :param off: reasons that tell of a service that is not switched on, or unknown there.
    :param slow: reasons that ask for fewer requests, whatever the status.
    :param absent: a path that is not known means that there is nothing of the kind; else that the server
        does not know the operation.
    """

    told: Callable[[Mapping[str, Any]], Told] = no_reason
    permission: Callable[[str], str] = str
    off: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()
    absent: bool = True

    def read(
        self, request: Request, status: int, _headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError | None:
        """Return what an error answer means."""
        reason, message = self._told(body)
        got = f"HTTP {status}" + "".join(f" {part}" for part in (reason, message[:_MOST]) if part)
        what = request.what
        if reason in self.off or status in (405, 501) or (status == 404 and not self.absent):
            return _off(what, got)
        if reason in self.slow:
            status = 429
        if status == 401:
            return _refused(what, got)
        if status == 403:
            return denied(what, got, self.permission(what))
        return _other(what, status, got)

    def _told(self, body: bytes) -> Told:
        try:
            answer = json.loads(body)
        except ValueError:
            return "", ""
        return self.told(answer) if isinstance(answer, Mapping) else ("", "")


def _off(what: str, got: str) -> HeavyliftError:
    return UnsupportedError(
        what,
        got=got,
        expected="an operation that is known and switched on there",
        state="nothing was changed",
        remedy="none, where the service is not used; otherwise switch its API on, or look it up by hand",
        code="7652",
    )


def _refused(what: str, got: str) -> HeavyliftError:
    return CredentialError(
        what,
        got=got,
        expected="credentials that are accepted",
        state="nothing was changed",
        remedy="renew the connection's credentials",
        code="7659",
    )


def _other(what: str, status: int, got: str) -> HeavyliftError:
    if status == 404:
        return NotFoundError(
            what,
            got=got,
            expected="something of that name",
            state="nothing was changed",
            remedy="none, where it was deleted meanwhile",
            code="7660",
        )
    if status == 410:
        return PermanentError(
            what,
            got=got,
            expected="the next page",
            state="nothing was changed",
            remedy="run the same command again",
            code=EXPIRED,
        )
    if status == 429:
        return ThrottledError(
            what,
            got=got,
            expected="an answer",
            state="nothing was changed",
            remedy="lower --max-requests",
            code="7661",
        )
    if status >= 500:
        return ServerUnavailableError(
            what,
            got=got,
            expected="an answer",
            state="nothing was changed",
            remedy="run the same command again; it goes on with what was not read",
            code="7654",
        )
    return PermanentError(
        what,
        got=got,
        expected="an answer",
        state="nothing was changed",
        remedy="mend what the answer names, or leave the type out (--skip)",
        code="7662",
    )


def not_json(what: str) -> HeavyliftError:
    """Return the error of an answer that is no JSON object: a proxy's page, or another server."""
    return ServerUnavailableError(
        what,
        got="an answer that is no JSON object",
        expected="the platform's API",
        state="nothing was concluded",
        remedy="check that the connection leads to the platform's API, and not to a proxy's page",
        code="7663",
    )
