"""Runs inside Feast's own environment: answers one request a line, as JSON, about Feast repositories.

It imports nothing of Heavylift. It reads ``feature_store.yaml`` and the registry that this names, and never a
repository's Python files. Transformations are never loaded, since a registry keeps them pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

_TYPES = {
    "String": "string",
    "Int32": "int32",
    "Int64": "int64",
    "Float32": "float32",
    "Float64": "float64",
    "Bool": "bool",
    "UnixTimestamp": "timestamp",
    "Bytes": "bytes",
}
_DUMMY = "__dummy"


class RefusedError(Exception):
    """Something that Heavylift tells in its own words."""


class Repositories:
    """The repositories that were asked about."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}

    def at(self, folder: str) -> Any:
        """Return a repository's store."""
        if folder not in self._open:
            from feast import FeatureStore

            if not os.path.isfile(os.path.join(folder, "feature_store.yaml")):
                raise RefusedError(f"no feature_store.yaml in {folder}")
            self._open[folder] = FeatureStore(repo_path=folder)
        return self._open[folder]

    def hello(self, repository: str) -> dict[str, Any]:
        """Tell what a repository is."""
        import feast

        store = self.at(repository)
        return {"version": feast.__version__, "project": store.project, "provider": store.config.provider}

    def read(self, repository: str) -> dict[str, Any]:
        """Tell all feature views, and what there is besides."""
        store = self.at(repository)
        store.refresh_registry()
        views, odd = [], {}
        for each in store.registry.list_feature_views(store.project):
            told = self._view(store, repository, each)
            if isinstance(told, str):
                odd[each.name] = told
            else:
                views.append(told)
        return {"views": views, "odd": odd, "beside": self._beside(store)}

    def _view(self, store: Any, repository: str, view: Any) -> dict[str, Any] | str:
        source = view.batch_source
        if type(source).__name__ != "FileSource":
            return f"its source is a {type(source).__name__}"
        if source.field_mapping:
            return "its source renames columns"
        if not view.entities or view.entities == [_DUMMY]:
            return "it has no entity"
        return {
            "name": view.name,
            "keys": [each.name for each in view.entity_columns],
            "key_types": {each.name: _type_of(each.dtype) for each in view.entity_columns},
            "entities": list(view.entities),
            "event_time": source.timestamp_field,
            "created": source.created_timestamp_column or "",
            "features": {
                each.name: {
                    "type": _type_of(each.dtype),
                    "description": each.description or "",
                    "tags": dict(each.tags or {}),
                }
                for each in view.features
            },
            "online": bool(view.online),
            "ttl_seconds": int(view.ttl.total_seconds()) if view.ttl else 0,
            "offline": _absolute(source.path, repository),
            "format": type(source.file_format).__name__ if source.file_format else "ParquetFormat",
            "description": view.description or "",
            "owner": view.owner or "",
            "tags": dict(view.tags or {}),
        }

    def _beside(self, store: Any) -> dict[str, int]:
        names = ("on_demand_feature_views", "stream_feature_views", "feature_services", "saved_datasets")
        if store.config.registry.registry_type != "file":
            # Elsewhere listing them would unpickle what they hold.
            return {"feature_services": len(store.registry.list_feature_services(store.project))}
        proto = store.registry.proto()
        return {name: len(getattr(proto, name)) for name in names}

    def apply(self, repository: str, view: dict[str, Any]) -> dict[str, Any]:
        """Make a feature view and its entities, or change them."""
        from feast import Entity, FeatureView, Field, FileSource

        store = self.at(repository)
        entities = []
        known = {each.name: each for each in store.registry.list_entities(store.project)}
        for name, key in zip(view["entities"], view["keys"], strict=True):
            there = known.get(name)
            kind = _value_type(view["key_types"][key])
            if there is not None and (there.join_key != key or there.value_type != kind):
                raise RefusedError(f"entity {name!r} is there with another key or type")
            entities.append(there or Entity(name=name, join_keys=[key], value_type=kind))
        source = FileSource(
            path=_path_of(view["offline"]),
            timestamp_field=view["event_time"],
            created_timestamp_column=view["created"],
        )
        made = FeatureView(
            name=view["name"],
            entities=entities,
            ttl=timedelta(seconds=view["ttl_seconds"]),
            schema=[Field(name=key, dtype=_feast_type(view["key_types"][key])) for key in view["keys"]]
            + [
                Field(
                    name=name,
                    dtype=_feast_type(each["type"]),
                    description=each["description"],
                    tags=each["tags"],
                )
                for name, each in view["features"].items()
            ],
            source=source,
            online=view["online"],
            description=view["description"],
            owner=view["owner"],
            tags=view["tags"],
        )
        store.apply([*entities, made])
        return {}

    def serve(self, repository: str, name: str, rows: str) -> dict[str, Any]:
        """Write rows into the online store."""
        import pyarrow.parquet

        store, sent = self.at(repository), 0
        for batch in pyarrow.parquet.ParquetFile(rows).iter_batches(5000):
            frame = batch.to_pandas()
            store.write_to_online_store(name, frame, allow_registry_cache=False)
            sent += len(frame)
        return {"rows": sent}

    def online(self, repository: str, name: str, keys: list[str], rows: list[list[Any]]) -> dict[str, Any]:
        """Tell what is served for keys."""
        store = self.at(repository)
        view = store.registry.get_feature_view(name, store.project)
        names = [each.name for each in view.features]
        asked = [dict(zip(keys, _typed(view, keys, row), strict=True)) for row in rows]
        features = [f"{name}:{each}" for each in names]
        answer = store.get_online_features(features=features, entity_rows=asked)
        told = answer.to_dict(include_event_timestamps=True)
        served = []
        for number in range(len(rows)):
            at = max((told[f"{each}__ts"][number] for each in names), default=0)
            values = {each: _plain(told[each][number]) for each in names}
            served.append({"values": values if at else None, "at": at or None})
        return {"served": served}

    def joined(self, repository: str, name: str, frame: str, answer: str) -> dict[str, Any]:
        """Let Feast join a frame with the history."""
        import pandas  # type: ignore[import-untyped]

        store = self.at(repository)
        view = store.registry.get_feature_view(name, store.project)
        asked = pandas.read_parquet(frame)
        asked["event_timestamp"] = pandas.to_datetime(asked["event_timestamp"], utc=True)
        features = [f"{name}:{each.name}" for each in view.features]
        found = store.get_historical_features(entity_df=asked, features=features).to_df()
        found["event_timestamp"] = pandas.to_datetime(found["event_timestamp"], utc=True)
        found.to_parquet(answer)
        return {"rows": len(found)}


def _type_of(kind: Any) -> str:
    text = str(kind)
    if text.startswith("Array("):
        return f"list<{_TYPES.get(text[6:-1], text[6:-1])}>"
    return _TYPES.get(text, text)


def _feast_type(kind: str) -> Any:
    from feast import types

    names = {ours: theirs for theirs, ours in _TYPES.items()}
    if kind.startswith("list<"):
        return types.Array(getattr(types, names[kind[5:-1]]))
    return getattr(types, names[kind])


def _value_type(kind: str) -> Any:
    return _feast_type(kind).to_value_type()


def _typed(view: Any, keys: list[str], row: list[Any]) -> list[Any]:
    kinds = {each.name: _type_of(each.dtype) for each in view.entity_columns}
    pairs = zip(keys, row, strict=True)
    return [int(value) if kinds[key].startswith("int") else value for key, value in pairs]


def _absolute(path: str, repository: str) -> str:
    if "://" in path:
        return path
    return "file://" + os.path.normpath(os.path.join(repository, path))


def _path_of(uri: str) -> str:
    return uri.removeprefix("file://")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.item() if hasattr(value, "item") else value


def main() -> None:
    """Answer until there is nothing more to read."""
    # Libraries print to standard output; only answers may go there.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    repositories = Repositories()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = {"ok": getattr(repositories, asked.pop("do"))(**asked)}
        except RefusedError as error:
            told = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to who asked
            told = {"error": f"{type(error).__name__}: {error}"[:1000]}
        answers.write(json.dumps(told) + "\n")
        answers.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
