"""Writes what the watching of a migration found, and reads it back as series."""

from __future__ import annotations

import re
from collections.abc import Iterable

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_records import (
    MONITORING,
    MonitorPoint,
    WatchKind,
    WatchRecord,
    watch_folder,
    watch_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.store import EvidenceStore

MOST_OF_A_RUN = 50
"""Records of one watched thing and kind among which those of a run are looked for: shells may write, too."""
_NUMBERED = re.compile(r"(?P<kind>[a-z]+)-(?P<number>[0-9]+)\.json")


async def write_watch(store: EvidenceStore, record: WatchRecord) -> tuple[str, EvidenceRef]:
    """Write a record under the next free number of its kind; return its path, too."""

    def path_of(number: int) -> str:
        return watch_path(record.migration, record.watch, record.kind, number)

    folder = watch_folder(record.migration, record.watch)
    known = max((n for kind, n, _ in _numbered(await store.names(folder)) if kind == record.kind), default=0)
    number, ref = await write_next(store, path_of, record, known=known)
    return path_of(number), ref


async def monitor_series(
    store: EvidenceStore, migration: str, watch: str | None = None, *, last: int | None = None
) -> list[MonitorPoint]:
    """Return the points of a migration's watched things, of both sides, in the order in which they were made.

    :param watch: of this one only.
    :param last: at most so many of each watched thing and kind, the newest.
    """
    folder = watch_folder(migration, watch) if watch else f"{migration}/{MONITORING}"
    series: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for path in await store.names(folder):
        for kind, number, _ in _numbered([path]):
            series.setdefault((path.rpartition("/")[0], kind), []).append((number, path))
    points = []
    for found in series.values():
        for _, path in sorted(found)[-last if last else 0 :]:
            points.append((await store.read_record(path, MonitorPoint)).model_copy(update={"path": path}))
    return sorted(points, key=lambda point: (point.measured_at, point.path))


async def points_of_run(store: EvidenceStore, migration: str, run: str) -> list[MonitorPoint]:
    """Return the points that one run of the DAG made, the newest of each watch, side and kind.

    Reads back from the newest record of each watched thing.
    """
    found: dict[tuple[str, str, str], MonitorPoint] = {}
    series: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for path in await store.names(f"{migration}/{MONITORING}"):
        for kind, number, _ in _numbered([path]):
            series.setdefault((path.rpartition("/")[0], kind), []).append((number, path))
    for records in series.values():
        for _, path in sorted(records, reverse=True)[:MOST_OF_A_RUN]:
            point = await store.read_record(path, MonitorPoint)
            if point.run == run:
                point = point.model_copy(update={"path": path})
                found.setdefault((point.watch, point.side, point.kind), point)
    return sorted(found.values(), key=lambda point: (point.watch, point.side, point.kind))


async def latest_path(store: EvidenceStore, migration: str, watch: str, kind: WatchKind) -> str | None:
    """Return the path of the newest record of a kind, None where there is none."""
    numbered = _numbered(await store.names(watch_folder(migration, watch)))
    found = max(((n, path) for each, n, path in numbered if each == kind), default=None)
    return found[1] if found else None


async def first_of_source(store: EvidenceStore, migration: str, watch: str, kind: WatchKind) -> str | None:
    """Return the path of the source's first record of a kind that was no alarm; None where there is none."""
    numbered = _numbered(await store.names(watch_folder(migration, watch)))
    for _, path in sorted((number, path) for each, number, path in numbered if each == kind):
        point = await store.read_record(path, MonitorPoint)
        if point.side == "source" and point.verdict != "alarm":
            return path
    return None


def _numbered(paths: Iterable[str]) -> list[tuple[str, int, str]]:
    found = []
    for path in paths:
        match = _NUMBERED.fullmatch(path.rpartition("/")[2])
        if match:
            found.append((match["kind"], int(match["number"]), path))
    return found
