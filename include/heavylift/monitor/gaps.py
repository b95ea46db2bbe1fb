"""Gaps in logs whose entries have sequence numbers, over both sides at once: the switch hides none."""

from __future__ import annotations

import time
from dataclasses import dataclass

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_evidence import write_watch
from heavylift.evidence.monitor_records import GapFound, GapsRecord, Verdict
from heavylift.evidence.store import open_evidence
from heavylift.monitor.joining import LONGEST_TEXT, Columns, load, open_database
from heavylift.monitor.requests import Kept
from heavylift.monitor.tables_read import MIB
from heavylift.platforms.places import Place

MOST_GAPS = 50


@dataclass(frozen=True)
class GapsRequest:
    """Logs to look through.

    :param places: all that together hold the log, such as those of both sides.
    :param sequence: column of the sequence number, ``stream`` of what counts for itself, such as a producer.
    """

    kept: Kept
    places: tuple[Place, ...]
    sequence: str = "sequence"
    stream: str | None = None
    memory_bytes: int = 512 * MIB


async def find_gaps(request: GapsRequest) -> tuple[GapsRecord, EvidenceRef]:
    """Look for sequence numbers that no place has, and write a record with the next number.

    An entry that lies in several places counts as repeated and is no alarm.

    :raises NotFoundError: a table is not there.
    :raises SpecError: a column is not there.
    """
    began = time.monotonic()
    kept = request.kept
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        with open_database(request.memory_bytes) as database:
            columns = Columns((), request.sequence, None, (request.stream,) if request.stream else ())
            for number, place in enumerate(request.places):
                await load(database, f"part{number}", place, columns, request.memory_bytes // 4)
            record = _record(database, request, began)
        _, ref = await write_watch(store, record)
    return record, ref


def _record(database: object, request: GapsRequest, began: float) -> GapsRecord:
    execute = database.execute  # type: ignore[attr-defined]
    stream = "coalesce(s0, '')" if request.stream else "''"
    parts = " UNION ALL ".join(
        f"SELECT {stream} AS stream, TRY_CAST(v AS HUGEINT) AS n FROM part{number}"  # noqa: S608
        for number in range(len(request.places))
    )
    execute(f"CREATE TABLE e AS {parts}")
    execute(
        "CREATE TABLE d AS SELECT stream, n, count(*) AS times FROM e WHERE n IS NOT NULL GROUP BY stream, n"
    )
    entries, unreadable = execute("SELECT count(*), count(*) - count(n) FROM e").fetchone()
    repeated, streams = execute(
        "SELECT coalesce(sum(times - 1), 0), count(DISTINCT stream) FROM d"
    ).fetchone()
    execute(
        "CREATE TABLE g AS SELECT * FROM (SELECT stream, n,"
        " lag(n) OVER (PARTITION BY stream ORDER BY n) AS seen FROM d) WHERE n - seen > 1"
    )
    missing = int(execute("SELECT coalesce(sum(n - seen - 1), 0) FROM g").fetchone()[0])
    rows = execute(
        "SELECT stream, seen, n FROM g ORDER BY n - seen DESC, stream, n LIMIT ?", [MOST_GAPS]
    ).fetchall()
    gaps = tuple(
        GapFound(stream=str(name)[:LONGEST_TEXT], after=int(seen), before=int(n), missing=int(n - seen - 1))
        for name, seen, n in rows
    )
    kept = request.kept
    verdict, reasons = _verdict(gaps, missing, entries, unreadable)
    return GapsRecord(
        migration=kept.migration, watch=kept.watch, kind="gaps", side=kept.side, run=kept.run,
        verdict=verdict,
        figures={"entries": entries, "missing": missing, "repeated": float(repeated)},
        reasons=reasons,
        statement=f"{entries:,} entries of {streams:,} streams: {missing:,} missing,"
        f" {int(repeated):,} repeated",
        took_seconds=round(time.monotonic() - began, 3),
        urls=tuple(str(place.location) for place in request.places),
        streams=int(streams), entries=int(entries), missing=missing, repeated=int(repeated),
        unreadable=int(unreadable), gaps=gaps,
    )  # fmt: skip


def _verdict(
    gaps: tuple[GapFound, ...], missing: int, entries: int, unreadable: int
) -> tuple[Verdict, tuple[str, ...]]:
    if missing:
        named = tuple(
            f"{each.missing:,} entries between {each.after} and {each.before}"
            + (f" of {each.stream}" if each.stream else "")
            for each in gaps[:10]
        )
        return "alarm", named
    if unreadable:
        return "unsure", (f"{unreadable:,} entries without a number that can be read",)
    return ("ok", ()) if entries else ("unsure", ("no entries",))
