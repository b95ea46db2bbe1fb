"""Topics of a source that is given up: just those that are proved, unchanged since, and approved twice."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection, connection_from_env
from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.cutover.finalise import FinalTerms, finalise
from heavylift.decommission.api import (
    LeavingRequest,
    PlanLife,
    certify,
    delete,
    disable,
    give_consent,
    latest_life,
    look_unused,
    make_plan,
    restore,
)
from heavylift.errors import ConflictError, IncompleteError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_records import switch_path
from heavylift.fencing import Side
from heavylift.spec import load_spec
from heavylift.streams.api import mirror_stream, stream_request
from heavylift.switching.leaving import leaving_items
from heavylift.switching.parts import open_parts
from tests.integration.streams.brokers import Brokers


class Leaving:
    """A stream that was switched to the target for good."""

    def __init__(self, brokers: Brokers, folder: Path) -> None:
        self.brokers = brokers
        self.spec_file = folder / "spec.yaml"
        self.keep: list[dict[str, Any]] = []
        self.save()

    def save(self) -> None:
        platform = {"platform": "kubernetes", "connection": "evidence"}
        sides = {side: {"engine": "kafka", "connection": f"kafka_{side}"} for side in ("source", "target")}
        stream = {"name": self.brokers.mark, **sides, "topics": [f"{self.brokers.topic}*"]}
        switched = {"stream": self.brokers.mark, "fence": "marker", "settle": 0}
        document = {
            "apiVersion": "heavylift/v1",
            "migration": f"leaving-{self.brokers.mark}",
            "owner": "tests",
            "source": platform,
            "target": platform,
            "evidence": {"url": (self.spec_file.parent / "evidence").as_uri()},
            "streams": [{**stream, "consumer_groups": ["none-*"]}],
            "cutover": {
                "runbook_owner": "the tests",
                "max_write_pause": 60,
                "rehearsed_within": None,
                "soak": 60,
                "streams": [switched],
            },
            "decommission": {"owner": "the tests", "grace": 1, "keep": self.keep},
        }
        self.spec_file.write_text(json.dumps(document))

    def connection(self, conn_id: str) -> Connection:
        return connection_from_env(conn_id, self.brokers.env)

    async def switch(self, store: EvidenceStore) -> None:
        spec = load_spec(self.spec_file)
        run = RunKey(migration=spec.migration, phase="cutover", run="switch")
        await mirror_stream(stream_request(spec, self.brokers.mark, run, self.connection))
        async with open_parts(spec, run, self.connection) as parts:
            asked = SwitchRequest(store, run, parts, "cli:test", 60)
            await bring_to(asked, Side.TARGET)
            final, _ref = await finalise(asked, FinalTerms(timedelta(days=7), early=True))
            long_ago = {"switched_at": utc_now() - timedelta(days=30), "finalised_at": utc_now()}
            later = final.model_copy(update=long_ago)
            await write_next(store, lambda number: switch_path(run, "final", number), later)

    def request(self, store: EvidenceStore, run: str = "one") -> LeavingRequest:
        spec = load_spec(self.spec_file)
        key = RunKey(migration=spec.migration, phase="decommission", run=run)
        return LeavingRequest(store, spec, key, "cli:test", self.connection)

    async def plan(self, request: LeavingRequest) -> PlanLife:
        world = await leaving_items(request.spec, request.run, request.connections, aside=False)
        life = await latest_life(request.store, request.spec.migration)
        under_way = life if life is not None and life.under_way else None
        record, ref = await look_unused(request, world, under_way)
        assert [each.verdict for each in record.items if each.item == "fence"] == ["passed"]
        return await make_plan(request, Kept(ref, record))


async def agreed(request: LeavingRequest, stage: Any, life: PlanLife) -> None:
    await give_consent(request, stage, life.plan.ref.sha256, "ann")


async def after_grace(request: LeavingRequest) -> Any:
    """Delete as soon as the time of grace lets it."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await delete(request)
            except IncompleteError:  # the time of grace is not over
                await asyncio.sleep(0.1)


@pytest.fixture
def leaving(brokers: Brokers, tmp_path: Path) -> Leaving:
    for topic in (brokers.topic, f"{brokers.topic}-kept"):
        brokers.make("source", 2, topic)
        brokers.fill("source", 40, partitions=2, topic=topic)
    brokers.make("source", 1, f"other-{brokers.mark}")
    return Leaving(brokers, tmp_path)


async def test_proved_topics_are_planned_agreed_upon_deleted_and_certified(leaving: Leaving) -> None:
    leaving.keep = [
        {
            "component": f"stream/{leaving.brokers.mark}",
            "match": ["*-kept"],
            "legal_hold": True,
            "reason": "case 4711",
        }
    ]
    leaving.save()
    topic = leaving.brokers.topic
    async with open_evidence((leaving.spec_file.parent / "evidence").as_uri(), None) as store:
        await leaving.switch(store)
        request = leaving.request(store)
        life = await leaving.plan(request)
        [planned] = life.plan.record.streams
        assert [(each.name, sum(each.ends)) for each in planned.topics] == [(topic, 40)]
        assert [each.reason for each in life.plan.record.retained] == ["legal hold: case 4711"]
        assert not any(each.component.startswith("stream/") for each in life.plan.record.by_people)
        with pytest.raises(IncompleteError):
            await disable(request)
        await agreed(request, "disable", life)
        await disable(request)
        assert topic in leaving.brokers.names("source")
        await agreed(request, "delete", life)
        done = await after_grace(request)
        assert (done.topics_deleted, done.topics_absent) == (1, 0)
        left = leaving.brokers.names("source")
        assert topic not in left
        assert {f"{topic}-kept", f"other-{leaving.brokers.mark}"} <= left
        assert topic in leaving.brokers.names("target")
        certificate, _ref = await certify(request)
        [part] = [each for each in certificate.parts if each.component.startswith("stream/")]
        assert part.proved
        assert topic in part.counted
        assert (await delete(request)).topics_deleted == 0


async def test_a_record_that_came_since_stops_the_deletion_and_the_source_can_be_brought_back(
    leaving: Leaving,
) -> None:
    async with open_evidence((leaving.spec_file.parent / "evidence").as_uri(), None) as store:
        await leaving.switch(store)
        request = leaving.request(store)
        life = await leaving.plan(request)
        assert len(life.plan.record.streams[0].topics) == 2
        await agreed(request, "disable", life)
        await disable(request)
        await agreed(request, "delete", life)
        leaving.brokers.fill("source", 1, partitions=1)
        with pytest.raises(ConflictError, match="HL-9309"):
            await after_grace(request)
        assert leaving.brokers.topic in leaving.brokers.names("source")
        assert (await restore(request)).state == "restored"
        # A new plan leaves it where it is.
        again = await leaving.plan(leaving.request(store, "two"))
        assert [each.name for each in again.plan.record.streams[0].topics] == [
            f"{leaving.brokers.topic}-kept"
        ]
        assert any("came since" in each.reason for each in again.plan.record.retained)
