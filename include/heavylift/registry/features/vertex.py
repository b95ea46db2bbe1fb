"""Vertex AI Feature Store: feature groups over BigQuery tables, and feature views that serve them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.catalogues.marks import origin_in
from heavylift.registry.catalogues.vertex_shapes import LABELS
from heavylift.registry.features.bigquery import CREATED, BigQueryTables, Table, slashed
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.own_loop import OwnLoop
from heavylift.registry.features.ports import HeldView, Key, Served
from heavylift.registry.features.vertex_online import VertexOnline
from heavylift.registry.features.vertex_rules import CAPABILITIES
from heavylift.registry.features.vertex_writing import FeatureGroupMaker

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_ENTITY, _TIME = "entity_id", "feature_timestamp"
_MODE = "parquet"

Raw = Mapping[str, Any]


class VertexFeatures:
    """The feature groups of one project and location.

    :param connection: extra ``project`` and ``location``; ``online_store`` is the feature online store in
        which views are made; ``staging`` as of :class:`BigQueryTables`; ``endpoint_url`` and
        ``bigquery_endpoint_url`` replace Google's addresses.
    """

    def __init__(self, connection: Connection, parallel: int, stop: threading.Event) -> None:
        project, location = connection.text("project"), connection.text("location")
        if not project or not location:
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for Vertex AI Feature Store",
                got=f"project {project!r} and location {location!r}",
                expected="the extra fields project and location",
                state="nothing was touched",
                remedy=f"complete the connection {connection.conn_id!r}",
                code="9465",
            )
        self._parent = f"projects/{project}/locations/{location}"
        named = f"connection {connection.conn_id!r} names no"
        staging = (connection.text("staging") or "").startswith("gs://")
        self.capabilities = replace(
            CAPABILITIES,
            unserved="" if connection.text("online_store") else f"{named} online_store",
            unwritable="" if staging else f"{named} staging (gs://bucket/prefix)",
        )
        own = connection.text("endpoint_url")
        fetch = None if is_anonymous(connection) else token_fetcher(connection, _SCOPES)
        address = own or f"https://{location}-aiplatform.googleapis.com"
        self._api = CloudApi(connection.conn_id, address, fetch, parallel)
        self._tables = BigQueryTables(connection, parallel)
        served = connection.text("online_store") or ""
        self._online = VertexOnline(
            self._api,
            self._parent,
            served,
            lambda host: self._api if own else CloudApi(connection.conn_id, host, fetch, parallel),
            parallel,
            stop,
        )
        self._maker = FeatureGroupMaker(self._api, self._tables, self._parent, self._online)
        self._odd: dict[str, str] = {}
        self._loop = OwnLoop()

    @property
    def address(self) -> str:
        """Project and location."""
        return f"vertex-features://{self._parent}"

    def read(self) -> list[HeldView]:
        """Return all feature groups over tables."""
        return self._loop.run(self._read())

    def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return groups, and views of several groups or of queries, that are not moved."""
        return [(what, reason, 1) for what, reason in sorted(self._odd.items())]

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Make table, group, features and feature view, or change what can be changed of them."""
        return self._loop.run(self._maker.apply(view, history, marks))

    def serve(self, view: View, history: History, rows: Path) -> int:
        """Let the feature view take the newest rows from its table."""
        del history, rows
        return self._loop.run(self._online.sync(view.name))

    def online(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Fetch feature values, key by key, some at once."""
        return self._loop.run(self._online.fetch(view, keys))

    def joined(self, view: View, frame: Path, answer: Path) -> bool:
        """Tell that it cannot: its joins are the user's own queries."""
        del view, frame, answer
        return False

    def close(self) -> None:
        """Close connections, and end the loop that served them."""
        self._loop.close(self._closed())

    async def _closed(self) -> None:
        await self._online.close()
        await self._tables.close()
        await self._api.close()

    async def _read(self) -> list[HeldView]:
        self._odd, found = {}, []
        self._odd |= {f"feature view {name}": why for name, why in (await self._online.read()).items()}
        async for raw in self._online.pages(f"v1/{self._parent}/featureGroups", "featureGroups"):
            name = str(raw["name"]).rpartition("/")[2]
            held = await self._group(name, raw)
            if isinstance(held, str):
                self._odd[f"feature group {name}"] = held
            else:
                found.append(held)
        return found

    async def _group(self, name: str, raw: Raw) -> HeldView | str:
        source: Raw = raw.get("bigQuery") or {}
        uri = slashed(str((source.get("bigQuerySource") or {}).get("inputUri") or ""))
        if source.get("staticDataSource"):
            return "its rows have no event time"
        if len(uri.split("/")) != len(["bq:", "", "p", "d", "t"]):
            return f"its source is {uri}"
        table = await self._tables.find(uri)
        if table is None or table.kind != "TABLE":
            return "its table is not there" if table is None else f"its source is of type {table.kind}"
        features = [
            each
            async for each in self._online.pages(
                f"v1/{self._parent}/featureGroups/{name}/features", "features"
            )
        ]
        if any(each.get("versionColumnName", _id(each)) != _id(each) for each in features):
            return "its features rename columns"
        return self._held(name, raw, source, uri, table, features)

    def _held(
        self, name: str, raw: Raw, source: Raw, uri: str, table: Table, features: list[Raw]
    ) -> HeldView | str:
        keys = tuple(str(each) for each in source.get("entityIdColumns") or (_ENTITY,))
        event_time = str((source.get("timeSeries") or {}).get("timestampColumn") or _TIME)
        needed = [*keys, event_time, *map(_id, features)]
        if absent := [each for each in needed if each not in table.columns]:
            return f"its table has no {', '.join(absent)}"
        labels = {str(key): str(value) for key, value in (raw.get("labels") or {}).items()}
        ours = (LABELS.mark, LABELS.kept)
        view = View(
            name=name,
            keys=keys,
            key_types={each: table.columns[each] for each in keys},
            event_time=event_time,
            features={_id(each): _feature(each, table.columns[_id(each)]) for each in features},
            online="yes" if self._online.serves(name) else "",
            offline=uri,
            offline_format=_MODE,
            description=str(raw.get("description") or ""),
            metadata={key: value for key, value in labels.items() if not key.startswith(ours)},
        )
        form = History(
            created=CREATED if CREATED in table.columns else "", sparse=not source.get("dense", False)
        )
        return HeldView(view, form, origin_in(labels, LABELS))


def _id(raw: Raw) -> str:
    return str(raw["name"]).rpartition("/")[2]


def _feature(raw: Raw, kind: str) -> Feature:
    labels = {str(key): str(value) for key, value in (raw.get("labels") or {}).items()}
    return Feature(kind, str(raw.get("description") or ""), labels)
