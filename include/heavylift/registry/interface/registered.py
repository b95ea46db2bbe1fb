"""Registered models and prompts, with their tags, descriptions, versions and aliases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from heavylift.errors import ConflictError
from heavylift.registry.interface import names
from heavylift.registry.interface.context import Context, optional
from heavylift.registry.interface.experiments import name_taken
from heavylift.registry.interface.merging import Merge, note, noted
from heavylift.registry.interface.names import pairs_of, tags_of, to_target
from heavylift.registry.interface.versions import Versions, listed
from heavylift.registry.rest.client import IS_PROMPT, ONLY_PROMPTS, TrackingServer

_API = "api/2.0/mlflow/registered-models"
SORT = "registered models"
ROUTE = "registered-models/search"
_DESCRIPTION, _ALIAS = "\0description", "\0alias "
_EXPERIMENTS_OF_PROMPT = "_mlflow_experiment_ids"

_SEARCHES: tuple[dict[str, Any], ...] = ({}, {"filter": ONLY_PROMPTS})


@dataclass
class RegisteredModels:
    """All registered models and prompts of a move."""

    context: Context

    async def move(self) -> None:
        """Make what is missing, and bring the rest up to date; models side by side, versions in order."""
        context = self.context
        context.tell("registered models")
        models = {str(each["name"]): each for each in await self._all(context.source)}
        there = {str(each["name"]): each for each in await self._all(context.target)}
        versions, their_versions = await self._versions(context.source), await self._versions(context.target)
        context.tally.found(SORT, len(models))
        ours = {}
        for each in there.values():
            source = context.provenance.source_id(tags_of(each.get("tags")))
            if source is not None:
                ours[source] = each
                context.maps.names[source] = str(each["name"])

        async def one(name: str) -> None:
            theirs = their_versions.get(context.maps.names.get(name, name), [])
            await self._one(models[name], ours.get(name), set(there), versions.get(name, []), theirs)

        # A version may be a copy of another model's: those come second.
        second = {name for name, each in versions.items() if any(map(_is_copy, each))}
        await context.each(SORT, [name for name in models if name not in second], one, str)
        await context.each(SORT, [name for name in models if name in second], one, str)
        await self._gone(each for name, each in ours.items() if name not in models)

    async def _all(self, server: TrackingServer) -> list[dict[str, Any]]:
        return [
            each
            for more in _SEARCHES
            for each in await optional(
                _search(server, f"{_API}/search", "registered_models", more),
                self.context.tally,
                f"{server.name} {ROUTE}",
            )
        ]

    async def _versions(self, server: TrackingServer) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        path = "api/2.0/mlflow/model-versions/search"
        for more in _SEARCHES:
            query = {"order_by": ["name ASC", "version_number ASC"], **more}
            pages = _search(server, path, "model_versions", query)
            for each in await optional(pages, self.context.tally, f"{server.name} model-versions/search"):
                found.setdefault(str(each["name"]), []).append(each)
        return found

    async def _one(
        self,
        model: Mapping[str, Any],
        there: Mapping[str, Any] | None,
        taken: set[str],
        versions: list[Mapping[str, Any]],
        their_versions: list[Mapping[str, Any]],
    ) -> None:
        context, name = self.context, str(model["name"])
        if there is not None and _is_another(model, there):
            await self._give_way(model, there, their_versions)
            taken = taken - {str(there["name"])}
            there = None
        fields = self._fields(model)
        if there is None:
            context.maps.names[name] = await self._make(model, fields, taken)
        target_name = context.maps.names[name]
        is_prompt = tags_of(model.get("tags")).get(IS_PROMPT, "").lower() == "true"
        moving = Versions(context, name, target_name, is_prompt, 1 if there is None else 0)
        await moving.move(versions, their_versions if there is not None else [])
        if there is None:
            for key, value in fields.items():
                if key.startswith(_ALIAS):
                    await self._put_alias(target_name, key, value)
        else:
            await self._update(model, there, fields)

    async def _give_way(
        self, model: Mapping[str, Any], there: Mapping[str, Any], versions: Iterable[Mapping[str, Any]]
    ) -> None:
        """Delete a model whose source was deleted, and whose name another one has there now.

        Numbers of versions begin anew with that one, which no update of the former could follow.
        """
        context, name = self.context, str(there["name"])
        theirs = [
            str(each["version"])
            for each in versions
            if context.provenance.source_id(tags_of(each.get("tags"))) is None
        ]
        if theirs or not context.policy.propagate:
            raise ConflictError(
                f"bringing registered model {name!r} up to date",
                got="another model of that name on the source: the one that was copied is deleted there"
                + (f"; on the target it has versions of others: {', '.join(theirs)}" if theirs else ""),
                expected="the model that was copied",
                state="neither this model nor its versions were changed on the target",
                remedy="run with --deletes propagate, which deletes the former model on the target, too"
                + ("; move those versions away before" if theirs else ""),
                code="9559",
            )
        await context.target.gone("DELETE", f"{_API}/delete", {"name": name})
        context.tally.deleted(SORT)

    def _fields(self, model: Mapping[str, Any]) -> dict[str, str]:
        found = {to_target(key): value for key, value in tags_of(model.get("tags")).items()}
        if _EXPERIMENTS_OF_PROMPT in found:
            found[_EXPERIMENTS_OF_PROMPT] = listed(
                found[_EXPERIMENTS_OF_PROMPT], self.context.maps.experiments
            )
        found[_DESCRIPTION] = str(model.get("description", ""))
        found |= {_ALIAS + str(each["alias"]): str(each["version"]) for each in model.get("aliases") or ()}
        return found

    def _own(self, model: Mapping[str, Any]) -> dict[str, str]:
        facts = {key: model.get(key) for key in ("creation_timestamp", "last_updated_timestamp")}
        return self.context.provenance.tags(str(model["name"]), facts)

    async def _make(self, model: Mapping[str, Any], fields: Mapping[str, str], taken: set[str]) -> str:
        context, name = self.context, str(model["name"])
        target_name = name
        if name in taken:
            target_name = f"{name} ({context.provenance.registry.replace('/', '.').replace(':', '.')})"
            if not context.map_names or target_name in taken:
                raise name_taken("registered model", name, context.target.name)
        tags = {key: value for key, value in fields.items() if not key.startswith("\0")}
        tags |= self._own(model) | note(fields)
        body = {"name": target_name, "tags": pairs_of(tags), "description": fields[_DESCRIPTION]}
        made = await context.target.create(
            f"{_API}/create",
            body,
            pick=lambda answer: str(answer["registered_model"]["name"]),
            find=lambda: self._find(name),
            planned=lambda _: target_name,
        )
        context.tally.created(SORT)
        return made

    async def _find(self, source: str) -> str | None:
        for each in await self._all(self.context.target):
            if self.context.provenance.source_id(tags_of(each.get("tags"))) == source:
                return str(each["name"])
        return None

    async def _update(
        self, model: Mapping[str, Any], there: Mapping[str, Any], fields: Mapping[str, str]
    ) -> None:
        target, name = self.context.target, str(there["name"])
        tags = tags_of(there.get("tags"))
        actual = {key: value for key, value in tags.items() if not names.is_ours(key)}
        actual[_DESCRIPTION] = str(there.get("description", ""))
        actual |= {_ALIAS + str(each["alias"]): str(each["version"]) for each in there.get("aliases") or ()}
        earlier = noted(tags)
        if earlier is not None and _EXPERIMENTS_OF_PROMPT in actual:
            origins = self.context.origins(self.context.maps.experiments)
            also = {_EXPERIMENTS_OF_PROMPT: listed(actual[_EXPERIMENTS_OF_PROMPT], origins)}
            earlier = replace(earlier, also=also)
        merge = self.context.policy.merge(fields, actual, earlier)
        facts = {key: value for key, value in self._own(model).items() if tags.get(key) != value}
        if merge:
            facts |= note(fields, earlier)
        facts |= {key: value for key, value in merge.put.items() if not key.startswith("\0")}
        for key, value in facts.items():
            await target.write("POST", f"{_API}/set-tag", {"name": name, "key": key, "value": value})
        if _DESCRIPTION in merge.put:
            body = {"name": name, "description": merge.put[_DESCRIPTION]}
            await target.write("PATCH", f"{_API}/update", body)
        await self._put_rest(name, merge)
        self.context.tally.merged(SORT, str(model["name"]), merge)

    async def _put_rest(self, name: str, merge: Merge) -> None:
        for key, value in merge.put.items():
            if key.startswith(_ALIAS):
                await self._put_alias(name, key, value)
        for key in merge.delete:
            if key.startswith(_ALIAS):
                body = {"name": name, "alias": key.removeprefix(_ALIAS)}
                await self.context.target.gone("DELETE", f"{_API}/alias", body)
            else:
                await self.context.target.gone("DELETE", f"{_API}/delete-tag", {"name": name, "key": key})

    async def _put_alias(self, name: str, key: str, version: str) -> None:
        body = {"name": name, "alias": key.removeprefix(_ALIAS), "version": version}
        await self.context.target.write("POST", f"{_API}/alias", body)

    async def _gone(self, left: Iterable[Mapping[str, Any]]) -> None:
        for each in left:
            if not self.context.policy.propagate:
                self.context.tally.kept(SORT)
                continue
            await self.context.target.gone("DELETE", f"{_API}/delete", {"name": str(each["name"])})
            self.context.tally.deleted(SORT)


def _is_another(model: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Tell whether the source's model is another one than that which the target's was copied from."""
    made = tags_of(there.get("tags")).get(names.PREFIX + "creation_timestamp")
    now = model.get("creation_timestamp")
    return bool(made and now) and str(now) != made


def _is_copy(version: Mapping[str, Any]) -> bool:
    source = str(version.get("source", ""))
    return source.startswith("models:/") and not source.startswith("models:/m-")


async def _search(
    server: TrackingServer, path: str, field: str, more: Mapping[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    # Without a filter the interface leaves prompts out.
    async for page in server.pages(path, field, {"max_results": 1000, **more}):
        for each in page:
            yield each
