"""What the target must sustain before requests move to it, measured on small servers of known behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from heavylift.connections import Connection
from heavylift.cutover.capacity import count_requests, tolerated_errors
from heavylift.cutover.ports import ConnectionRoom, Side, Split
from heavylift.cutover.room import connections_item
from heavylift.cutover.traffic.observing import Observation, SideCounts
from heavylift.evidence.baseline_records import EndpointBaseline, baseline_path
from heavylift.evidence.capacity_records import CapacityRecord
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_records import ReadinessItem
from heavylift.load.client import this_machine
from heavylift.spec.model import MigrationSpec
from heavylift.switching.capacity import capacity_items
from tests.support.asked_server import Behaviour, asked_server

RUN = RunKey(migration="shop", phase="cutover", run="r")
MOVES = {
    "runbook_owner": "we",
    "traffic": {"adapter": "envoy", "connection": "traffic"},
    "max_latency_ratio": 3,
    "capacity": {"rate": 40, "duration": 5, "warm_up": 0, "count_for": 1},
}


@dataclass
class Counting:
    """A route that counts so many requests between two looks."""

    requests: int = 0
    restarted: bool = False
    looks: int = 0

    async def read(self) -> Split:
        return Split(0)

    async def shift(self, target_percent: int, *, mirror_percent: int = 0, epoch: int) -> Split:
        raise AssertionError("nobody may move anything")

    async def observe(self) -> Observation:
        self.looks += 1
        began = 100.0 * self.looks if self.restarted else 0.0
        counts = {Side.SOURCE: SideCounts(requests=self.requests * self.looks), Side.TARGET: SideCounts()}
        return Observation(began, float(self.looks), counts)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[EvidenceStore]:
    async with open_evidence(f"file://{tmp_path}/evidence", None) as opened:
        yield opened


@dataclass
class Place:
    """Two endpoints and a spec that names them."""

    store: EvidenceStore
    folder: Path
    ports: Mapping[Side, int]
    port: Any = None

    def connection(self, name: str) -> Connection:
        side = Side(name.removeprefix("score_"))
        return Connection(name, "http", host=f"http://127.0.0.1:{self.ports[side]}")

    def spec(self, **changes: Any) -> MigrationSpec:
        requests = self.folder / "golden.jsonl"
        requests.write_text('{"inputs": [[1.0]]}\n{"inputs": [[2.0]]}\n')
        analysis = {
            "requests": requests.as_uri(),
            "source_connection": "score_source",
            "target_connection": "score_target",
            "probe_rate": 20,
        }
        platform = {"platform": "kubernetes", "connection": "c"}
        return MigrationSpec.model_validate(
            {
                "apiVersion": "heavylift/v1",
                "migration": "shop",
                "owner": "we",
                "source": platform,
                "target": platform,
                "evidence": {"url": "file:///nowhere"},
                "cutover": {**MOVES, "analysis": analysis, **changes},
            }
        )

    async def look(self, **changes: Any) -> ReadinessItem:
        found = await capacity_items(
            self.store, self.spec(**changes), RUN, self.port, self.connection, lambda _line: None
        )
        (item,) = found
        return item

    async def record(self, item: ReadinessItem) -> CapacityRecord:
        return await self.store.read_record(item.evidence[0].path, CapacityRecord)


@pytest.fixture
def place(store: EvidenceStore, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    behaviour = getattr(request, "param", Behaviour(service=0.002))
    with ExitStack() as stack:
        source = stack.enter_context(asked_server(Behaviour(service=0.002)))
        target = stack.enter_context(asked_server(behaviour))
        yield Place(store, tmp_path, {Side.SOURCE: source.port, Side.TARGET: target.port})


async def test_a_target_that_bears_the_load_passes_with_its_evidence(place: Place) -> None:
    item = await place.look()
    assert item.passed, item.detail
    record = await place.record(item)
    assert (record.rate, record.rate_from, record.target.planned) == (40.0, "spec", 200)
    assert record.target.answered == 200
    assert item.seen_at == record.measured_at
    assert "40 requests a second" in item.detail


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (Behaviour(service=0.1, serial=True), "not sustained"),
        (Behaviour(service=0.4), "times the source's"),
        (Behaviour(answer=b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "HTTP 503"),
        (Behaviour(gone_at=60), "x no answer"),
    ],
    ids=["too little of it", "slow", "refusing", "dying"],
    indirect=["place"],
)
async def test_a_target_that_does_not_bear_it_is_named(place: Place, told: str) -> None:
    item = await place.look()
    assert not item.passed
    assert told in item.detail


async def test_the_rate_is_counted_at_the_route_and_is_never_below_that_of_the_analysis(place: Place) -> None:
    capacity = {**MOVES["capacity"], "rate": None}  # type: ignore[dict-item]
    place.port = Counting(50)
    record = await place.record(await place.look(capacity=capacity))
    assert record.rate_from == "route"
    assert 30 < record.asked_rate <= 50.0
    assert record.rate == pytest.approx(1.2 * record.asked_rate, rel=0.01)
    place.port = Counting(0)
    record = await place.record(await place.look(capacity=capacity))
    assert (record.asked_rate, record.rate) == (0.0, 20.0)


async def test_the_rate_is_what_the_source_sustained_where_nobody_counts(place: Place) -> None:
    capacity = {**MOVES["capacity"], "rate": None, "headroom": 1.5}  # type: ignore[dict-item]
    item = await place.look(capacity=capacity)
    assert not item.passed
    assert "nobody knows the rate" in item.detail
    await write_next(place.store, lambda n: baseline_path(_ASSESSED, "score_source", n), _baseline(24.0))
    record = await place.record(await place.look(capacity=capacity))
    assert (record.rate_from, record.asked_rate, record.rate) == ("baseline", 24.0, 36.0)


async def test_what_is_not_demanded_or_cannot_be_asked(place: Place) -> None:
    spec = place.spec(capacity=None)
    assert await capacity_items(place.store, spec, RUN, None, place.connection, lambda _line: None) == []
    item = await place.look(analysis={})
    assert not item.passed
    assert "cutover.capacity: null" in item.detail


async def test_a_proxy_that_was_started_again_has_counted_nothing() -> None:
    assert await count_requests(Counting(5, restarted=True), 0.0) is None
    assert await count_requests(None, 0.0) is None


@pytest.mark.parametrize(
    ("requests", "rate", "most"),
    [(600, 0.001, 3), (10, 0.001, 0), (100_000, 0.01, 1065), (50, 1.0, 50), (9, 0, 0)],
)
def test_so_many_errors_are_no_proof(requests: int, rate: float, most: int) -> None:
    assert tolerated_errors(requests, rate) == most


@pytest.mark.parametrize(("free", "passed"), [(4, False), (5, True), (None, True)])
async def test_the_target_must_take_as_many_connections_as_the_source_has(
    free: int | None, passed: bool
) -> None:
    @dataclass
    class Counted:
        name: str

        async def connections(self, side: Side) -> ConnectionRoom:
            return ConnectionRoom(5, 90) if side is Side.SOURCE else ConnectionRoom(1, free)

    item = await connections_item(Counted("db"))  # type: ignore[arg-type]
    assert item is not None
    assert item.passed is passed


_ASSESSED = RunKey(migration="shop", phase="assess", run="first")


def _baseline(sustained: float) -> EndpointBaseline:
    return EndpointBaseline(
        run=_ASSESSED, connection="score_source", address="http://x", machine=this_machine(),
        requests_sha256="0" * 64, bodies=2, arrivals="poisson", seed=1, connections=8, timeout_seconds=5,
        warm_up_requests=0, max_error_rate=0.01, min_achieved=0.98, steps=(), max_sustained=sustained,
        ceiling_reached=False, statement="", passed=True, took_seconds=1.0,
    )  # fmt: skip
