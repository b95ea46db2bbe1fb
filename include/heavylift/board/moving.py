"""How far the moving of data is, and how far the target is behind, by the evidence of the latest runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader
from heavylift.evidence.paths import dataset_folder, dataset_of_folder
from heavylift.evidence.records import PlanRecord, ShardResult, Tally, VerificationRecord
from heavylift.evidence.run_evidence import is_complete
from heavylift.evidence.runs import SeenRun
from heavylift.evidence.stream_records import StreamMirrorRecord
from heavylift.evidence.table_records import SyncRecord

MOST_POINTS = 300
"""How many points a curve of the lag has: of more, each stretch of time keeps its worst and its best."""
MOST_READ = 3000
"""How many of the latest records are read for all curves of a kind: an hourly sync of four months."""

_MOVING = ("transfer", "sync")


@dataclass(frozen=True)
class Progress:
    """One dataset in the latest run of a phase.

    :param bytes_per_second: of the shards that have ended, over the time that they took together; None
        before there is one.
    :param left: at that rate; None where nothing is left, or no rate is known.
    :param proved: whether the last verification passed; None where there is none.
    """

    phase: str
    dataset: str
    done: Tally
    total: Tally
    shards_done: int
    shards: int
    bytes_per_second: float | None
    left: timedelta | None
    proved: bool | None
    path: str


@dataclass(frozen=True)
class LagPoint:
    """The lag at the end of one run."""

    at: datetime
    seconds: float
    amount: int
    path: str


@dataclass(frozen=True)
class LagSeries:
    """The lag of one database or stream over time.

    :param unit: of the points' amounts: ``bytes`` of log, or ``records``.
    """

    kind: str
    name: str
    unit: str
    points: tuple[LagPoint, ...]

    @property
    def last(self) -> LagPoint:
        """The newest point."""
        return self.points[-1]


async def read_progress(reader: Reader, listing: Listing) -> tuple[Progress, ...]:
    """Return how far each dataset of the latest transfer and sync is."""
    found = []
    for phase in _MOVING:
        seen = listing.latest.get(phase)
        for folder in seen.datasets if seen else ():
            progress = await _dataset(reader, listing, seen, dataset_of_folder(folder)) if seen else None
            if progress is not None:
                found.append(progress)
    return tuple(found)


async def _dataset(reader: Reader, listing: Listing, seen: SeenRun, dataset: str) -> Progress | None:
    folder = dataset_folder(seen.key, dataset)
    path = f"{folder}/plan.json"
    plan = await reader.record(path, PlanRecord) if path in listing.below(folder) else None
    if plan is None:
        return None
    # Only result.json: its number is the attempt's folder.
    results = [each for each in listing.below(f"{folder}/shards") if each.endswith("/result.json")]
    ended = [record for _, record in await reader.records(results, ShardResult)]
    best: dict[int, ShardResult] = {}
    for record in ended:
        if record.shard not in best or is_complete(record) or not is_complete(best[record.shard]):
            best[record.shard] = record
    done = sum((each.moved + each.unchanged for each in best.values()), Tally())
    verification = await reader.last(listing.numbered(folder, "verification-"), VerificationRecord)
    rate = _rate(ended)
    behind = plan.to_copy.size_bytes - done.size_bytes
    left = timedelta(seconds=behind / rate) if rate and behind > 0 else None
    return Progress(
        phase=seen.key.phase,
        dataset=dataset,
        done=done,
        total=plan.to_copy,
        shards_done=sum(is_complete(each) for each in best.values()),
        shards=len(plan.shards),
        bytes_per_second=rate,
        left=left,
        proved=verification[1].passed if verification else None,
        path=verification[0] if verification else path,
    )


def _rate(ended: list[ShardResult]) -> float | None:
    if not ended:
        return None
    first = min(each.started_at for each in ended)
    seconds = (max(each.ended_at for each in ended) - first).total_seconds()
    moved = sum(each.moved.size_bytes for each in ended)
    return moved / seconds if seconds > 0 and moved else None


async def read_lag(reader: Reader, listing: Listing) -> tuple[LagSeries, ...]:
    """Return the lag of every database and stream that a sync has followed, by the latest records."""
    databases: dict[str, list[LagPoint]] = {}
    streams: dict[str, list[LagPoint]] = {}
    syncs = _latest(listing, "databases/[^/]+/sync-")
    for path, record in await reader.records(syncs, SyncRecord):
        name = record.database if record.direction == "forward" else f"{record.database}, back to the source"
        point = LagPoint(record.ended_at, record.lag_seconds, record.lag_bytes, path)
        databases.setdefault(name, []).append(point)
    mirrors = _latest(listing, "~streams/[^/]+/mirror-")
    for path, mirror in await reader.records(mirrors, StreamMirrorRecord):
        point = LagPoint(mirror.ended_at, mirror.lag_seconds, mirror.lag_records, path)
        streams.setdefault(mirror.stream, []).append(point)
    return (
        *(_series("database", name, "bytes", points) for name, points in sorted(databases.items())),
        *(_series("stream", name, "records", points) for name, points in sorted(streams.items())),
    )


def _latest(listing: Listing, name: str) -> list[str]:
    """Return the paths of a kind's latest records; runs are listed the oldest first."""
    paths = [path for run in listing.runs for path in listing.numbered(run.key.folder, name)]
    return paths[-MOST_READ:]


def _series(kind: str, name: str, unit: str, points: list[LagPoint]) -> LagSeries:
    return LagSeries(kind, name, unit, thinned(sorted(points, key=lambda point: point.at)))


def thinned(points: Sequence[LagPoint], most: int = MOST_POINTS) -> tuple[LagPoint, ...]:
    """Return at most ``most`` of points in the order of time: the first, the last, each stretch's extremes.

    :param most: at least 4.
    """
    if len(points) <= most:
        return tuple(points)
    inner = points[1:-1]
    stretches = (most - 2) // 2
    kept = [points[0]]
    for index in range(stretches):
        stretch = inner[index * len(inner) // stretches : (index + 1) * len(inner) // stretches]
        ends = {id(each): each for each in (min(stretch, key=_seconds), max(stretch, key=_seconds))}
        kept += [each for each in stretch if id(each) in ends]
    return (*kept, points[-1])


def _seconds(point: LagPoint) -> float:
    return point.seconds
