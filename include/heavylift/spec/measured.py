"""Which connections' machines a spec wants the use of."""

from __future__ import annotations

from heavylift.spec.model import MigrationSpec

READABLE = ("aws", "gcp", "azure", "kubernetes")
"""Systems whose monitoring can be read; of Kubernetes Prometheus beside it."""


def utilisation_connections(spec: MigrationSpec) -> tuple[str, ...]:
    """Return the source's connection and those of ``assess.also`` that have machines.

    None where the spec has no section ``assess.utilisation``.
    """
    assess = spec.assess
    if assess is None or assess.utilisation is None:
        return ()
    also = tuple(each.connection for each in assess.also if each.system.value in READABLE)
    return (assess.connection or spec.source.connection, *also)
