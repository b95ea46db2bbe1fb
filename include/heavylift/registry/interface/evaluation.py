"""Evaluation datasets with their records."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.registry.interface import names
from heavylift.registry.interface.context import Context, optional
from heavylift.registry.interface.merging import note, noted
from heavylift.registry.interface.names import to_target
from heavylift.registry.interface.server import segment
from heavylift.registry.rest.client import TrackingServer

_API = "api/3.0/mlflow/datasets"
SORT = "evaluation datasets"
RECORDS = "records of evaluation datasets"
LINKS = "experiments of evaluation datasets"
ROUTE = "datasets/search"
_AT_ONCE = 500
_UPDATED = names.PREFIX + "last_update_time"
_COMPARED = ("outputs", "expectations", "tags", "source")


@dataclass
class EvaluationDatasets:
    """All evaluation datasets of a move."""

    context: Context

    async def move(self) -> None:
        """Make what is missing, and bring the rest up to date."""
        context = self.context
        context.tell("evaluation datasets")
        found = await optional(_datasets(context.source), context.tally, f"source {ROUTE}")
        if context.source.selected is not None:
            found = [each for each in found if await self._experiments(str(each["dataset_id"]))]
        context.tally.found(SORT, len(found))
        there = {}
        for each in await optional(_datasets(context.target), context.tally, f"target {ROUTE}"):
            source = context.provenance.source_id(_tags(each))
            if source is not None:
                there[source] = each
        await context.each(
            SORT,
            found,
            lambda each: self._one(each, there.get(str(each["dataset_id"]))),
            lambda each: str(each["name"]),
        )
        left = there.keys() - {str(each["dataset_id"]) for each in found}
        for source in left:
            await self._gone(there[source])

    async def _one(self, dataset: Mapping[str, Any], there: Mapping[str, Any] | None) -> None:
        context, source = self.context, str(dataset["dataset_id"])
        fields = {to_target(key): value for key, value in _tags(dataset).items()}
        facts = self._facts(dataset)
        late = {_UPDATED: facts.pop(_UPDATED, "0")}
        if there is None:
            made = await self._make(dataset, fields, facts)
            known, since = {}, 0
        else:
            made = str(there["dataset_id"])
            await self._link(source, made)
            known = {key: each async for key, each in _records(context.target, made)}
            since = int(_tags(there).get(_UPDATED, "0"))
        context.maps.datasets[source] = made
        await self._move_records(source, made, known, since)
        tags = _tags(there) if there is not None else {}
        actual = {key: value for key, value in tags.items() if not names.is_ours(key)}
        earlier = noted(tags)
        merge = context.policy.merge(fields, actual, earlier)
        own = {key: value for key, value in (facts | late).items() if tags.get(key) != value}
        if merge or earlier is None:
            own |= note(fields, earlier)
        if context.both_ways and not merge.put and own.keys() == {_UPDATED}:
            # To note it would change the dataset there, which the other way would note here, and so on.
            own = {}
        if own or merge.put:
            # Last of all: until then, what has changed on the source since is still to be done.
            body = {"tags": json.dumps(merge.put | own)}
            await context.target.write("PATCH", f"{_API}/{segment(made)}/tags", body)
        for key in merge.delete:
            await context.target.gone("DELETE", f"{_API}/{segment(made)}/tags/{segment(key)}", {})
        context.tally.merged(SORT, str(dataset["name"]), merge, changes=there is not None)

    def _facts(self, dataset: Mapping[str, Any]) -> dict[str, str]:
        facts = {
            key: dataset.get(key)
            for key in ("created_time", "last_update_time", "digest", "created_by", "last_updated_by")
        }
        return self.context.provenance.tags(str(dataset["dataset_id"]), facts)

    async def _make(
        self, dataset: Mapping[str, Any], fields: Mapping[str, str], facts: Mapping[str, str]
    ) -> str:
        context, source = self.context, str(dataset["dataset_id"])
        body: dict[str, Any] = {"name": dataset["name"], "tags": json.dumps({**fields, **facts})}
        body["experiment_ids"] = sorted(await self._experiments(source))
        made = await context.target.create(
            f"{_API}/create",
            body,
            pick=lambda answer: str(answer["dataset"]["dataset_id"]),
            find=lambda: self._find(source),
            planned=str,
        )
        context.tally.created(SORT)
        return made

    async def _experiments(self, source: str) -> set[str]:
        """Return the target's ids of the experiments that a dataset of the source belongs to."""
        ours = self.context.maps.experiments
        return {ours[each] for each in await _linked(self.context.source, source) if each in ours}

    async def _link(self, source: str, made: str) -> None:
        """Let a dataset that is there belong to the experiments that it belongs to on the source."""
        context, path = self.context, f"{_API}/{segment(made)}"
        wanted, there = await self._experiments(source), await _linked(context.target, made)
        gone = there & set(context.maps.experiments.values()) - wanted
        if gone and not context.policy.propagate:
            context.tally.kept(LINKS, len(gone))
            gone = set()
        for route, ids in (("add-experiments", wanted - there), ("remove-experiments", gone)):
            if ids:
                await context.target.write("POST", f"{path}/{route}", {"experiment_ids": sorted(ids)})
                context.tally.changed(LINKS, len(ids))

    async def _find(self, source: str) -> str | None:
        async for each in _datasets(self.context.target):
            if self.context.provenance.source_id(_tags(each)) == source:
                return str(each["dataset_id"])
        return None

    async def _move_records(
        self, source: str, made: str, known: dict[str, dict[str, Any]], since: int
    ) -> None:
        context, path = self.context, f"{_API}/{segment(made)}/records"
        batch: list[dict[str, Any]] = []
        async for key, record in _records(context.source, source):
            context.tally.found(RECORDS)
            there = known.pop(key, None)
            if there is not None and _compared(there) == _compared(record):
                continue
            if there is not None:
                if int(record.get("last_update_time") or 0) <= since and not context.policy.overwrite:
                    context.tally.conflict(
                        RECORDS,
                        str(there["dataset_record_id"]),
                        "the record was changed on the target by somebody else",
                    )
                    continue
                # The server would merge it with what is there, and take nothing out.
                await self._delete(path, [there])
            # Where a request says nothing of outputs the server writes empty ones.
            batch.append({"inputs": record["inputs"], "outputs": None, **_compared(record)})
            (context.tally.created if there is None else context.tally.changed)(RECORDS)
            if len(batch) >= _AT_ONCE:
                await context.target.write("POST", path, {"records": json.dumps(batch)})
                batch = []
        if batch:
            await context.target.write("POST", path, {"records": json.dumps(batch)})
        if since and context.policy.propagate and known:
            await self._delete(path, list(known.values()))
            context.tally.deleted(RECORDS, len(known))
        elif known:
            context.tally.kept(RECORDS, len(known))

    async def _delete(self, path: str, records: list[dict[str, Any]]) -> None:
        body = {"dataset_record_ids": [str(each["dataset_record_id"]) for each in records]}
        await self.context.target.gone("DELETE", path, body)

    async def _gone(self, dataset: Mapping[str, Any]) -> None:
        if not self.context.policy.propagate:
            self.context.tally.kept(SORT)
            return
        await self.context.target.gone("DELETE", f"{_API}/{segment(str(dataset['dataset_id']))}", {})
        self.context.tally.deleted(SORT)


def _tags(dataset: Mapping[str, Any]) -> dict[str, str]:
    found = json.loads(dataset.get("tags") or "{}")
    return {str(key): str(value) for key, value in found.items()}


def _compared(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in _COMPARED if record.get(name) is not None}


async def _datasets(server: TrackingServer) -> AsyncIterator[dict[str, Any]]:
    async for page in server.pages(f"{_API}/search", "datasets", {"max_results": 50}, post=True):
        for each in page:
            yield each


async def _records(server: TrackingServer, dataset: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield records by what they are known by: their inputs."""
    query: dict[str, Any] = {"max_results": 1000}
    while True:
        answer = await server.get(f"{_API}/{segment(dataset)}/records", query)
        for record in json.loads(answer.get("records") or "[]"):
            yield json.dumps(record.get("inputs", {}), sort_keys=True), record
        if not answer.get("next_page_token"):
            return
        query["page_token"] = answer["next_page_token"]


async def _linked(server: TrackingServer, dataset: str) -> set[str]:
    """Return the ids of the experiments that a dataset belongs to; a list of datasets does not tell."""
    answer = await server.get(f"{_API}/{segment(dataset)}/experiment-ids")
    return {str(each) for each in answer.get("experiment_ids") or ()}
