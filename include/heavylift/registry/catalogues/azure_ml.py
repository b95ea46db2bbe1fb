"""Azure ML's models, of a workspace or of an organisation's registry, over Azure's resource manager."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, NotFoundError, PermanentError
from heavylift.platforms.azure.manager import endpoint_of, fetch_of, subscription_of
from heavylift.registry.catalogues.azure_ml_shapes import (
    CAPABILITIES,
    TAGS,
    Datastore,
    Raw,
    body_of,
    made_of,
    tags_of,
    unknown_in,
    version_of,
)
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.catalogues.description import Model, Version
from heavylift.registry.catalogues.leaves import build
from heavylift.registry.catalogues.ports import (
    HeldModel,
    HeldVersion,
    Write,
    by_number,
    held_model,
    held_version,
)

API_VERSION = "2025-12-01"
_PROVIDER = "providers/Microsoft.MachineLearningServices"
_DATASTORE = "workspaceblobstore"
_ENDED = frozenset({"Succeeded", "Failed", "Canceled"})


class AzureMlCatalogue:
    """The models of one workspace or registry.

    :param connection: extra ``subscription_id``, ``resource_group`` and ``workspace`` or ``registry``;
        ``datastore_container``, the blob container of datastore ``datastore`` (workspaceblobstore);
        ``anonymous`` and ``endpoint_url`` for a server that stands for Azure.
    """

    def __init__(self, connection: Connection, parallel: int) -> None:
        self._path = _path_of(connection)
        query = {"api-version": API_VERSION}
        self._api = CloudApi(
            connection.conn_id, endpoint_of(connection), fetch_of(connection), parallel, query
        )
        self._limit = asyncio.Semaphore(parallel)
        container = connection.text("datastore_container") or ""
        datastore = connection.text("datastore") or _DATASTORE
        root = self._path.replace(f"{_PROVIDER}/", "")
        self._datastore = Datastore(f"azureml://{root}/datastores/{datastore}/paths", f"az://{container}")
        self.capabilities = replace(CAPABILITIES, roots=(f"az://{container}",))
        self._unknown: Counter[str] = Counter()

    @property
    def server(self) -> None:
        """There is none."""

    @property
    def address(self) -> str:
        """The workspace or registry."""
        return f"azureml://{self._path}"

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def read(self) -> list[HeldModel]:
        """Return all models with their versions, the archived ones too."""
        self._unknown.clear()
        models = [each async for each in self._all(f"{self._path}/models")]
        return list(await asyncio.gather(*(self._model(each) for each in models)))

    async def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return counts of fields that are not moved."""
        return [
            (f"model version: {name}", "this version does not move it", count)
            for name, count in sorted(self._unknown.items())
        ]

    async def make_model(self, name: str, write: Write) -> None:
        """Make a model's container with its tags, in one request."""
        await self._put_model(name, write)

    async def change_model(self, name: str, write: Write) -> None:
        """Change description and tags, in one request."""
        await self._put_model(name, write)

    async def make_version(self, name: str, number: str, write: Write) -> str:
        """Register a version under the source's number, or the next free one where that cannot be."""
        if CAPABILITIES.number.wrong(number):
            raw = await self._api.get(f"{self._path}/models/{quote(name)}")
            number = str((raw.get("properties") or {}).get("nextVersion") or "1")
        await self._put_version(name, number, write)
        return number

    async def change_version(self, name: str, number: str, write: Write) -> None:
        """Change description, stage and tags, in one request."""
        await self._put_version(name, number, write)

    async def _put_model(self, name: str, write: Write) -> None:
        body = {"properties": {"description": write.leaves.get("description", ""), "tags": dict(write.pairs)}}
        await self._put(f"{self._path}/models/{quote(name)}", body)

    async def _put_version(self, name: str, number: str, write: Write) -> None:
        version = build(Version, write.leaves, number=number)
        path = f"{self._path}/models/{quote(name)}/versions/{quote(number)}"
        await self._put(path, body_of(version, write.pairs, self._datastore))

    async def _put(self, path: str, body: Mapping[str, Any]) -> None:
        """Make or replace a thing; a registry answers before it has."""
        state = _state(await self._api.write("PUT", path, body))

        async def look() -> str | None:
            try:
                found = _state(await self._api.get(path)) or "Succeeded"
            except NotFoundError:
                return None
            return found if found in _ENDED else None

        if state not in _ENDED:
            state = await self._api.until(look, f"PUT {path}")
        if state != "Succeeded":
            raise PermanentError(
                f"PUT {path}",
                got=f"provisioning state {state}",
                expected="Succeeded",
                state="it was not registered",
                remedy="see the activity log of the workspace or registry, and run again",
                code="7197",
            )

    async def _model(self, raw: Raw) -> HeldModel:
        properties: Raw = raw.get("properties") or {}
        name = str(raw["name"])
        async with self._limit:
            listed = [each async for each in self._all(f"{self._path}/models/{quote(name)}/versions")]
        versions = sorted(map(self._version, listed), key=lambda each: by_number(each.version.number))
        model = Model(name, str(properties.get("description") or ""), made=made_of(raw))
        return held_model(model, tags_of(properties), TAGS, versions)

    def _version(self, raw: Raw) -> HeldVersion:
        properties: Raw = raw.get("properties") or {}
        for name in unknown_in(properties):
            self._unknown[name] += 1
        return held_version(version_of(raw, self._datastore), tags_of(properties), TAGS)

    async def _all(self, path: str) -> AsyncIterator[Raw]:
        query: dict[str, str] = {"listViewType": "All"}
        while True:
            answer = await self._api.get(path, query)
            for each in answer.get("value") or ():
                yield each
            link = str(answer.get("nextLink") or "")
            if not link:
                return
            # Only what it asks is taken from the link, so that no token goes to another host.
            query = {key: value for key, value in parse_qsl(urlsplit(link).query) if key != "api-version"}


def _state(raw: Raw) -> str:
    return str((raw.get("properties") or {}).get("provisioningState") or "")


def _path_of(connection: Connection) -> str:
    subscription = subscription_of(connection)
    group = connection.text("resource_group")
    workspace, registry = connection.text("workspace"), connection.text("registry")
    if connection.conn_type != "azure" or not subscription or not group or bool(workspace) is bool(registry):
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for Azure ML",
            got=f"the type {connection.conn_type!r}, and the extra fields"
            f" {', '.join(sorted(connection.extra)) or 'none'}",
            expected="the type azure, and the extra fields subscription_id, resource_group, and workspace or"
            " registry",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="7198",
        )
    place = f"workspaces/{quote(workspace)}" if workspace else f"registries/{quote(str(registry))}"
    return f"subscriptions/{quote(subscription)}/resourceGroups/{quote(group)}/{_PROVIDER}/{place}"
