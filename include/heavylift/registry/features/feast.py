"""Feast: the feature views of one repository, over a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.registry.catalogues.capabilities import Pairs, Rule
from heavylift.registry.catalogues.marks import origin_in
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import TYPES, Feature, History, View
from heavylift.registry.features.feast_process import FeastProcesses
from heavylift.registry.features.ports import HeldView, Key, Served

_PAIRS = Pairs()
_ASKED_AT_ONCE = 200
_FORMATS = {"ParquetFormat": "parquet", "DeltaFormat": "delta"}

CAPABILITIES = FeatureCapabilities(
    platform="feast",
    types={each: each for each in TYPES} | {f"list<{each}>": f"list<{each}>" for each in TYPES},
    names=Rule(form=r"(?!.*__)[A-Za-z_][A-Za-z0-9_-]*"),
    entities=True,
    schemes=("file", "s3", "gs"),
    ttl_joins=True,
    pairs=_PAIRS,
)


class FeastStore:
    """The feature views of one project.

    :param connection: extra ``repository`` is the folder of ``feature_store.yaml``; ``python`` an interpreter
        that has the repository's Feast; ``environment`` names of variables that Feast needs.
    """

    capabilities = CAPABILITIES

    def __init__(self, connection: Connection, processes: FeastProcesses) -> None:
        self._folder = connection.text("repository") or ""
        if not self._folder.startswith("/"):
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for Feast",
                got=f"the extra field repository {self._folder!r}",
                expected="the absolute path of the folder that has feature_store.yaml",
                state="nothing was touched",
                remedy=f"set extra.repository of the connection {connection.conn_id!r}",
                code="7705",
            )
        self._process = processes.of(connection)
        self._odd: dict[str, str] = {}
        self._beside: dict[str, int] = {}

    @property
    def address(self) -> str:
        """The repository's folder."""
        return f"feast://{self._folder}"

    def read(self) -> list[HeldView]:
        """Return all feature views over files."""
        told = self._ask("read")
        self._odd, self._beside = dict(told["odd"]), dict(told["beside"])
        return [_held(each) for each in told["views"]]

    def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return services and transformations, and views that are no views over files."""
        found = [
            (name.replace("_", " "), "they are code, or name views: define them anew", count)
            for name, count in self._beside.items()
        ]
        found += [(f"feature view {name}", reason, 1) for name, reason in sorted(self._odd.items())]
        return [each for each in found if each[2]]

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Apply a feature view with its entities."""
        features = {
            name: {"type": each.type, "description": each.description, "tags": dict(each.tags)}
            for name, each in view.features.items()
        }
        described = {
            "name": view.name,
            "keys": list(view.keys),
            "key_types": dict(view.key_types),
            "entities": list(view.entities),
            "event_time": view.event_time,
            "created": history.created,
            "features": features,
            "online": view.online == "yes",
            "ttl_seconds": view.ttl,
            "offline": view.offline,
            "description": view.description,
            "owner": view.owner,
            "tags": {**view.metadata, **marks},
        }
        self._ask("apply", view=described)
        return view.offline

    def serve(self, view: View, history: History, rows: Path) -> int:
        """Write rows into the online store."""
        del history
        return int(self._ask("serve", name=view.name, rows=str(rows))["rows"])

    def online(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Ask the online store."""
        found: list[Served] = []
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            rows = [[_text(each) for each in key] for key in keys[start : start + _ASKED_AT_ONCE]]
            told = self._ask("online", name=view.name, keys=list(view.keys), rows=rows)
            found += [Served(each["values"], each["at"]) for each in told["served"]]
        return found

    def joined(self, view: View, frame: Path, answer: Path) -> bool:
        """Ask for historical features."""
        self._ask("joined", name=view.name, frame=str(frame), answer=str(answer))
        return True

    def close(self) -> None:
        """The process is ended by whoever started it."""

    def _ask(self, what: str, **arguments: Any) -> Mapping[str, Any]:
        return self._process.ask(what, repository=self._folder, **arguments)


def _text(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _held(raw: Mapping[str, Any]) -> HeldView:
    tags = {str(key): str(value) for key, value in raw["tags"].items()}
    features = {
        name: Feature(each["type"], each["description"], each["tags"])
        for name, each in raw["features"].items()
    }
    ours = (_PAIRS.mark, _PAIRS.kept)
    view = View(
        name=str(raw["name"]),
        keys=tuple(raw["keys"]),
        key_types=raw["key_types"],
        entities=tuple(raw["entities"]),
        event_time=str(raw["event_time"]),
        features=features,
        online="yes" if raw["online"] else "",
        ttl_seconds=str(raw["ttl_seconds"] or ""),
        offline=str(raw["offline"]).rstrip("/"),
        offline_format=_FORMATS.get(str(raw["format"]), str(raw["format"])),
        description=str(raw["description"]),
        owner=str(raw["owner"]),
        metadata={key: value for key, value in tags.items() if not key.startswith(ours)},
    )
    return HeldView(view, History(created=str(raw["created"])), origin_in(tags, _PAIRS))
