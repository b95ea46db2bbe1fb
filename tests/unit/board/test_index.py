"""The index reads what has changed, tells what it cannot reach, and is kept by a thread that ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heavylift.board import index as board_index
from heavylift.board import lines
from heavylift.board.keeper import Keeper
from heavylift.board.lines import State
from heavylift.connections import Connection, connection_from_fields
from heavylift.errors import NotFoundError
from tests.support.board_place import Place


def test_only_what_has_changed_is_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        place.spec(name)
        place.gate(place.run(name=name))
    index = place.index()
    index.refresh()
    read: list[str] = []
    original = lines.read_line

    async def noting(store: Any, spec: Any, listing: Any) -> Any:
        read.append(spec.migration)
        return await original(store, spec, listing)

    monkeypatch.setattr(board_index, "read_line", noting)
    place.summary(place.run(name="two"))
    index.refresh()
    assert read == ["two"]
    assert {line.name: line.standing for line in index.snapshot().lines} == {
        "one": State.WAITING,
        "two": State.PASSED,
    }


def test_a_spec_that_changes_comes_and_goes_is_followed(place: Place) -> None:
    place.spec("one")
    index = place.index()
    index.refresh()
    place.spec("one", owner="others")
    place.spec("two")
    index.refresh()
    assert [(line.name, line.owner) for line in index.snapshot().lines] == [
        ("one", "others"),
        ("two", "team"),
    ]
    (place.specs / "two.yaml").unlink()
    (place.specs / "three.yaml").write_text("migration: [")
    index.refresh()
    snapshot = index.snapshot()
    assert [line.name for line in snapshot.lines] == ["one"]
    assert len(snapshot.broken) == 1
    assert "three.yaml" in snapshot.broken[0]


def test_of_two_specs_with_one_name_the_first_counts(place: Place) -> None:
    place.spec("one")
    (place.specs / "zzz.yaml").write_text((place.specs / "one.yaml").read_text().replace("team", "thief"))
    index = place.index()
    index.refresh()
    assert [line.owner for line in index.snapshot().lines] == ["team"]


def test_a_directory_that_is_not_there_is_told(place: Place) -> None:
    place.specs.rmdir()
    index = place.index()
    index.refresh()
    snapshot = index.snapshot()
    assert snapshot.lines == ()
    assert len(snapshot.broken) == 1


def test_a_store_that_cannot_be_reached_is_told_and_others_are_read(place: Place) -> None:
    place.spec("here")
    place.summary(place.run(name="here"))
    place.spec("gone", evidence={"connection": "nowhere"})

    def look_up(conn_id: str) -> Connection:
        if conn_id == "evidence":
            return place.connection()
        raise NotFoundError("looking", got=f"no connection {conn_id}", code="0000")

    index = place.index(look_up)
    index.refresh()
    snapshot = index.snapshot()
    assert snapshot.unreachable == ("evidence store of connection nowhere: no connection nowhere [HL-0000]",)
    assert snapshot.unread == 1
    assert {line.name: line.standing for line in snapshot.lines} == {
        "here": State.PASSED,
        "gone": State.NONE,
    }


def test_a_store_that_does_not_answer_holds_nothing_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        place.spec(f"m-{number}")
    asked: list[str] = []

    class Silent:
        async def files(self, folder: str) -> AsyncIterator[Any]:
            asked.append(folder)
            await asyncio.Event().wait()
            yield None

    @asynccontextmanager
    async def open_silent(*_args: Any, **_settings: Any) -> AsyncIterator[Any]:
        yield Silent()

    monkeypatch.setattr(board_index, "open_evidence", open_silent)
    index = place.index(store_seconds=0.05)
    index.refresh()
    assert index.snapshot().unreachable == ("evidence store of connection evidence: no answer within 0.05 s",)
    assert len(asked) == 1, "one migration finds out for all"
    assert index.due(None, 60) == [], "the next round is the next try"


def test_a_store_that_answers_again_is_no_longer_told(place: Place) -> None:
    place.spec()
    there = {"evidence": False}

    def look_up(conn_id: str) -> Connection:
        if not there[conn_id]:
            raise NotFoundError("looking", got="nothing", code="0000")
        return place.connection()

    index = place.index(look_up)
    index.refresh()
    assert index.snapshot().unreachable
    there["evidence"] = True
    index.refresh()
    assert index.snapshot().unreachable == ()
    assert index.snapshot().unread == 0


def test_a_missing_evidence_folder_stays_missing(place: Place) -> None:
    place.spec()
    raw = {"conn_type": "file", "extra": {"path": str(place.root / "none")}}
    index = place.index(lambda conn_id: connection_from_fields(conn_id, raw))
    index.refresh()
    assert not (place.root / "none").exists()


def test_what_is_shown_is_read_before_everything_else(place: Place) -> None:
    now = [0.0]
    for number in range(3):
        place.spec(f"m-{number}")
    index = place.index(clock=lambda: now[0])
    keeper = Keeper(index, clock=lambda: now[0])
    assert keeper.turn(), "never read"
    assert not keeper.turn()
    now[0] = 6.0
    assert index.due(["m-1"], 5.0) == ["m-1"]
    assert not keeper.turn(), "nobody looks"
    keeper._wanted.add("m-1")
    assert keeper.turn()
    assert index.due(None, 5.0) == ["m-0", "m-2"]
    now[0] = 62.0
    assert keeper.turn()
    assert index.due(None, 5.0) == ["m-1"], "it was read at 6 s"


def test_the_thread_of_a_keeper_reads_and_ends(place: Place) -> None:
    place.spec()
    place.summary(place.run())
    index = place.index()
    before = set(threading.enumerate())
    keeper = Keeper(index, shown_seconds=0.01, idle_seconds=0.0)
    keeper.want(["small"])
    assert index.wait_for_specs(30)
    for thread in set(threading.enumerate()) - before:
        if thread.name == "heavylift-board":
            thread.join(30)
            assert not thread.is_alive()
    assert index.snapshot().lines[0].standing is State.PASSED
