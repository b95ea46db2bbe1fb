"""What this version of Heavylift carries out. Later work flips the switches here, nowhere else.

The spec has room for everything from the start; what is switched off is refused by name, so
that nobody believes that something moves which does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from heavylift.spec.sections_data import DatabaseEngine, StreamEngine
from heavylift.spec.vocabulary import Phase

SUPPORTED_SECTIONS: Mapping[str, bool] = MappingProxyType(
    {
        "assess": True,
        "datasets": True,
        "gates": True,
        "notify": True,
        "databases": True,
        "streams": True,
        "registries": True,
        "feature_stores": True,
        "models": True,
        "endpoints": True,
        "pipelines": True,
        "training": True,
        "autoscaling": True,
        "alerts": True,
        "infrastructure": True,
        "secrets": True,
        "containers": True,
        "access": True,
        "manifests": True,
        "envelopes": True,
        "compliance": True,
        "cutover": True,
        "decommission": True,
        "workload_tests": True,
        "monitor": True,
        "optimize": True,
    }
)
"""Top-level section → whether this version carries it out."""

SUPPORTED_STREAM_ENGINES = frozenset({StreamEngine.KAFKA, StreamEngine.EVENT_HUBS})
"""Products that streams are mirrored between: they speak the Kafka protocol."""

SUPPORTED_PHASES = frozenset(
    {
        Phase.ASSESS,
        Phase.PROVISION,
        Phase.TRANSFER,
        Phase.SYNC,
        Phase.REGISTRY,
        Phase.REVALIDATE,
        Phase.CUTOVER,
        Phase.DECOMMISSION,
        Phase.OPTIMIZE,
    }
)
"""Phases that have a DAG, and so can end with a gate."""

_MYSQL = frozenset({DatabaseEngine.MYSQL, DatabaseEngine.MARIADB})
SUPPORTED_TARGETS = {
    **dict.fromkeys(DatabaseEngine, frozenset({DatabaseEngine.POSTGRESQL})),
    **dict.fromkeys(_MYSQL, _MYSQL | {DatabaseEngine.POSTGRESQL}),
}
"""Products to which a source's database moves."""

DEBEZIUM_ONLY = frozenset({DatabaseEngine.SQLSERVER, DatabaseEngine.ORACLE, DatabaseEngine.DB2})
"""Source products that move by method debezium and no other."""
