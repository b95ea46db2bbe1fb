"""What Cloud Storage's error answers mean (https://cloud.google.com/storage/docs/json_api/v1/status-codes)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from heavylift.errors import (
    AlreadyExistsError,
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
    ThrottledError,
)
from heavylift.platforms.gcp.permissions import permission_of
from heavylift.platforms.http import Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.tokens import CloudRequest, TokenCache

_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})
_PASSING = frozenset({408, 409, 500, 502, 503, 504})
_SHOWN = 300


@dataclass(frozen=True)
class Fault:
    """One error answer."""

    status: int
    reason: str
    message: str

    @property
    def shown(self) -> str:
        """The answer in one line; Cloud Storage puts no credential into its messages."""
        detail = ": ".join(part for part in (self.reason, self.message[:_SHOWN]) if part)
        return f"HTTP {self.status}" + (f" ({detail})" if detail else "")


def read_fault(status: int, body: bytes) -> Fault:
    """Read an error body; one that is not Cloud Storage's JSON is shown as text."""
    try:
        error = json.loads(body)["error"]
        details = error.get("errors") or [{}]
        return Fault(status, str(details[0].get("reason", "")), str(error.get("message", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Fault(status, "", " ".join(body[:_SHOWN].decode("utf-8", "replace").split()))


class ErrorReading:
    """Reads error answers of one store.

    :param tokens: renewed once when a request is refused; None for anonymous access.
    """

    def __init__(self, tokens: TokenCache | None) -> None:
        self._tokens = tokens

    def __call__(
        self, request: Request, status: int, headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError:
        """Return the error that the answer means."""
        fault = read_fault(status, body)
        if status == 401 and self._tokens is not None and self._tokens.renew_after(request):
            return ServerUnavailableError(
                request.what,
                got=fault.shown,
                expected="a token that is accepted",
                state="the token was dropped; the next attempt fetches another",
                remedy="run again",
                code="3256",
            )
        return error_of(request, fault)


def error_of(request: Request, fault: Fault) -> HeavyliftError:
    """Return the error of a request's fault."""
    if fault.status == 429 or fault.reason in _THROTTLED:
        return ThrottledError(
            request.what,
            got=fault.shown,
            expected="an answer",
            state="this request had no effect",
            remedy="lower the concurrency, or wait",
            code="3255",
        )
    if fault.status in _PASSING:
        return ServerUnavailableError(
            request.what,
            got=fault.shown,
            expected="an answer",
            state="unknown whether the request had its effect; asking again is safe",
            remedy="run again later",
            code="3267",
        )
    if fault.status == 507:
        return error_for_status(request.what, fault.status, fault.reason)
    if fault.status in {401, 403}:
        return CredentialError(
            request.what,
            got=fault.shown,
            expected="permission",
            state="this object was not changed",
            remedy=f"grant the identity {permission_of(request)} on the bucket",
            code="3257",
        )
    if fault.status == 404:
        return _not_found(request, fault)
    if fault.status in {304, 412}:
        return _precondition(request, fault)
    return _refused(request, fault)


def _not_found(request: Request, fault: Fault) -> NotFoundError:
    is_bucket = "bucket" in fault.message.lower() and "object" not in fault.message.lower()
    return NotFoundError(
        request.what,
        got=fault.shown,
        expected="an existing bucket" if is_bucket else "an existing bucket, and the object in it",
        state="nothing was changed",
        remedy="create the bucket or correct its name"
        if is_bucket
        else "create it, or correct the URL; list again",
        code="3259" if is_bucket else "3269",
    )


def _precondition(request: Request, fault: Fault) -> HeavyliftError:
    if isinstance(request, CloudRequest) and request.creates:
        return already_exists(request.what, fault.shown)
    return changed(request.what, fault.shown, "the generation that was listed")


def already_exists(what: str, got: str) -> AlreadyExistsError:
    """Return the error for a create-only write that found something there."""
    return AlreadyExistsError(
        what,
        got=f"an object with this name: {got}",
        expected="none",
        state="the existing object was not touched",
        remedy="compare it with the source, then remove it or allow overwriting in the spec",
        code="3254",
    )


def changed(what: str, got: str, expected: str) -> PreconditionError:
    """Return the error for an object that is no longer what was listed."""
    return PreconditionError(
        what,
        got=got,
        expected=expected,
        state="nothing was changed",
        remedy="run again: the new version is then found and moved",
        code="3253",
    )


def _refused(request: Request, fault: Fault) -> HeavyliftError:
    if (
        fault.status == 400
        and "match" in fault.message
        and ("CRC32C" in fault.message or "MD5" in fault.message)
    ):
        return IntegrityError(
            request.what,
            got=fault.shown,
            expected="the bytes that were sent",
            state="Cloud Storage refused the object; nothing is visible",
            remedy="run again; if it recurs, look for a proxy or memory that changes bytes",
            code="3258",
        )
    return PermanentError(
        request.what,
        got=fault.shown,
        expected="success",
        state="this request had no effect",
        remedy="see Cloud Storage's message",
        code="3271",
    )
