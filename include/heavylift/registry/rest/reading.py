"""Reads what a tracking server holds, sort by sort, as things with an id and fields."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.entities import Fields, fields_of
from heavylift.registry.uris import UriMap

_V2, _V3 = "api/2.0/mlflow", "api/3.0/mlflow"
_PAGE, _TRACE_PAGE, _TRACES_AT_ONCE = 1000, 500, 50
_PROMPT = "tags.`mlflow.prompt.is_prompt` = 'true'"

Things = dict[str, Fields]


class Reader:
    """One side of a comparison.

    :param uris: for the source: as what its URIs must stand on the target.
    """

    def __init__(self, server: TrackingServer, uris: UriMap | None) -> None:
        self.server = server
        self._uris = uris

    async def experiments(self) -> Things:
        """Return all experiments, the deleted ones too."""
        query = {"view_type": "ALL", "max_results": _PAGE}
        return await self._all(
            f"{_V2}/experiments/search", "experiments", query, ("experiment_id",), post=True
        )

    async def runs(self, experiment: str) -> tuple[Things, dict[str, tuple[str, ...]]]:
        """Return an experiment's runs, the deleted ones too, and the names of each one's metrics."""
        query = {"experiment_ids": [experiment], "run_view_type": "ALL", "max_results": _PAGE}
        found: Things = {}
        metrics: dict[str, tuple[str, ...]] = {}
        async for page in self.server.pages(f"{_V2}/runs/search", "runs", query, post=True):
            for run in page:
                name = str(run["info"]["run_id"])
                found[name] = fields_of(run, self._uris)
                # A metric that was logged for several datasets is named once for each.
                named = {str(each["key"]) for each in run.get("data", {}).get("metrics", ())}
                metrics[name] = tuple(sorted(named))
        return found, metrics

    async def logged_models(self, experiment: str) -> Things:
        """Return an experiment's logged models; the interface does not show deleted ones."""
        query = {"experiment_ids": [experiment], "max_results": 100}
        path = f"{_V2}/logged-models/search"
        return await self._all(path, "models", query, ("info", "model_id"), post=True)

    async def traces(self, experiment: str) -> Things:
        """Return an experiment's traces, with tags, metadata, assessments and spans."""
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        query = {"locations": [place], "max_results": _TRACE_PAGE}
        found = await self._all(f"{_V3}/traces/search", "traces", query, ("trace_id",), post=True)
        names = sorted(found)
        for start in range(0, len(names), _TRACES_AT_ONCE):
            asked = {"trace_ids": names[start : start + _TRACES_AT_ONCE]}
            answer = await self.server.get(f"{_V3}/traces/batchGet", asked)
            for trace in answer.get("traces") or []:
                name = str(trace["trace_info"]["trace_id"])
                spans = {str(span["span_id"]): [span] for span in trace.get("spans") or []}
                found[name] |= fields_of({"spans": spans}, self._uris)
        return found

    async def scorers(self, experiment: str) -> Things:
        """Return an experiment's scorers."""
        answer = await self.server.get(f"{_V3}/scorers/list", {"experiment_id": experiment})
        return {
            f"{experiment}/{each['scorer_name']}/{each.get('scorer_version', 0)}": fields_of(each, self._uris)
            for each in answer.get("scorers") or []
        }

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
                    found[str(model["name"])] = fields_of(model, self._uris)
        return found

    async def model_versions(self) -> Things:
        """Return all versions of models and prompts."""
        found: Things = {}
        for query in self._models_and_prompts(10 * _PAGE):
            path = f"{_V2}/model-versions/search"
            async for page in self.server.pages(path, "model_versions", query):
                for each in page:
                    found[f"{each['name']}/{each['version']}"] = fields_of(each, self._uris)
        return found

    async def webhooks(self) -> Things:
        """Return all webhooks; their secrets are not shown."""
        query = {"max_results": 100}
        return await self._all(f"{_V2}/webhooks", "webhooks", query, ("webhook_id",))

    async def evaluation_datasets(self) -> Things:
        """Return all evaluation datasets with their records."""
        query = {"max_results": 50}
        found = await self._all(f"{_V3}/datasets/search", "datasets", query, ("dataset_id",), post=True)
        for name in found:
            async for record in self._records(f"{_V3}/datasets/{name}/records"):
                key = str(record.get("dataset_record_id", ""))
                found[name] |= fields_of({"records": {key: [record]}}, self._uris)
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
        self, path: str, field: str, query: dict[str, Any], id_at: Sequence[str], *, post: bool = False
    ) -> Things:
        found: Things = {}
        async for page in self.server.pages(path, field, query, post=post):
            for thing in page:
                name: Any = thing
                for step in id_at:
                    name = name[step]
                found[str(name)] = fields_of(thing, self._uris)
        return found

    @staticmethod
    def _models_and_prompts(size: int) -> tuple[dict[str, Any], dict[str, Any]]:
        # Without a filter the interface leaves prompts out.
        return {"max_results": size}, {"max_results": size, "filter": _PROMPT}
