"""What the commands of ``heavylift monitor`` share: their options, and how each of them ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.output import ExitStatus, finish
from heavylift.cli.stores import evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.monitor_records import WatchedSide, WatchRecord
    from heavylift.evidence.records import RunKey
    from heavylift.monitor.requests import Kept
    from heavylift.platforms.places import Place

Watch = Annotated[str, typer.Option(help="name of what is watched; its series goes on under it")]
Side = Annotated[str, typer.Option(help="whose data it is: source or target; none by default")]
Columns = Annotated[
    list[str] | None, typer.Option("--columns", metavar="PATTERN", help="only these; * and ? are wild")
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="PATTERN", help="not these columns")]
Include = Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="only these files, by key")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="not these files")]
Memory = Annotated[int, typer.Option("--memory-mib", min=16, help="for what is read at a time")]
MigrationName = Annotated[str, typer.Option("--migration", help="name under which evidence is kept")]
Strict = Annotated[bool, typer.Option("--strict", help="end with 1 where nothing can be told, too")]


def conclude(
    kept: Kept, record: WatchRecord, ref: EvidenceRef, text: str, *, strict: bool, as_json: bool
) -> None:
    """Note a look in the audit trail, print it, and end by its verdict."""
    details = {"verdict": record.verdict, "figures": record.figures}
    note_act(Noted(kept), kept.watch, f"monitor.{record.kind}", (ref,), details)
    failed = record.verdict == "alarm" or (strict and record.verdict == "unsure")
    finish(
        {record.kind: record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=text,
        as_json=as_json,
        status=ExitStatus.FAILED if failed else ExitStatus.DONE,
    )


class Noted:
    """Whose audit trail a look goes into."""

    def __init__(self, kept: Kept) -> None:
        from heavylift.evidence.monitor_records import MONITORING
        from heavylift.evidence.records import RunKey

        self.run: RunKey = RunKey(migration=kept.migration, phase=MONITORING, run=kept.run)
        self.evidence_url = kept.evidence_url
        self.evidence_connection = kept.evidence_connection


def kept_of(migration: str, watch: str, side: str, evidence: str | None, conn: str | None) -> Kept:
    """Return whose evidence the look belongs to.

    :raises SpecError: no such side.
    """
    from heavylift.monitor.requests import Kept

    sides: dict[str, WatchedSide] = {"": "", "source": "source", "target": "target"}
    if side not in sides:
        raise wrong("--side", repr(side), "source or target", "8905")
    return Kept(migration, watch, sides[side], "", evidence, evidence_connection(conn))


def place_of(url: str, conn: str | None) -> Place:
    """Return the place that a URL and a connection name."""
    from heavylift.locations import parse_location
    from heavylift.platforms.places import Place

    return Place(parse_location(url), connection_from_env(conn) if conn else None)


def wrong(option: str, got: str, expected: str, code: str) -> SpecError:
    """Return the error for an option that cannot be read."""
    return SpecError(
        f"reading {option}",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct {option}",
        code=code,
    )
