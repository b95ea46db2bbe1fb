"""``heavylift envelopes``: encrypts objects here before they are sent; opens, verifies, wraps anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.grouped import Kept, grouped
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import AsJson, evidence_connection, shell_actor
from heavylift.connections import connection_from_env

if TYPE_CHECKING:
    from heavylift.envelopes.requests import EnvelopeRequest
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.envelope_records import Act, EnvelopeRecord
    from heavylift.platforms.places import Place

app = typer.Typer(no_args_is_help=True)

PlainUrl = Annotated[str, typer.Argument(metavar="PLAIN_URL", help="Where objects are not sealed.")]
PlainConn = Annotated[
    str | None, typer.Option("--plain-conn", metavar="ID", help="Connection of PLAIN_URL; none for file://")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")]


@dataclass(frozen=True)
class Sealed:
    """Where sealed objects are, and which key opens theirs."""

    sealed_url: Annotated[str, typer.Argument(metavar="SEALED_URL", help="Where sealed objects are, or go.")]
    key_conn: Annotated[
        str,
        typer.Option(
            "--key-conn",
            metavar="ID",
            help="Connection of the wrapping key's service, or of type envelope_key, with the key in it.",
        ),
    ]
    key: Annotated[
        str,
        typer.Option(
            "--key", metavar="NAME", help="The wrapping key's name in its service: ARN, alias, path."
        ),
    ] = ""
    sealed_conn: Annotated[
        str | None,
        typer.Option("--sealed-conn", metavar="ID", help="Connection of SEALED_URL; none for file://"),
    ] = None
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the envelope in it; by default SEALED_URL.")
    ] = None


@app.callback()
def _group() -> None:
    """Encrypt objects here before they are sent; open, verify and wrap them anew."""


@app.command()
@grouped
def seal(
    plain_url: PlainUrl,
    sealed: Sealed,
    kept: Kept,
    plain_conn: PlainConn = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Seal again what changed on the source since it was sealed.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Encrypt every object below PLAIN_URL, each with a key of its own, and write it below SEALED_URL.

    What is sealed of the same version is left; nothing that is no sealed object is overwritten.
    """
    request = _request(sealed, kept, (plain_url, plain_conn), replace=replace, dry_run=dry_run)
    _run(request, "seal", kept, as_json=as_json)


@app.command("open")
@grouped
def open_command(
    sealed: Sealed,
    plain_url: PlainUrl,
    kept: Kept,
    plain_conn: PlainConn = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Decrypt every sealed object into PLAIN_URL; each becomes visible only when all of it was proved."""
    request = _request(sealed, kept, (plain_url, plain_conn), dry_run=dry_run)
    _run(request, "open", kept, as_json=as_json)


@app.command()
@grouped
def verify(sealed: Sealed, kept: Kept, as_json: AsJson = False) -> None:
    """Open every object in memory and compare it with the digest of what was sealed, without the source."""
    _run(_request(sealed, kept, None), "verify", kept, as_json=as_json)


@app.command()
@grouped
def rewrap(
    sealed: Sealed,
    kept: Kept,
    new_key_conn: Annotated[
        str | None, typer.Option("--new-key-conn", metavar="ID", help="As --key-conn; by default the same.")
    ] = None,
    new_key: Annotated[str, typer.Option("--new-key", metavar="NAME", help="As --key.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Wrap every data key with a new key; the sealed objects themselves are not read or touched."""
    new = (new_key_conn or sealed.key_conn, new_key or ("" if new_key_conn else sealed.key))
    _run(_request(sealed, kept, None, new_key=new, dry_run=dry_run), "rewrap", kept, as_json=as_json)


def _request(
    sealed: Sealed,
    kept: Kept,
    plain: tuple[str, str | None] | None,
    *,
    new_key: tuple[str, str] | None = None,
    replace: bool = False,
    dry_run: bool = False,
) -> EnvelopeRequest:
    from heavylift.envelopes.requests import EnvelopeRequest, KeyChoice

    return EnvelopeRequest(
        migration=kept.migration,
        name=sealed.name or sealed.sealed_url.rstrip("/"),
        sealed=_place(sealed.sealed_url, sealed.sealed_conn),
        key=KeyChoice(connection_from_env(sealed.key_conn), sealed.key),
        plain=_place(*plain) if plain else None,
        new_key=KeyChoice(connection_from_env(new_key[0]), new_key[1]) if new_key else None,
        replace=replace,
        dry_run=dry_run,
    )


def _place(url: str, conn: str | None) -> Place:
    from heavylift.locations import parse_location
    from heavylift.platforms.places import Place

    return Place(parse_location(url), connection_from_env(conn) if conn else None)


def _run(request: EnvelopeRequest, act: Act, kept: Kept, *, as_json: bool) -> None:
    from heavylift.aio import run

    record, ref = run(_acted(request, act, kept))
    finish(
        {
            "envelope": record.model_dump(mode="json"),
            "evidence": ref.model_dump(mode="json") if ref else None,
        },
        text=_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


async def _acted(request: EnvelopeRequest, act: Act, kept: Kept) -> tuple[EnvelopeRecord, EvidenceRef | None]:
    from heavylift.envelopes.keeping import act_on
    from heavylift.evidence.store import open_evidence

    # The store is open before anything is written: what is sealed without a manifest can't be verified.
    connection = evidence_connection(kept.evidence_conn)
    async with open_evidence(kept.evidence, connection, create=not request.dry_run) as store:
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
