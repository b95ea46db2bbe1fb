"""``heavylift objects cleanup``: abort uploads that a killed mover began and nobody will finish."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.objects_options import MIGRATION, Migration, TargetConn
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError
from heavylift.locations import parse_location

if TYPE_CHECKING:
    from heavylift.objects.cleaning import Cleaning


def cleanup(
    target_url: Annotated[str, typer.Argument(help="where objects were copied to, e.g. s3://bucket/prefix")],
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    older_than: Annotated[str, typer.Option(help="spare uploads that were begun later, e.g. 24h")] = "24h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be aborted")] = False,
    as_json: AsJson = False,
) -> None:
    """Abort uploads in parts that Heavylift began at the target and nobody will finish.

    Only uploads that the migration's evidence names are aborted, whatever else the target holds. A
    copy cleans up after itself once both sides are verified; this is for what will not be copied again.
    """
    from heavylift.aio import run
    from heavylift.objects.api import clean_uploads
    from heavylift.platforms.places import Place

    age = _age(older_than)
    location = parse_location(target_url)
    place = Place(location, connection_from_env(target_conn) if target_conn else None)
    if not dry_run:
        mark_touched()
    found = run(
        clean_uploads(
            place,
            migration,
            evidence,
            evidence_connection(evidence_conn),
            older_than=age,
            actor=shell_actor(),
            dry_run=dry_run,
        )
    )
    status = ExitStatus.DONE if found.complete else ExitStatus.FAILED
    finish({"uploads": found.model_dump(mode="json")}, text=told(found), as_json=as_json, status=status)


def _age(text: str) -> timedelta:
    from heavylift.spec.quantities import parse_duration

    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise SpecError(
            "reading --older-than",
            got=repr(text),
            expected="a duration such as 24h, 7d or 0s",
            state="nothing was touched",
            remedy="correct --older-than",
            code="5036",
        ) from error


def told(cleaning: Cleaning) -> str:
    """Return a cleaning in words."""
    if not cleaning.lists:
        return (
            "nothing to do: this store has no uploads that stay; parts that were never made part of an"
            " object go by themselves after a week"
        )
    verb = "would be aborted" if cleaning.dry_run else "aborted"
    lines = [
        f"{cleaning.found:,} uploads in progress at the target, {cleaning.ours:,} of them Heavylift's:"
        f" {cleaning.aborted:,} {verb}, {cleaning.kept:,} kept, {cleaning.failed:,} failed;"
        f" {cleaning.others:,} others left alone",
        *(f"  {one.fate}: {one.key} {one.upload_id}: {one.why}" for one in cleaning.uploads),
        *(f"  left alone: {other}" for other in cleaning.left_alone),
    ]
    return "\n".join([*lines, *([cleaning.problem] if cleaning.problem else [])])


def note_cleaning(cleaning: Cleaning) -> None:
    """Print what a copy's own cleaning did, where there was anything to do."""
    if cleaning.found or cleaning.problem:
        note(told(cleaning))
