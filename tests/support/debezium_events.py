"""Change events as Debezium's PostgreSQL connector writes them, without a connector."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
"""A record's key, value and headers."""

FIELDS: tuple[dict[str, Any], ...] = (
    {"field": "id", "type": "int32", "optional": False},
    {"field": "v", "type": "string", "optional": True},
)


@dataclass(frozen=True)
class Table:
    """One table's events.

    :param fields: the columns' schemas; the first is the key.
    """

    name: str = "t"
    fields: Sequence[Mapping[str, Any]] = FIELDS
    schema: str = "public"
    more: Mapping[str, Any] = field(default_factory=dict)

    def read(self, at: int, *values: Any, snapshot: str = "true") -> Record:
        """Return a row that a snapshot read as of the position ``at``."""
        source = {"lsn": at, "sequence": json.dumps([None, str(at)]), "snapshot": snapshot}
        return self._record("r", values, source)

    def change(
        self, op: str, at: int, *values: Any, after_commit: int = 1, ts_ms: int = 0, old_key: Any = None
    ) -> Record:
        """Return a change at the position ``at``; ``d`` takes the key alone."""
        sequence = json.dumps([str(after_commit), str(at)])
        source = {"lsn": at, "sequence": sequence, "snapshot": "false", "ts_ms": ts_ms or at}
        record = self._record(op, values, source)
        if old_key is None:
            return record
        old = {"payload": {self.fields[0]["field"]: old_key}}
        name = "__debezium.newkey" if op == "d" else "__debezium.oldkey"
        return record[0], record[1], [(name, json.dumps(old).encode())]

    def _record(self, op: str, values: Sequence[Any], source: Mapping[str, Any]) -> Record:
        names = [str(each["field"]) for each in self.fields]
        told = {"connector": "postgresql", "schema": self.schema, "table": self.name, "ts_ms": source["lsn"]}
        payload = {
            "before": None,
            "after": None if op in "dt" else dict(zip(names, values, strict=True)),
            "source": {**told, **source, **self.more},
            "op": op,
        }
        row = {"type": "struct", "fields": list(self.fields), "field": "after"}
        schema = {"type": "struct", "fields": [{**row, "field": "before"}, row]}
        key = None if op == "t" else with_schema({names[0]: values[0]})
        return key, with_schema(payload, schema), []


def with_schema(payload: Any, schema: Mapping[str, Any] | None = None) -> bytes:
    """Return a value as the JSON converter writes it."""
    found = {"schema": schema or {"type": "struct"}, "payload": payload}
    return json.dumps(found, separators=(",", ":")).encode()
