"""Streams as Airflow moves them. The mirror is a stand-in: real brokers belong to the integration tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError, IncompleteError, IntegrityError, TransientError, UnsupportedError
from heavylift.evidence.records import utc_now
from heavylift.evidence.stream_records import (
    GroupPartition,
    RecordDifference,
    StreamGroupsRecord,
    StreamMirrorRecord,
    StreamPlanRecord,
    StreamTopic,
    StreamVerificationRecord,
)
from heavylift.streams import work
from heavylift.streams.ports import StreamProgress, Watch
from heavylift.streams.requests import StreamRequest
from heavylift_airflow.operators import streams
from heavylift_airflow.operators.streams import (
    MirrorStreamOperator,
    TranslateGroupsOperator,
    VerifyStreamOperator,
)
from tests.plugins.world import World, context_of

STREAM = {
    "name": "events",
    "source": {"engine": "kafka", "connection": "kafka_source"},
    "target": {"engine": "kafka", "connection": "kafka_target"},
    "topics": ["orders"],
}


class StandIn:
    """A mirror that does nothing and says what it is told to say."""

    def __init__(self) -> None:
        self.request: StreamRequest | None = None
        self.refusals: tuple[dict[str, Any], ...] = ()
        self.passed = True
        self.action = "written"
        self.waits = False
        self.mirrored = 0

    def open(self, request: StreamRequest) -> StandIn:
        self.request = request
        return self

    @property
    def common(self) -> dict[str, Any]:
        assert self.request is not None
        return {"run": self.request.run, "stream": self.request.stream}

    def plan(self) -> StreamPlanRecord:
        topics = (StreamTopic(topic="orders", partitions=2, action="create"),)
        return StreamPlanRecord(
            **self.common, source="s", target="t", topics=topics, to_mirror=7, refusals=self.refusals
        )

    def mirror(self, watch: Watch) -> StreamMirrorRecord:
        self.mirrored += 1
        watch.report(StreamProgress("mirror", 3, 7, 100, 10.0, 0.4, 2.0))
        if self.waits:
            watch.stop.wait(60)
        return StreamMirrorRecord(
            **self.common,
            source="s",
            target="t",
            offset_map="__heavylift.small.events.offsets",
            epoch=1,
            exactly_once="tail",
            started_at=utc_now(),
            partitions=(),
            sent=7,
            found_there=0,
            size_bytes=100,
            records_per_second=10.0,
            stopped_by="request" if watch.stop.is_set() else "",
            complete=not watch.stop.is_set(),
            caught_up=True,
            seconds=0.1,
        )

    def verify(self, _watch: Watch) -> StreamVerificationRecord:
        assert self.request is not None
        lost = RecordDifference(topic="orders", partition=1, kind="missing", source_offset=4, target_offset=9)
        return StreamVerificationRecord(
            **self.common,
            source="s",
            target="t",
            partitions=(),
            topics=1,
            source_records=7,
            target_records=7,
            equal=7 if self.passed else 6,
            missing=0 if self.passed else 1,
            different=0,
            extra=0,
            newer=0,
            drained_demanded=self.request.options.drained,
            differences=() if self.passed else (lost,),
            statement="all equal" if self.passed else "1 records missing",
            passed=self.passed,
        )

    def translate_groups(self, *, write: bool) -> StreamGroupsRecord:
        position = GroupPartition.model_validate(
            {
                "group": "billing",
                "topic": "orders",
                "partition": 0,
                "source_position": 5,
                "target_position": 5,
                "exact": True,
                "action": self.action if write else "write",
            }
        )
        return StreamGroupsRecord(
            **self.common,
            written=write,
            groups=1,
            positions=(position,),
            complete=position.action in {"written", "write"},
        )

    def close(self) -> None:
        return None


@pytest.fixture
def mirror(world: World, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    world.save(streams=[STREAM])
    for name in ("KAFKA_SOURCE", "KAFKA_TARGET"):
        value = {"conn_type": "kafka", "extra": {"bootstrap.servers": "127.0.0.1:9"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(value))
    stand_in = StandIn()
    monkeypatch.setattr(work, "open_mirror", stand_in.open)
    return stand_in


def task_of(kind: type, world: World, **more: Any) -> Any:
    return kind(task_id="act", spec_path=world.spec_path, phase="sync", stream="events", **more)


def execute(task: Any, **changes: Any) -> Any:
    return task.execute(context_of(task, **changes))


def test_mirroring_returns_counts_and_leaves_evidence_and_a_trail(world: World, mirror: StandIn) -> None:
    task = task_of(MirrorStreamOperator, world)
    counts = execute(task, bandwidth_limit="1MB/s")
    assert (counts["sent"], counts["complete"]) == (7, True)
    assert mirror.request is not None
    assert mirror.request.options.topics == ("orders",)
    assert mirror.request.options.max_bytes_per_second == 1_000_000
    assert task.evidence_path.endswith("~streams/events/mirror-1.json")
    assert (world.evidence / task.evidence_path).is_file()
    assert world.actions() == ["stream.planned", "stream.mirrored"]
    assert all(entry.subject == "events" for entry in world.trail())


def test_a_second_attempt_adds_a_record(world: World, mirror: StandIn) -> None:
    for attempt in (1, 2):
        execute(task_of(MirrorStreamOperator, world), attempt=attempt)
    found = sorted(path.name for path in world.evidence.rglob("mirror-*.json"))
    assert found == ["mirror-1.json", "mirror-2.json"]


def test_what_stands_in_the_way_fails_before_anything_moves(world: World, mirror: StandIn) -> None:
    refusal = ConflictError("mirroring into topic 'orders'", got="3 partitions", expected="4", code="6523")
    mirror.refusals = (refusal.attrs(), refusal.attrs())
    for dry_run in (True, False):
        with pytest.raises(ConflictError, match=r"3 partitions.*1 more things.*HL-6523"):
            execute(task_of(MirrorStreamOperator, world), dry_run=dry_run)
    assert mirror.mirrored == 0
    assert world.actions() == ["stream.planned", "stream.planned"]


def test_a_dry_run_only_plans(world: World, mirror: StandIn) -> None:
    assert execute(task_of(MirrorStreamOperator, world), dry_run=True) == {"to_mirror": 7, "topics": 1}
    assert mirror.mirrored == 0
    with pytest.raises(AirflowSkipException):
        execute(task_of(VerifyStreamOperator, world), dry_run=True)
    assert execute(task_of(TranslateGroupsOperator, world), dry_run=True)["written"] == 0


def test_a_stop_ends_the_mirror_and_its_record_says_so(
    world: World, mirror: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(MirrorStreamOperator, world)
    mirror.waits = True
    monkeypatch.setattr(streams, "StreamReporter", lambda *_: lambda _progress: task.on_kill())
    with pytest.raises(TransientError, match="HL-8003"):
        execute(task)
    (written,) = world.evidence.rglob("mirror-1.json")
    assert json.loads(written.read_text())["stopped_by"] == "request"


def test_a_verification_that_fails_names_offsets(world: World, mirror: StandIn) -> None:
    assert execute(task_of(VerifyStreamOperator, world, drained=True))["passed"] is True
    assert mirror.request is not None
    assert mirror.request.options.drained
    mirror.passed = False
    with pytest.raises(IntegrityError, match=r"missing orders\[1\]@4/9.*HL-6570"):
        execute(task_of(VerifyStreamOperator, world))
    assert world.actions() == ["stream.verified", "stream.verified"]


def test_groups_that_could_not_be_moved_fail_only_where_all_are_demanded(
    world: World, mirror: StandIn
) -> None:
    assert execute(task_of(TranslateGroupsOperator, world))["written"] == 1
    mirror.action = "active"
    counts = execute(task_of(TranslateGroupsOperator, world))
    assert (counts["active"], counts["complete"]) == (1, False)
    with pytest.raises(IncompleteError, match=r"billing orders\[0\] active.*HL-6571"):
        execute(task_of(TranslateGroupsOperator, world, require_all=True))


def test_an_engine_that_is_not_mirrored_is_refused_by_name(
    world: World, mirror: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.spec.sections_data import StreamEngine
    from heavylift.streams.engines import open_mirror
    from heavylift.streams.requests import StreamPlace

    execute(task_of(MirrorStreamOperator, world))
    assert mirror.request is not None
    place = StreamPlace(StreamEngine.PUBSUB, mirror.request.source.connection)
    other = StreamRequest(mirror.request.run, "events", place, place, None, None)
    with pytest.raises(UnsupportedError, match=r"pubsub.*HL-6535"):
        open_mirror(other)


def test_progress_is_logged_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def info(self, event: str, *args: object) -> None:
            self.lines.append(event % args)

    monkeypatch.setattr(streams, "LOG_EVERY_SECONDS", 0.0)
    log = Log()
    streams.StreamReporter(log, "events")(StreamProgress("mirror", 3, 7, 100, 10.0, 0.4, 2.0))
    assert log.lines == ["mirror: 3 of 7 records (100 B), 10/s, 400 ms left, last record 2.0 s old"]


def test_verifying_and_translating_again_tell_the_same(world: World, mirror: StandIn) -> None:
    for kind in (VerifyStreamOperator, TranslateGroupsOperator):
        first, second = (execute(task_of(kind, world), attempt=attempt) for attempt in (1, 2))
        assert first == second
    assert len(world.actions()) == 4
    assert mirror.mirrored == 0
