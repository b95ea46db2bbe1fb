"""``heavylift monitor run``, ``series`` and ``export``: what a spec watches, and what was found by now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.monitor_options import MigrationName, Noted, Strict
from heavylift.cli.monitor_text import series_text
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, evidence_store
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.monitor_records import MonitorPoint, WatchRecord
    from heavylift.monitor.requests import Kept
    from heavylift.spec import MigrationSpec
    from heavylift.spec.watching import Look


def run_command(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="spec file with a section monitor")],
    watch: Annotated[list[str] | None, typer.Option(metavar="NAME", help="only these watches")] = None,
    strict: Strict = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything that a spec watches, as its DAG does. Ends with 1 where something is an alarm."""
    from heavylift.aio import run
    from heavylift.monitor.from_spec import look
    from heavylift.monitor.requests import Kept
    from heavylift.spec.load import load_spec
    from heavylift.spec.watching import looks_of

    loaded = load_spec(spec)
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    url, connection = evidence or loaded.evidence.url, evidence_connection(stored)
    done: list[tuple[Look, WatchRecord, Any]] = []
    for what in _wanted(loaded, looks_of(loaded), watch or ()):
        kept = Kept(loaded.migration, what.watch, what.side, "", url, connection)
        record, ref = run(look(loaded, what, kept, connection_from_env, note))
        _note(kept, record, ref)
        done.append((what, record, ref))
    bad = {"alarm", "unsure"} if strict else {"alarm"}
    failed = any(record.verdict in bad for _, record, _ in done)
    points = [_point(record, ref.path) for _, record, ref in done]
    finish(
        {"looks": [point.model_dump(mode="json") for point in points]},
        text=series_text(points, reasons=True),
        as_json=as_json,
        status=ExitStatus.FAILED if failed else ExitStatus.DONE,
    )


def _wanted(spec: MigrationSpec, looks: Sequence[Look], names: Sequence[str]) -> list[Look]:
    known = dict.fromkeys(each.watch for each in looks)
    unknown = [name for name in names if name not in known]
    if known and not unknown:
        return [each for each in looks if not names or each.watch in names]
    raise SpecError(
        f"watching {spec.migration}",
        got=f"--watch {unknown[0]}" if unknown else "a spec that watches nothing",
        expected=f"one of {', '.join(known)}" if known else "a section monitor with something in it",
        state="nothing was looked at",
        remedy="correct the name" if known else "add the section; docs/reference/monitor.md shows it",
        code="9654",
    )


def _note(kept: Kept, record: WatchRecord, ref: Any) -> None:
    details = {"verdict": record.verdict, "figures": record.figures}
    note_act(Noted(kept), kept.watch, f"monitor.{record.kind}", (ref,), details)


def _point(record: WatchRecord, path: str) -> MonitorPoint:
    from heavylift.evidence.monitor_records import MonitorPoint

    return MonitorPoint.model_validate({**record.model_dump(), "path": path})


def series_command(
    migration: MigrationName = MIGRATION,
    watch: Annotated[str | None, typer.Option(metavar="NAME", help="of this one only")] = None,
    last: Annotated[int, typer.Option(min=1, help="points of each watch and kind")] = 100,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Print the points of what is watched, of both sides in one series; writes nothing."""
    points = _read(migration, watch, last, evidence, evidence_conn)
    finish(
        {"points": [point.model_dump(mode="json") for point in points]},
        text=series_text(points),
        as_json=as_json,
    )


def export_command(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Prometheus text file; replaced as a whole")],
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write the newest figures as a Prometheus text file, as its node exporter reads them from a folder."""
    from heavylift.monitor.prometheus import exposition

    points = _read(migration, None, 1, evidence, evidence_conn)
    text = exposition(points)
    part = out.with_name(out.name + ".part")
    part.write_text(text)
    part.replace(out)
    finish({"points": len(points), "file": str(out)}, text=f"{len(points)} points in {out}", as_json=as_json)


def _read(
    migration: str, watch: str | None, last: int, evidence: str | None, conn: str | None
) -> list[MonitorPoint]:
    from heavylift.aio import run
    from heavylift.evidence.monitor_evidence import monitor_series

    async def read() -> list[MonitorPoint]:
        async with evidence_store(evidence, conn) as store:
            return await monitor_series(store, migration, watch, last=last)

    return run(read())
