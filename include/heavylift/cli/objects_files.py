"""``heavylift objects list`` and ``compare``: listings as files, of any length."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from heavylift.cli.objects_options import AsJson, Exclude, Include, SourceUrl
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import SpecError
from heavylift.locations import Location, parse_location

Output = Annotated[Path, typer.Option(help="Parquet file to write; one that is there is replaced")]


def list_objects(
    url: SourceUrl,
    output: Output,
    source_conn: Annotated[str | None, typer.Option(help="connection id (AIRFLOW_CONN_<ID>)")] = None,
    include: Include = None,
    exclude: Exclude = None,
    as_json: AsJson = False,
) -> None:
    """List a place into a Parquet file: key, size, version, time and checksums of each object.

    Reads only. Buckets that list in order are listed in several ranges at once; then the rows
    are in no order.
    """
    from heavylift.aio import run
    from heavylift.objects.list_place import list_place
    from heavylift.patterns import selector
    from heavylift.platforms.places import Place

    location = parse_location(url)
    place = Place(location, _connection(location, source_conn))
    total = run(list_place(place, selector(tuple(include or ()), tuple(exclude or ())), output))
    finish(
        {"url": str(location), "output": str(output), "total": total.model_dump(mode="json")},
        text=f"{total.objects:,} objects, {total.size_bytes:,} bytes: {output}",
        as_json=as_json,
    )


def compare(
    old: Annotated[Path, typer.Argument(help="Parquet file: a listing or an inventory")],
    new: Annotated[Path, typer.Argument(help="another")],
    output: Annotated[Path | None, typer.Option(help="Parquet file for the rows that differ")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two listings or inventories by key, size and version. Ends with 1 where they differ."""
    from heavylift.objects.compare_files import compare_files

    with tempfile.TemporaryDirectory(prefix="heavylift-compare-") as folder:
        found = compare_files(old, new, output, Path(folder))
    if output is not None and not found.same:
        note(f"the rows that differ are in {output}")
    finish(
        {"difference": asdict(found)},
        text=(
            f"{found.source:,} and {found.target:,} rows: {found.equal:,} equal, {found.missing:,} missing,"
            f" {found.extra:,} extra, {found.changed:,} changed"
        ),
        as_json=as_json,
        status=ExitStatus.DONE if found.same else ExitStatus.FAILED,
    )


def _connection(location: Location, conn_id: str | None) -> Connection | None:
    if location.scheme == "file":
        return None
    if conn_id is None:
        raise SpecError(
            f"opening {location}",
            got="no connection",
            expected="--source-conn ID, with AIRFLOW_CONN_<ID> set",
            state="nothing was touched",
            remedy="add --source-conn",
            code="5035",
        )
    return connection_from_env(conn_id)
