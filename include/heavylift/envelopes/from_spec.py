"""The envelopes that a spec asks for."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.connections import Connection
from heavylift.envelopes.requests import EnvelopeRequest, KeyChoice
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
