"""What AWS's control plane answers when it refuses, as errors of Heavylift."""

from __future__ import annotations

import re
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

_DENIED = re.compile(
    r"AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized|^Forbidden$|^403$|AccessDeniedException"
)
_BAD_KEYS = re.compile(
    r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidAccessKeyId|AuthFailure"
    r"|ExpiredToken|InvalidSignature|IncompleteSignature|MissingAuthenticationToken|OptInRequired"
)
_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ProvisionedThroughputExceeded"
)
_GONE = re.compile(
    r"NotFound|NoSuch|ResourceNotFound|DoesNotExist|EntityNotFound|NonExistentQueue|NotExist|^404$"
)
_GONE_TEXT = re.compile(r"could not find|does not exist|not found|no such", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"NotImplemented|UnknownOperation|InvalidAction|UnsupportedOperation|^501$|MethodNotAllowed"
)
_VALIDATION = re.compile(r"Validation|InvalidParameter|InvalidInput")
_SECRET = re.compile(r"(?i)(signature|credential|token|secret|password)\S*\s*[=:]\s*\S+|[0-9a-f]{64}")
_MOST = 300


def refusal(what: str, response: Any, permission: str) -> HeavyliftError:
    """Return the error that an error answer means.

    :param what: the call, for the message.
    :param permission: what the call needs.
    """
    told = response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    got = _shown(f"{code}: {message}")
    if _DENIED.search(code):
        return denied(what, got, permission)
    if _BAD_KEYS.search(code):
        return CredentialError(
            what,
            got=got,
            expected="credentials that AWS accepts in this region",
            state="nothing was changed",
            remedy="renew the credentials; a region that is not enabled for the account refuses all of them",
            code="7602",
        )
    if _THROTTLED.search(code) or status == 429:
        return ThrottledError(
            what,
            got=got,
            expected="an answer",
            state="nothing was changed",
            remedy="lower --max-requests",
            code="7603",
        )
    if _UNKNOWN.search(code) or status == 501:
        return UnsupportedError(
            what,
            got=got,
            expected="an operation that the server knows",
            state="nothing was changed",
            remedy="look up by hand what this type has there",
            code="7604",
        )
    if _GONE.search(code) or (_VALIDATION.search(code) and _GONE_TEXT.search(message)):
        return NotFoundError(
            what,
            got=got,
            expected="something of that name",
            state="nothing was changed",
            remedy="none, where it was deleted meanwhile",
            code="7605",
        )
    if status >= 500 or not code:
        return ServerUnavailableError(
            what,
            got=got or f"HTTP {status}",
            expected="an answer",
            state="nothing was changed",
            remedy="run the same command again; it goes on with what was not read",
            code="7606",
        )
    return PermanentError(
        what,
        got=got,
        expected="an answer",
        state="nothing was changed",
        remedy="mend what the answer names, or leave the type out (--skip)",
        code="7607",
    )


def unreachable(what: str, error: Exception) -> ServerUnavailableError:
    """Return the error of a call that had no answer."""
    return ServerUnavailableError(
        what,
        got=type(error).__name__,
        expected="an answer",
        state="nothing was changed",
        remedy="check that the service's endpoint is reachable from here",
        code="7608",
    )


def _shown(text: str) -> str:
    return _SECRET.sub("***", " ".join(text.split()))[:_MOST].rstrip(": ")
