"""Each kind of error answer becomes the error that tells what to do; XML is read strictly."""

from __future__ import annotations

import pytest

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
from heavylift.platforms.azure.faults import Fault, error_of, read_fault
from heavylift.platforms.azure.xml import parse
from heavylift.platforms.http import Request
from heavylift.platforms.tokens import CloudRequest


def body(code: str, message: str = "Told.\nRequestId:1\nTime:2", more: str = "") -> bytes:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>' + text.encode()


def error(status: int, code: str, *, creates: bool = False, in_body: bool = True) -> HeavyliftError:
    request = CloudRequest("PUT", "https://h/?sig=s3cret", "put of az://c/k", {}, creates=creates)
    headers = {} if in_body else {"x-ms-error-code": code}
    return error_of(request, read_fault(status, headers, body(code) if in_body else b""))


@pytest.mark.parametrize("in_body", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "ServerBusy", ThrottledError),
        (429, "TooManyRequests", ThrottledError),
        (500, "OperationTimedOut", ServerUnavailableError),
        (500, "InternalError", ServerUnavailableError),
        (409, "ContainerBeingDeleted", ServerUnavailableError),
        (403, "AuthenticationFailed", CredentialError),
        (401, "NoAuthenticationInformation", CredentialError),
        (404, "BlobNotFound", NotFoundError),
        (404, "ContainerNotFound", NotFoundError),
        (409, "BlobAlreadyExists", AlreadyExistsError),
        (412, "ConditionNotMet", PreconditionError),
        (412, "LeaseIdMissing", ConflictError),
        (409, "SnapshotsPresent", ConflictError),
        (409, "BlobArchived", ConflictError),
        (409, "InvalidBlobType", ConflictError),
        (400, "Md5Mismatch", IntegrityError),
        (400, "InvalidMetadata", PermanentError),
    ],
)
def test_answers_become_errors(status: int, code: str, kind: type, in_body: bool) -> None:
    found = error(status, code, in_body=in_body)
    assert type(found) is kind
    assert code in found.got
    assert "RequestId" not in str(found)
    assert "s3cret" not in str(found)


def test_a_name_that_no_container_can_have_is_a_container_that_is_not_there() -> None:
    fault = read_fault(400, {}, body("InvalidResourceName"))
    of_container = CloudRequest(
        "GET", "https://h/Bad!?restype=container&comp=list", "check of az://Bad!/", {}
    )
    found = error_of(of_container, fault)
    assert type(found) is NotFoundError
    assert "correct its name" in found.remedy
    assert type(error(400, "InvalidResourceName")) is PermanentError


def test_a_create_only_write_that_meets_something_tells_so() -> None:
    assert type(error(412, "ConditionNotMet", creates=True)) is AlreadyExistsError
    assert type(error(412, "LeaseIdMissing", creates=True)) is ConflictError


def test_the_details_of_a_failed_signature_are_not_shown() -> None:
    more = "<AuthenticationErrorDetail>string to sign: s3cret</AuthenticationErrorDetail>"
    assert "s3cret" not in read_fault(403, {}, body("AuthenticationFailed", more=more)).shown


@pytest.mark.parametrize(
    "text", [b"", b"<html>", b"\xff", b"<a/><b/>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>']
)
def test_what_is_no_xml_is_refused_and_no_entity_expanded(text: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse(text)
    assert read_fault(500, {"x-ms-error-code": "InternalError"}, text).shown == "HTTP 500 (InternalError)"


def test_names_that_xml_cannot_hold_are_decoded() -> None:
    found = parse(b'<Blob><Name Encoded="true">a%EF%BF%BE%25b</Name><Other>a%25 b &lt;\n</Other></Blob>')
    assert found.get("Name") == "a\ufffe%b"
    assert found.get("Other") == "a%25 b <\n"
    assert found.get("None") == ""


@pytest.mark.parametrize(
    ("method", "query", "headers", "needed"),
    [
        ("GET", "?restype=container&comp=list", {}, "l in a SAS, or the role Storage Blob Data Reader"),
        ("HEAD", "", {}, "r in a SAS, or the role Storage Blob Data Reader"),
        ("GET", "?comp=tags", {}, "t in a SAS, or the role Storage Blob Data Owner"),
        ("PUT", "", {}, "w in a SAS, or the role Storage Blob Data Contributor"),
        ("PUT", "?comp=blocklist", {"x-ms-tags": "a=b"}, "w and t in a SAS"),
        ("DELETE", "", {}, "d in a SAS, or the role Storage Blob Data Contributor"),
    ],
)
def test_a_refusal_names_the_permission(
    method: str, query: str, headers: dict[str, str], needed: str
) -> None:
    request = Request(method, f"https://h/c/k{query}", "act", headers)
    assert needed in error_of(request, Fault(403, "AuthorizationPermissionMismatch", "")).remedy
