"""Azure ML's managed feature store: feature sets over Parquet files, with their entities.

A workspace keeps feature sets with versions that cannot be changed; what their rows are tells a file beside
them. The newest version of each counts.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from heavylift.connections import Connection
from heavylift.errors import ConflictError, ConnectionConfigError, NotFoundError, PermanentError
from heavylift.locations import parse_location
from heavylift.platforms.azure.manager import endpoint_of, fetch_of, subscription_of
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.wiring import open_store
from heavylift.registry.catalogues.azure_ml_shapes import TAGS, Datastore, tags_of
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.catalogues.files import StoreFiles
from heavylift.registry.catalogues.marks import origin_in
from heavylift.registry.catalogues.ports import by_number
from heavylift.registry.features.azure_ml_online import Layout, RedisOnline
from heavylift.registry.features.azure_ml_rules import CAPABILITIES, NAMES, TYPES, Lake
from heavylift.registry.features.azure_ml_spec import FILE, FILES, MOST_BYTES, read_spec, write_spec
from heavylift.registry.features.description import History, View
from heavylift.registry.features.own_loop import OwnLoop
from heavylift.registry.features.ports import HeldView, Key, Served

_API_VERSION = "2025-12-01"
_PROVIDER = "providers/Microsoft.MachineLearningServices"
_DATASTORE = "workspaceblobstore"
_CREATED_MARK = f"{TAGS.mark}created"
"""Tag that tells by which column rows of one key and event time are ordered."""
_ENDED = frozenset({"Succeeded", "Failed", "Canceled"})

Raw = Mapping[str, Any]


class AzureMlFeatures:
    """The feature sets of one feature store.

    :param connection: extra ``subscription_id``, ``resource_group`` and ``workspace``; ``storage_account`` of
        histories; ``datastore_container``, the blob container of datastore ``datastore``, where
        specifications lie; ``anonymous`` and ``endpoint_url`` for a server that stands for Azure.
    :param lake: connection of the storage account.
    """

    def __init__(
        self, connection: Connection, lake: Connection | None, parallel: int, stop: threading.Event
    ) -> None:
        self._path = _path_of(connection)
        query = {"api-version": _API_VERSION}
        self._api = CloudApi(
            connection.conn_id, endpoint_of(connection), fetch_of(connection), parallel, query
        )
        container = connection.text("datastore_container") or ""
        datastore = connection.text("datastore") or _DATASTORE
        root = self._path.replace(f"{_PROVIDER}/", "")
        place = Datastore(f"azureml://{root}/datastores/{datastore}/paths", f"az://{container}")
        self._lake = Lake(connection.text("storage_account") or "", place)
        self._connection, self._parallel = lake, parallel
        lacking = [each for each in ("storage_account", "datastore_container") if not connection.text(each)]
        why = f"connection {connection.conn_id!r} names no {' and no '.join(lacking)}" if lacking else ""
        self._redis = RedisOnline(connection, stop)
        unserved = "" if self._redis.is_there else f"connection {connection.conn_id!r} names no redis_host"
        self.capabilities = replace(CAPABILITIES, unwritable=why, unserved=unserved)
        self._guid = ""
        self._loop, self._stack = OwnLoop(), AsyncExitStack()
        self._stores: dict[str, StoreFiles] = {}
        self._odd: dict[str, str] = {}
        self._layouts: dict[str, Layout] = {}

    @property
    def address(self) -> str:
        """The workspace."""
        return f"azureml-features://{self._path}"

    def read(self) -> list[HeldView]:
        """Return the newest version of all feature sets over Parquet files."""
        return self._loop.run(self._read())

    def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return feature sets that are not moved, and what is left of others."""
        return [(what, reason, 1) for what, reason in sorted(self._odd.items())]

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Make entities and a version of a feature set; a new one where what cannot be changed differs."""
        told = {_CREATED_MARK: history.created} if history.created else {}
        return self._loop.run(self._apply(view, {**marks, **told}))

    def serve(self, view: View, history: History, rows: Path) -> int:
        """Put rows into Redis as the feature store's own jobs do; an older row replaces no newer one."""
        del history
        return self._redis.put(self._layouts[view.name], view, rows)

    def online(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Ask Redis."""
        return self._redis.fetch(self._layouts[view.name], view, keys)

    def joined(self, view: View, frame: Path, answer: Path) -> bool:
        """Tell that it cannot: its joins are jobs of Spark."""
        del view, frame, answer
        return False

    def close(self) -> None:
        """Close connections."""
        self._redis.close()
        self._loop.close(self._closed())

    async def _closed(self) -> None:
        await self._stack.aclose()
        await self._api.close()

    async def _read(self) -> list[HeldView]:
        self._odd, self._layouts, found = {}, {}, []
        workspace = await self._api.get(self._path)
        self._guid = str((workspace.get("properties") or {}).get("workspaceId") or "")
        entities = {name: each async for name, each in self._entities()}
        async for raw in self._all(f"{self._path}/featuresets"):
            name = str(raw["name"])
            listed = [each async for each in self._all(f"{self._path}/featuresets/{quote(name)}/versions")]
            versions = sorted(listed, key=lambda each: by_number(str(each["name"])))
            if not versions:
                continue
            if len(versions) > 1:
                self._odd[f"older versions of feature set {name}"] = "only the newest one moves"
            held = await self._held(name, versions[-1], entities)
            if isinstance(held, str):
                self._odd[f"feature set {name}"] = held
            else:
                found.append(held)
        return found

    async def _entities(self) -> AsyncIterator[tuple[str, Raw]]:
        """Yield all entities' versions by ``name:version``."""
        async for raw in self._all(f"{self._path}/featurestoreEntities"):
            name = str(raw["name"])
            async for each in self._all(f"{self._path}/featurestoreEntities/{quote(name)}/versions"):
                yield f"{name}:{each['name']}", each.get("properties") or {}

    async def _held(self, name: str, raw: Raw, entities: Mapping[str, Raw]) -> HeldView | str:
        properties: Raw = raw.get("properties") or {}
        folder = self._lake.shown(str((properties.get("specification") or {}).get("path") or ""))
        text = await self._spec(folder)
        read = read_spec(text, self._lake) if text is not None else f"no specification at {folder}"
        if isinstance(read, str):
            return read
        view, schema = read
        if not view.offline.startswith("az://"):
            return f"its source is {view.offline}"
        named = [str(each).removeprefix("azureml:") for each in properties.get("entities") or ()]
        columns = [_columns(entities.get(each) or {}) for each in named]
        own = {column: kind for each in columns for column, kind in each.items()}
        single = all(len(each) == 1 for each in columns)
        if not single:
            self._odd[f"entities of feature set {name}"] = "each of their columns becomes one of its own"
        told: Raw = properties.get("properties") or {}
        self._layouts[name] = Layout(
            self._guid, name, str(raw["name"]), schema, str(told.get("onlineMaterializationVersion") or "")
        )
        settings: Raw = properties.get("materializationSettings") or {}
        online = self._redis.is_there and "Online" in str(settings.get("storeType"))
        if str(settings.get("storeType") or "None") not in {"None", "Online" if online else ""}:
            self._odd[f"materialisation of feature set {name}"] = (
                f"it is set up anew ({settings['storeType']})"
            )
        tags = tags_of(properties)
        ours = (TAGS.mark, TAGS.kept)
        view = replace(
            view,
            name=name,
            keys=tuple(own) or view.keys,
            key_types=own or view.key_types,
            entities=tuple(each.partition(":")[0] for each in named) if single else (),
            online="yes" if online else "",
            description=str(properties.get("description") or ""),
            metadata={key: value for key, value in tags.items() if not key.startswith(ours)},
        )
        return HeldView(view, History(created=tags.get(_CREATED_MARK, "")), origin_in(tags, TAGS))

    async def _apply(self, view: View, marks: Mapping[str, str]) -> str:
        names = view.entities or view.keys
        for name, key in zip(names, view.keys, strict=True):
            await self._entity(name, key, view.key_types[key])
        text = write_spec(view, self._lake)
        # Named by what it says: what a version names is never written over by another.
        digest = hashlib.blake2b(text, digest_size=16).hexdigest()
        folder = f"{self._lake.datastore.location}/heavylift/{view.name}/{digest}"
        store, key = await self._at(folder)
        await store.put(f"az://-/{key}", FILE, text, replaces=True)
        number = self._layouts[view.name].version if view.name in self._layouts else "1"
        path = f"{self._path}/featuresets/{quote(view.name)}"
        body = {
            "specification": {"path": self._lake.datastore.written(folder)},
            "entities": [f"azureml:{name}:1" for name in names],
            "description": view.description,
            "tags": {**view.metadata, **marks},
            "stage": "Development",
            "materializationSettings": {"storeType": "Online" if view.online else "None"},
        }
        there = await self._got(f"{path}/versions/{quote(number)}")
        _demand_ours(view.name, there, marks)
        if there is None:
            await self._put(path, {})
        elif any(there.get(each) != body[each] for each in ("specification", "entities")):
            # What a version's rows are cannot be changed.
            number = str(int(number) + 1) if number.isdigit() else f"{number}.1"
        await self._put(f"{path}/versions/{quote(number)}", body)
        if view.name not in self._layouts or self._layouts[view.name].version != number:
            self._layouts[view.name] = Layout(self._guid, view.name, number)
        return view.offline

    async def _entity(self, name: str, key: str, kind: str) -> None:
        path = f"{self._path}/featurestoreEntities/{quote(name)}"
        there = await self._got(f"{path}/versions/1")
        if there is None:
            await self._put(path, {})
            columns = [{"columnName": key, "dataType": NAMES[kind].capitalize()}]
            await self._put(f"{path}/versions/1", {"indexColumns": columns, "stage": "Development"})
        elif _columns(there) != {key: kind}:
            raise ConflictError(
                f"making entity {name!r}",
                got="an entity of that name with another column or type",
                expected=f"none, or one of the column {key}, {NAMES[kind]}",
                state="it was not touched; the feature sets that need it were not made",
                remedy="delete the entity on the target, or rename it on the source",
                code="9471",
            )

    async def _got(self, path: str) -> Raw | None:
        try:
            properties: Raw = (await self._api.get(path)).get("properties") or {}
        except NotFoundError:
            return None
        return properties

    async def _put(self, path: str, properties: Raw) -> None:
        """Make or replace a thing, and wait for it."""
        state = _state(await self._api.write("PUT", path, {"properties": properties}))

        async def look() -> str | None:
            found = await self._got(path)
            if found is None:
                return None
            state = str(found.get("provisioningState") or "Succeeded")
            return state if state in _ENDED else None

        if state not in _ENDED:
            state = await self._api.until(look, f"PUT {path}")
        if state != "Succeeded":
            raise PermanentError(
                f"PUT {path}",
                got=f"provisioning state {state}",
                expected="Succeeded",
                state="it was not registered",
                remedy="see the activity log of the feature store, and run again",
                code="9472",
            )

    async def _spec(self, folder: str) -> bytes | None:
        if not folder.startswith("az://"):
            return None
        store, key = await self._at(folder)
        async for each in store.below(f"az://-/{key}"):
            if each.path in FILES and each.size_bytes <= MOST_BYTES:
                return await store.whole(each)
        return None

    async def _at(self, uri: str) -> tuple[StoreFiles, str]:
        """Return the store of a container, and the key below it."""
        container, _, key = uri.removeprefix("az://").partition("/")
        if container not in self._stores:
            location = parse_location(f"az://{container}")
            opened = open_store(location, self._connection, settings=HttpSettings(connections=self._parallel))
            self._stores[container] = StoreFiles(await self._stack.enter_async_context(opened))
        return self._stores[container], key

    async def _all(self, path: str) -> AsyncIterator[Raw]:
        query: dict[str, str] = {}
        while True:
            answer = await self._api.get(path, query)
            for each in answer.get("value") or ():
                yield each
            link = str(answer.get("nextLink") or "")
            if not link:
                return
            # Only what it asks is taken from the link, so that no token goes to another host.
            query = {key: value for key, value in parse_qsl(urlsplit(link).query) if key != "api-version"}


def _columns(entity: Raw) -> dict[str, str]:
    kinds = ((str(each["columnName"]), str(each["dataType"])) for each in entity.get("indexColumns") or ())
    return {name: TYPES.get(kind.lower(), kind) for name, kind in kinds}


def _state(raw: Raw) -> str:
    return str((raw.get("properties") or {}).get("provisioningState") or "")


def _demand_ours(name: str, there: Raw | None, marks: Mapping[str, str]) -> None:
    mark = f"{TAGS.mark}registry"
    if there is not None and tags_of(there).get(mark) != marks[mark]:
        raise ConflictError(
            f"making feature set {name!r}",
            got="a version of that feature set that this migration did not make",
            expected="a free name",
            state="it was not touched",
            remedy="free the name on the target",
            code="9473",
        )


def _path_of(connection: Connection) -> str:
    subscription = subscription_of(connection)
    group, workspace = connection.text("resource_group"), connection.text("workspace")
    if not subscription or not group or not workspace:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for Azure ML's feature store",
            got=f"the extra fields {', '.join(sorted(connection.extra)) or 'none'}",
            expected="subscription_id, resource_group and workspace",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="9474",
        )
    return (
        f"subscriptions/{quote(subscription)}/resourceGroups/{quote(group)}/{_PROVIDER}"
        f"/workspaces/{quote(workspace)}"
    )
