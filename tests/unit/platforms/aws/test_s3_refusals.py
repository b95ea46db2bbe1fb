"""Each error answer of S3 becomes the error that tells what to do."""

from __future__ import annotations

import re

import pytest
from multidict import CIMultiDict

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
from heavylift.platforms.aws.faults import S3Fault, error_of, is_expiry, read_fault
from heavylift.platforms.http import Request

PLAIN = Request("PUT", "http://h/b/k", "put of s3://b/k", {})
CREATING = Request("PUT", "http://h/b/k", "put of s3://b/k", {"if-none-match": "*"})
HEADING = Request("HEAD", "http://h/b/k", "head of s3://b/k", {})


def body(code: str, message: str = "Why", more: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>'.encode()
    )


def error(status: int, content: bytes = b"", request: Request = PLAIN, **headers: str) -> HeavyliftError:
    given = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return error_of(request, read_fault(status, given, content))


@pytest.mark.parametrize(
    ("status", "code", "kind", "number"),
    [
        (503, "SlowDown", ThrottledError, "3120"),
        (400, "ThrottlingException", ThrottledError, "3120"),
        (400, "RequestTimeout", ServerUnavailableError, "3121"),
        (500, "InternalError", ServerUnavailableError, "3121"),
        (503, "ServiceUnavailable", ServerUnavailableError, "3121"),
        (400, "IncompleteBody", ServerUnavailableError, "3121"),
        (409, "OperationAborted", ServerUnavailableError, "3121"),
        (404, "NoSuchKey", NotFoundError, "3122"),
        (404, "NoSuchBucket", NotFoundError, "3123"),
        (404, "NoSuchUpload", NotFoundError, "3124"),
        (403, "AccessDenied", CredentialError, "3125"),
        (403, "SignatureDoesNotMatch", CredentialError, "3126"),
        (403, "InvalidAccessKeyId", CredentialError, "3126"),
        (400, "ExpiredToken", CredentialError, "3127"),
        (403, "RequestTimeTooSkewed", CredentialError, "3128"),
        (400, "BadDigest", IntegrityError, "3129"),
        (400, "InvalidDigest", IntegrityError, "3129"),
        (400, "XAmzContentChecksumMismatch", IntegrityError, "3129"),
        (400, "XAmzContentSHA256Mismatch", IntegrityError, "3129"),
        (403, "InvalidObjectState", UnsupportedError, "3133"),
        (501, "NotImplemented", UnsupportedError, "3135"),
        (400, "InvalidBucketName", NotFoundError, "3123"),
        (400, "MetadataTooLarge", UnsupportedError, "9226"),
        (400, "InvalidTag", UnsupportedError, "9226"),
        (431, "", UnsupportedError, "9226"),
        (400, "EntityTooSmall", PermanentError, "3000"),
        (429, "", ThrottledError, "3001"),
        (503, "", ServerUnavailableError, "3002"),
        (404, "", NotFoundError, "3004"),
        (403, "", CredentialError, "3125"),
        (412, "", PreconditionError, "3132"),
    ],
)
def test_codes(status: int, code: str, kind: type[HeavyliftError], number: str) -> None:
    got = error(status, body(code) if code else b"")
    assert type(got) is kind
    assert got.code == number
    assert f"HTTP {status}" in got.got
    assert code in got.got
    assert got.what == PLAIN.what


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct"
            " parameters must be provided to retrieve the object."),
        ("InvalidArgument", "Requests specifying Server Side Encryption with Customer provided keys must"
            " provide the customer key."),
    ],
)  # fmt: skip
def test_an_object_under_a_customers_own_key_is_called_so(code: str, message: str) -> None:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    got = error(400, text, Request("GET", "https://h/k", "get of s3://b/k", {}))
    assert (type(got), got.code) == (UnsupportedError, "9228")
    assert "SSE-C" in got.expected
    assert error(400, text, PLAIN).code == "3000"


def test_a_failed_condition_means_what_was_asked() -> None:
    assert type(error(412, body("PreconditionFailed"), CREATING)) is AlreadyExistsError
    assert type(error(412, body("PreconditionFailed"), PLAIN)) is PreconditionError
    assert type(error(409, body("ConditionalRequestConflict"), CREATING)) is ServerUnavailableError
    assert type(error(409, body("BucketNotEmpty"), PLAIN)) is PermanentError


@pytest.mark.parametrize(
    ("status", "content", "headers"),
    [
        (301, body("PermanentRedirect"), {"x_amz_bucket_region": "eu-north-1"}),
        (301, b"", {"x_amz_bucket_region": "eu-north-1"}),
        (307, body("TemporaryRedirect"), {"x_amz_bucket_region": "eu-north-1"}),
        (400, body("AuthorizationHeaderMalformed", more="<Region>eu-north-1</Region>"), {}),
    ],
)
def test_a_wrong_region_names_the_right_one(status: int, content: bytes, headers: dict[str, str]) -> None:
    got = error(status, content, **headers)
    assert "the bucket is in eu-north-1" in got.got
    assert got.remedy == "set extra.region_name of the connection to eu-north-1"


def test_a_redirect_without_region_says_what_to_set() -> None:
    assert "region" in error(301).remedy


def test_a_wrong_clock_is_not_called_a_wrong_key() -> None:
    assert "clock" in error(403, body("RequestTimeTooSkewed")).remedy


def test_nothing_of_a_refused_signature_shows() -> None:
    more = (
        "<StringToSign>AWS4-HMAC-SHA256 secret-scope</StringToSign><SignatureProvided>abc</SignatureProvided>"
    )
    message = f"Signature={'ab12' * 16} does not match, Credential=AKIA/2026 token=xyz"
    got = error(403, body("SignatureDoesNotMatch", message, more))
    for text in ("ab12ab12", "AKIA", "xyz", "secret-scope", "abc"):
        assert text not in str(got)


def test_a_message_is_one_line_of_bounded_length() -> None:
    got = error(400, body("Odd", "line\nbreak " + "x" * 5000))
    assert "\n" not in str(got)
    assert len(str(got)) < 700


@pytest.mark.parametrize("content", [b"<html>no</html>", b"<Error><Code>", b"oops", b"<!DOCTYPE a><Error/>"])
def test_a_body_that_is_not_s3s_leaves_the_status(content: bytes) -> None:
    assert read_fault(500, CIMultiDict(), content) == S3Fault(500)


def test_expiry_is_seen_in_bodies_and_guessed_for_heads() -> None:
    assert is_expiry(PLAIN, S3Fault(400, "ExpiredToken"))
    assert is_expiry(HEADING, S3Fault(400))
    assert not is_expiry(HEADING, S3Fault(403))
    assert not is_expiry(PLAIN, S3Fault(400, "BadDigest"))


@pytest.mark.parametrize(
    ("method", "query", "headers", "action"),
    [
        ("GET", "?list-type=2&prefix=a", {}, "s3:ListBucket"),
        ("GET", "", {}, "s3:GetObject"),
        ("HEAD", "?partNumber=1", {}, "s3:GetObject"),
        ("GET", "?tagging=", {}, "s3:GetObjectTagging"),
        ("PUT", "", {}, "s3:PutObject"),
        ("PUT", "", {"x-amz-tagging": "a=b"}, "s3:PutObjectTagging"),
        ("POST", "?uploads=", {}, "s3:PutObject"),
        ("GET", "?uploads=", {}, "s3:ListBucketMultipartUploads"),
        ("GET", "?uploadId=1", {}, "s3:ListMultipartUploadParts"),
        ("DELETE", "?uploadId=1", {}, "s3:AbortMultipartUpload"),
        ("DELETE", "", {}, "s3:DeleteObject"),
        ("DELETE", "?versionId=1", {}, "s3:DeleteObjectVersion"),
    ],
)
def test_a_refusal_names_the_permission(
    method: str, query: str, headers: dict[str, str], action: str
) -> None:
    request = Request(method, f"https://h/b/k{query}", "act", headers)
    assert action in re.findall(r"s3:\w+", error(403, body("AccessDenied"), request).remedy)
