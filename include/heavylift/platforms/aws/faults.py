"""S3's error codes as errors of Heavylift.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. Only the code and
message of an answer are shown; a refused signature's answer also holds the string to sign.
"""

from __future__ import annotations

import re
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
    UnsupportedError,
)
from heavylift.platforms.aws.xml import MalformedXmlError, parse
from heavylift.platforms.http import Request, error_for_status

_SECRET = re.compile(r"[0-9a-f]{64}|(?i:signature|credential|token)=\S+")
_MAX_MESSAGE = 300


@dataclass(frozen=True)
class S3Fault:
    """What an error answer says."""

    status: int
    code: str = ""
    message: str = ""
    region: str = ""

    @property
    def shown(self) -> str:
        """The answer in one line, for a message."""
        text = " ".join(part for part in (f"HTTP {self.status}", self.code) if part)
        return f"{text}: {self.message}" if self.message else text


def read_fault(status: int, headers: Mapping[str, str], body: bytes) -> S3Fault:
    """Read an error answer; one without an S3 body keeps just its status."""
    region = headers.get("x-amz-bucket-region", "")
    try:
        root = parse(body) if body.lstrip()[:1] == b"<" else None
    except MalformedXmlError:
        root = None
    if root is None or root.name != "Error":
        return S3Fault(status, region=region)
    message = _SECRET.sub("***", " ".join(root.get("Message").split()))[:_MAX_MESSAGE]
    return S3Fault(status, root.get("Code"), message, region or root.get("Region"))


@dataclass(frozen=True)
class _Kind:
    error: type[HeavyliftError]
    code: str
    expected: str = ""
    remedy: str = ""
    state: str = "nothing was changed"


_THROTTLED = _Kind(ThrottledError, "3120", "", "lower the concurrency or wait")
_UNAVAILABLE = _Kind(
    ServerUnavailableError, "3121", "", "run again later", "unknown whether the request had its effect"
)
_NO_KEY = _Kind(NotFoundError, "3122", "an existing object", "check that it was not deleted meanwhile")
_NO_BUCKET = _Kind(NotFoundError, "3123", "an existing bucket", "create the bucket, or correct the URL")
_NO_UPLOAD = _Kind(
    NotFoundError,
    "3124",
    "a multipart upload in progress",
    "begin again: it was completed, aborted or expired",
)
_DENIED = _Kind(
    CredentialError, "3125", "permission", "give the connection's identity the permission that this act needs"
)
_BAD_KEYS = _Kind(
    CredentialError,
    "3126",
    "valid credentials",
    "correct login (access key) and password (secret) of the connection",
)
_EXPIRED = _Kind(
    CredentialError,
    "3127",
    "current credentials",
    "renew the session, or use a role or profile that renews itself",
)
_CLOCK = _Kind(
    CredentialError, "3128", "a clock within 15 minutes of the server's", "set this machine's clock (NTP)"
)
_CORRUPT = _Kind(
    IntegrityError,
    "3129",
    "the bytes whose checksum was sent",
    "run again; if it repeats, look for a faulty proxy",
)
_REGION = _Kind(PermanentError, "3130", "the bucket's own region or endpoint", "set extra.region_name")
_EXISTS = _Kind(
    AlreadyExistsError, "3131", "no object of that name", "leave it, or allow overwriting in the spec"
)
_CHANGED = _Kind(
    PreconditionError, "3132", "the version that was listed", "run again: the new version is found and moved"
)
_ARCHIVED = _Kind(
    UnsupportedError,
    "3133",
    "an object that can be read at once",
    "restore it from its archive class, then run again",
)
_CONFLICT = _Kind(
    ServerUnavailableError, "3134", "no other writer of this key", "run again once the other writer is done"
)
_REFUSED = _Kind(UnsupportedError, "3135", "a request that this server supports", "see the server's message")

_KINDS = {
    **dict.fromkeys(
        (
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "RequestLimitExceeded",
            "TooManyRequests",
            "BandwidthLimitExceeded",
            "RequestThrottled",
        ),
        _THROTTLED,
    ),
    **dict.fromkeys(
        ("RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "IncompleteBody"),
        _UNAVAILABLE,
    ),
    "NoSuchKey": _NO_KEY,
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchUpload": _NO_UPLOAD,
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidPayer"), _DENIED),
    **dict.fromkeys(
        (
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "InvalidSecurity",
            "InvalidToken",
            "UnauthorizedAccess",
        ),
        _BAD_KEYS,
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired"), _CLOCK),
    **dict.fromkeys(
        ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"),
        _CORRUPT,
    ),
    **dict.fromkeys(
        (
            "PermanentRedirect",
            "TemporaryRedirect",
            "Redirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ),
        _REGION,
    ),
    "InvalidObjectState": _ARCHIVED,
    "ConditionalRequestConflict": _CONFLICT,
    "NotImplemented": _REFUSED,
}


def error_of(request: Request, fault: S3Fault) -> HeavyliftError:
    """Return the error of a request that S3 refused."""
    kind = _kind_of(request, fault)
    if kind is None:
        return error_for_status(request.what, fault.status, _detail(fault))
    got, remedy = fault.shown, kind.remedy
    if kind is _REGION and fault.region:
        got += f" (the bucket is in {fault.region})"
        remedy = f"set extra.region_name of the connection to {fault.region}"
    return kind.error(
        request.what,
        got=got,
        expected=kind.expected,
        state=kind.state,
        remedy=remedy,
        code=kind.code,
    )


def _detail(fault: S3Fault) -> str:
    return f"{fault.code}: {fault.message}" if fault.code else ""


def _kind_of(request: Request, fault: S3Fault) -> _Kind | None:
    if fault.status == 412:
        return _EXISTS if "if-none-match" in request.headers else _CHANGED
    if fault.status in {301, 302, 307, 308}:
        return _REGION
    if fault.code in _KINDS:
        return _KINDS[fault.code]
    if fault.status == 403 and not fault.code:
        return _DENIED
    if fault.status == 409 and "if-none-match" in request.headers:
        return _CONFLICT
    return None


def is_expiry(request: Request, fault: S3Fault) -> bool:
    """Return whether fresh credentials may help: a HEAD's bare 400 may hide an expired token."""
    if fault.code:
        return _KINDS.get(fault.code) is _EXPIRED
    return request.method == "HEAD" and fault.status == 400
