"""What a view of features is, whichever store holds it; nothing here knows one.

Every field is text, or made of texts, so that descriptions are fitted, marked and compared as leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "bytes": "BLOB",
}
"""Types of values, and how DuckDB calls them; each may stand in ``list<…>``."""


@dataclass(frozen=True)
class Feature:
    """One feature.

    :param type: one of :data:`TYPES`, or ``list<…>`` of one.
    """

    type: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """Features that are read together: a feature group, a feature view.

    :param keys: names of the record's identifiers, in order; ``key_types`` has their types.
    :param entities: what the store calls the things that the keys identify; empty where it has no such.
    :param event_time: name of the column that tells when a row became true.
    :param online: ``yes`` where the newest row of each key is served.
    :param ttl_seconds: after how long a row is no longer served; empty means never.
    :param offline: URI of the history, without a slash at its end; empty where there is none.
    :param metadata: the user's own keys and values.
    """

    name: str
    keys: tuple[str, ...] = ()
    key_types: Mapping[str, str] = field(default_factory=dict)
    entities: tuple[str, ...] = ()
    event_time: str = ""
    features: Mapping[str, Feature] = field(default_factory=dict)
    online: str = ""
    ttl_seconds: str = ""
    offline: str = ""
    offline_format: str = ""
    description: str = ""
    owner: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def ttl(self) -> int:
        """The time to live in seconds; 0 means without end."""
        return int(self.ttl_seconds or 0)

    @property
    def columns(self) -> dict[str, str]:
        """Types of keys and features by name."""
        return dict(self.key_types) | {name: each.type for name, each in self.features.items()}


@dataclass(frozen=True)
class History:
    """How the rows of a view's history lie in its files.

    :param time_form: of the event time: ``timestamp``, ``iso8601``, or ``seconds`` since 1970.
    :param created: column by which rows of one key and event time are ordered; empty where there is none.
    :param deleted: column that tells that a row deletes its key; empty where there is none.
    :param stamps: further columns that tell, as ``created`` does, when a row was written.
    :param by_hour: files lie in folders of the event time's year, month, day and hour.
    :param sparse: what is served of a feature is its newest value that is not null, of whichever row.
    :param apart: what is served comes from a table of its own, since the history alone does not tell it.
    """

    time_form: str = "timestamp"
    created: str = ""
    deleted: str = ""
    stamps: tuple[str, ...] = ()
    by_hour: bool = False
    sparse: bool = False
    apart: bool = False

    @property
    def shape(self) -> tuple[object, ...]:
        """What must be the same for files to be read on both sides as they are."""
        return (self.time_form, self.created, self.deleted)


def sql_type(kind: str) -> str:
    """Return what DuckDB calls a type; empty for one that is not known."""
    if kind.startswith("list<") and kind.endswith(">"):
        inner = TYPES.get(kind[5:-1], "")
        return inner and f"{inner}[]"
    return TYPES.get(kind, "")
