"""What MLflow's own client sees of a server, as plain values; on a target in the source's terms, by tags.

Shares no code with the comparison of the product.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import ViewType

from tests.support.history import V3
from tests.support.tracking_server import Server

PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
OURS = "heavylift."
_SERVERS = {
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
    "mlflow.trace.infoFinalized",
    "mlflow.runName",
    "mlflow.modelVersions",
}
_RUNS = {"mlflow.parentRunId", "mlflow.sourceRun", "mlflow.assessment.sourceRunId"}
Seen = dict[tuple[str, ...], Any]


@dataclass
class Eyes:
    """Sees one server.

    :param own: its ids are the source's; else its tags tell the source's.
    """

    server: Server
    own: bool
    ids: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def see(self) -> Seen:
        """Return all that is there, by sort and the source's id."""
        self.client = MlflowClient(self.server.url, self.server.url)
        found: Seen = {}
        experiments = self.client.search_experiments(ViewType.ALL)
        for each in experiments:
            self._known(each.experiment_id, each.tags)
        ids = [each.experiment_id for each in experiments]
        runs = [each for some in ids for each in self.client.search_runs([some], "", ViewType.ALL, 5000)]
        for each in runs:
            self._known(each.info.run_id, each.data.tags)
            self.places[each.info.artifact_uri] = f"place of {self._id(each.info.run_id)}"
        models = [each for some in ids for each in self.client.search_logged_models([some])]
        for each in models:
            self._known(each.model_id, each.tags)
        for each in experiments:
            if self.own or each.tags.get(f"{OURS}source.id"):
                found["experiment", self._id(each.experiment_id)] = {
                    "name": each.name,
                    "stage": each.lifecycle_stage,
                    "tags": self._tags(each.tags),
                }
        for run in runs:
            found["run", self._id(run.info.run_id)] = self._run(run)
        for model in models:
            found["logged model", self._id(model.model_id)] = self._model(model)
        self._registered(found)
        for some in ids:
            self._traces(some, found)
        self._datasets(found)
        return found

    def _known(self, own: str, tags: Mapping[str, str]) -> None:
        if not self.own and f"{OURS}source.id" in tags:
            self.ids[own] = tags[f"{OURS}source.id"]

    def _id(self, own: str) -> str:
        return self.ids.get(own, own)

    def _tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {
            key: self._id(value) if key in _RUNS else value
            for key, value in sorted(tags.items())
            if key not in _SERVERS and not key.startswith(OURS)
        }

    def _run(self, run: Any) -> Any:
        info, data = run.info, run.data
        histories = {
            name: sorted(
                (each.step, each.timestamp, repr(each.value))
                for each in self.client.get_metric_history(info.run_id, name)
            )
            for name in sorted(data.metrics)
        }
        inputs = run.inputs
        return {
            "experiment": self._id(info.experiment_id),
            "info": [info.run_name, info.status, info.start_time, info.end_time, info.user_id],
            "stage": info.lifecycle_stage,
            "params": dict(sorted(data.params.items())),
            "tags": self._tags(data.tags),
            "last": {key: repr(value) for key, value in sorted(data.metrics.items())},
            "histories": histories,
            "data": sorted(
                json.dumps([dict(each.dataset), sorted((t.key, t.value) for t in each.tags)])
                for each in inputs.dataset_inputs
            ),
            "in": sorted(self._id(each.model_id) for each in inputs.model_inputs),
            "out": sorted((self._id(each.model_id), each.step) for each in run.outputs.model_outputs)
            if run.outputs
            else [],
            "files": sorted(self._files(info.run_id)),
        }

    def _files(self, run: str, path: str | None = None) -> Iterable[tuple[str, int]]:
        for each in self.client.list_artifacts(run, path):
            if each.is_dir:
                yield from self._files(run, each.path)
            else:
                yield each.path, each.file_size or 0

    def _model(self, model: Any) -> Any:
        return {
            "experiment": self._id(model.experiment_id),
            "said": [model.name, model.model_type, str(model.status), self._id(model.source_run_id or "")],
            "params": dict(sorted(model.params.items())),
            "tags": self._tags(model.tags),
            "metrics": sorted(
                (each.key, each.step, each.timestamp, repr(each.value), self._id(each.run_id or ""))
                for each in model.metrics or []
            ),
        }

    def _registered(self, found: Seen) -> None:
        for query in ("", PROMPTS):
            for each in self.client.search_registered_models(query, max_results=1000):
                found["registered model", each.name] = {
                    "said": each.description or "",
                    "tags": self._tags(each.tags),
                    "aliases": {key: str(value) for key, value in sorted(each.aliases.items())},
                }
            for each in self.client.search_model_versions(query, max_results=5000):
                # A client takes a prompt's version for none of a model.
                version = each if query else self.client.get_model_version(each.name, each.version)
                found["version", each.name, str(each.version)] = {
                    "said": version.description or "",
                    "stage": version.current_stage,
                    "status": version.status,
                    "tags": self._tags(version.tags),
                    "run": self._id(version.run_id or ""),
                    "model": self._id(version.model_id or ""),
                    "source": self._source(version.source),
                    "aliases": sorted(version.aliases),
                }

    def _source(self, uri: str) -> str:
        if uri.startswith("models:/m-"):
            return f"models:/{self._id(uri.removeprefix('models:/'))}"
        for place, named in self.places.items():
            if uri.startswith(f"{place}/"):
                return named + uri[len(place) :]
        return uri

    def _traces(self, experiment: str, found: Seen) -> None:
        for trace in self.client.search_traces(locations=[experiment], max_results=500):
            info = trace.info
            judged = [each.to_dictionary() for each in info.assessments]
            for each in judged:
                each["metadata"] = self._tags(each.get("metadata") or {})
            found["trace", info.trace_id] = {
                "experiment": self._id(experiment),
                "said": [info.request_time, info.execution_duration, str(info.state), info.request_preview],
                "answer": [info.response_preview, info.client_request_id],
                "metadata": self._tags(info.trace_metadata),
                "tags": self._tags(info.tags),
                "judged": sorted(json.dumps(each, sort_keys=True) for each in judged),
                "spans": sorted(json.dumps(each.to_dict(), sort_keys=True) for each in trace.data.spans),
            }
        for run in self.client.search_runs([experiment], "", ViewType.ALL, 5000):
            linked = self.client.search_traces(
                locations=[experiment], run_id=run.info.run_id, max_results=500, include_spans=False
            )
            found["linked", self._id(run.info.run_id)] = sorted(each.info.trace_id for each in linked)

    def _datasets(self, found: Seen) -> None:
        answer = self.server.ask("POST", f"{V3}/datasets/search", {"max_results": 50})
        for each in answer.get("datasets", []):
            own = each["dataset_id"]
            tags = json.loads(each.get("tags") or "{}")
            self._known(own, tags)
            linked = self.server.ask("GET", f"{V3}/datasets/{own}/experiment-ids").get("experiment_ids", [])
            told = self.server.ask("GET", f"{V3}/datasets/{own}/records?max_results=1000")
            records = json.loads(told.get("records") or "[]")
            kept = ("inputs", "outputs", "expectations", "tags", "source", "source_id")
            found["dataset", self._id(own)] = {
                "name": each["name"],
                "tags": self._tags(tags),
                "experiments": sorted(self._id(str(some)) for some in linked),
                "records": sorted(
                    json.dumps({key: record.get(key, "absent") for key in kept}, sort_keys=True)
                    for record in records
                ),
            }
