"""Authorisation of a request by shared key.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key tells the string
to sign. It leaves the order of headers vague; the service's own order has ``_`` before digits
and passes over hyphens, as azure-storage-blob found out.
"""

from __future__ import annotations

import base64
import hmac
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

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
    length = str(content_length) if content_length else ""
    values = [value.strip() for value in headers.values()]
    shape = _shape(tuple(headers))
    return shape.template % shape.in_order((*values, length, "", method)) + _resource(account, url)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the strings to sign of requests with the same header names have in common.

    :param template: to be filled with the method and with the values that ``in_order`` returns.
    :param in_order: picks them from the headers' values, the length, an empty text and the method.
    """

    template: str
    in_order: Callable[[tuple[str, ...]], tuple[str, ...]]


@lru_cache(maxsize=256)
def _shape(names: tuple[str, ...]) -> _Shape:
    length, nothing, method = len(names), len(names) + 1, len(names) + 2
    # Of names that differ in case alone the last one counts.
    at = {name.lower(): index for index, name in enumerate(names)} | {"content-length": length}
    own = sorted((name for name in at if name.startswith("x-ms-")), key=_order)
    picked = [method, *(at.get(name, nothing) for name in _SIGNED), *(at[name] for name in own)]
    lines = ["%s"] * (1 + len(_SIGNED)) + [f"{name.replace('%', '%%')}:%s" for name in own]
    return _Shape("\n".join([*lines, ""]), operator.itemgetter(*picked))


def _order(name: str) -> str:
    return name.replace("-", "").replace("_", "!")


def _resource(account: str, url: str) -> str:
    target, _, query = url.partition("?")
    path = target.partition("://")[2].partition("/")[2]
    if not query:
        return f"/{account}/{path}"
    pairs = sorted((name.lower(), value) for name, value in parse_qsl(query, keep_blank_values=True))
    return f"/{account}/{path}" + "".join(f"\n{name}:{value}" for name, value in pairs)
