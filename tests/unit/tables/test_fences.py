"""Fences without a server: how a side is called, which side is the live one, and what can't be fenced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConflictError, UnsupportedError
from heavylift.evidence.fence_records import FenceRecord
from heavylift.evidence.records import RunKey
from heavylift.fencing import Side, Writes, WriteState
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.engine import Work
from heavylift.tables.fences import acts
from heavylift.tables.fences.port import FenceNote, in_the_way, judged
from heavylift.tables.fences.wording import fence_line, state_line
from heavylift.tables.model import TableName
from heavylift.tables.requests import DatabaseSideRequest, TablesRequest
from tests.support.fake_tables import fake_request
from tests.support.memory_fence import MemoryFence

ONE, TWO = TableName("public", "one"), TableName("public", "two")
OPEN, FROZEN = Writes.OPEN, Writes.FROZEN
SOURCE, TARGET = Side.SOURCE, Side.TARGET


@pytest.fixture
def fence(monkeypatch: pytest.MonkeyPatch) -> MemoryFence:
    made = MemoryFence()
    monkeypatch.setattr(acts, "fence_for", lambda _engine: made)
    return made


@pytest.mark.parametrize(
    ("noted", "on", "writes", "partly"),
    [
        (OPEN, set(), OPEN, ()),
        (FROZEN, set(), OPEN, ()),
        (OPEN, {ONE, TWO}, FROZEN, ()),
        (FROZEN, {ONE}, FROZEN, ("public.two",)),
        (OPEN, {ONE}, OPEN, ("public.one",)),
    ],
)
def test_a_side_is_what_its_tables_are(
    noted: Writes, on: set[TableName], writes: Writes, partly: tuple[str, ...]
) -> None:
    state = judged(FenceNote(3, noted, 2), (ONE, TWO), on)
    assert state == WriteState(writes, 3, partly, 2)
    assert state.is_frozen is (writes is FROZEN and not partly)


@pytest.mark.parametrize(
    ("source", "target", "live"),
    [
        (WriteState(OPEN), WriteState(OPEN), SOURCE),
        (WriteState(OPEN), WriteState(FROZEN, 1), SOURCE),
        (WriteState(FROZEN, 2), WriteState(FROZEN, 1), SOURCE),
        (WriteState(FROZEN, 2), WriteState(OPEN, 2, opened=2), TARGET),
        (WriteState(FROZEN, 2, ("a.late",)), WriteState(OPEN, 2, opened=2), TARGET),
        (WriteState(FROZEN, 2), WriteState(FROZEN, 3, opened=2), TARGET),
        (WriteState(OPEN, 3, opened=3), WriteState(FROZEN, 3, ("a.late",), opened=2), SOURCE),
        (WriteState(FROZEN, 4, opened=3), WriteState(FROZEN, 3, opened=2), SOURCE),
        (WriteState(FROZEN, 4, opened=3), WriteState(OPEN, 4, opened=4), TARGET),
    ],
)
def test_the_live_side_is_told_by_both(
    fence: MemoryFence, source: WriteState, target: WriteState, live: Side
) -> None:
    fence.states = {SOURCE: source, TARGET: target}
    request = fake_request("file:///nowhere")
    for each in (request, request.reversed()):
        assert acts.switched_to(each) is live
    assert acts.flows_back(request) is (live is TARGET)


def test_two_open_sides_are_no_direction_and_none_is_opened_beside_another(fence: MemoryFence) -> None:
    request = fake_request("file:///nowhere")
    with pytest.raises(ConflictError, match="HL-8783"):
        acts.unfreeze(request, Work(), side=TARGET, epoch=1, within_seconds=1)
    acts.unfreeze(request, Work(), side=TARGET, epoch=1, within_seconds=1, whatever_the_other=True)
    with pytest.raises(ConflictError, match="HL-8785"):
        acts.demand_direction(request)
    acts.freeze(request, Work(), side=SOURCE, epoch=1, within_seconds=1)
    with pytest.raises(ConflictError, match="HL-8784"):
        acts.drop(request, Work(), side=SOURCE, epoch=1, within_seconds=1)
    acts.drop(request, Work(), side=SOURCE, epoch=1, within_seconds=1, though_frozen=True)
    assert fence.states[SOURCE] == WriteState(OPEN)


def topics(engine: DatabaseEngine, own: Connection | None) -> TablesRequest:
    request = fake_request("file:///nowhere")
    return replace(request, source=DatabaseSideRequest(engine, Connection("broker", "kafka"), own))


def test_what_is_reached_by_topics_alone_cannot_be_fenced() -> None:
    own = Connection("own", "postgres", host="h", schema="db")
    acts.fence_of(topics(DatabaseEngine.POSTGRESQL, own), SOURCE)
    with pytest.raises(UnsupportedError, match=r"from topics alone.*database_conn.*HL-8782"):
        acts.fence_of(topics(DatabaseEngine.MYSQL, None), SOURCE)
    with pytest.raises(UnsupportedError, match=r"got oracle, .*by hand.*HL-8782"):
        acts.fence_of(topics(DatabaseEngine.ORACLE, None), SOURCE)


def test_without_a_source_that_can_be_fenced_the_target_alone_tells(fence: MemoryFence) -> None:
    request = topics(DatabaseEngine.MYSQL, None)
    for writes, live in ((OPEN, TARGET), (FROZEN, SOURCE)):
        fence.states[TARGET] = WriteState(writes, 2, opened=2)
        assert acts.switched_to(request) is live


def test_lines_say_what_is_so() -> None:
    record = FenceRecord(
        run=RunKey(migration="m", phase="cutover", run="r"), database="db", side="source", act="frozen",
        epoch=2, writes="frozen", tables=7, seconds=0.5, position="0/A",
    )  # fmt: skip
    assert fence_line(record) == (
        "the source is frozen at epoch 2: 7 tables refuse writes from position 0/A on, after 0.5 s"
    )
    assert "already" in fence_line(record.model_copy(update={"already": True}))
    partly = WriteState(FROZEN, 2, tuple(f"a.t{n}" for n in range(7)))
    assert state_line(SOURCE, partly) == (
        "source: frozen, epoch 2; open all the same, so that it counts as open:"
        " a.t0, a.t1, a.t2, a.t3, a.t4 and 2 more"
    )
    _, fenced = acts.fence_of(fake_request("file:///nowhere"), SOURCE)
    assert "and 2 more" in in_the_way("freezing", fenced, [f"pid {n}" for n in range(12)], 3).got
