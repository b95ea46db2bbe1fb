"""Our signature is that of Microsoft's own client, byte for byte."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from hypothesis import given
from hypothesis import strategies as st

from heavylift.platforms.azure.names import encode_name
from heavylift.platforms.azure.signing import shared_key_authorisation

KEY = base64.b64encode(b"k" * 64).decode()
META = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def official(method: str, url: str, headers: dict[str, str], length: int) -> str:
    """Return what azure-storage-blob sends."""
    request = HttpRequest(method, url, headers={**headers, "Content-Length": str(length)})
    policy = SharedKeyCredentialPolicy("account", KEY)
    policy.on_request(SimpleNamespace(http_request=request, context=SimpleNamespace(transport=None)))
    return request.headers["Authorization"]


COMMON = {"x-ms-version": "2023-11-03", "x-ms-date": "Sun, 22 Nov 2026 18:49:40 GMT"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "length"),
    [
        ("GET", "/c/k", {}, 0),
        ("GET", "/c/a%2F%2Fb%20%C3%A9", {"If-Match": '"0x1"', "x-ms-range": "bytes=1-2"}, 0),
        ("GET", "/c?restype=container&comp=list&prefix=a%20b%2F%26&marker=x%3D%3D", {}, 0),
        (
            "PUT",
            "/c/k",
            {"If-None-Match": "*", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "x-ms-tags": "a=b%20c"},
            5,
        ),
        ("PUT", "/account/c/k?comp=block&blockid=QUJD%2BQ%3D%3D", {"Content-MD5": "x"}, 10**9),
        (
            "PUT",
            "/c/k?comp=blocklist",
            {"Content-Type": "application/xml", "x-ms-blob-content-type": "a/b"},
            77,
        ),
        ("DELETE", "/%24root/k", {}, 0),
        ("HEAD", "/c/k", {}, 0),
    ],
)
def test_requests_are_signed_alike(method: str, path: str, headers: dict[str, str], length: int) -> None:
    url, headers = f"https://account.blob.core.windows.net{path}", {**COMMON, **headers}
    assert shared_key_authorisation("account", KEY, method, url, headers, length) == official(
        method, url, headers, length
    )


@given(st.dictionaries(META, VALUES, max_size=6))
def test_metadata_of_any_name_is_signed_alike(metadata: dict[str, str]) -> None:
    names = {encode_name(name).lower(): value for name, value in metadata.items()}
    headers = {**COMMON, **{f"x-ms-meta-{name}": value for name, value in names.items()}}
    url = "https://account.blob.core.windows.net/c/k"
    assert shared_key_authorisation("account", KEY, "PUT", url, headers, 0) == official(
        "PUT", url, headers, 0
    )
