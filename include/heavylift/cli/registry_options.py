"""The options that ``registry`` commands share, and the request that they make."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.stores import evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError
from heavylift.spec.sections_data import OnNameConflict, RegistryPath
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.selection import Selection

MIGRATION = "shell"
"""The migration under which evidence and the target's notes lie, unless ``--migration`` names one."""

SourceConn = Annotated[str, typer.Option(help="connection id of the source's tracking server")]
TargetConn = Annotated[str, typer.Option(help="connection id of the target's tracking server")]
SourceStoreConn = Annotated[
    str | None,
    typer.Option(help="connection id of the source's database; default: the extra field store_connection"),
]
TargetStoreConn = Annotated[
    str | None, typer.Option(help="connection id of the target's database; default likewise")
]
Artifacts = Annotated[
    list[str] | None,
    typer.Option(
        help="SOURCE_PREFIX=TARGET_PREFIX of artifact URIs, may be given again; default: the extra fields"
        " artifacts of both connections",
    ),
]
SourceArtifactsConn = Annotated[
    str | None,
    typer.Option(help="connection id of the object store of the source's artifacts: move them, too"),
]
TargetArtifactsConn = Annotated[str | None, typer.Option(help="connection id of the target's object store")]
Name = Annotated[
    str | None,
    typer.Option("--name", help="names the registry in the target's notes; the same for every command on it"),
]
Migration = Annotated[str, typer.Option(help="name under which evidence and the target's notes are kept")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="tables, or requests, at once")]
Policy = Annotated[Deletes, typer.Option(help="when a thing has gone from the source: keep or propagate")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="what others have written to the target since the last run gives way"),
]
Path = Annotated[
    RegistryPath,
    typer.Option(
        "--path", help="store (both databases), api (the interface alone), or auto, which tells why"
    ),
]
OnConflict = Annotated[
    OnNameConflict,
    typer.Option(
        "--on-name-conflict",
        help="through the interface: another thing has a name: fail, or map to a free one",
    ),
]
AcceptLosses = Annotated[
    bool,
    typer.Option("--accept-losses", help="what the interface cannot carry, and is listed, is no failure"),
]
Losses = Annotated[
    bool,
    typer.Option("--losses", help="only list what the target cannot hold, with counts; nothing is written"),
]
NoArtifacts = Annotated[
    bool,
    typer.Option("--no-artifacts", help="leave the bytes of artifacts to heavylift objects"),
]
NoContents = Annotated[
    bool,
    typer.Option("--no-contents", help="compare artifacts by names and sizes alone, and read none"),
]
Experiments = Annotated[
    list[str] | None,
    typer.Option(
        "--experiment",
        help="not at store level: move only experiments whose names fit this pattern, and no model that"
        " --model does not name; may be given again",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="not at store level: move only registered models and prompts whose names fit this pattern, and"
        " no experiment that --experiment does not name; may be given again",
    ),
]
MakeTables = Annotated[
    bool,
    typer.Option(
        "--make-tables",
        help="at store level: where the target's database is empty, make MLflow's tables as the source's are",
    ),
]
Back = Annotated[
    bool,
    typer.Option(
        "--back",
        help="through the interface: bring back to the source what was written on the target since; all"
        " else is said as for the way there",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", help="go on until interrupted, by the log of the source's database")
]
Anew = Annotated[
    bool,
    typer.Option("--anew", help="with --follow: begin over where the stream was lost; the source wins"),
]
ForSeconds = Annotated[
    float | None, typer.Option("--for", min=0.0, help="with --follow: end after about so many seconds")
]
ArtifactsEvery = Annotated[
    float, typer.Option(min=1.0, help="with --follow: seconds between two moves of the artifacts")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="only look and tell; nothing is written to the target")
]


def request_of(
    source_conn: str,
    target_conn: str,
    source_store_conn: str | None,
    target_store_conn: str | None,
    prefixes: list[str] | None,
    name: str | None,
    migration: str,
    evidence: str | None,
    evidence_conn: str | None,
    stores: tuple[str | None, str | None] = (None, None),
    *,
    back: bool = False,
    chosen: tuple[list[str] | None, list[str] | None] = (None, None),
    **options: Any,
) -> RegistryRequest:
    """Return the request that a command's options make, in a run of its own.

    :param stores: connection ids of both object stores.
    :param back: what was moved there goes back.
    :param chosen: patterns of experiments and of models; all where there are none.
    :raises SpecError: a pair of prefixes cannot be read.
    :raises ConnectionConfigError: a connection is not set.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.registry.requests import RegistryOptions, RegistryRequest, place_of, prefixes_of
    from heavylift.spec.registry_phase import BACK

    if (name or "").endswith(BACK):
        raise _kept_name(str(name))
    source, target = connection_from_env(source_conn), connection_from_env(target_conn)
    pairs = [pair_of(text, "--artifacts") for text in prefixes or ()]
    request = RegistryRequest(
        run=RunKey(migration=migration, phase="registry", run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")),
        registry=name or f"{source_conn}-{target_conn}",
        source=place_of(source, source_store_conn, connection_from_env, stores[0]),
        target=place_of(target, target_store_conn, connection_from_env, stores[1]),
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
        options=replace(
            RegistryOptions(uris=prefixes_of(source, target, pairs), selection=_selection(*chosen)), **options
        ),
    )
    return request.back() if back else request


def _selection(experiments: list[str] | None, models: list[str] | None) -> Selection:
    """Return what is chosen: with patterns of one sort alone, nothing of the other."""
    from heavylift.registry.selection import Selection

    if experiments is None and models is None:
        return Selection()
    return Selection(tuple(experiments or ()), tuple(models or ()))


def _kept_name(name: str) -> SpecError:
    return SpecError(
        "reading --name",
        got=repr(name),
        expected="a name without that ending, which evidence of the way back has",
        state="nothing was touched",
        remedy="say the registry's own name, and --back",
        code="9588",
    )


def pair_of(text: str, option: str) -> tuple[str, str]:
    """Return the two prefixes that one value of an option names.

    :raises SpecError: it cannot be read.
    """
    source, separator, target = text.partition("=")
    if not separator:
        raise SpecError(
            f"reading {option}",
            got=repr(text),
            expected="SOURCE_PREFIX=TARGET_PREFIX, such as s3://old/mlflow=gs://new/mlflow",
            state="nothing was touched",
            remedy=f"correct {option}",
            code="7105",
        )
    return source, target
