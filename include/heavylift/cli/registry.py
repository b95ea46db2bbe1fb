"""``heavylift registry``: copy a tracking server's whole history, keep it up to date, and prove it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli import registry_following as following
from heavylift.cli import registry_switching
from heavylift.cli.acts import note_act
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.registry_artifacts import artifacts_beside
from heavylift.cli.registry_options import (
    MIGRATION,
    AcceptLosses,
    Anew,
    Artifacts,
    ArtifactsEvery,
    Back,
    DryRun,
    Experiments,
    Follow,
    ForSeconds,
    Losses,
    MakeTables,
    Migration,
    Models,
    Name,
    NoArtifacts,
    NoContents,
    OnConflict,
    Overwrite,
    Parallel,
    Path,
    Policy,
    SourceArtifactsConn,
    SourceConn,
    SourceStoreConn,
    TargetArtifactsConn,
    TargetConn,
    TargetStoreConn,
    request_of,
)
from heavylift.cli.registry_text import looked, moved, reporter, verified
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.spec.sections_data import OnNameConflict, RegistryPath
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.work import RegistryProgress, Tell

app = typer.Typer(no_args_is_help=True, help="Copy, sync and verify experiments and registered models.")


@app.command()
def copy(
    source_conn: SourceConn,
    target_conn: TargetConn,
    source_store_conn: SourceStoreConn = None,
    target_store_conn: TargetStoreConn = None,
    artifacts: Artifacts = None,
    source_artifacts_conn: SourceArtifactsConn = None,
    target_artifacts_conn: TargetArtifactsConn = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    path: Path = RegistryPath.AUTO,
    experiment: Experiments = None,
    model: Models = None,
    on_name_conflict: OnConflict = OnNameConflict.FAIL,
    accept_losses: AcceptLosses = False,
    losses: Losses = False,
    no_artifacts: NoArtifacts = False,
    parallel: Parallel = 4,
    make_tables: MakeTables = False,
    back: Back = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy the whole history: at store level with ids, times and deleted things, into an empty store.

    Through the interface (--path api) into any server: what it cannot keep stands in tags or is listed.
    The types of the connections tell which registries these are: aws (SageMaker), google_cloud_platform
    (Vertex AI), azure (Azure ML), mlflow or http. Between two of them registered models move, and what
    the target cannot hold must be accepted first: --losses lists it, --accept-losses accepts it.

    Safe to run again after any end: finished tables are brought up to date, and only the rest is copied.
    Keep clients away from the target's server until the switch.
    """
    request = request_of(
        source_conn,
        target_conn,
        source_store_conn,
        target_store_conn,
        artifacts,
        name,
        migration,
        evidence,
        evidence_conn,
        parallel=parallel,
        path=path,
        chosen=(experiment, model),
        on_name_conflict=on_name_conflict,
        accept_losses=accept_losses or losses,
        artifacts=not no_artifacts,
        make_tables=make_tables,
        back=back,
        stores=(source_artifacts_conn, target_artifacts_conn),
        dry_run=dry_run or losses,
    )
    objects = (source_artifacts_conn, target_artifacts_conn, evidence_conn)
    if not request.options.dry_run and not back and following.is_followed(request):
        following.sync(request, objects, as_json=as_json)
    _move(request, "copy", objects, as_json=as_json)


@app.command()
def sync(
    source_conn: SourceConn,
    target_conn: TargetConn,
    source_store_conn: SourceStoreConn = None,
    target_store_conn: TargetStoreConn = None,
    artifacts: Artifacts = None,
    source_artifacts_conn: SourceArtifactsConn = None,
    target_artifacts_conn: TargetArtifactsConn = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    path: Path = RegistryPath.AUTO,
    experiment: Experiments = None,
    model: Models = None,
    on_name_conflict: OnConflict = OnNameConflict.FAIL,
    accept_losses: AcceptLosses = False,
    losses: Losses = False,
    no_artifacts: NoArtifacts = False,
    parallel: Parallel = 4,
    deletes: Policy = Deletes.KEEP,
    overwrite: Overwrite = False,
    follow: Follow = False,
    anew: Anew = False,
    for_seconds: ForSeconds = None,
    artifacts_every: ArtifactsEvery = 60.0,
    back: Back = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring a copied history up to date, all of it to one moment; where nothing is new, write nothing.

    What was deleted for good on the source stays on the target unless --deletes propagate. With --follow
    (store level, --deletes propagate) it goes on: the target's database has each change within a second, and
    after registry switch changes flow back. With --back (through the interface) what teams have written on
    the target since comes back to the source.

    A registry that is followed is synced by its stream from then on.
    """
    request = request_of(
        source_conn,
        target_conn,
        source_store_conn,
        target_store_conn,
        artifacts,
        name,
        migration,
        evidence,
        evidence_conn,
        parallel=parallel,
        path=path,
        chosen=(experiment, model),
        on_name_conflict=on_name_conflict,
        accept_losses=accept_losses or losses,
        artifacts=not no_artifacts,
        back=back,
        stores=(source_artifacts_conn, target_artifacts_conn),
        deletes=deletes,
        overwrite=overwrite,
        dry_run=dry_run or losses,
    )
    objects = (source_artifacts_conn, target_artifacts_conn, evidence_conn)
    if follow and back:
        raise typer.BadParameter("a registry that is followed takes changes back by itself: leave --back out")
    if follow and not dry_run:
        following.follow(
            request, objects, anew=anew, for_seconds=for_seconds, artifacts_every=artifacts_every,
            as_json=as_json,
        )  # fmt: skip
    if not back and following.is_followed(request):
        if dry_run:
            following.status(request, as_json=as_json)
        following.sync(request, objects, as_json=as_json)
    _move(request, "sync", objects, as_json=as_json)


@app.command()
def verify(
    source_conn: SourceConn,
    target_conn: TargetConn,
    source_store_conn: SourceStoreConn = None,
    target_store_conn: TargetStoreConn = None,
    artifacts: Artifacts = None,
    source_artifacts_conn: SourceArtifactsConn = None,
    target_artifacts_conn: TargetArtifactsConn = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    path: Path = RegistryPath.AUTO,
    experiment: Experiments = None,
    model: Models = None,
    parallel: Parallel = 8,
    no_artifacts: NoArtifacts = False,
    no_contents: NoContents = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="the source is in use: bring the target up to date first, and look twice at what differs",
        ),
    ] = False,
    deletes: Policy = Deletes.KEEP,
    back: Back = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Compare both servers field by field through their public interface, and both databases by digests.

    Without --live it changes neither side, and nobody should write to the source meanwhile: what is newer
    there differs.
    """
    from heavylift.aio import run
    from heavylift.registry.api import verify_registry

    request = request_of(
        source_conn,
        target_conn,
        source_store_conn,
        target_store_conn,
        artifacts,
        name,
        migration,
        evidence,
        evidence_conn,
        parallel=parallel,
        path=path,
        chosen=(experiment, model),
        artifacts=not no_artifacts,
        contents=not no_contents,
        back=back,
        stores=(source_artifacts_conn, target_artifacts_conn),
        live=live,
        deletes=deletes,
    )
    if not back and following.is_followed(request):
        following.verify(request, as_json=as_json)
    if live:
        mark_touched()
    record, ref = run(verify_registry(request, reporter()))
    details = {"passed": record.passed, "differences": record.difference_count}
    note_act(request, request.registry, "registry.verified", (ref,), details)
    finish(
        {"verification": record.model_dump(mode="json")},
        text=verified(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


for _command in (registry_switching.switch, registry_switching.status, registry_switching.end):
    app.command()(_command)


def _move(
    request: RegistryRequest, act: str, objects: tuple[str | None, str | None, str | None], *, as_json: bool
) -> None:
    from heavylift.aio import run
    from heavylift.registry.api import copy_registry, preflight_registry, sync_registry
    from heavylift.registry.store.preflight import refuse

    if request.options.dry_run:
        preflight, _ = run(preflight_registry(request))
        status = ExitStatus.DONE if preflight.passed else ExitStatus.FAILED
        finish(
            {"preflight": preflight.model_dump(mode="json")},
            text=looked(preflight),
            as_json=as_json,
            status=status,
        )
    move = copy_registry if act == "copy" else sync_registry
    with artifacts_beside(request, *objects) as beside:
        preflight, _ = run(preflight_registry(request))
        note(looked(preflight))
        refuse(preflight)
        mark_touched()
        record, ref = run(move(request, _then(reporter(), beside.begin)))
        details = {"rows": record.rows, "written": record.written}
        note_act(request, request.registry, f"registry.{act}", (ref,), details)
        # Through the interface each run's artifacts lie elsewhere, and have been moved with it.
        artifacts, passed = beside.moved() if record.path == "store" else ([], True)
    document = {
        "preflight": preflight.model_dump(mode="json"),
        act: record.model_dump(mode="json"),
        "artifacts": artifacts,
    }
    text = [moved(record)]
    text += [f"artifacts {each['source']} -> {each['target']}: {_verdict(each)}" for each in artifacts]
    status = ExitStatus.DONE if passed and record.passed else ExitStatus.FAILED
    finish(document, text="\n".join(text), as_json=as_json, status=status)


def _then(tell: Tell, begin: Callable[[], None]) -> Tell:
    """Return what takes progress and begins something with the first of it: the moment is held by then."""

    def told(progress: RegistryProgress) -> None:
        begin()
        tell(progress)

    return told


def _verdict(artifacts: dict[str, Any]) -> str:
    return "copied and proved equal" if artifacts["passed"] else "NOT EQUAL"
