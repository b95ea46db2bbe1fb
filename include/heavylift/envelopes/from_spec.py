"""The envelopes that a spec asks for, and whether evidence proves them."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.connections import Connection
from heavylift.envelopes.requests import EnvelopeRequest, KeyChoice
from heavylift.evidence.envelope_records import Act, EnvelopeRecord, envelope_path
from heavylift.evidence.run_evidence import read_latest
from heavylift.evidence.store import EvidenceStore
from heavylift.platforms.places import Place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import ResolvedPlace, resolve_place
from heavylift.spec.sections_envelopes import Envelope


def envelope_request(
    spec: MigrationSpec,
    envelope: Envelope,
    look_up: Callable[[str], Connection],
    bandwidth: float | None = None,
) -> EnvelopeRequest:
    """Return what an envelope of the spec asks for.

    :param bandwidth: of the run; the lower one counts.
    """
    limits = [each for each in (envelope.max_bandwidth, bandwidth) if each]
    return EnvelopeRequest(
        migration=spec.migration,
        name=envelope.name,
        sealed=_place(resolve_place(spec.target, envelope.target), look_up),
        plain=_place(resolve_place(spec.source, envelope.source), look_up),
        key=KeyChoice(look_up(envelope.key.connection), envelope.key.name or ""),
        replace=envelope.replace,
        bandwidth=min(limits) if limits else None,
    )


def _place(place: ResolvedPlace, look_up: Callable[[str], Connection]) -> Place:
    return Place(place.location, None if place.location.scheme == "file" else look_up(place.connection))


async def unproved_envelopes(store: EvidenceStore, spec: MigrationSpec) -> list[str]:
    """Return why envelopes of a spec are not proved; empty where all are.

    :raises AuditError: a record is damaged.
    """
    reasons: list[str] = []
    for each in spec.envelopes:
        sealed = await _newest(store, spec.migration, each.name, "seal")
        verified = await _newest(store, spec.migration, each.name, "verify")
        if sealed is None or verified is None:
            reasons.append(f"envelope {each.name}: not {'sealed' if sealed is None else 'verified'}")
        elif not (sealed.passed and verified.passed):
            worse = verified if sealed.passed else sealed
            reasons.append(f"envelope {each.name}: {worse.statement}")
        elif verified.started_at < sealed.ended_at:
            reasons.append(f"envelope {each.name}: sealed again since it was verified")
    return reasons


async def _newest(store: EvidenceStore, migration: str, name: str, act: Act) -> EnvelopeRecord | None:
    kept = await read_latest(
        store,
        lambda number: envelope_path(migration, name, act, number),
        EnvelopeRecord,
    )
    return kept.record if kept else None
