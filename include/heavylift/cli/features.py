"""``heavylift features``: copy a feature store, and prove it equal to its source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.registry_options import (
    MIGRATION,
    AcceptLosses,
    DryRun,
    Losses,
    Migration,
    Name,
    Overwrite,
    Parallel,
    pair_of,
)
from heavylift.cli.registry_text import looked, moved, reporter, verdict
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection
from heavylift.connections import connection_from_env

if TYPE_CHECKING:
    from heavylift.evidence.feature_records import FeatureVerificationRecord
    from heavylift.registry.features.requests import FeatureRequest

app = typer.Typer(no_args_is_help=True, help="Copy and verify feature stores.")

SourceConn = Annotated[str, typer.Option(help="connection id of the source's feature store")]
TargetConn = Annotated[str, typer.Option(help="connection id of the target's feature store")]
History = Annotated[
    list[str] | None,
    typer.Option(
        "--history", help="SOURCE_PREFIX=TARGET_PREFIX of URIs of offline histories, may be given again"
    ),
]
SourceHistoryConn = Annotated[
    str | None,
    typer.Option(help="connection id of the source's object store; of SageMaker and Vertex AI their own"),
]
TargetHistoryConn = Annotated[str | None, typer.Option(help="connection id of the target's object store")]
Sample = Annotated[
    int, typer.Option(min=1, max=100_000, help="keys to read online, and rows of a frame to join")
]
Seed = Annotated[int, typer.Option(min=0, help="draws another sample")]


@app.command()
def copy(
    source_conn: SourceConn,
    target_conn: TargetConn,
    history: History = None,
    source_history_conn: SourceHistoryConn = None,
    target_history_conn: TargetHistoryConn = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    accept_losses: AcceptLosses = False,
    losses: Losses = False,
    overwrite: Overwrite = False,
    parallel: Parallel = 4,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy definitions, offline histories and what is served online.

    The types of the connections tell which stores these are: aws (SageMaker), google_cloud_platform
    (Vertex AI), azure (Azure ML) or feast. What the target cannot hold must be accepted first: --losses
    lists it, --accept-losses accepts it. Safe to run again after any end; where nothing is new, nothing is
    written.
    """
    from heavylift.aio import run
    from heavylift.registry.features.api import copy_features, preflight_features
    from heavylift.registry.store.preflight import refuse

    request = _request(
        (source_conn, target_conn),
        (source_history_conn, target_history_conn),
        history,
        name,
        migration,
        (evidence, evidence_conn),
        accept_losses=accept_losses or losses,
        overwrite=overwrite,
        parallel=parallel,
        dry_run=dry_run or losses,
    )
    preflight, _ = run(preflight_features(request))
    document: dict[str, Any] = {"preflight": preflight.model_dump(mode="json")}
    if request.options.dry_run:
        status = ExitStatus.DONE if preflight.passed else ExitStatus.FAILED
        finish(document, text=looked(preflight), as_json=as_json, status=status)
    note(looked(preflight))
    refuse(preflight)
    mark_touched()
    record, ref = run(copy_features(request, reporter()))
    details = {"rows": record.rows, "written": record.written}
    note_act(request, request.store, "features.copied", (ref,), details)
    finish(
        document | {"copy": record.model_dump(mode="json")},
        text=moved(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


@app.command()
def verify(
    source_conn: SourceConn,
    target_conn: TargetConn,
    history: History = None,
    source_history_conn: SourceHistoryConn = None,
    target_history_conn: TargetHistoryConn = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    sample: Sample = 1000,
    seed: Seed = 7,
    parallel: Parallel = 4,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Read both sides afresh: definitions, whole histories, sampled keys online, and joins by time.

    It changes neither side. Nobody should write to the source meanwhile: what is newer there differs.
    """
    from heavylift.aio import run
    from heavylift.registry.features.api import verify_features

    request = _request(
        (source_conn, target_conn),
        (source_history_conn, target_history_conn),
        history,
        name,
        migration,
        (evidence, evidence_conn),
        sample=sample,
        seed=seed,
        parallel=parallel,
    )
    record, ref = run(verify_features(request, reporter()))
    details = {"passed": record.passed, "differences": record.difference_count}
    note_act(request, request.store, "features.verified", (ref,), details)
    finish(
        {"verification": record.model_dump(mode="json")},
        text=_verified(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def _request(
    connections: tuple[str, str],
    histories: tuple[str | None, str | None],
    prefixes: list[str] | None,
    name: str | None,
    migration: str,
    evidence: tuple[str | None, str | None],
    **options: Any,
) -> FeatureRequest:
    from heavylift.evidence.records import RunKey
    from heavylift.registry.features.requests import FeatureOptions, FeatureRequest, place_of
    from heavylift.registry.uris import uri_map

    pairs = [pair_of(text, "--history") for text in prefixes or ()]
    source, target = (
        place_of(connection_from_env(each), objects, connection_from_env)
        for each, objects in zip(connections, histories, strict=True)
    )
    return FeatureRequest(
        run=RunKey(migration=migration, phase="registry", run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")),
        store=name or "-".join(connections),
        source=source,
        target=target,
        evidence_url=evidence[0],
        evidence_connection=evidence_connection(evidence[1]),
        options=FeatureOptions(uris=uri_map(pairs), **options),
    )


def _verified(record: FeatureVerificationRecord) -> str:
    lines = verdict(record)
    for online in record.online:
        if online.expired or online.absent:
            lines.append(
                f"  {online.view}: {online.expired:,} sampled keys are expired, {online.absent:,} served by"
                " neither side"
            )
    return "\n".join(lines)
