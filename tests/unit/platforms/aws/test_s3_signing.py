"""Signatures equal botocore's, request by request."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from heavylift.connections import Connection
from heavylift.platforms.aws.credentials import CredentialSource, Keys
from heavylift.platforms.aws.naming import BucketAddress
from heavylift.platforms.aws.signing import EMPTY_SHA256, UNSIGNED, Signer, sign
from heavylift.platforms.http import Request

NOW = datetime(2026, 11, 22, 18, 4, 5, tzinfo=UTC)
STAMP = "20261122T180405Z"
ADDRESS = BucketAddress("https://bucket.s3.eu-west-1.amazonaws.com", "https://s3.amazonaws.com/bucket")

header_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
header_values = st.lists(header_text, min_size=1, max_size=3).map("  ".join)
header_names = st.sampled_from(
    [
        "x-amz-meta-a",
        "x-amz-meta-b-c",
        "content-type",
        "content-md5",
        "if-none-match",
        "range",
        "x-amz-tagging",
    ]
)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


class Signed(auth.S3SigV4Auth):
    """botocore's signer with the payload hash given from outside."""

    payload_hash = UNSIGNED

    def payload(self, request: AWSRequest) -> str:
        return self.payload_hash


def by_botocore(request: Request, keys: Keys, region: str, payload_hash: str) -> str:
    """Return the Authorization header that botocore makes."""
    signer = Signed(Credentials(keys.access_key, keys.secret_key, keys.token), "s3", region)
    signer.payload_hash = payload_hash
    message = AWSRequest(request.method, request.url, headers=dict(request.headers))
    with mock.patch.object(auth, "get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        signer.add_auth(message)
    return str(message.headers["Authorization"])


@given(
    key=keys,
    method=st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"]),
    headers=st.dictionaries(header_names, header_values),
    query=st.dictionaries(st.sampled_from(["partNumber", "uploadId", "uploads", "tagging", "prefix"]), keys),
    token=st.none() | header_text,
    payload_hash=st.sampled_from([UNSIGNED, EMPTY_SHA256]),
)
def test_signature_is_botocores(
    key: str,
    method: str,
    headers: dict[str, str],
    query: dict[str, str],
    token: str | None,
    payload_hash: str,
) -> None:
    request = Request(method, ADDRESS.object_url(key, **query), "act", headers)
    keys = Keys("AKIAEXAMPLE", "secret/key+text", token)
    ours = sign(request, keys, "eu-west-1", STAMP, payload_hash)
    assert ours["authorization"] == by_botocore(request, keys, "eu-west-1", payload_hash)
    assert {name: ours[name.lower()] for name in headers} == headers


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8333/b/k", "127.0.0.1:8333"),
        ("http://minio:80/b/k", "minio"),
        ("https://minio:443/b/k", "minio"),
        ("https://minio/b/?list-type=2&prefix=a%2Fb", "minio"),
    ],
)
def test_host_is_signed_as_it_is_sent(url: str, host: str) -> None:
    request = Request("GET", url, "act", {})
    keys = Keys("AKIAEXAMPLE", "secret")
    ours = sign(request, keys, "us-east-1", STAMP, UNSIGNED)
    assert ours["host"] == host
    assert ours["authorization"] == by_botocore(request, keys, "us-east-1", UNSIGNED)


def test_the_date_of_the_key_changes_with_the_day() -> None:
    request = Request("GET", "https://h/b", "act", {})
    keys = Keys("AKIAEXAMPLE", "secret")
    today = sign(request, keys, "us-east-1", STAMP, UNSIGNED)
    tomorrow = sign(request, keys, "us-east-1", STAMP.replace("20261122", "20261123"), UNSIGNED)
    assert today["authorization"] != tomorrow["authorization"]
    assert "/20261123/us-east-1/s3/aws4_request" in tomorrow["authorization"]


def signer(sign_payload: bool | None = None) -> Signer:
    connection = Connection("c", "aws", login="AKIAEXAMPLE", password="secret")
    return Signer(
        CredentialSource(connection), "us-east-1", sign_payload=sign_payload, clock=lambda: NOW.timestamp()
    )


@pytest.mark.parametrize(
    ("url", "body", "sign_payload", "expected"),
    [
        ("https://h/b/k", b"body", None, UNSIGNED),
        ("https://h/b/k", b"", None, EMPTY_SHA256),
        ("https://h/b/k", b"body", True, hashlib.sha256(b"body").hexdigest()),
        ("http://h/b/k", b"body", None, hashlib.sha256(b"body").hexdigest()),
        ("http://h/b/k", b"b" * 3_000_000, None, hashlib.sha256(b"b" * 3_000_000).hexdigest()),
        ("http://h/b/k", b"body", False, UNSIGNED),
    ],
)
async def test_bodies_are_signed_where_no_tls_guards_them(
    url: str, body: bytes, sign_payload: bool | None, expected: str
) -> None:
    headers = await signer(sign_payload)(Request("PUT", url, "act", {}, body))
    assert headers["x-amz-content-sha256"] == expected
    assert headers["x-amz-date"] == STAMP


async def test_a_hash_that_is_known_is_not_computed_again() -> None:
    request = Request("PUT", "http://h/b/k", "act", {"x-amz-content-sha256": "0" * 64}, b"body")
    assert (await signer()(request))["x-amz-content-sha256"] == "0" * 64


async def test_an_anonymous_connection_signs_nothing() -> None:
    connection = Connection("c", "aws", extra={"config_kwargs": {"signature_version": "unsigned"}})
    anonymous = Signer(CredentialSource(connection), "us-east-1")
    request = Request("GET", "https://h/b/k", "act", {"range": "bytes=0-"})
    assert await anonymous(request) == request.headers


def test_keys_show_nothing_of_themselves() -> None:
    assert repr(Keys("AKIAEXAMPLE", "secret", "token")) == "Keys()"


def test_query_is_encoded_as_the_signature_wants_it() -> None:
    url = ADDRESS.object_url("k", uploadId="a/b+c d~e", partNumber="2")
    assert url.endswith(f"/k?partNumber=2&uploadId={quote('a/b+c d~e', safe='')}")
