"""Makes feature groups of Vertex AI with their tables, features and feature views; safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.errors import AlreadyExistsError, ConflictError, NotFoundError, PermanentError
from heavylift.registry.catalogues.cloud_api import CloudApi
from heavylift.registry.catalogues.vertex_shapes import LABELS
from heavylift.registry.features.bigquery import BigQueryTables, dotted, served_table
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.vertex_online import VertexOnline
from heavylift.registry.features.vertex_rules import CAPABILITIES

Raw = Mapping[str, Any]


class FeatureGroupMaker:
    """Makes and changes the groups of one project and location."""

    def __init__(self, api: CloudApi, tables: BigQueryTables, parent: str, online: VertexOnline) -> None:
        self._api, self._tables, self._parent, self._online = api, tables, parent, online

    async def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Make what is missing, then change what differs; the group's labels last.

        :return: URI of the table.
        :raises ConflictError: something differs that cannot be changed, or the name is another's.
        """
        own = {key: value for key, value in marks.items() if key == f"{LABELS.mark}registry"}
        await self._tables.make(view.offline, view, own)
        if view.online and history.apart:
            await self._tables.make(served_table(view.offline), view, own)
        path = f"v1/{self._parent}/featureGroups/{view.name}"
        wanted = _group_body(view, history, marks)
        there = await self._made(path, "featureGroups", {"featureGroupId": view.name}, wanted)
        _demand_ours(view, there, wanted)
        await self._features(view, path)
        if view.online:
            await self._view(view, history, own)
        changed = [
            name for name in ("labels", "description") if (there.get(name) or None) != (wanted[name] or None)
        ]
        if changed:
            await self._ended(
                await self._api.write("PATCH", path, {name: wanted[name] for name in changed},
                                      {"updateMask": ",".join(changed)})
            )  # fmt: skip
        return view.offline

    async def _features(self, view: View, path: str) -> None:
        held: dict[str, Feature] = {}
        async for raw in self._online.pages(f"{path}/features", "features"):
            labels = {str(key): str(value) for key, value in (raw.get("labels") or {}).items()}
            name = str(raw["name"]).rpartition("/")[2]
            held[name] = Feature("", str(raw.get("description") or ""), labels)
        if gone := [name for name in held if name not in view.features]:
            raise _unchangeable(view.name, f"features {', '.join(gone[:5])}")
        for name, each in view.features.items():
            body = {"description": each.description, "labels": dict(each.tags), "versionColumnName": name}
            there = held.get(name)
            if there is None:
                await self._made(f"{path}/features/{name}", f"featureGroups/{view.name}/features",
                                 {"featureId": name}, body)  # fmt: skip
            elif (there.description, dict(there.tags)) != (each.description, dict(each.tags)):
                del body["versionColumnName"]
                await self._ended(
                    await self._api.write("PATCH", f"{path}/features/{name}", body,
                                          {"updateMask": "description,labels"})
                )  # fmt: skip

    async def _view(self, view: View, history: History, labels: Mapping[str, str]) -> None:
        if history.apart:
            source: dict[str, Any] = {
                "bigQuerySource": {
                    "uri": dotted(served_table(view.offline)),
                    "entityIdColumns": list(view.keys),
                }
            }
        else:
            group = {"featureGroupId": view.name, "featureIds": list(view.features)}
            source = {"featureRegistrySource": {"featureGroups": [group]}}
        there = self._online.view_of(view.name)
        if there is None:
            path = f"v1/{self._online.store}/featureViews/{view.name}"
            folder = self._online.store.removeprefix(f"{self._parent}/") + "/featureViews"
            body = {**source, "labels": dict(labels)}
            there = await self._made(path, folder, {"featureViewId": view.name}, body)
            if (there.get("labels") or {}) != body["labels"]:
                raise _unchangeable(view.name, "a feature view of that name that is not ours")
        (name,) = source
        if there.get(name) != source[name]:
            await self._ended(
                await self._api.write("PATCH", f"v1/{there['name']}", source, {"updateMask": name})
            )
        self._online.note(view.name, {**there, **source})

    async def _made(self, path: str, folder: str, query: Mapping[str, str], body: Raw) -> Raw:
        """Return a thing, made if it is not there."""

        async def find() -> Raw | None:
            try:
                return await self._api.get(path)
            except NotFoundError:
                return None

        found = await find()
        if found is not None:
            return found
        try:
            answer = await self._api.create(f"v1/{self._parent}/{folder}", body, find, query)
        except AlreadyExistsError:
            answer = {}
        if "done" in answer or "/operations/" in str(answer.get("name")):
            await self._ended(answer)
        return await self._api.get(path)

    async def _ended(self, operation: Raw) -> None:
        """Wait for an operation."""
        name = str(operation["name"])

        async def look() -> Raw | None:
            found = operation if operation.get("done") else await self._api.get(f"v1/{name}")
            return found if found.get("done") else None

        error: Raw = (await self._api.until(look, f"waiting for {name}")).get("error") or {}
        if error:
            raise PermanentError(
                f"waiting for {name}",
                got=f"{error.get('code')}: {str(error.get('message'))[:300]}",
                expected="success",
                state="this feature group was not finished",
                remedy="mend what the answer names, and run again",
                code="9468",
            )


def _group_body(view: View, history: History, marks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "bigQuery": {
            "bigQuerySource": {"inputUri": dotted(view.offline)},
            "entityIdColumns": list(view.keys),
            "timeSeries": {"timestampColumn": view.event_time},
            "dense": not history.sparse,
        },
        "description": view.description,
        "labels": {**view.metadata, **marks},
    }


def _demand_ours(view: View, there: Raw, wanted: Raw) -> None:
    mark = f"{LABELS.mark}registry"
    if (there.get("labels") or {}).get(mark) != wanted["labels"][mark]:
        raise _unchangeable(view.name, "a feature group of that name that this migration did not make")
    held, own = there.get("bigQuery") or {}, wanted["bigQuery"]
    # What is false, an answer may leave out.
    differs = [name for name, value in own.items() if held.get(name, False) != value]
    if differs:
        raise _unchangeable(view.name, f"another {', '.join(differs)}")


def _unchangeable(name: str, got: str) -> ConflictError:
    return ConflictError(
        f"changing feature group {name!r} of {CAPABILITIES.platform}",
        got=got,
        expected="a group of this migration's, with nothing that would have to be taken away",
        state="it was not changed",
        remedy="delete the feature group on the target (its table stays), and run again: it is made anew",
        code="9470",
    )
