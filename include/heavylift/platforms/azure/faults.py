"""What Blob Storage's error answers mean.

Codes: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    PreconditionError,
    ServerUnavailableError,
    ThrottledError,
)
from heavylift.platforms.azure.permissions import permission_of
from heavylift.platforms.azure.xml import parse
from heavylift.platforms.http import Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.tokens import CloudRequest, TokenCache

_THROTTLED = frozenset({"ServerBusy", "IngressOverAccountLimit", "EgressOverAccountLimit", "TooManyRequests"})
_PASSING_CODES = frozenset({"ContainerBeingDeleted", "OperationTimedOut", "InternalError"})
_PASSING = frozenset({408, 500, 502, 503, 504})
_DAMAGED = frozenset({"Md5Mismatch", "Crc64Mismatch"})
_SHOWN = 200

NO_CONTAINER = "3374"
"""Code of the error for a container that does not exist."""


@dataclass(frozen=True)
class Fault:
    """One error answer."""

    status: int
    code: str
    message: str

    @property
    def shown(self) -> str:
        """The answer in one line. Details of failed signatures are never read, so never shown."""
        detail = ": ".join(part for part in (self.code, self.message) if part)
        return f"HTTP {self.status}" + (f" ({detail})" if detail else "")


def read_fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Read an error answer; the answer to a HEAD has no body and tells its code in a header."""
    code = headers.get("x-ms-error-code", "")
    try:
        error = parse(body)
    except (ValueError, IndexError):
        return Fault(status, code, "")
    # The lines after the first hold ids and times.
    message = error.get("Message").partition("\n")[0][:_SHOWN]
    return Fault(status, code or error.get("Code"), message)


class ErrorReading:
    """Reads error answers of one store.

    :param tokens: renewed once when a request is refused; None without bearer tokens.
    """

    def __init__(self, tokens: TokenCache | None) -> None:
        self._tokens = tokens

    def __call__(
        self, request: Request, status: int, headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError:
        """Return the error that the answer means."""
        fault = read_fault(status, headers, body)
        if status == 401 and self._tokens is not None and self._tokens.renew_after(request):
            return ServerUnavailableError(
                request.what,
                got=fault.shown,
                expected="a token that is accepted",
                state="the token was dropped; the next attempt fetches another",
                remedy="run again",
                code="3370",
            )
        return error_of(request, fault)


def error_of(request: Request, fault: Fault) -> HeavyliftError:
    """Return the error of a request's fault."""
    if fault.status == 429 or fault.code in _THROTTLED:
        return ThrottledError(
            request.what,
            got=fault.shown,
            expected="an answer",
            state="this request had no effect",
            remedy="lower the concurrency, or wait",
            code="3371",
        )
    if fault.status in _PASSING or fault.code in _PASSING_CODES:
        return ServerUnavailableError(
            request.what,
            got=fault.shown,
            expected="an answer",
            state="unknown whether the request had its effect; asking again is safe",
            remedy="run again later",
            code="3372",
        )
    if fault.status == 507:
        return error_for_status(request.what, fault.status, fault.code)
    if fault.status in {401, 403}:
        return _refused(request, fault)
    if fault.status == 404 or (fault.code == "InvalidResourceName" and "restype=container" in request.url):
        return _not_found(request, fault)
    if fault.status in {304, 409, 412}:
        return _conflict(request, fault)
    return _other(request, fault)


def _refused(request: Request, fault: Fault) -> CredentialError:
    return CredentialError(
        request.what,
        got=fault.shown,
        expected="permission",
        state="this blob was not changed",
        remedy=f"give it what this needs, {permission_of(request)}; check also the key, the SAS's"
        " times, this machine's clock and the account's firewall",
        code="3373",
    )


def _not_found(request: Request, fault: Fault) -> NotFoundError:
    is_container = fault.code in {"ContainerNotFound", "ResourceNotFound", "InvalidResourceName"}
    return NotFoundError(
        request.what,
        got=fault.shown,
        expected="an existing container" if is_container else "an existing blob and container",
        state="nothing was changed",
        remedy="create the container or correct its name" if is_container else "correct the URL; list again",
        code=NO_CONTAINER if is_container else "3375",
    )


def _conflict(request: Request, fault: Fault) -> HeavyliftError:
    if fault.code == "BlobAlreadyExists" or (
        fault.status == 412
        and fault.code in {"", "ConditionNotMet"}
        and isinstance(request, CloudRequest)
        and request.creates
    ):
        return AlreadyExistsError(
            request.what,
            got=f"a blob with this name: {fault.shown}",
            expected="none",
            state="the existing blob was not touched",
            remedy="compare it with the source, then remove it or allow overwriting in the spec",
            code="3376",
        )
    if fault.status in {304, 412} and fault.code in {"", "ConditionNotMet"}:
        return changed(request.what, fault.shown, "the ETag that was listed")
    return ConflictError(
        request.what,
        got=fault.shown,
        expected="a blob that may be read or replaced: not leased, archived, immutable or of another type",
        state="nothing was changed",
        remedy="see the code: end the lease, rehydrate the blob, or wait until the policy ends",
        code="3377",
    )


def changed(what: str, got: str, expected: str) -> PreconditionError:
    """Return the error for a blob that is no longer what was listed."""
    return PreconditionError(
        what,
        got=got,
        expected=expected,
        state="nothing was changed",
        remedy="run again: the new version is then found and moved",
        code="3378",
    )


def _other(request: Request, fault: Fault) -> HeavyliftError:
    if fault.code in _DAMAGED or (fault.code == "InvalidOperation" and "MD5" in fault.message):
        return IntegrityError(
            request.what,
            got=fault.shown,
            expected="the bytes that were sent",
            state="Blob Storage refused them; nothing is visible",
            remedy="run again; if it recurs, look for a proxy or memory that changes bytes",
            code="3379",
        )
    return PermanentError(
        request.what,
        got=fault.shown,
        expected="success",
        state="this request had no effect",
        remedy="see the code",
        code="3380",
    )
