"""The options that ``streams`` commands share, and the request that they make."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.stores import evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.streams.requests import StreamOptions, StreamRequest

MIGRATION = "shell"
"""The migration under which offset maps and evidence of shell commands lie."""

SourceConn = Annotated[str, typer.Option(help="connection id of the source's brokers (AIRFLOW_CONN_<ID>)")]
TargetConn = Annotated[str, typer.Option(help="connection id of the target's brokers")]
Topics = Annotated[
    list[str] | None, typer.Option(help="topics, as names or patterns; may be given again; default: all")
]
Groups = Annotated[
    list[str] | None, typer.Option(help="consumer groups, as names or patterns; may be given again")
]
Engine = Annotated[str, typer.Option(help="product on both sides: kafka or event_hubs")]
Name = Annotated[
    str | None,
    typer.Option("--name", help="names the offset map on the target; the same for every command on a stream"),
]
Migration = Annotated[str, typer.Option(help="name under which evidence and the offset map are kept")]
Bandwidth = Annotated[str | None, typer.Option(help="most bytes a second, e.g. 20MiB/s")]
MaxRecords = Annotated[int | None, typer.Option(min=1, help="most records a second")]
Memory = Annotated[str, typer.Option(help="most memory for records on their way, e.g. 64MiB")]
Lease = Annotated[
    float, typer.Option(min=0.5, help="seconds of silence after which another run may take over")
]
MaxLag = Annotated[float, typer.Option(min=0, help="lag in seconds under which it counts as caught up")]
AcceptExpired = Annotated[
    bool,
    typer.Option("--accept-expired", help="go on without what the source let go before it was mirrored"),
]
Drained = Annotated[
    bool, typer.Option("--drained", help="fail where the source has records that are not mirrored yet")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="only look and tell; nothing is written to the target")
]


def request_of(
    phase: str,
    source_conn: str,
    target_conn: str,
    engine: str,
    name: str | None,
    migration: str,
    evidence: str | None,
    evidence_conn: str | None,
    options: StreamOptions,
) -> StreamRequest:
    """Return the request that a command's options make, in a run of its own.

    :raises SpecError: there is no such engine.
    :raises ConnectionConfigError: a connection is not set.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.spec.sections_data import StreamEngine
    from heavylift.streams.requests import StreamPlace, StreamRequest

    if engine not in set(StreamEngine):
        raise SpecError(
            "reading --engine",
            got=repr(engine),
            expected=", ".join(StreamEngine),
            state="nothing was touched",
            remedy="correct --engine",
            code="6580",
        )
    product = StreamEngine(engine)
    return StreamRequest(
        run=RunKey(migration=migration, phase=phase, run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")),
        stream=name or f"{source_conn}-{target_conn}",
        source=StreamPlace(product, connection_from_env(source_conn)),
        target=StreamPlace(product, connection_from_env(target_conn)),
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
        options=options,
    )


def options_of(
    topics: list[str] | None, *, bandwidth: str | None = None, memory: str = "64MiB", **more: Any
) -> StreamOptions:
    """Return the options that a command names.

    :raises SpecError: a size or rate cannot be read.
    """
    from heavylift.spec.quantities import parse_rate, parse_size
    from heavylift.streams.requests import StreamOptions

    try:
        rate = parse_rate(bandwidth) if bandwidth else None
        memory_bytes = parse_size(memory)
    except ValueError as error:
        raise SpecError(
            "reading the limits",
            got=", ".join(text for text in (bandwidth, memory) if text),
            expected="a rate such as 20MiB/s and a size such as 64MiB",
            state="nothing was touched",
            remedy="correct --bandwidth or --memory",
            code="6581",
        ) from error
    return StreamOptions(
        topics=tuple(topics or ("*",)), max_bytes_per_second=rate, memory_bytes=memory_bytes, **more
    )
