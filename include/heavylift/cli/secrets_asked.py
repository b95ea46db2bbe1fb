"""What the options of ``heavylift secrets`` mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.stores import evidence_connection
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.secrets.requests import SecretsRequest
    from heavylift.spec.sections_secrets import Secrets


@dataclass(frozen=True)
class AskedSecrets:
    """A move, and where its evidence lies."""

    request: SecretsRequest
    evidence_url: str | None
    evidence_connection: Connection | None


def section(
    include: list[str] | None,
    exclude: list[str] | None,
    prefixes: tuple[str, str],
    conflict: str | None,
    binary: str | None,
    target_store: str | None,
    *,
    airflow: bool,
) -> Secrets | None:
    """Return the section that the options stand for; None where none was given.

    :raises SpecError: a value is not one of those that there are.
    """
    from pydantic import ValidationError

    from heavylift.spec.sections_secrets import Secrets

    fields: dict[str, Any] = {
        "include": include, "exclude": exclude, "conflict": conflict, "binary": binary,
        "target_store": target_store, "airflow": {} if airflow else None,
        "rename": {"strip_prefix": prefixes[0], "add_prefix": prefixes[1]} if any(prefixes) else None,
    }  # fmt: skip
    given = {name: value for name, value in fields.items() if value is not None and value != []}
    if not given:
        return None
    try:
        return Secrets.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(
            "reading the command line",
            got=f"{first['input']!r} as {'.'.join(map(str, first['loc']))}",
            expected=first["msg"],
            state="nothing was touched",
            remedy="correct the option",
            code="8817",
        ) from None


def asked_secrets(
    spec: Path | None,
    conns: tuple[str | None, str | None],
    given: Secrets | None,
    migration: str | None,
    evidence: tuple[str | None, str | None],
    *,
    dry_run: bool = False,
) -> AskedSecrets:
    """Return what the command line means.

    :raises SpecError: neither a spec alone nor two connections.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.secrets.requests import SECRETS_PHASE, SecretsRequest, connections_of, section_of
    from heavylift.spec.sections_secrets import Secrets

    place = evidence[0], evidence_connection(evidence[1])
    if spec is not None and conns == (None, None) and given is None and migration is None:
        from heavylift.cli.inventory_options import asked_by_spec
        from heavylift.spec.load import load_spec

        loaded = load_spec(spec)
        wanted, ids, name = section_of(loaded), connections_of(loaded), loaded.migration
        found = asked_by_spec(spec, *evidence)
        place = found.evidence_url, found.evidence_connection
    elif spec is None and conns[0] and conns[1]:
        wanted, ids, name = given or Secrets(), (conns[0], conns[1]), migration or MIGRATION
    else:
        raise SpecError(
            "reading the command line",
            got="a spec and options that it has itself" if spec else "neither a spec nor two connections",
            expected="SPEC alone, or --source-conn and --target-conn with what else is wanted",
            state="nothing was touched",
            remedy="name the spec, or both connections",
            code="8818",
        )
    run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    key = RunKey(migration=name, phase=SECRETS_PHASE, run=run)
    sides = connection_from_env(ids[0]), connection_from_env(ids[1])
    return AskedSecrets(SecretsRequest(key, *sides, wanted, dry_run), *place)
