"""Answers of error as each store words them, for a proxy that answers in a store's place."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

DIALECTS = ("s3", "gcs", "azure")


@dataclass(frozen=True)
class Refusal:
    """One answer of error: what a proxy sends instead of the store's own."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


_S3 = {
    "busy": (503, "SlowDown", "Please reduce your request rate."),
    "throttle": (429, "TooManyRequests", "Too many requests."),
    "error": (500, "InternalError", "We encountered an internal error. Please try again."),
    "expired": (403, "ExpiredToken", "The provided token has expired."),
    "denied": (403, "AccessDenied", "Access Denied"),
    "full": (507, "InsufficientStorage", "The server has no room for the object."),
    "quota": (403, "QuotaExceeded", "The quota of the user or bucket is used up."),
}
_GCS = {
    "busy": (503, "backendError", "Backend Error"),
    "throttle": (429, "rateLimitExceeded", "The rate of requests is too high."),
    "error": (500, "internalError", "We encountered an internal error."),
    "expired": (401, "authError", "Invalid Credentials"),
    "denied": (403, "forbidden", "The identity does not have storage.objects access."),
    "full": (507, "insufficientStorage", "The server has no room for the object."),
    "quota": (507, "insufficientStorage", "The server has no room for the object."),
}
_AZURE = {
    "busy": (503, "ServerBusy", "The server is busy."),
    "throttle": (429, "TooManyRequests", "Too many requests."),
    "error": (500, "InternalError", "The server encountered an internal error."),
    "expired": (403, "AuthenticationFailed", "Server failed to authenticate the request."),
    "denied": (403, "AuthorizationPermissionMismatch", "This request is not authorized."),
    "full": (507, "InsufficientStorage", "The server has no room for the blob."),
    "quota": (507, "InsufficientStorage", "The server has no room for the blob."),
}


def refusal(dialect: str, fault: str, method: str) -> Refusal:
    """Return the store's answer for ``fault``; one to a HEAD has no body, as with the stores themselves."""
    again = {"Retry-After": "1"} if fault == "throttle_after" else {}
    name = "throttle" if fault == "throttle_after" else fault
    if dialect == "gcs":
        status, code, message = _GCS[name]
        error = {"code": status, "message": message, "errors": [{"reason": code, "message": message}]}
        answer = Refusal(
            status, json.dumps({"error": error}).encode(), again | {"Content-Type": "application/json"}
        )
    elif dialect == "azure":
        status, code, message = _AZURE[name]
        answer = Refusal(
            status, _xml(code, message), again | {"Content-Type": "application/xml", "x-ms-error-code": code}
        )
    else:
        status, code, message = _S3[name]
        # S3 says of an expired token in answer to a HEAD no more than 400.
        status = 400 if method == "HEAD" and name == "expired" else status
        answer = Refusal(status, _xml(code, message), again | {"Content-Type": "application/xml"})
    return Refusal(answer.status, b"" if method == "HEAD" else answer.body, answer.headers)


def _xml(code: str, message: str) -> bytes:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<?xml version='1.0' encoding='UTF-8'?>{text}".encode()
