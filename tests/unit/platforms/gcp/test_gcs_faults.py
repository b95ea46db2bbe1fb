"""Each kind of error answer becomes the error that tells what to do."""

from __future__ import annotations

import json

import pytest

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
from heavylift.platforms.gcp.faults import Fault, error_of, read_fault
from heavylift.platforms.http import Request
from heavylift.platforms.tokens import CloudRequest


def error(status: int, reason: str = "", message: str = "", *, creates: bool = False) -> HeavyliftError:
    body = json.dumps({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}})
    request = CloudRequest("PUT", "https://h/", "put of gs://b/k", {}, creates=creates)
    return error_of(request, read_fault(status, body.encode()))


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (429, "rateLimitExceeded", "slow", ThrottledError),
        (403, "userRateLimitExceeded", "slow", ThrottledError),
        (503, "backendError", "", ServerUnavailableError),
        (500, "", "", ServerUnavailableError),
        (408, "", "", ServerUnavailableError),
        (401, "authError", "Invalid Credentials", CredentialError),
        (403, "forbidden", "x does not have storage.objects.get access", CredentialError),
        (404, "notFound", "No such object: b/k", NotFoundError),
        (412, "conditionNotMet", "", PreconditionError),
        (304, "", "", PreconditionError),
        (400, "invalid", 'Provided CRC32C "a" doesn\'t match calculated CRC32C "b".', IntegrityError),
        (400, "invalid", "Invalid argument", PermanentError),
    ],
)
def test_answers_become_errors(status: int, reason: str, message: str, kind: type) -> None:
    found = error(status, reason, message)
    assert type(found) is kind
    assert found.what == "put of gs://b/k"
    assert str(status) in found.got


def test_a_create_only_write_that_meets_something_tells_so() -> None:
    assert type(error(412, "conditionNotMet", creates=True)) is AlreadyExistsError


def test_a_missing_bucket_is_told_from_a_missing_object() -> None:
    assert "bucket" in error(404, "notFound", "The specified bucket does not exist.").expected
    assert error(404, "notFound", "The specified bucket does not exist.").code == "3259"
    assert error(404, "notFound", "No such object: my-bucket/k").code == "3269"


@pytest.mark.parametrize("body", [b"", b"<html>\n no", b"[]", b'{"error": "x"}', b'{"error": null}', b"\xff"])
def test_a_body_of_another_form_is_no_error_in_itself(body: bytes) -> None:
    fault = read_fault(502, body)
    assert fault.status == 502
    assert "\n" not in fault.shown


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/storage/v1/b/b/o?maxResults=1", "storage.objects.list "),
        ("GET", "/storage/v1/b/b/o/k?alt=media", "storage.objects.get "),
        ("GET", "/storage/v1/b/b", "storage.buckets.get "),
        ("POST", "/upload/storage/v1/b/b/o?uploadType=multipart", "storage.objects.create "),
        ("POST", "/storage/v1/b/b/o/k/compose", "storage.objects.create, get "),
        ("DELETE", "/storage/v1/b/b/o/k", "storage.objects.delete "),
    ],
)
def test_a_refusal_names_the_permission(method: str, path: str, needed: str) -> None:
    request = Request(method, f"https://h{path}", "act", {})
    assert needed in error_of(request, Fault(403, "forbidden", "")).remedy
