"""Spans are read from wherever a server keeps them; one that it cannot send costs no other trace its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from heavylift.errors import NotFoundError, ServerUnavailableError
from heavylift.registry.rest.spans import LOCATION, Spans, spans_of


def failure() -> ServerUnavailableError:
    return ServerUnavailableError("asking", got="HTTP 500", remedy="run again later", code="3002")


@dataclass
class Server:
    """A server of some traces.

    :param broken: traces that it cannot send; ``unfinished`` are left out of an answer for several.
    """

    broken: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = field(default_factory=dict)
    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append(path.rpartition("/")[2])
        if self.away:
            raise failure()
        if path.endswith("batchGet"):
            assert query is not None
            if self.broken & set(query["trace_ids"]):
                raise failure()
            return {"traces": [_trace(each) for each in query["trace_ids"] if each not in self.unfinished]}
        if path.endswith("traces/get"):
            assert query is not None
            assert query["allow_partial"] == "true"
            return {"trace": _trace(query["trace_id"])}
        return {"trace": {}}

    async def content(self, _path: str, query: Mapping[str, Any], *, most_bytes: int) -> bytes:
        assert most_bytes > 10**6
        if query["request_id"] not in self.files:
            raise NotFoundError("reading", got="HTTP 404", code="3001")
        return self.files[query["request_id"]]


def _trace(name: str) -> dict[str, Any]:
    return {"trace_info": {"trace_id": name}, "spans": [{"span_id": f"span of {name}"}]}


def read(server: Server, **places: str) -> dict[str, Spans]:
    infos = [{"trace_id": name, "tags": {LOCATION: place} if place else {}} for name, place in places.items()]
    return asyncio.run(spans_of(server, infos))  # type: ignore[arg-type]


def test_each_trace_is_read_where_it_is_kept() -> None:
    server = Server(unfinished=frozenset({"c"}), files={"d": b"spans"})
    places = {
        "a": "TRACKING_STORE",
        "b": "ARCHIVE_REPO",
        "c": "TRACKING_STORE",
        "d": "",
        "e": "ARTIFACT_REPO",
    }
    found = read(server, **places)
    assert {name: list(each.served) for name, each in found.items() if each.served} == {
        name: [f"span of {name}"] for name in "abc"
    }
    assert (found["d"].file, bool(found["e"])) == (b"spans", False)
    assert server.asked == ["batchGet", "get"]


def test_a_trace_that_cannot_be_sent_is_told_alone() -> None:
    names = [f"t{number}" for number in range(7)]
    found = read(Server(broken=frozenset({"t4"})), **dict.fromkeys(names, "TRACKING_STORE"))
    assert {name for name, each in found.items() if each.served} == {*names} - {"t4"}
    assert (found["t4"].unread, found["t0"].unread) == ("HL-3002", "")


def test_a_server_that_is_away_is_no_fault_of_a_trace() -> None:
    with pytest.raises(ServerUnavailableError):
        read(Server(away=True), a="TRACKING_STORE")
