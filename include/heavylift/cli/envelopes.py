"""``heavylift envelopes``: encrypts objects here before they are sent; opens, verifies, wraps anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import connection_from_env

if TYPE_CHECKING:
    from heavylift.envelopes.requests import EnvelopeRequest
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.envelope_records import Act, EnvelopeRecord
    from heavylift.platforms.places import Place

app = typer.Typer(no_args_is_help=True)

SealedUrl = Annotated[str, typer.Argument(metavar="SEALED_URL", help="Where sealed objects are, or go.")]
PlainUrl = Annotated[str, typer.Argument(metavar="PLAIN_URL", help="Where objects are not sealed.")]
SealedConn = Annotated[
    str | None, typer.Option("--sealed-conn", metavar="ID", help="Connection of SEALED_URL; none for file://")
]
PlainConn = Annotated[
    str | None, typer.Option("--plain-conn", metavar="ID", help="Connection of PLAIN_URL; none for file://")
]
KeyConn = Annotated[
    str,
    typer.Option(
        "--key-conn",
        metavar="ID",
        help="Connection of the wrapping key's service, or of type envelope_key, with the key in it.",
    ),
]
KeyName = Annotated[
    str,
    typer.Option("--key", metavar="NAME", help="The wrapping key's name in its service: ARN, alias, path."),
]
Migration = Annotated[str, typer.Option(help="Name under which evidence is kept.")]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the envelope in it; by default SEALED_URL.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")]


@app.callback()
def _group() -> None:
    """Encrypt objects here before they are sent; open, verify and wrap them anew."""


@app.command()
def seal(
    plain_url: PlainUrl,
    sealed_url: SealedUrl,
    key_conn: KeyConn,
    key: KeyName = "",
    plain_conn: PlainConn = None,
    sealed_conn: SealedConn = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Seal again what changed on the source since it was sealed.")
    ] = False,
    name: NameOption = None,
    dry_run: DryRun = False,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Encrypt every object below PLAIN_URL, each with a key of its own, and write it below SEALED_URL.

    What is sealed of the same version is left; nothing that is no sealed object is overwritten.
    """
    request = _request(
        (sealed_url, sealed_conn), (key_conn, key), (migration, name), (plain_url, plain_conn),
        replace=replace, dry_run=dry_run,
    )  # fmt: skip
    _run(request, "seal", evidence, evidence_conn, as_json=as_json)


@app.command("open")
def open_command(
    sealed_url: SealedUrl,
    plain_url: PlainUrl,
    key_conn: KeyConn,
    key: KeyName = "",
    sealed_conn: SealedConn = None,
    plain_conn: PlainConn = None,
    name: NameOption = None,
    dry_run: DryRun = False,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Decrypt every sealed object into PLAIN_URL; each becomes visible only when all of it was proved."""
    request = _request(
        (sealed_url, sealed_conn), (key_conn, key), (migration, name), (plain_url, plain_conn),
        dry_run=dry_run,
    )  # fmt: skip
    _run(request, "open", evidence, evidence_conn, as_json=as_json)


@app.command()
def verify(
    sealed_url: SealedUrl,
    key_conn: KeyConn,
    key: KeyName = "",
    sealed_conn: SealedConn = None,
    name: NameOption = None,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Open every object in memory and compare it with the digest of what was sealed, without the source."""
    request = _request((sealed_url, sealed_conn), (key_conn, key), (migration, name), None)
    _run(request, "verify", evidence, evidence_conn, as_json=as_json)


@app.command()
def rewrap(
    sealed_url: SealedUrl,
    key_conn: KeyConn,
    new_key_conn: Annotated[
        str | None, typer.Option("--new-key-conn", metavar="ID", help="As --key-conn; by default the same.")
    ] = None,
    key: KeyName = "",
    new_key: Annotated[str, typer.Option("--new-key", metavar="NAME", help="As --key.")] = "",
    sealed_conn: SealedConn = None,
    name: NameOption = None,
    dry_run: DryRun = False,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Wrap every data key with a new key; the sealed objects themselves are not read or touched."""
    request = _request(
        (sealed_url, sealed_conn), (key_conn, key), (migration, name), None,
        new_key=(new_key_conn or key_conn, new_key or ("" if new_key_conn else key)), dry_run=dry_run,
    )  # fmt: skip
    _run(request, "rewrap", evidence, evidence_conn, as_json=as_json)


def _request(
    sealed: tuple[str, str | None],
    key: tuple[str, str],
    named: tuple[str, str | None],
    plain: tuple[str, str | None] | None,
    *,
    new_key: tuple[str, str] | None = None,
    replace: bool = False,
    dry_run: bool = False,
) -> EnvelopeRequest:
    from heavylift.envelopes.requests import EnvelopeRequest, KeyChoice

    return EnvelopeRequest(
        migration=named[0],
        name=named[1] or sealed[0].rstrip("/"),
        sealed=_place(*sealed),
        key=KeyChoice(connection_from_env(key[0]), key[1]),
        plain=_place(*plain) if plain else None,
        new_key=KeyChoice(connection_from_env(new_key[0]), new_key[1]) if new_key else None,
        replace=replace,
        dry_run=dry_run,
    )


def _place(url: str, conn: str | None) -> Place:
    from heavylift.locations import parse_location
    from heavylift.platforms.places import Place

    return Place(parse_location(url), connection_from_env(conn) if conn else None)


def _run(
    request: EnvelopeRequest, act: Act, url: str | None, evidence_conn: str | None, *, as_json: bool
) -> None:
    from heavylift.aio import run

    record, ref = run(_acted(request, act, url, evidence_conn))
    finish(
        {
            "envelope": record.model_dump(mode="json"),
            "evidence": ref.model_dump(mode="json") if ref else None,
        },
        text=_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


async def _acted(
    request: EnvelopeRequest, act: Act, url: str | None, evidence_conn: str | None
) -> tuple[EnvelopeRecord, EvidenceRef | None]:
    from heavylift.envelopes.keeping import act_on
    from heavylift.evidence.store import open_evidence

    # The store is open before anything is written: what is sealed without a manifest can't be verified.
    async with open_evidence(url, evidence_connection(evidence_conn), create=not request.dry_run) as store:
        if not request.dry_run:
            mark_touched()
        return await act_on(store, request, act, shell_actor(), note)


def _text(record: EnvelopeRecord, ref: EvidenceRef | None) -> str:
    lines = [f"{'DONE' if record.passed else 'FAILED'}: {record.statement}; {record.size_bytes:,} bytes"]
    if record.key:
        lines.append(f"  wrapped by {record.key}")
    lines += [f"  failed: {each}" for each in record.failures]
    lines += [f"  sealed, and in no manifest: {each}" for each in record.extra]
    return "\n".join([*lines, *([f"  evidence: {ref.path}"] if ref else [])])
