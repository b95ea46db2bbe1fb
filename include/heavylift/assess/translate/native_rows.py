"""The types of servers and stores that are read beside a platform.

A database holds its tables, a server its databases: each byte counts where it can be moved as one. What a
server holds that a platform lists itself counts there (:mod:`heavylift.assess.translate.join`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from heavylift.assess.translate.rows import (
    HELD,
    LONGEST_QUEUE_HOURS,
    Attributes,
    Row,
    follows_time,
    number_of,
)

_RELATIONAL = Row("relational")
_TRACKING = Row("experiment tracking")
_REGISTRY = Row("model registry")
_KAFKA = Row("managed Kafka")
_HOUR_MS = 3_600_000


def _keeps_history(found: Attributes) -> bool:
    """Tell whether a topic keeps records for longer than a queue would; -1 means for ever."""
    told = found.get("settings")
    settings = told if isinstance(told, Mapping) else {}
    if "compact" in str(settings.get("cleanup.policy")):
        return True
    kept = number_of(settings.get("retention.ms"))
    if kept is None:
        # Nothing of its own: a broker's default, which is a week where nobody has set it.
        return True
    return kept < 0 or kept > LONGEST_QUEUE_HOURS * _HOUR_MS


ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "PostgreSQL::Server": _RELATIONAL,
        "PostgreSQL::Database": Row("relational", HELD),
        "PostgreSQL::ReplicationSlot": _RELATIONAL,
        "PostgreSQL::Schema": _RELATIONAL,
        "PostgreSQL::Table": _RELATIONAL,
        "PostgreSQL::ForeignServer": _RELATIONAL,
        "PostgreSQL::Publication": _RELATIONAL,
        "PostgreSQL::Subscription": _RELATIONAL,
        "PostgreSQL::Function": _RELATIONAL,
        "MySQL::Server": _RELATIONAL,
        "MySQL::Schema": Row("relational", HELD),
        "MySQL::Table": _RELATIONAL,
        "MySQL::ForeignServer": _RELATIONAL,
        "MySQL::Replica": _RELATIONAL,
        "Kafka::Cluster": _KAFKA,
        "Kafka::Topic": Row("managed Kafka", HELD, holds=_keeps_history, more=follows_time),
        "Kafka::ConsumerGroup": _KAFKA,
        "MLflow::Server": _TRACKING,
        "MLflow::Experiment": _TRACKING,
        "MLflow::RegisteredModel": _REGISTRY,
        "MLflow::ModelVersion": _REGISTRY,
        # What its folders hold is counted there.
        "Files::FileSystem": Row("shared file system"),
        "Files::Folder": Row("shared file system", HELD),
        "Objects::Container": Row("object storage", HELD),
    }
)
