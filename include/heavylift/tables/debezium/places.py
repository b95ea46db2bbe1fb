"""Where an event lies in its source's log; and whether it has been delivered before.

Debezium delivers at least once: after a restart it goes back to an earlier place and delivers everything
from there on again, and a task that was taken for dead may still send what it had in hand. In one partition
the places of new events never go back, so an event whose place lies before the newest one's was there
already, and is dropped: the target never goes back to an older row. An event of the very same place is
applied: one record of a log may hold several rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from heavylift.errors import ConflictError, IntegrityError, UnsupportedError
from heavylift.tables.model import TableName

Place = tuple[int, ...]
"""A place in a log; of the same source they compare."""

TOLERANCE_MS = 10_000
"""How far the source's clock may have gone back while an older place is still a repetition."""

_SNAPSHOTS = frozenset({"true", "first", "first_in_data_collection", "last_in_data_collection", "last"})


class Verdict(Enum):
    """What to do with an event."""

    APPLY = "apply"
    DROP = "drop"
    """It was there already."""
    ANEW = "anew"
    """It begins a later snapshot: what earlier ones brought goes first."""


@dataclass(frozen=True)
class Mark:
    """How far one topic has been read.

    :param topic_id: the broker's own, empty where it has none: a topic made anew has another one.
    :param offset: of the next record.
    :param place: the newest change's; None while there was none.
    :param at_ms: when that was committed, by the source's clock.
    :param snapshot: the place of the snapshot that the table's rows are from.
    :param complete: the connector said that its snapshot is complete.
    :param moves: rows whose keys changed at ``place``. Each other event may be applied twice; a row that has
        moved is no longer where its large values would be fetched from.
    """

    topic: str
    table: TableName
    topic_id: str
    offset: int = 0
    place: Place | None = None
    at_ms: int = 0
    snapshot: Place | None = None
    complete: bool = False
    moves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What all topics together say.

    :param snapshot: the newest snapshot's place.
    :param changes: a change has been seen.
    """

    snapshot: Place | None
    changes: bool


def judge(table: TableName, op: str, source: Mapping[str, Any], mark: Mark, known: Known) -> Verdict:
    """Tell what to do with an event.

    :raises HeavyliftError: neither is safe.
    """
    if op == "r":
        return _judge_read(table, source, mark, known)
    place = change_place(source)
    if mark.place is None or place >= mark.place:
        return Verdict.APPLY
    later = int(source.get("ts_ms") or 0) > mark.at_ms + TOLERANCE_MS
    # A place that does not tell the transactions before it is compared by itself.
    if later or (place[0] == 0 and max(place) > max(mark.place)):
        raise _went_back(table, place, mark.place)
    return Verdict.DROP


def _judge_read(table: TableName, source: Mapping[str, Any], mark: Mark, known: Known) -> Verdict:
    if str(source.get("snapshot")) not in _SNAPSHOTS:
        raise _other_snapshot(table, str(source.get("snapshot")))
    place = snapshot_place(source)
    if known.snapshot is not None and place < known.snapshot:
        return Verdict.DROP
    if known.snapshot is None or place == known.snapshot:
        if mark.place is None:
            return Verdict.APPLY
        if mark.snapshot == place:
            # Read again after a change of the table: the row is an older one, or the same.
            return Verdict.DROP
    if known.changes:
        raise _second_snapshot(table)
    return Verdict.ANEW


def change_place(source: Mapping[str, Any]) -> Place:
    """Return the place of a change.

    :raises UnsupportedError: of a connector that is not known.
    :raises IntegrityError: the event does not tell it.
    """
    return _place(source, _CHANGES)


def snapshot_place(source: Mapping[str, Any]) -> Place:
    """Return the place as of which a snapshot reads its rows."""
    return _place(source, _READS)


def _place(source: Mapping[str, Any], ways: Mapping[str, Callable[[Mapping[str, Any]], Place]]) -> Place:
    connector = str(source.get("connector"))
    if connector not in ways:
        raise UnsupportedError(
            "ordering Debezium's events",
            got=f"events of the connector {connector!r}",
            expected=f"one of {', '.join(sorted(ways))}",
            state="nothing of this batch was applied; the position stays",
            remedy="move this database by other means for now",
            code="6706",
        )
    try:
        return ways[connector](source)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            "ordering Debezium's events",
            got=f"an event of the connector {connector!r} that does not tell its place in the source's log",
            expected="the block 'source' as Debezium writes it",
            state="nothing of this batch was applied; the position stays",
            remedy="take transforms that change it (ExtractNewRecordState and the like) off the connector",
            code="6707",
        ) from error


def _postgresql(source: Mapping[str, Any]) -> Place:
    # Transactions come in the order of their commits, so that a change's own position may go back.
    before, here = json.loads(source["sequence"])
    return (int(before or 0), int(here))


def _binlog(source: Mapping[str, Any]) -> Place:
    return (*_binlog_read(source), int(source["row"] or 0))


def _binlog_read(source: Mapping[str, Any]) -> Place:
    return (int(str(source["file"]).rpartition(".")[2]), int(source["pos"]))


def _hexadecimal(text: Any) -> int:
    return int(str(text).replace(":", ""), 16)


def _sqlserver(source: Mapping[str, Any]) -> Place:
    at = (_hexadecimal(source["commit_lsn"]), _hexadecimal(source["change_lsn"]))
    return (*at, int(source["event_serial_no"] or 0))


def _db2(source: Mapping[str, Any]) -> Place:
    return (_hexadecimal(source["commit_lsn"]), _hexadecimal(source["change_lsn"]))


def _oracle(source: Mapping[str, Any]) -> Place:
    return (int(source["commit_scn"]), int(source["scn"]))


_CHANGES: Mapping[str, Callable[[Mapping[str, Any]], Place]] = {
    "postgresql": _postgresql,
    "mysql": _binlog,
    "mariadb": _binlog,
    "sqlserver": _sqlserver,
    "db2": _db2,
    "oracle": _oracle,
}
_READS: Mapping[str, Callable[[Mapping[str, Any]], Place]] = {
    "postgresql": lambda source: (int(source["lsn"]),),
    "mysql": _binlog_read,
    "mariadb": _binlog_read,
    "sqlserver": lambda source: (_hexadecimal(source["commit_lsn"]),),
    "db2": lambda source: (_hexadecimal(source["commit_lsn"]),),
    "oracle": lambda source: (int(source["scn"]),),
}


def _went_back(table: TableName, place: Place, newest: Place) -> ConflictError:
    return ConflictError(
        f"applying Debezium's events of {table}",
        got=f"an event at {place}, committed after the newest one, which lies at {newest}",
        expected="places in the source's log that grow as time does",
        state="nothing of this batch was applied; the position stays",
        remedy="the connector reads another server, or a log that was begun anew: let it take its snapshot"
        " anew under another topic.prefix, then take the snapshot here anew (--anew)",
        code="6708",
    )


def _second_snapshot(table: TableName) -> ConflictError:
    return ConflictError(
        f"applying Debezium's events of {table}",
        got="a second snapshot, after changes",
        expected="one snapshot, then changes: rows that were deleted before a second one are in no event",
        state="nothing of this batch was applied; the position stays",
        remedy="let the connector take its snapshot anew under another topic.prefix, then take the snapshot"
        " here anew (--anew)",
        code="6709",
    )


def _other_snapshot(table: TableName, kind: str) -> UnsupportedError:
    return UnsupportedError(
        f"applying Debezium's events of {table}",
        got=f"rows that were read by a snapshot of kind {kind!r}",
        expected="the connector's initial snapshot (snapshot.mode=initial), and changes",
        state="nothing of this batch was applied; the position stays",
        remedy="send the connector no signals for snapshots; let it begin anew under another topic.prefix,"
        " then take the snapshot here anew (--anew)",
        code="6710",
    )
