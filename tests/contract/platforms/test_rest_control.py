"""What a control plane over HTTP does with refusals, pages, faults, and a request to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from heavylift.errors import (
    CredentialError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    ThrottledError,
    UnsupportedError,
)
from heavylift.platforms.control import DENIED, SERVER_FAULTS, UNKNOWN_OPERATIONS, Limits
from heavylift.platforms.rest_control import Paging, RestPlane
from heavylift.platforms.rest_faults import Reading
from tests.support.rest_server import Api, serving


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api(lambda _url, number: {"next": {"token": str(number)}}, "token")
    with serving(made):
        yield made


def plane(api: Api, reading: Reading | None = None, **more: Any) -> RestPlane:
    async def authorisation() -> dict[str, str]:
        return {}

    def told(answer: Any) -> tuple[str, str]:
        return str(answer.get("code", "")), str(answer.get("message", ""))

    known = reading or Reading(told=told, off=frozenset({"OFF"}), slow=frozenset({"SLOW"}))
    paging = Paging("token", "next.token")
    return RestPlane(lambda _s, _r: api.url, authorisation, paging, known, attempts=2, **more)


@pytest.mark.parametrize(
    ("status", "answer", "kind", "codes"),
    [
        (403, {}, CredentialError, {DENIED}),
        (401, {}, CredentialError, {"7659"}),
        (404, {}, NotFoundError, {"7660"}),
        (403, {"code": "OFF"}, UnsupportedError, UNKNOWN_OPERATIONS),
        (501, {}, UnsupportedError, UNKNOWN_OPERATIONS),
        (403, {"code": "SLOW"}, ThrottledError, {"7661"}),
        (429, {}, ThrottledError, {"7661"}),
        (503, {}, ServerUnavailableError, SERVER_FAULTS),
        (400, {"message": "bad"}, PermanentError, {"7662"}),
    ],
)
def test_a_refusal_is_what_it_means(
    api: Api, status: int, answer: dict[str, str], kind: type[Exception], codes: set[str]
) -> None:
    api.refused["x"] = (status, answer)
    made = plane(api)
    try:
        with pytest.raises(kind) as caught:
            made.call("s", "GET x", "", {})
    finally:
        made.close()
    assert caught.value.code in codes  # type: ignore[attr-defined]
    assert made.requests == len(api.asked)


def test_pages_places_and_queries(api: Api) -> None:
    api.listings["v1/a/b/c:d/things"] = [{"n": 1}, {"n": 2}, {"n": 3}]
    made = plane(api, fixed={"project": "c:d"})
    try:
        operation = "GET v1/{+where}/{project}/things?a=1"
        pages = list(made.pages("s", operation, "", {"where": "a/b", "q": "x y"}))
    finally:
        made.close()
    assert [page.get("n") for page in pages] == [1, 2, 3]
    assert api.asked[0] == "GET /v1/a/b/c:d/things?a=1&q=x%20y"


@pytest.mark.parametrize("operation", ["DELETE x", "PUT x", "POST x", "POST x:delete", "PATCH x"])
def test_what_may_change_something_is_never_sent(api: Api, operation: str) -> None:
    made = plane(api)
    try:
        with pytest.raises(UnsupportedError, match="change something"):
            made.call("s", operation, "", {})
    finally:
        made.close()
    assert api.asked == []


def test_a_request_to_stop_ends_a_wait_for_the_rate(api: Api) -> None:
    stop = threading.Event()
    made = plane(api, limits=Limits(1000, stop=stop))
    try:
        made.call("s", "GET x", "", {})
        stop.set()
        began = time.monotonic()
        with pytest.raises(UnsupportedError, match="stop"):
            made.call("s", "GET x", "", {})
        assert time.monotonic() - began < 5
    finally:
        made.close()
    assert len(api.asked) == 1


def test_requests_keep_to_the_rate(api: Api) -> None:
    made = plane(api, limits=Limits(50))
    try:
        began = time.monotonic()
        for _ in range(20):
            made.call("s", "GET x", "", {})
        assert time.monotonic() - began > 0.25
    finally:
        made.close()
