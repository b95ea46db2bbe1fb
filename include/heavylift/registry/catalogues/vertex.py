"""Vertex AI's Model Registry, over its REST interface ``aiplatform:v1``."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, NotFoundError, PermanentError
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.catalogues.description import Made, Model, Version
from heavylift.registry.catalogues.leaves import Leaves, below, build
from heavylift.registry.catalogues.ports import HeldModel, HeldVersion, Write, by_number, held_version
from heavylift.registry.catalogues.vertex_shapes import CAPABILITIES, LABELS, body_of, unknown_in, version_of

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PAGE = 100
_DEFAULT = "default"
_IDENTITY = tuple(f"{LABELS.mark}{name}" for name in ("registry", "id", "version"))

Raw = Mapping[str, Any]


class VertexCatalogue:
    """The models of one project and location.

    :param connection: extra ``project`` and ``location``; ``serving_image`` is the image of versions that
        have none, or one that Vertex AI cannot pull; ``endpoint_url`` replaces Google's address.
    """

    def __init__(self, connection: Connection, parallel: int) -> None:
        project, location = connection.text("project"), connection.text("location")
        if connection.conn_type != "google_cloud_platform" or not project or not location:
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for Vertex AI",
                got=f"the type {connection.conn_type!r}, project {project!r} and location {location!r}",
                expected="the type google_cloud_platform, and the extra fields project and location",
                state="nothing was touched",
                remedy=f"complete the connection {connection.conn_id!r}",
                code="7195",
            )
        self._parent = f"projects/{project}/locations/{location}"
        endpoint = connection.text("endpoint_url") or f"https://{location}-aiplatform.googleapis.com"
        fetch = None if is_anonymous(connection) else token_fetcher(connection, _SCOPES)
        self._api = CloudApi(connection.conn_id, endpoint, fetch, parallel)
        self.capabilities = replace(CAPABILITIES, default_image=connection.text("serving_image") or "")
        self._names: dict[str, str] = {}
        self._pending: dict[str, Write] = {}
        self._unknown: Counter[str] = Counter()

    @property
    def server(self) -> None:
        """There is none."""

    @property
    def address(self) -> str:
        """Project and location."""
        return f"vertex://{self._parent}"

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def read(self) -> list[HeldModel]:
        """Return all models with their versions."""
        self._unknown.clear()
        listed = [
            each
            async for each in self._api.pages(
                f"v1/{self._parent}/models", "models", {"pageSize": _PAGE}, "nextPageToken", "pageToken"
            )
        ]
        shown = Counter(str(each.get("displayName") or "") for each in listed)
        models = []
        for each in listed:
            resource = str(each["name"]).partition("@")[0]
            display = str(each.get("displayName") or "")
            # Vertex AI takes one name twice; only the id tells such models apart.
            name = display if shown[display] == 1 else resource.rpartition("/")[2]
            self._names[name] = resource
            models.append(self._model(name, resource, each))
        return list(await asyncio.gather(*models))

    async def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return counts of fields that are not moved."""
        return [
            (f"model version: {name}", "this version does not move it", count)
            for name, count in sorted(self._unknown.items())
        ]

    async def make_model(self, name: str, write: Write) -> None:
        """Keep what the first version's upload will make: there is no model without versions."""
        self._pending[name] = write

    async def change_model(self, name: str, write: Write) -> None:
        """Change the description, and move aliases from version to version."""
        resource = self._names[name]
        if write.changes("description"):
            body = {"description": write.leaves.get("description", "")}
            await self._api.write("PATCH", f"v1/{resource}", body, {"updateMask": "description"})
        wanted, there = below("aliases", write.leaves), below("aliases", write.leaves_now)
        for alias, number in there.items():
            if wanted.get(alias) != number:
                await self._merge(resource, number, f"-{alias}")
        for alias, number in wanted.items():
            if there.get(alias) != number:
                await self._merge(resource, number, alias)

    async def make_version(self, name: str, number: str, write: Write) -> str:
        """Upload a version with its marks; the first one makes the model."""
        del number
        model: Raw = {}
        pending: Leaves = self._pending[name].leaves if name in self._pending else {}
        resource = self._names.get(name)
        if resource is None:
            model_id = _model_id(name, write.pairs)
            resource = f"{self._parent}/models/{model_id}"
            model = {"modelId": model_id}
        else:
            found = await self._begun(resource, write.pairs)
            if found:
                return found
            model = {"parentModel": resource}
        body = body_of(build(Version, write.leaves, number="0"), write.pairs) | {"displayName": name}
        if "description" in pending and "modelId" in model:
            body["description"] = pending["description"]
        answer = await self._api.create(
            f"v1/{self._parent}/models:upload",
            {**model, "model": body},
            lambda: self._begun(resource, write.pairs),
        )
        self._names[name] = resource
        if isinstance(answer, str):
            return answer
        response = await self._ended(answer)
        return str(response.get("modelVersionId") or await self._find(resource, write.pairs))

    async def change_version(self, name: str, number: str, write: Write) -> None:
        """Change description and labels, in one request."""
        body = {
            "labels": dict(write.pairs),
            "versionDescription": write.leaves.get("description", ""),
        }
        path = f"v1/{self._names[name]}@{number}"
        await self._api.write("PATCH", path, body, {"updateMask": "labels,versionDescription"})

    async def _model(self, name: str, resource: str, raw: Raw) -> HeldModel:
        versions, aliases = [], {}
        async for each in self._versions(resource):
            versions.append(self._version(each))
            for alias in each.get("versionAliases") or ():
                aliases[str(alias)] = str(each["versionId"])
        versions.sort(key=lambda each: by_number(each.version.number))
        origin = next((each.origin for each in versions if each.origin), None)
        if origin is not None:
            # Vertex AI gives every model this one.
            aliases.pop(_DEFAULT, None)
        model = Model(
            name,
            str(raw.get("description") or ""),
            aliases=aliases,
            made=Made() if origin else Made(str(raw.get("createTime") or "")),
            versions=tuple(each.version for each in versions),
        )
        return HeldModel(model, {}, origin, tuple(versions))

    def _version(self, raw: Raw) -> HeldVersion:
        for name in unknown_in(raw):
            self._unknown[name] += 1
        labels = {str(key): str(value) for key, value in (raw.get("labels") or {}).items()}
        return held_version(version_of(raw), labels, LABELS)

    def _versions(self, resource: str) -> Any:
        path = f"v1/{resource}:listVersions"
        return self._api.pages(path, "models", {"pageSize": _PAGE}, "nextPageToken", "pageToken")

    async def _find(self, resource: str, marks: Mapping[str, str]) -> str | None:
        async for each in self._versions(resource):
            labels: Raw = each.get("labels") or {}
            if all(labels.get(mark) == marks.get(mark) for mark in _IDENTITY):
                return str(each["versionId"])
        return None

    async def _begun(self, resource: str, marks: Mapping[str, str]) -> str | None:
        """Wait for uploads that were begun before, since what they make would be made twice; then look."""
        try:
            await self._settled(resource)
        except NotFoundError:
            return None
        return await self._find(resource, marks)

    async def _settled(self, resource: str) -> None:
        path = f"v1/{resource}/operations"
        async for each in self._api.pages(
            path, "operations", {"pageSize": _PAGE}, "nextPageToken", "pageToken"
        ):
            if not each.get("done"):
                await self._ended(each)

    async def _ended(self, operation: Raw) -> Raw:
        """Wait for an operation and return what it answers."""
        name = str(operation["name"])

        async def look() -> Raw | None:
            found = operation if operation.get("done") else await self._api.get(f"v1/{quote(name)}")
            return found if found.get("done") else None

        ended = await self._api.until(look, f"waiting for {name}")
        error: Raw = ended.get("error") or {}
        if error:
            raise PermanentError(
                f"waiting for {name}",
                got=f"{error.get('code')}: {str(error.get('message'))[:300]}",
                expected="success",
                state="the version was not registered",
                remedy="mend what the answer names, and run again",
                code="7196",
            )
        response: Raw = ended.get("response") or {}
        return response

    async def _merge(self, resource: str, number: str, alias: str) -> None:
        await self._api.write(
            "POST", f"v1/{resource}@{number}:mergeVersionAliases", {"versionAliases": [alias]}
        )


def _model_id(name: str, marks: Mapping[str, str]) -> str:
    """Return a model's id: the same in every run, so that an upload whose answer was lost is found."""
    seed = f"{marks[_IDENTITY[0]]}/{marks[_IDENTITY[1]]}"
    end = hashlib.blake2b(seed.encode(), digest_size=6).hexdigest()
    start = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:48]
    return f"{start}-{end}" if start[:1].isalpha() else f"model-{start}-{end}".replace("--", "-")
