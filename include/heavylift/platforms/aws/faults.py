"""S3's error answers as errors of Heavylift.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. Only the code and
message of an answer are shown; a refused signature's answer also holds the string to sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from heavylift.errors import HeavyliftError
from heavylift.platforms.aws import refusals
from heavylift.platforms.aws.permissions import permission_of
from heavylift.platforms.aws.xml import MalformedXmlError, parse
from heavylift.platforms.http import Request
from heavylift.platforms.http_errors import error_for_status

_SECRET = re.compile(r"[0-9a-f]{64}|(?i:signature|credential|token)=\S+")
_MAX_MESSAGE = 300
_REDIRECTS = frozenset({301, 302, 307, 308})

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_ELSEWHERE = frozenset(
    {
        "PermanentRedirect",
        "TemporaryRedirect",
        "Redirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    }
)
_REFUSALS: Mapping[str, Callable[[str, str], HeavyliftError]] = {
    "SlowDown": refusals.throttled,
    "Throttling": refusals.throttled,
    "ThrottlingException": refusals.throttled,
    "RequestThrottled": refusals.throttled,
    "RequestLimitExceeded": refusals.throttled,
    "TooManyRequests": refusals.throttled,
    "BandwidthLimitExceeded": refusals.throttled,
    "RequestTimeout": refusals.unavailable,
    "InternalError": refusals.unavailable,
    "ServiceUnavailable": refusals.unavailable,
    "OperationAborted": refusals.unavailable,
    "IncompleteBody": refusals.unavailable,
    "NoSuchKey": refusals.no_key,
    "NoSuchBucket": refusals.no_bucket,
    "InvalidBucketName": refusals.no_bucket,
    "NoSuchUpload": refusals.no_upload,
    "AccessDenied": refusals.denied,
    "AllAccessDisabled": refusals.denied,
    "AccountProblem": refusals.denied,
    "SignatureDoesNotMatch": refusals.bad_keys,
    "InvalidAccessKeyId": refusals.bad_keys,
    "InvalidSecurity": refusals.bad_keys,
    "InvalidToken": refusals.bad_keys,
    "UnauthorizedAccess": refusals.bad_keys,
    "RequestTimeTooSkewed": refusals.skewed_clock,
    "BadDigest": refusals.corrupt,
    "InvalidDigest": refusals.corrupt,
    "XAmzContentChecksumMismatch": refusals.corrupt,
    "XAmzContentSHA256Mismatch": refusals.corrupt,
    "QuotaExceeded": refusals.full,
    "InsufficientStorage": refusals.full,
    "XMinioStorageFull": refusals.full,
    "XMinioAdminBucketQuotaExceeded": refusals.full,
    "InvalidObjectState": refusals.archived,
    "ConditionalRequestConflict": refusals.raced,
    "NotImplemented": refusals.not_implemented,
    "MetadataTooLarge": refusals.too_much_beside,
    "RequestHeaderSectionTooLarge": refusals.too_much_beside,
    "InvalidTag": refusals.too_much_beside,
} | dict.fromkeys(_EXPIRED, refusals.expired)


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


def error_of(request: Request, fault: S3Fault) -> HeavyliftError:
    """Return the error of a request that S3 refused."""
    if fault.status in _REDIRECTS or fault.code in _ELSEWHERE:
        return refusals.elsewhere(request.what, fault.shown, fault.region)
    build = _refusal(request, fault)
    if build is refusals.denied:
        return refusals.denied(request.what, fault.shown, permission_of(request))
    if build is not None:
        return build(request.what, fault.shown)
    detail = f"{fault.code}: {fault.message}" if fault.code else ""
    return error_for_status(request.what, fault.status, detail)


def _refusal(request: Request, fault: S3Fault) -> Callable[[str, str], HeavyliftError] | None:
    creating = "if-none-match" in request.headers
    if fault.status == 412:
        return refusals.exists if creating else refusals.changed
    if fault.status == 409 and creating:
        return refusals.raced
    if fault.status == 400 and "server side encryption" in fault.message.lower() and request.method == "GET":
        return refusals.customers_key
    if fault.status == 431:
        return refusals.too_much_beside
    if fault.status == 403 and not fault.code:
        return refusals.denied
    if fault.status == 400 and not fault.code and request.method == "HEAD":
        return refusals.without_a_word
    return _REFUSALS.get(fault.code)


def is_expiry(request: Request, fault: S3Fault) -> bool:
    """Return whether fresh credentials may help: a HEAD's bare 400 may hide an expired token."""
    if fault.code:
        return fault.code in _EXPIRED
    return request.method == "HEAD" and fault.status == 400
