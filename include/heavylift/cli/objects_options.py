"""The options that ``objects`` commands share, and the request that they make."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.stores import evidence_connection
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import SpecError
from heavylift.locations import parse_location
from heavylift.spec.vocabulary import OnConflict, OnUnholdableKey, PosixFact

if TYPE_CHECKING:
    from heavylift.spec.datasets import Limits, Metadata

MIGRATION = "shell"
"""The migration under which evidence of shell commands lies, unless ``--migration`` names one."""

SourceUrl = Annotated[str, typer.Argument(help="s3://bucket/prefix, gs://…, az://… or file:///path")]
TargetUrl = Annotated[str, typer.Argument(help="where the objects go, written likewise")]
SourceConn = Annotated[str | None, typer.Option(help="connection id of the source (AIRFLOW_CONN_<ID>)")]
TargetConn = Annotated[str | None, typer.Option(help="connection id of the target")]
Include = Annotated[list[str] | None, typer.Option(help="only keys like this; may be given again")]
Exclude = Annotated[list[str] | None, typer.Option(help="no keys like this; may be given again")]
Migration = Annotated[str, typer.Option(help="name under which evidence and sync state are kept")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]
Bandwidth = Annotated[str | None, typer.Option(help="most bytes a second, e.g. 200MiB/s")]
MOST_IN_FLIGHT = 128
"""Of a whole command: the more a store has at once, the faster and cheaper it answers small objects."""
Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="most requests in flight; fewer while a store asks for less")
]
Memory = Annotated[str, typer.Option(help="most memory for buffers, e.g. 128MiB")]
Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        help="processes that copy at once, on Linux; by default one for each processor and 64 MiB"
        " of --memory, at most 8, while they find a processor",
    ),
]
PartSize = Annotated[str, typer.Option(help="size of one part of a large object")]
Stall = Annotated[str, typer.Option(help="longest silence of a store before a request is made again")]
Conflict = Annotated[OnConflict, typer.Option(help="when the target holds another object under a key")]
Unholdable = Annotated[OnUnholdableKey, typer.Option(help="when the target cannot hold a key")]
AllAttributes = Annotated[
    bool,
    typer.Option(
        "--all-attributes",
        help="look at the metadata and tags of every object before anything moves, not at 300 objects'",
    ),
]
VerifyAttributes = Annotated[
    bool,
    typer.Option(
        "--verify-attributes",
        help="compare metadata and tags of every object, also where listings tell nothing new; up to four"
        " requests each",
    ),
]
ContentHeaders = Annotated[
    bool,
    typer.Option(
        "--content-headers/--no-content-headers",
        help="keep content type, encoding, language, disposition and cache control",
    ),
]
UserMetadata = Annotated[
    bool, typer.Option("--user-metadata/--no-user-metadata", help="keep the user's own metadata")
]
Tags = Annotated[bool, typer.Option("--tags/--no-tags", help="keep object tags")]
Posix = Annotated[
    list[PosixFact] | None,
    typer.Option(help="carry this of files, as user metadata in stores; may be given again"),
]
MaxCost = Annotated[float | None, typer.Option(min=0, help="refuse to start above this estimate, USD")]
Prices = Annotated[Path | None, typer.Option(help="CSV file with prices of your own")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="only list and plan; nothing is written to the target")
]


def request_of(
    source_url: str,
    target_url: str,
    source_conn: str | None,
    target_conn: str | None,
    evidence: str | None,
    evidence_conn: str | None,
    migration: str,
    options: Any,
    phase: str,
) -> Any:
    """Return the request that a command's options make, in a run of its own.

    :raises SpecError: a URL cannot be read, or a connection is not named.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.objects.requests import TransferRequest
    from heavylift.platforms.places import Place

    source, target = parse_location(source_url), parse_location(target_url)
    name = "objects-" + hashlib.sha256(f"{source}\n{target}".encode()).hexdigest()[:12]
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return TransferRequest(
        run=RunKey(migration=migration, phase=phase, run=stamp),
        dataset=name,
        source=Place(source, _connection(source.scheme, source_conn, "--source-conn")),
        target=Place(target, _connection(target.scheme, target_conn, "--target-conn")),
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
        options=options,
    )


def _connection(scheme: str, conn_id: str | None, option: str) -> Connection | None:
    if scheme == "file":
        return None
    if conn_id is None:
        raise SpecError(
            f"opening the {scheme}:// URL",
            got="no connection",
            expected=f"{option} ID, with AIRFLOW_CONN_<ID> set",
            state="nothing was touched",
            remedy=f"add {option}",
            code="5030",
        )
    return connection_from_env(conn_id)


def metadata_of(
    content_headers: bool,
    user_metadata: bool,
    tags: bool,
    posix: list[PosixFact] | None = None,
    all_attributes: bool = False,
) -> Metadata:
    """Return what travels with an object's bytes, in the spec's words.

    :raises SpecError: files' own attributes are to travel, and not the user metadata that carries them.
    """
    from heavylift.spec.datasets import Metadata

    if posix and not user_metadata:
        raise SpecError(
            "reading what travels with the bytes",
            got="--posix with --no-user-metadata",
            expected="user metadata, which carries it",
            state="nothing was touched",
            remedy="leave out one of both",
            code="9231",
        )
    return Metadata(
        content_headers=content_headers,
        user_metadata=user_metadata,
        tags=tags,
        posix=tuple(posix or ()),
        look_at_all=all_attributes,
    )


def limits_of(bandwidth: str | None, concurrency: int, memory: str, part_size: str, stall: str) -> Limits:
    """Return the limits that the options name.

    :raises SpecError: one of them is no size, rate or duration, or is not what a spec's may be.
    """
    from heavylift.spec.datasets import Limits
    from heavylift.spec.quantities import parse_duration, parse_rate, parse_size

    try:
        limits = Limits(
            max_bandwidth=parse_rate(bandwidth) if bandwidth else None,
            max_concurrency=concurrency,
            memory_budget=parse_size(memory),
            part_size=parse_size(part_size),
            stall_timeout=parse_duration(stall),
        )
    except ValueError as error:
        raise SpecError(
            "reading the limits",
            got=", ".join(str(v) for v in (bandwidth, memory, part_size, stall) if v),
            expected="sizes such as 16MiB, rates such as 200MiB/s and durations such as 60s",
            state="nothing was touched",
            remedy="correct --bandwidth, --memory, --part-size or --stall-timeout",
            code="5031",
        ) from error
    _refuse_outside(limits)
    return limits


def _refuse_outside(limits: Limits) -> None:
    """Hold a command to what a spec may say: parts of one byte take days, parts above memory do not fit it.

    :raises SpecError: a limit is too small or too large.
    """
    from heavylift.spec.datasets import BANDWIDTHS, MEMORY_BUDGETS, PART_SIZES, STALL_TIMEOUTS
    from heavylift.spec.quantities import format_duration, format_size

    told = [
        (option, form(value), form(least), form(most))
        for option, value, (least, most), form in (
            ("--bandwidth", limits.max_bandwidth, BANDWIDTHS, lambda rate: f"{format_size(rate)}/s"),
            ("--memory", limits.memory_budget, MEMORY_BUDGETS, format_size),
            ("--part-size", limits.part_size, PART_SIZES, format_size),
            ("--stall-timeout", limits.stall_timeout, STALL_TIMEOUTS, format_duration),
        )
        if value is not None and not least <= value <= most
    ]
    got = [f"{option} {value}" for option, value, _, _ in told]
    expected = [f"{option} from {least} to {most}" for option, _, least, most in told]
    if limits.memory_budget < 2 * limits.part_size:
        got.append(
            f"--memory {format_size(limits.memory_budget)} with parts of {format_size(limits.part_size)}"
        )
        expected.append(f"room for two parts, --memory {format_size(2 * limits.part_size)} or more")
    if got:
        raise SpecError(
            "reading the limits",
            got="; ".join(got),
            expected="; ".join(expected),
            state="nothing was touched",
            remedy="give the options other values",
            code="9227",
        )
