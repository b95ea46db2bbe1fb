"""Secrets of one namespace of a cluster: each key of a Secret object is one secret, ``object/key``."""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, ConflictError, NotFoundError
from heavylift.platforms.kubernetes.control import told_by_kubernetes
from heavylift.platforms.kubernetes.kubeconfig import access
from heavylift.platforms.secret_api import SecretApi
from heavylift.platforms.secrets import MARK, Dressing, Held, SecretInfo
from heavylift.secret_values import Comparer, SecretValue

OPAQUE = "Opaque"
_LONGEST = 50
MOST_BYTES = 2**20
"""All values of one object together."""
_NAMES_ALONE = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_MERGE = {"Content-Type": "application/merge-patch+json"}
_MADE_BY_CLUSTER = {
    "kubernetes.io/service-account-token": "the cluster makes it, for a service account of its own",
    "bootstrap.kubernetes.io/token": "it lets nodes join this cluster",
    "helm.sh/release.v1": "it is Helm's record of a release",
}


class KubernetesSecretStore:
    """The Secrets of a namespace.

    A key counts as written by Heavylift while the API server names ``heavylift`` as that field's manager.

    :param connection: as for the inventory; extra ``namespace`` (``default``).
    """

    store = "kubernetes"

    def __init__(self, connection: Connection) -> None:
        found = access(connection)
        self._api = SecretApi(
            connection.conn_id, found.url, told_by_kubernetes, headers=found.authorisation, tls=found.tls
        )
        namespace = connection.text("namespace") or "default"
        self._root = f"api/v1/namespaces/{namespace}/secrets"
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._comparer = Comparer()

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def listed(self) -> AsyncIterator[SecretInfo]:
        """Yield each key of each Secret.

        The names of keys stand among the values: each object is read, and its values are dropped at once.
        """
        headers = {"Accept": _NAMES_ALONE}
        pages = self._api.pages(
            self._root, "list secrets", {"limit": "250"}, "metadata.continue", "continue", headers
        )
        async for page in pages:
            for each in page.get("items") or ():
                found = await self._object(str(each["metadata"]["name"]))
                for key in sorted((found or {}).get("data") or {}):
                    yield _info(found or {}, key)

    async def read(self, name: str) -> Held | None:
        """Return one key with its value, or None."""
        held, key = name.split("/", 1)
        found = await self._object(held)
        if found is None or key not in (found.get("data") or {}):
            return None
        return Held(_info(found, key), SecretValue.of_bytes(base64.b64decode(found["data"][key])))

    async def create(self, name: str, value: SecretValue, dressing: Dressing) -> str:
        """Make an object with the key, or add the key to the object that is there."""
        held, key = name.split("/", 1)
        async with self._locks[held]:
            found = await self._object(held)
            if found is None:
                body = {
                    "apiVersion": "v1", "kind": "Secret", "type": OPAQUE,
                    "metadata": {
                        "name": held, "labels": {MARK: dressing.migration[:63]},
                        "annotations": _annotations(dressing),
                    },
                    "data": {key: _encoded(value)},
                }  # fmt: skip
                made = await self._api.send("POST", self._root, "create secrets", _MANAGER, body)
                return _version(made)
            if key in (found.get("data") or {}):
                raise AlreadyExistsError(
                    f"making key {key!r} of secret {held!r}",
                    got="a key of that name",
                    expected="none",
                    state="nothing was changed",
                    remedy="run the same command again: it looks at what is there now",
                    code="8810",
                )
            return await self._patch(found, key, value)

    async def replace(self, held: Held, value: SecretValue, dressing: Dressing) -> str:
        """Change the value of one key, if nobody else has since it was read; there are no older versions."""
        del dressing
        name, key = held.info.name.split("/", 1)
        async with self._locks[name]:
            found = await self._object(name)
            now = ((found or {}).get("data") or {}).get(key)
            same = now is not None and held.value is not None
            if not same or not self._comparer.equal(SecretValue.of_bytes(base64.b64decode(now)), held.value):  # type: ignore[arg-type]
                raise ConflictError(
                    f"writing secret {held.info.name!r}",
                    got="another value than a moment ago",
                    expected="nobody else who writes it",
                    state="what is there was not touched",
                    remedy="find out who writes it, then run again",
                    code="8811",
                )
            return await self._patch(found or {}, key, value)

    async def _object(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._api.send("GET", f"{self._root}/{name}", "get secrets")
        except NotFoundError:
            return None

    async def _patch(self, found: Mapping[str, Any], key: str, value: SecretValue) -> str:
        """Send one key with the object's version, so that the server refuses it where that has changed."""
        name = str(found["metadata"]["name"])
        _demand_room(found, key, value)
        body = {
            "metadata": {"resourceVersion": _version(found)},
            "data": {key: _encoded(value)},
        }
        path = f"{self._root}/{name}"
        return _version(await self._api.send("PATCH", path, "patch secrets", _MANAGER, body, _MERGE))


_MANAGER = {"fieldManager": MARK}


def _encoded(value: SecretValue) -> str:
    return base64.b64encode(value.reveal()).decode()


def _version(found: Mapping[str, Any]) -> str:
    return str(found["metadata"].get("resourceVersion") or "")


def _demand_room(found: Mapping[str, Any], key: str, value: SecretValue) -> None:
    others = sum(len(text) * 3 // 4 for name, text in (found.get("data") or {}).items() if name != key)
    if others + value.size > MOST_BYTES or found.get("immutable"):
        why = "an object that is immutable" if found.get("immutable") else "an object without room for it"
        raise ConflictError(
            f"writing key {key!r} of secret {found['metadata']['name']!r}",
            got=why,
            expected=f"one that may be changed, with all values in {MOST_BYTES:,} bytes",
            state="nothing was changed",
            remedy="give the secret an object of its own (secrets.rename)",
            code="8812",
        )


def _annotations(dressing: Dressing) -> dict[str, str]:
    found = {"heavylift.dev/description": dressing.description} if dressing.description else {}
    tags = {
        f"heavylift.dev/label.{k}": v
        for k, v in sorted(dressing.labels.items())
        if k.isalnum() and len(k) <= _LONGEST
    }
    return {**found, **tags}


def _info(found: Mapping[str, Any], key: str) -> SecretInfo:
    meta = found["metadata"]
    kind = str(found.get("type") or OPAQUE)
    annotations = {str(k): str(v) for k, v in (meta.get("annotations") or {}).items()}
    return SecretInfo(
        name=f"{meta['name']}/{key}",
        store=KubernetesSecretStore.store,
        version=_version(found),
        ours=_is_ours(meta, key),
        refused=_MADE_BY_CLUSTER.get(kind, ""),
        kind="" if kind == OPAQUE else kind,
        description=annotations.get("heavylift.dev/description", ""),
        labels={str(k): str(v) for k, v in (meta.get("labels") or {}).items() if k != MARK},
    )


def _is_ours(meta: Mapping[str, Any], key: str) -> bool:
    for each in meta.get("managedFields") or ():
        data = (each.get("fieldsV1") or {}).get("f:data") or {}
        if each.get("manager") == MARK and f"f:{key}" in data:
            return True
    return False
