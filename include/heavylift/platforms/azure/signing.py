"""Authorisation of a request by shared key.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key tells the string
to sign. It leaves the order of headers vague; the service's own order has ``_`` before digits
and passes over hyphens, as azure-storage-blob found out.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def shared_key_authorisation(
    account: str, key: str, method: str, url: str, headers: Mapping[str, str], content_length: int
) -> str:
    """Return the value of the Authorization header.

    :param key: the account's key, base64.
    :param url: as sent, percent-encoded.
    :param headers: all others that are sent.
    """
    text = string_to_sign(account, method, url, headers, content_length)
    digest = hmac.digest(_bytes_of(key), text.encode(), "sha256")
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"


@lru_cache(maxsize=8)
def _bytes_of(key: str) -> bytes:
    return base64.b64decode(key)


def string_to_sign(
    account: str, method: str, url: str, headers: Mapping[str, str], content_length: int
) -> str:
    """Return what is signed; a length of zero is signed as an empty line."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    lower["content-length"] = str(content_length) if content_length else ""
    own = sorted((name for name in lower if name.startswith("x-ms-")), key=_order)
    lines = [method, *(lower.get(name, "") for name in _SIGNED), *(f"{name}:{lower[name]}" for name in own)]
    return "\n".join(lines) + "\n" + _resource(account, url)


def _order(name: str) -> str:
    return name.replace("-", "").replace("_", "!")


def _resource(account: str, url: str) -> str:
    parts = urlsplit(url)
    query = sorted((name.lower(), value) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    return f"/{account}{parts.path}" + "".join(f"\n{name}:{value}" for name, value in query)
