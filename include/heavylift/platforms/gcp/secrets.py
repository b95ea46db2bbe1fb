"""Google Secret Manager as a store of secrets, through its REST API."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from heavylift.checksums import crc32c_of
from heavylift.connections import Connection
from heavylift.errors import IntegrityError, NotFoundError
from heavylift.platforms.gcp.control import project_of, told_by_google
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.platforms.secret_api import SecretApi
from heavylift.platforms.secrets import MARK, Dressing, Held, SecretInfo
from heavylift.secret_values import SecretValue

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PUBLIC = "https://secretmanager.googleapis.com"
_LABEL = re.compile(r"[^a-z0-9_-]")
_ANNOTATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_MOST_ANNOTATIONS = 16_000
_VERSION = f"{MARK}-version"


class GoogleSecretStore:
    """The secrets of one project that have no region of their own.

    An annotation names the version that Heavylift wrote; the description and labels of the source become
    annotations, too, which take any text. Terraform's provider leaves alone what it did not write of them.

    :param connection: extra ``project``; ``endpoint_url`` replaces Google's address, with the service's
        name behind it.
    """

    store = "secret_manager"

    def __init__(self, connection: Connection) -> None:
        self._project = project_of(connection)
        own = connection.text("endpoint_url")
        fetch = None if is_anonymous(connection) else token_fetcher(connection, _SCOPES)
        endpoint = f"{own.rstrip('/')}/secretmanager" if own else _PUBLIC
        self._api = SecretApi(connection.conn_id, endpoint, told_by_google, fetch=fetch)
        self._root = f"v1/projects/{self._project}/secrets"

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def listed(self) -> AsyncIterator[SecretInfo]:
        """Yield all secrets; the version of the current value is not known from a listing."""
        pages = self._api.pages(
            self._root, "secretmanager.secrets.list", {"pageSize": "250"}, "nextPageToken", "pageToken", {}
        )
        async for page in pages:
            for each in page.get("secrets") or ():
                yield _info(each)

    async def read(self, name: str) -> Held | None:
        """Return one secret with its newest version's value, or None."""
        try:
            found = await self._api.send("GET", f"{self._root}/{name}", "secretmanager.secrets.get")
        except NotFoundError:
            return None
        info = _info(found)
        path = f"{self._root}/{name}/versions/latest:access"
        try:
            answer = await self._api.send("GET", path, "secretmanager.versions.access")
        except NotFoundError:
            return Held(info, None)
        version = str(answer.get("name") or "").rpartition("/")[2]
        payload = answer.get("payload") or {}
        data = base64.b64decode(payload.get("data") or "")
        if "dataCrc32c" in payload and int(payload["dataCrc32c"]) != _crc32c(data):
            raise IntegrityError(
                f"reading secret {name!r}",
                got="bytes that do not have the checksum that came with them",
                expected="the bytes that Secret Manager holds",
                state="nothing was written",
                remedy="run again; if it stays, look at what stands between here and Google",
                code="8807",
            )
        ours = (found.get("annotations") or {}).get(_VERSION) == version
        return Held(replace(info, version=version, ours=ours), SecretValue.of_bytes(data))

    async def create(self, name: str, value: SecretValue, dressing: Dressing) -> str:
        """Make a secret and its first version; killed in between, a secret without a value is left."""
        body: dict[str, Any] = {
            "replication": _replication(dressing),
            "labels": {MARK: _LABEL.sub("-", dressing.migration.lower())[:63]},
        }
        annotations = _annotations(dressing)
        if annotations:
            body["annotations"] = annotations
        await self._api.send("POST", self._root, "secretmanager.secrets.create", {"secretId": name}, body)
        return await self._add(name, value, annotations)

    async def replace(self, held: Held, value: SecretValue, dressing: Dressing) -> str:
        """Add a version, which becomes the newest; those before stay."""
        del dressing
        found = await self._api.send("GET", f"{self._root}/{held.info.name}", "secretmanager.secrets.get")
        return await self._add(held.info.name, value, found.get("annotations") or {})

    async def _add(self, name: str, value: SecretValue, annotations: Mapping[str, str]) -> str:
        data = value.reveal()
        payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(_crc32c(data))}
        path = f"{self._root}/{name}"
        made = await self._api.send(
            "POST", f"{path}:addVersion", "secretmanager.versions.add", body={"payload": payload}
        )
        version = str(made["name"]).rpartition("/")[2]
        marked = {"annotations": {**annotations, _VERSION: version}}
        mask = {"updateMask": "annotations"}
        await self._api.send("PATCH", path, "secretmanager.secrets.update", mask, marked)
        return version


def _crc32c(data: bytes) -> int:
    return int(crc32c_of(data), 16)


def _replication(dressing: Dressing) -> dict[str, Any]:
    key = {"customerManagedEncryption": {"kmsKeyName": dressing.key}} if dressing.key else {}
    if not dressing.regions:
        return {"automatic": key}
    return {"userManaged": {"replicas": [{"location": each, **key} for each in dressing.regions]}}


def _annotations(dressing: Dressing) -> dict[str, str]:
    found = {key: text for key, text in sorted(dressing.labels.items())}
    found = {key: text for key, text in found.items() if _ANNOTATION.fullmatch(key)}
    if dressing.description:
        found.setdefault("description", dressing.description)
    room, kept = _MOST_ANNOTATIONS, {}
    for key, text in found.items():
        room -= len(key.encode()) + len(text.encode())
        if room >= 0:
            kept[key] = text
    return kept


def _info(found: Mapping[str, Any]) -> SecretInfo:
    rotation = found.get("rotation") or {}
    annotations = {str(k): str(v) for k, v in (found.get("annotations") or {}).items()}
    labels = {str(k): str(v) for k, v in (found.get("labels") or {}).items() if k != MARK}
    annotations.pop(_VERSION, None)
    description = annotations.pop("description", "")
    every = f", every {rotation['rotationPeriod']}" if rotation.get("rotationPeriod") else ""
    return SecretInfo(
        name=str(found["name"]).rpartition("/")[2],
        store=GoogleSecretStore.store,
        key=_key(found),
        rotation=f"a message at {rotation.get('nextRotationTime', '?')}{every}" if rotation else "",
        expires=str(found.get("expireTime") or ""),
        description=description,
        labels={**annotations, **labels},
    )


def _key(found: Mapping[str, Any]) -> str:
    replication = found.get("replication") or {}
    places = [replication.get("automatic") or {}, *(replication.get("userManaged") or {}).get("replicas", ())]
    keys = [str((each.get("customerManagedEncryption") or {}).get("kmsKeyName") or "") for each in places]
    return next((each for each in keys if each), "")
