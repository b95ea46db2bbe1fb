"""One entry of the audit trail, and the hash that binds it to all entries before it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from pydantic_core import to_jsonable_python

from heavylift.errors import PermanentError
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.records import EvidenceRef, Record, utc_now
from heavylift.spec.secrets import holds_secret, names_secret

GENESIS = "0" * 64
"""What the first entry has as its predecessor's hash."""

_ACTION = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")


@dataclass(frozen=True)
class Act:
    """What is to be noted in the audit trail.

    :param actor: who did it: a user's id, or ``airflow:<dag>.<task>``, or ``cli:<user>``.
    :param action: lower-case words with dots, the thing first: ``gate.evaluated``.
    :param subject: what it was done to: a dataset, a gate, a URL.
    :param evidence: the files that prove it.
    :param details: small figures; never a secret.
    """

    actor: str
    action: str
    phase: str = ""
    run: str = ""
    subject: str = ""
    evidence: Sequence[EvidenceRef] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class AuditEntry(Record):
    """One entry as it lies in the evidence store.

    :param seq: its place, from 1; also its file's name.
    :param id: random, so that no two entries have the same bytes.
    :param prev: hash of the entry before.
    :param hash: SHA-256 of the canonical JSON of all other fields.
    """

    schema_version: Literal["heavylift/audit/v1"] = "heavylift/audit/v1"
    seq: int = Field(ge=1)
    id: str
    time: datetime
    actor: str
    action: str
    migration: str
    phase: str
    run: str
    subject: str
    evidence: tuple[EvidenceRef, ...]
    details: dict[str, Any]
    prev: str
    hash: str


def make_entry(migration: str, seq: int, prev: str, act: Act) -> AuditEntry:
    """Return the entry for ``act``, with time, id and hash.

    :raises PermanentError: the act has no actor, a malformed action, or looks like a secret.
    """
    _check(act)
    draft = AuditEntry(
        seq=seq,
        id=uuid.uuid4().hex,
        time=utc_now(),
        actor=act.actor,
        action=act.action,
        migration=migration,
        phase=act.phase,
        run=act.run,
        subject=act.subject,
        evidence=tuple(act.evidence),
        details=to_jsonable_python(dict(act.details)),
        prev=prev,
        hash="",
    )
    return draft.model_copy(update={"hash": hash_of(draft)})


def hash_of(entry: AuditEntry) -> str:
    """Return the hash that ``entry`` must carry."""
    return sha256_hex(canonical_json(entry.model_dump(mode="json", exclude={"hash"})))


def _check(act: Act) -> None:
    if not act.actor.strip() or not _ACTION.fullmatch(act.action):
        raise _refused(
            act,
            got=f"actor {act.actor!r} and action {act.action!r}",
            expected="an actor, and an action such as gate.evaluated",
        )
    place = _secret_place(act.details, "details") or _secret_place(act.subject, "subject")
    if place:
        raise _refused(act, got=f"what looks like a secret in {place}", expected="no secret; it is not shown")


def _secret_place(value: Any, place: str) -> str | None:
    """Return where in ``value`` a secret seems to be, or None."""
    if isinstance(value, str):
        return place if holds_secret(value) else None
    if isinstance(value, Mapping):
        named = (f"{place}.{key}" for key in value if names_secret(str(key)))
        inner = (_secret_place(item, f"{place}.{key}") for key, item in value.items())
        return next(named, None) or next(filter(None, inner), None)
    if isinstance(value, list | tuple):
        return next(filter(None, (_secret_place(item, place) for item in value)), None)
    return None


def _refused(act: Act, *, got: str, expected: str) -> PermanentError:
    action = act.action if _ACTION.fullmatch(act.action) else "an act"
    return PermanentError(
        f"noting {action} in the audit trail",
        got=got,
        expected=expected,
        state="nothing was written to the trail",
        remedy="this is a defect of the caller: pass names and figures, no credentials",
        code="4030",
    )
