"""What of a device's objects is still to be loaded, found on disk so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heavylift.evidence.records import Tally
from heavylift.evidence.run_evidence import read_all
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.database import database
from heavylift.objects.appliances.places import device_path, load_folder
from heavylift.objects.appliances.records import DeviceCheck, PlannedDevice
from heavylift.objects.appliances.requests import ApplianceRequest

PART = "rows-"
BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class TodoRow:
    """One object to load.

    :param damaged: a check found what lies there damaged: it is deleted before it is written anew.
    """

    rel: str
    stored_path: str
    size_bytes: int
    source_version: str
    damaged: bool


@dataclass(frozen=True)
class Todo:
    """What is left to load, as a Parquet file by key.

    :param left: what is in the file; ``done``: what earlier attempts have proved.
    """

    path: Path
    left: Tally
    done: Tally

    def batches(self) -> Iterator[list[TodoRow]]:
        """Yield the rows in batches."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield [TodoRow(**cells) for cells in batch.to_pylist()]


async def find_todo(
    evidence: EvidenceStore, request: ApplianceRequest, planned: PlannedDevice, load_id: str, work: Path
) -> Todo:
    """Return the rows that no attempt at this filling has settled, or that a check found damaged since."""
    rows, todo = work / "rows.parquet", work / "todo.parquet"
    await evidence.fetch(planned.rows.path, rows)
    parts = await fetch_parts(evidence, request, planned.id, load_id, work)
    bad = await _fetch_bad(evidence, request, planned.id, load_id, work)
    with database(work, request.transfer.options.limits.memory_budget) as db:
        db.execute("CREATE TABLE settled (rel VARCHAR, loaded_us BIGINT)")
        db.execute("CREATE TABLE bad (rel VARCHAR)")
        if parts:
            db.execute(
                "INSERT INTO settled SELECT rel, max(loaded_us) FROM read_parquet($parts) GROUP BY rel",
                {"parts": [str(part) for part in parts]},
            )
        for path, checked_us in bad:
            db.execute(
                "INSERT INTO bad SELECT s.rel FROM settled s JOIN read_parquet($path) b ON b.key = s.rel"
                " WHERE s.loaded_us <= $at AND b.kind <> 'extra'",
                {"path": str(path), "at": checked_us},
            )
        db.execute(
            "CREATE TABLE todo AS SELECT r.rel, r.stored_path, r.size_bytes, r.source_version,"
            " r.rel IN (SELECT rel FROM bad) AS damaged FROM read_parquet(?) r"
            " WHERE r.rel NOT IN (SELECT rel FROM settled) OR r.rel IN (SELECT rel FROM bad)",
            [str(rows)],
        )
        db.execute("COPY (FROM todo ORDER BY rel) TO ? (FORMAT parquet, ROW_GROUP_SIZE 20000)", [str(todo)])
        left = db.execute("SELECT count(*), coalesce(sum(size_bytes), 0)::BIGINT FROM todo").fetchall()[0]
    tally = Tally(objects=int(left[0]), size_bytes=int(left[1]))
    done = Tally(
        objects=planned.planned.objects - tally.objects,
        size_bytes=planned.planned.size_bytes - tally.size_bytes,
    )
    return Todo(todo, tally, done)


async def fetch_parts(
    evidence: EvidenceStore, request: ApplianceRequest, device: str, load_id: str, work: Path
) -> list[Path]:
    """Fetch the rows that all attempts at one filling of a device have written."""
    folder = load_folder(request.run, request.dataset, device, load_id)
    names = [name for name in await evidence.names(folder) if name.rpartition("/")[2].startswith(PART)]
    parts = []
    for number, name in enumerate(names):
        parts.append(work / f"part-{number}.parquet")
        await evidence.fetch(name, parts[-1])
    return parts


async def _fetch_bad(
    evidence: EvidenceStore, request: ApplianceRequest, device: str, load_id: str, work: Path
) -> list[tuple[Path, int]]:
    """Fetch what checks of this filling found damaged, with the time of each check's beginning."""
    checks = await read_all(
        evidence, lambda n: device_path(request.run, request.dataset, device, "check", n), DeviceCheck
    )
    found = []
    for number, kept in enumerate(checks):
        if kept.record.rows is not None and kept.record.load_id == load_id:
            path = work / f"bad-{number}.parquet"
            await evidence.fetch(kept.record.rows.path, path)
            found.append((path, int(kept.record.checked_at.timestamp() * 1e6)))
    return found
