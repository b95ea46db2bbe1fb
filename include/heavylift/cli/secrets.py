"""``heavylift secrets``: copies secrets from store to store and compares them; shows no value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, shell_actor

if TYPE_CHECKING:
    from heavylift.cli.secrets_asked import AskedSecrets
    from heavylift.evidence.secret_records import SecretsRecord

app = typer.Typer(no_args_is_help=True)

SpecFile = Annotated[
    Path | None, typer.Argument(metavar="[SPEC]", help="Spec with a section secrets; else --source-conn.")
]
SourceConn = Annotated[str | None, typer.Option("--source-conn", metavar="ID", help="The source's store.")]
TargetConn = Annotated[str | None, typer.Option("--target-conn", metavar="ID", help="The target's store.")]
Include = Annotated[list[str] | None, typer.Option(help="Names that move, as patterns; default: all.")]
Exclude = Annotated[list[str] | None, typer.Option(help="Names that stay, as patterns.")]
StripPrefix = Annotated[str, typer.Option(help="Taken away from the beginning of a name.")]
AddPrefix = Annotated[str, typer.Option(help="Put before a name.")]
TargetStore = Annotated[
    str | None, typer.Option(help="AWS as target: secrets_manager (default) or parameter_store.")
]
Airflow = Annotated[
    bool,
    typer.Option("--airflow", help="Name Airflow's connections and variables as the target's backend does."),
]
Migration = Annotated[str | None, typer.Option(help="Without SPEC: name under which evidence is kept.")]


@app.command("list")
def list_(
    spec: SpecFile = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    include: Include = None,
    exclude: Exclude = None,
    strip_prefix: StripPrefix = "",
    add_prefix: AddPrefix = "",
    target_store: TargetStore = None,
    airflow: Airflow = False,
    migration: Migration = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Tell which secrets would move and what they would be called; exits 1 where some could not."""
    from heavylift.aio import run
    from heavylift.cli.secrets_asked import asked_secrets, section
    from heavylift.secrets.api import list_secrets

    made = section(include, exclude, (strip_prefix, add_prefix), None, None, target_store, airflow=airflow)
    asked = asked_secrets(spec, (source_conn, target_conn), made, migration, (evidence, evidence_conn))
    _finish(run(list_secrets(asked.request)), as_json=as_json)


@app.command()
def copy(
    spec: SpecFile = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    include: Include = None,
    exclude: Exclude = None,
    strip_prefix: StripPrefix = "",
    add_prefix: AddPrefix = "",
    conflict: Annotated[
        str | None, typer.Option(help="Another value on the target: fail (default), skip, new_version.")
    ] = None,
    binary: Annotated[
        str | None, typer.Option(help="Bytes, where the target keeps only text: refuse (default), base64.")
    ] = None,
    target_store: TargetStore = None,
    airflow: Airflow = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and compare; write nothing at all.")
    ] = False,
    migration: Migration = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Copy secrets to the target and compare each there; what is equal already is left as it is."""
    from heavylift.aio import run
    from heavylift.cli.secrets_asked import asked_secrets, section
    from heavylift.secrets.api import copy_secrets

    made = section(
        include, exclude, (strip_prefix, add_prefix), conflict, binary, target_store, airflow=airflow
    )
    places = evidence, evidence_conn
    asked = asked_secrets(spec, (source_conn, target_conn), made, migration, places, dry_run=dry_run)
    if dry_run:
        _finish(run(copy_secrets(asked.request)), as_json=as_json)
    _finish(run(_copied(asked)), as_json=as_json)


@app.command()
def verify(
    spec: SpecFile = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    include: Include = None,
    exclude: Exclude = None,
    strip_prefix: StripPrefix = "",
    add_prefix: AddPrefix = "",
    target_store: TargetStore = None,
    airflow: Airflow = False,
    migration: Migration = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Read the secrets on both sides and compare them; exits 1 where they differ or one is missing."""
    from heavylift.aio import run
    from heavylift.cli.secrets_asked import asked_secrets, section

    made = section(include, exclude, (strip_prefix, add_prefix), None, None, target_store, airflow=airflow)
    asked = asked_secrets(spec, (source_conn, target_conn), made, migration, (evidence, evidence_conn))
    _finish(run(_verified(asked)), as_json=as_json)


async def _copied(asked: AskedSecrets) -> SecretsRecord:
    from heavylift.evidence.store import open_evidence
    from heavylift.secrets.api import copy_secrets
    from heavylift.secrets.keeping import keep_secrets, note_begin

    async with open_evidence(asked.evidence_url, asked.evidence_connection) as store:
        # The store is open before anything is written: a move without evidence would prove nothing.
        await note_begin(store, asked.request.run, shell_actor())
        record = await copy_secrets(asked.request, mark_touched)
        mark_touched()
        await keep_secrets(store, record, shell_actor())
    return record


async def _verified(asked: AskedSecrets) -> SecretsRecord:
    from heavylift.evidence.store import open_evidence
    from heavylift.secrets.api import verify_secrets
    from heavylift.secrets.keeping import keep_secrets

    record = await verify_secrets(asked.request)
    async with open_evidence(asked.evidence_url, asked.evidence_connection) as store:
        mark_touched()
        await keep_secrets(store, record, shell_actor())
    return record


def _finish(record: SecretsRecord, *, as_json: bool) -> None:
    from heavylift.cli.secrets_text import secrets_text

    finish(
        {"secrets": record.model_dump(mode="json")},
        text=secrets_text(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )
