"""A feature store in memory over real Parquet files: what it holds and serves can be changed at will."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from heavylift.connections import Connection
from heavylift.registry.catalogues.marks import origin_in
from heavylift.registry.features import feast
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.ports import HeldView, Key, Served
from tests.support.feature_moves import FeatureMoves

NOW = 1_795_000_000
VIEW = View(
    name="drivers",
    keys=("driver_id",),
    key_types={"driver_id": "int64"},
    entities=("driver",),
    event_time="became",
    features={"rate": Feature("float64"), "trips": Feature("int64", "how many", {"unit": "1"})},
    online="yes",
    ttl_seconds="86400",
    offline_format="parquet",
    description="drivers",
    metadata={"team": "risk"},
)
ROWS = (
    "SELECT i::BIGINT AS driver_id,"
    " make_timestamp(({now} - 3600 * j - i)::BIGINT * 1000000::BIGINT) AS became,"
    " i / 3.0 + j AS rate, (i * j)::BIGINT AS trips FROM range(50) a(i), range(4) b(j)"
)


@dataclass
class MemoryFeatures:
    """A store that holds what Feast holds.

    :ivar views: by name, with how its files hold rows and its marks.
    :ivar served: view → key → values and event time.
    """

    address: str
    capabilities: FeatureCapabilities = feast.CAPABILITIES
    views: dict[str, tuple[View, History, Mapping[str, str]]] = field(default_factory=dict)
    served: dict[str, dict[Key, Served]] = field(default_factory=dict)
    others: list[tuple[str, str, int]] = field(default_factory=list)
    written: int = 0

    def read(self) -> list[HeldView]:
        """Return all views."""
        pairs = self.capabilities.pairs
        return [HeldView(view, form, origin_in(marks, pairs)) for view, form, marks in self.views.values()]

    def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return what a test has put there."""
        return self.others

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Hold a view."""
        self.views[view.name] = (view, history, dict(marks))
        self.written += 1
        return view.offline

    def serve(self, view: View, history: History, rows: Path) -> int:
        """Hold rows as what is served."""
        del history
        columns = ", ".join(f'"{name}"' for name in (*view.keys, *view.features))
        query = f'SELECT {columns}, epoch_us("{view.event_time}") / 1e6 FROM read_parquet(?)'
        with duckdb.connect() as db:
            found = db.execute(query, [str(rows)]).fetchall()
        number = len(view.keys)
        for row in found:
            values = dict(zip(view.features, row[number:-1], strict=True))
            self.served.setdefault(view.name, {})[tuple(row[:number])] = Served(values, row[-1])
        self.written += 1
        return len(found)

    def online(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Return what is served."""
        held = self.served.get(view.name, {})
        return [held.get(tuple(key), Served()) for key in keys]

    def joined(self, view: View, frame: Path, answer: Path) -> bool:
        """Tell that it cannot."""
        del view, frame, answer
        return False

    def close(self) -> None:
        """Nothing is open."""

    def change(self, name: str, **changes: Any) -> None:
        """Change a view as somebody else would."""
        view, history, marks = self.views[name]
        self.views[name] = (replace(view, **changes), history, marks)


class Pair:
    """Two stores in memory, the source of which has one view with a history."""

    def __init__(self, folder: Path, now: int = NOW) -> None:
        self.folder = folder
        self.source, self.target = MemoryFeatures("memory://a"), MemoryFeatures("memory://b")
        (folder / "a/drivers").mkdir(parents=True)
        self.query(f"COPY ({ROWS.format(now=now)}) TO '{folder}/a/drivers/x.parquet' (FORMAT parquet)")
        view = replace(VIEW, offline=f"file://{folder}/a/drivers")
        self.source.apply(view, History(), {})
        newest = folder / "newest.parquet"
        self.query(
            f"COPY (SELECT * FROM '{folder}/a/drivers/x.parquet' QUALIFY row_number() OVER"
            f" (PARTITION BY driver_id ORDER BY became DESC) = 1) TO '{newest}' (FORMAT parquet)"
        )
        self.source.serve(view, History(), newest)
        pairs = ((f"file://{folder}/a", f"file://{folder}/b"),)
        self.moves = FeatureMoves(
            Connection("a", "memory"), Connection("b", "memory"), pairs, {"moment": float(now)}
        )

    def open(self, connection: Connection, *_: Any) -> MemoryFeatures:
        return {"a": self.source, "b": self.target}[connection.conn_id]

    def query(self, query: str) -> None:
        with duckdb.connect() as db:
            db.execute(query)

    def rewrite(self, select: str) -> None:
        """Replace the target's history by a query over it."""
        path = self.folder / "b/drivers/x.parquet"
        self.query(f"CREATE TABLE t AS {select.format(path=path)}; COPY t TO '{path}' (FORMAT parquet)")

    def found(self) -> set[tuple[str, str]]:
        proof = self.moves.verify()
        assert proof.passed is (not proof.differences)
        return {(each.what, each.kind) for each in proof.differences}
