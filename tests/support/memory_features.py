"""A feature store in memory over real Parquet files: what it holds and serves can be changed at will."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from heavylift.registry.catalogues.marks import origin_in
from heavylift.registry.features import feast
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import History, View
from heavylift.registry.features.ports import HeldView, Key, Served


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

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> None:
        """Hold a view."""
        self.views[view.name] = (view, history, dict(marks))
        self.written += 1

    def serve(self, view: View, rows: Path) -> int:
        """Hold rows as what is served."""
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
