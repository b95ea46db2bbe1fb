"""Small HTTP requests to servers on this machine, never through a proxy."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotReadyError(Exception):
    """The server does not serve yet; the message says what it answered instead."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; an error status is an answer too."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 5.0,
) -> Answer:
    """Send one request.

    :param timeout: seconds.
    :raises OSError: nobody listens, or the connection was cut.
    """
    message = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    try:
        with _OPENER.open(message, timeout=timeout) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def expect(url: str, status: int = 200, timeout: float = 5.0) -> Answer:
    """Send a GET and demand a status.

    :raises NotReadyError: another status came.
    """
    answer = request(url, timeout=timeout)
    if answer.status != status:
        raise NotReadyError(f"GET {url} answered {answer.status}, not {status}")
    return answer
