"""Reads what a tracking server holds, sort by sort, as things with an id and fields."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

from heavylift.errors import NotFoundError
from heavylift.registry.rest.artifacts import UNREADABLE
from heavylift.registry.rest.attachments import attachment_digest, attachments_in
from heavylift.registry.rest.client import ONLY_PROMPTS, TrackingServer
from heavylift.registry.rest.entities import Fields, as_moved, fields_of
from heavylift.registry.rest.label_schemas import label_schemas
from heavylift.registry.rest.links import linked_traces
from heavylift.registry.rest.older import trace_pages
from heavylift.registry.rest.spans import Spans, spans_of
from heavylift.registry.rest.views import AsItIs, View
from heavylift.registry.rest.workspaces import workspaces_of
from heavylift.registry.uris import UriMap

_V2, _V3 = "api/2.0/mlflow", "api/3.0/mlflow"
_PAGE, _TRACES_AT_ONCE, _VERSIONS_AT_ONCE = 1000, 50, 50

_GATEWAY = f"{_V3}/gateway"
ONLY_IN_WHOLE_COPIES = {
    "issue": (f"{_V3}/issues/search", "issues"),
    "gateway secret": (f"{_GATEWAY}/secrets/list", "secrets"),
    "gateway endpoint": (f"{_GATEWAY}/endpoints/list", "endpoints"),
    "gateway model definition": (f"{_GATEWAY}/model-definitions/list", "model_definitions"),
    "gateway guardrail": (f"{_GATEWAY}/guardrails/list", "guardrails"),
    "gateway budget": (f"{_GATEWAY}/budgets/list", "budget_policies"),
    "gateway binding": (f"{_GATEWAY}/endpoints/bindings/list", "bindings"),
    "MCP server": (f"{_V3}/mcp-servers", "mcp_servers"),
}
"""What moves only by the databases: where a list is to be had, and in which field."""

Things = dict[str, Fields]


class Reader:
    """One side of a comparison.

    :param uris: for the source: as what its URIs must stand on the target.
    :param view: as what this side's things are seen; ids that go in and come out are as seen.
    :param files: the bytes of attachments are read, too.
    """

    def __init__(
        self, server: TrackingServer, uris: UriMap | None, view: View | None = None, *, files: bool = False
    ) -> None:
        self.server = server
        self._files = files
        self._uris = uris
        self._view = view or AsItIs()

    def actual(self, kind: str, shown: str) -> str:
        """Return the server's own id of a thing."""
        return self._view.actual(kind, shown)

    async def experiments(self) -> Things:
        """Return all experiments, the deleted ones too."""
        query = {"view_type": "ALL", "max_results": _PAGE}
        path = f"{_V2}/experiments/search"
        return await self._all("experiment", path, "experiments", query, post=True)

    async def runs(self, experiment: str) -> tuple[Things, dict[str, tuple[str, ...]]]:
        """Return an experiment's runs, the deleted ones too, and the names of each one's metrics."""
        actual = self.actual("experiment", experiment)
        query = {"experiment_ids": [actual], "run_view_type": "ALL", "max_results": _PAGE}
        found: Things = {}
        metrics: dict[str, tuple[str, ...]] = {}
        async for page in self.server.pages(f"{_V2}/runs/search", "runs", query, post=True):
            for run in page:
                # A metric that was logged for several datasets is named once for each.
                named = {str(each["key"]) for each in run.get("data", {}).get("metrics", ())}
                name = self._put(found, "run", run)
                if name is not None:
                    metrics[name] = tuple(sorted(named))
        return found, metrics

    async def logged_models(self, experiment: str) -> Things:
        """Return an experiment's logged models; the interface does not show deleted ones."""
        query = {"experiment_ids": [self.actual("experiment", experiment)], "max_results": 100}
        path = f"{_V2}/logged-models/search"
        return await self._all("logged model", path, "models", query, post=True)

    async def traces(self, experiment: str) -> Things:
        """Return an experiment's traces, with tags, metadata, assessments and spans."""
        actual = self.actual("experiment", experiment)
        found: Things = {}
        async for page in trace_pages(self.server, actual):
            for start in range(0, len(page), _TRACES_AT_ONCE):
                part = page[start : start + _TRACES_AT_ONCE]
                spans = await spans_of(self.server, part)
                for info in part:
                    name = self._put(found, "trace", info)
                    if name is not None:
                        of_one = spans[str(info["trace_id"])]
                        found[name] |= self._spans(of_one) | await self._attachments(name, of_one)
        return found

    async def _attachments(self, trace: str, spans: Spans) -> Fields:
        fields: Fields = {}
        for each in attachments_in(trace, spans) if self._files else ():
            digest = await attachment_digest(self.server, trace, each)
            # What is gone on both sides is equal.
            fields[f"attachment {each}"] = (digest or "gone").encode()
        return fields

    def _spans(self, spans: Spans) -> Fields:
        served = {span: [each] for span, each in spans.served.items()}
        unread = f"{UNREADABLE} on {self.server.name}: {spans.unread}"
        fields = fields_of({"spans": unread if spans.unread else served})
        if spans.file is not None:
            fields["spans (their file)"] = hashlib.blake2b(spans.file, digest_size=12).digest()
        return fields

    async def trace_links(self, experiment: str, runs: Iterable[str]) -> Things:
        """Return which of an experiment's traces are linked to which of its runs."""
        shown = {self.actual("run", run): run for run in runs}
        actual = self.actual("experiment", experiment)
        try:
            linked = await linked_traces(self.server, actual, shown)
        except NotFoundError:
            # A server without this search has no links.
            return {}
        return {f"{shown[run]}/{trace}": {} for run, traces in linked.items() for trace in traces}

    async def label_schemas(self, target: Reader, experiment: str) -> tuple[Things, Things]:
        """Return an experiment's label schemas, this side's and the target's."""
        told = await label_schemas(self.server, target.server, experiment)
        found: tuple[Things, Things] = ({}, {})
        for side, things, schemas in zip((self, target), found, told, strict=True):
            for each in schemas:
                side._put(things, "label schema", each)
        return found

    async def scorers(self, experiment: str) -> Things:
        """Return all versions of an experiment's scorers; a list tells the latest ones alone."""
        query = {"experiment_id": self.actual("experiment", experiment)}
        answer = await self.server.get(f"{_V3}/scorers/list", query)
        found: Things = {}
        for each in answer.get("scorers") or []:
            of_one = {**query, "name": str(each["scorer_name"])}
            versions = await self.server.get(f"{_V3}/scorers/versions", of_one)
            shown = [self._put(found, "scorer", version) for version in versions.get("scorers") or [each]]
            if self.shows_all and shown[0] is not None:
                online = {"scorer_ids": str(each["scorer_id"])}
                # Of the scorer as a whole: told with the first of its versions.
                await self._attach(found, shown[0], f"{_V3}/scorers/online-configs", "configs", online)
        return found

    async def registered_models(self) -> Things:
        """Return registered models and prompts, with tags and aliases."""
        found: Things = {}
        for query in self._models_and_prompts(_PAGE):
            path = f"{_V2}/registered-models/search"
            async for page in self.server.pages(path, "registered_models", query):
                for model in page:
                    # What is latest follows from the versions, which are compared by themselves.
                    model.pop("latest_versions", None)
                    model["aliases"] = [
                        {"key": each["alias"], "value": each["version"]} for each in model.get("aliases", ())
                    ]
                    self._put(found, "registered model", model)
        return found

    async def model_versions(self) -> Things:
        """Return all versions of models and prompts."""
        found: Things = {}
        for query in self._models_and_prompts(10 * _PAGE):
            path = f"{_V2}/model-versions/search"
            async for page in self.server.pages(path, "model_versions", query):
                for start in range(0, len(page) if self.shows_all else 0, _VERSIONS_AT_ONCE):
                    part = page[start : start + _VERSIONS_AT_ONCE]
                    await asyncio.gather(*(self._tell_place(each) for each in part))
                for each in page:
                    self._put(found, "model version", each)
        return found

    async def _tell_place(self, version: dict[str, Any]) -> None:
        """Add where a version's files lie, of which no list tells; copies that give no new places keep it."""
        query = {"name": str(version["name"]), "version": str(version["version"])}
        try:
            answer = await self.server.get(f"{_V2}/model-versions/get-download-uri", query)
        except NotFoundError:
            # It was deleted since the list was told.
            return
        version["download_uri"] = answer.get("artifact_uri", "")

    async def webhooks(self) -> Things:
        """Return all webhooks; their secrets are not shown."""
        hooks = [
            each
            async for page in self.server.pages(f"{_V2}/webhooks", "webhooks", {"max_results": 100})
            for each in page
        ]
        found: Things = {}
        # Several may have one name: which is which is then told by the rest of them.
        for each in sorted(hooks, key=lambda hook: (str(hook["name"]), str(hook.get("url", "")))):
            self._put(found, "webhook", each)
        return found

    @property
    def shows_all(self) -> bool:
        """Whether things are seen as they are, so that those may be compared that only databases carry."""
        return isinstance(self._view, AsItIs)

    async def only_in_whole_copies(self, kind: str) -> Things:
        """Return the things of one of these sorts; of secrets the interface tells masked values alone."""
        path, field = ONLY_IN_WHOLE_COPIES[kind]
        posted = path.endswith("/search")
        found = await self._all(kind, path, field, {"max_results": 100} if posted else {}, post=posted)
        for name in found:
            if kind == "gateway endpoint":
                guardrails = f"{_GATEWAY}/guardrails/list-for-endpoint"
                await self._attach(found, name, guardrails, "configs", {"endpoint_id": name})
            elif kind == "MCP server":
                versions = f"{path}/{quote(name)}/versions"
                await self._attach(found, name, versions, "mcp_server_versions", {"max_results": 100})
        return found

    async def _attach(self, found: Things, name: str, path: str, field: str, query: dict[str, Any]) -> None:
        """Add to a thing what a list of its own tells of it."""
        told = [each async for page in self.server.pages(path, field, query) for each in page]
        found[name] |= fields_of({field: told})

    async def workspaces(self) -> Things:
        """Return the workspaces."""
        found: Things = {}
        for each in (await workspaces_of(self.server)).values():
            self._put(found, "workspace", each)
        return found

    async def review_queues(self, experiment: str) -> Things:
        """Return an experiment's review queues."""
        query = {"experiment_id": self.actual("experiment", experiment)}
        found = await self._all("review queue", f"{_V3}/review-queues/list", "review_queues", query)
        for name in found:
            await self._attach(found, name, f"{_V3}/review-queues/items/list", "items", {"queue_id": name})
        return found

    async def evaluation_datasets(self) -> Things:
        """Return all evaluation datasets with their records."""
        query = {"max_results": 50}
        path = f"{_V3}/datasets"
        found: Things = {}
        async for page in self.server.pages(f"{path}/search", "datasets", query, post=True):
            for each in page:
                # A list does not tell to which experiments one belongs.
                linked = await self.server.get(f"{path}/{each['dataset_id']}/experiment-ids")
                each["experiment_ids"] = linked.get("experiment_ids") or []
                selected = self.server.selected
                if selected is not None and not selected.takes_any(map(str, each["experiment_ids"])):
                    continue
                # A text that the server makes of rows, in whatever order it finds them.
                each["tags"] = json.loads(each.get("tags") or "{}")
                self._put(found, "evaluation dataset", each)
        for name in found:
            actual = self.actual("evaluation dataset", name)
            async for record in self._records(f"{path}/{actual}/records"):
                seen = self._view.thing("record", record)
                if seen is not None:
                    found[name] |= fields_of({"records": {seen[0]: [seen[1]]}})
        return found

    async def _records(self, path: str) -> AsyncIterator[dict[str, Any]]:
        query: dict[str, Any] = {"max_results": _PAGE}
        while True:
            answer = await self.server.get(path, query)
            # This one answer holds its list as a text.
            for record in json.loads(answer.get("records") or "[]"):
                yield record
            if not answer.get("next_page_token"):
                return
            query["page_token"] = answer["next_page_token"]

    async def _all(
        self, kind: str, path: str, field: str, query: dict[str, Any], *, post: bool = False
    ) -> Things:
        found: Things = {}
        async for page in self.server.pages(path, field, query, post=post):
            for thing in page:
                self._put(found, kind, thing)
        return found

    def _put(self, found: Things, kind: str, thing: dict[str, Any]) -> str | None:
        """Take a thing in as it is seen; return its id, None where it is left out."""
        seen = self._view.thing(kind, thing)
        if seen is None:
            return None
        name = seen[0]
        while name in found:
            # Two that are seen as one are not one.
            name = f"{name} again"
        found[name] = fields_of(seen[1] if self._uris is None else as_moved(kind, seen[1], self._uris))
        return name

    @staticmethod
    def _models_and_prompts(size: int) -> tuple[dict[str, Any], dict[str, Any]]:
        # Without a filter the interface leaves prompts out.
        return {"max_results": size}, {"max_results": size, "filter": ONLY_PROMPTS}
