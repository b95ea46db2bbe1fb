"""Proves that SageMaker's experiments are on an MLflow server: both sides are read afresh and compared.

Nothing of what moved them is used but the reading of SageMaker and of its points; what a run must be is said
here once more, from SageMaker's own words. Of the marks only the source's id is believed.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.registry.catalogues.experiments.points import PointReader
from heavylift.registry.catalogues.experiments.reading import Trials
from heavylift.registry.rest.client import TrackingServer

if TYPE_CHECKING:
    from heavylift.registry.catalogues.experiments.reading import Held, Service
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.settling import Judgement

EXPERIMENT, RUN = "experiment", "run"
_ID, _REGISTRY, _DUPLICATE = "heavylift.source.id", "heavylift.source.registry", "heavylift.duplicate"
_API = "api/2.0/mlflow"
_KEY = re.compile(r"[/\w.\- :]{1,250}")
_ENDS = {"Completed": "FINISHED", "Failed": "FAILED", "InProgress": "RUNNING", "": "RUNNING"}
_STARTS = "start"
_CAME = "heavylift.source.platform"
_STRUCTURE = {
    "mlflow.runName",
    "mlflow.parentRunId",
    "mlflow.experimentName",
    "mlflow.artifactLocation",
    "mlflow.creationTime",
    "mlflow.status",
}
_SUMMARY, _NAME = "sagemaker.metric.", "sagemaker.name."

Fields = dict[str, str]
Raw = Mapping[str, Any]


class ExperimentProof:
    """One comparison of a region with a server."""

    def __init__(self, request: RegistryRequest, service: Service, found: Judgement) -> None:
        self._request, self._found = request, found
        self._trials = Trials(service, request.options.selection)
        self._points = PointReader(service)
        self._server = TrackingServer(request.target.connection, request.options.parallel)

    async def run(self) -> None:
        """Compare all experiments, and then the runs of each."""
        try:
            theirs = await self._experiments()
            ours = {
                f"experiment/{each.described['ExperimentName']}": each
                for each in await self._trials.experiments()
            }
            self._found.compare(
                EXPERIMENT,
                {name: self._of_experiment(each) for name, each in ours.items()},
                {name: self._of_theirs(each) for name, each in theirs.items() if name in ours},
            )
            self._found.stays(EXPERIMENT, len(theirs.keys() - ours.keys()))
            for name in ours:
                await self._runs(name, str(theirs[name]["experiment_id"]) if name in theirs else "")
        finally:
            await self._server.close()

    async def _experiments(self) -> dict[str, Raw]:
        query = {"view_type": "ALL", "max_results": 1000}
        found: dict[str, Raw] = {}
        async for page in self._server.pages(f"{_API}/experiments/search", "experiments", query, post=True):
            for each in page:
                origin = self._origin(_pairs(each.get("tags")))
                if origin:
                    found[origin] = each
        return found

    def _origin(self, tags: Fields) -> str:
        ours = tags.get(_REGISTRY) == self._request.id and _DUPLICATE not in tags
        return tags.get(_ID, "") if ours else ""

    def _of_experiment(self, held: Held) -> Fields:
        told = held.described
        name = _earlier(held, "mlflow.experimentName") or str(told["ExperimentName"])
        found = {"name": name, "lifecycle_stage": "active"}
        found |= _tags(held, "Experiment", {"mlflow.note.content": told.get("Description")})
        return found

    def _of_theirs(self, each: Raw) -> Fields:
        name = str(each["name"]).removesuffix(f" ({self._request.id})")
        tags = {f"tags/{key}": value for key, value in _others(_pairs(each.get("tags"))).items()}
        return {"name": name, "lifecycle_stage": str(each["lifecycle_stage"]), **tags}

    async def _runs(self, experiment: str, number: str) -> None:
        theirs, origins, strangers = await self._their_runs(number) if number else ({}, {}, [])
        expected: dict[str, Fields] = {}
        actual: dict[str, Fields] = {}
        for trial in await self._trials.trials(experiment.removeprefix("experiment/")):
            name = str(trial.described["TrialName"])
            whole = f"trial/{name}"
            expected[whole] = self._of_trial(trial)
            async for page in self._trials.components(name):
                for each in page:
                    own = f"{whole}/component/{each.described['TrialComponentName']}"
                    expected[own] = await self._of_component(each, whole, theirs.get(own))
        for own, run in theirs.items():
            if own in expected:
                actual[own] = await self._of_run(run, origins, expected[own])
        actual |= {f"{experiment}/(target's) {run}": {} for run in strangers}
        self._found.compare(RUN, expected, actual)
        self._found.stays(RUN, len(theirs.keys() - expected.keys()))

    async def _their_runs(self, number: str) -> tuple[dict[str, Raw], Fields, list[str]]:
        """Return runs by the source's id, the source's id of each run, and runs that somebody else made."""
        query: dict[str, Any] = {"experiment_ids": [number], "run_view_type": "ALL", "max_results": 500}
        theirs: dict[str, Raw] = {}
        origins: Fields = {}
        strangers = []
        async for page in self._server.pages(f"{_API}/runs/search", "runs", query, post=True):
            for each in page:
                own, tags = str(each["info"]["run_id"]), _pairs(each["data"].get("tags"))
                origin = self._origin(tags)
                if origin:
                    theirs[origin], origins[own] = each, origin
                elif _DUPLICATE not in tags and each["info"].get("lifecycle_stage") != "deleted":
                    strangers.append(own)
        return theirs, origins, strangers

    def _of_trial(self, held: Held) -> Fields:
        told = held.described
        found = {
            "name": _earlier(held, "mlflow.runName") or str(told.get("DisplayName") or told["TrialName"]),
            "status": "FINISHED",
            "end": "",
            "lifecycle_stage": "active",
            _STARTS: _milliseconds(told["CreationTime"]),
        }
        return found | _tags(held, "Trial", _made(told))

    async def _of_component(self, held: Held, trial: str, there: Raw | None) -> Fields:
        told = held.described
        status, ended = told.get("Status") or {}, told.get("EndTime")
        primary = str(status.get("PrimaryStatus") or "")
        starts = {_milliseconds(told[each]) for each in ("StartTime", "CreationTime") if told.get(each)}
        start = str(there["info"].get("start_time", "")) if there else ""
        shown = str(told.get("DisplayName") or told["TrialComponentName"])
        found = {
            "name": _earlier(held, "mlflow.runName") or shown,
            "status": "FINISHED" if ended and not primary else _ENDS.get(primary, "KILLED"),
            "end": _milliseconds(ended) if ended else "",
            "lifecycle_stage": "active",
            # A start that was told later than the run was made cannot be brought: the tag has it.
            _STARTS: start if start in starts else min(starts, key=int),
        }
        more: dict[str, Any] = {
            **_made(told),
            "mlflow.parentRunId": trial,
            "sagemaker.start_time": told.get("StartTime"),
            "sagemaker.lineage_group": told.get("LineageGroupArn"),
            "sagemaker.sources": told.get("Sources"),
            "sagemaker.status": primary,
            "sagemaker.status_message": status.get("Message"),
        }
        for way in ("input", "output"):
            for name, each in (told.get(f"{way.capitalize()}Artifacts") or {}).items():
                more[f"sagemaker.{way}.{name}"] = self._request.options.uris.of(str(each["Value"]))
                more[f"sagemaker.{way}_type.{name}"] = each.get("MediaType")
        for each in reversed(told.get("Metrics") or ()):
            name = str(each["MetricName"])
            if _taken(f"{_SUMMARY}{name}") or not _taken(name):
                summary = {key: value for key, value in each.items() if key != "MetricName"}
                found[f"summaries/{name}"] = _text(summary)
        for name, each in (told.get("Parameters") or {}).items():
            number = each.get("NumberValue")
            text = str(each.get("StringValue", ""))
            found[f"params/{name}"] = text if number is None else repr(float(number))
        for name, series in (await self._points.of(told)).items():
            found |= {f"metrics/{name}": _listed(series.points)} if series.points else {}
            self._found.points += len(series.points)
        return found | _tags(held, "TrialComponent", more)

    async def _of_run(self, run: Raw, origins: Fields, expected: Fields) -> Fields:
        info, data = run["info"], run["data"]
        tags = _others(_pairs(data.get("tags")))
        tags.pop("mlflow.runName", None)
        parent = tags.get("mlflow.parentRunId")
        if parent is not None:
            tags["mlflow.parentRunId"] = origins.get(parent, parent)
        # A name that is not taken there stands under another one, and a tag tells which.
        names = {key.removeprefix(_NAME): tags.pop(key) for key in list(tags) if key.startswith(_NAME)}
        summaries = {key: tags.pop(key) for key in list(tags) if key.startswith(_SUMMARY)}
        found = {
            "name": str(info.get("run_name", "")),
            "status": str(info["status"]),
            "end": str(info.get("end_time") or ""),
            "lifecycle_stage": str(info["lifecycle_stage"]),
            _STARTS: str(info.get("start_time") or ""),
            **{f"tags/{key}": value for key, value in tags.items()},
        }
        for key, value in _pairs(data.get("params")).items():
            found[f"params/{names.get(key, key)}"] = value
        for key, value in summaries.items():
            name = key.removeprefix(_SUMMARY)
            found[f"summaries/{names.get(name, name)}"] = value
        for each in data.get("metrics") or ():
            key = f"metrics/{names.get(str(each['key']), each['key'])}"
            found[key] = await self._history(str(info["run_id"]), str(each["key"]), expected.get(key, ""))
        return found

    async def _history(self, run: str, metric: str, expected: str) -> str:
        query = {"run_id": run, "metric_key": metric, "max_results": 25_000}
        points = []
        async for page in self._server.pages(f"{_API}/metrics/get-history", "metrics", query):
            points += [
                (float(each.get("value", 0)), int(each.get("timestamp") or 0), int(each.get("step") or 0))
                for each in page
            ]
        if (
            not self._points.one_by_one
            and expected
            and set(json.loads(expected)) <= set(json.loads(_listed(points)))
        ):
            # Only the last point is known there: what earlier runs wrote of this metric stays before it.
            return expected
        return _listed(points)


def _earlier(held: Held, key: str) -> str:
    """Return what a thing was called on the MLflow server that it came from."""
    return held.tags.get(key, "") if held.tags.get(_CAME) == "mlflow" else ""


def _made(told: Raw) -> dict[str, Any]:
    given = told.get("MetadataProperties") or {}
    return {
        "mlflow.user": _person(told.get("CreatedBy")),
        "mlflow.source.git.commit": given.get("CommitId"),
        "mlflow.source.git.repoURL": given.get("Repository"),
        "sagemaker.generated_by": given.get("GeneratedBy"),
        "sagemaker.project_id": given.get("ProjectId"),
    }


def _tags(held: Held, sort: str, more: Mapping[str, Any]) -> Fields:
    """Return the tags that a thing must have there, the user's and those that keep SageMaker's fields."""
    told = held.described
    source = told.get("Source") or {}
    kept = {
        "sagemaker.name": told[f"{sort}Name"],
        "sagemaker.arn": told[f"{sort}Arn"],
        "sagemaker.display_name": told.get("DisplayName"),
        "sagemaker.created": told["CreationTime"],
        "sagemaker.created_by": _person(told.get("CreatedBy")),
        "sagemaker.last_modified": told.get("LastModifiedTime"),
        "sagemaker.last_modified_by": _person(told.get("LastModifiedBy")),
        "sagemaker.source_arn": source.get("SourceArn"),
        "sagemaker.source_type": source.get("SourceType"),
        **more,
    }
    found = {key: _text(value) for key, value in kept.items() if value not in (None, "")}
    came = held.tags.get(_CAME) == "mlflow"
    for key, value in held.tags.items():
        back = came and key not in _STRUCTURE and not key.startswith("mlflow.metric.")
        if not key.startswith("sagemaker.") and (back or not key.startswith("mlflow.")):
            shown = f"heavylift.earlier.{key[len('heavylift.') :]}" if key.startswith("heavylift.") else key
            found[shown] = value
    return {f"tags/{key}": value for key, value in found.items() if _taken(key)}


def _taken(key: str) -> bool:
    """Tell whether MLflow takes a key."""
    plain = key == posixpath.normpath(key) and not key.startswith(("/", "..")) and key != "."
    return plain and _KEY.fullmatch(key) is not None


def _person(by: Raw | None) -> str:
    if not by:
        return ""
    identity = by.get("IamIdentity") or {}
    return str(by.get("UserProfileName") or identity.get("Arn") or by.get("UserProfileArn") or "")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return (
        _moment(value) if isinstance(value, datetime) else json.dumps(value, sort_keys=True, default=_moment)
    )


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds")


def _milliseconds(value: datetime) -> str:
    return str(round(value.timestamp() * 1000))


def _pairs(listed: Any) -> Fields:
    return {str(each["key"]): str(each.get("value", "")) for each in listed or ()}


def _others(tags: Fields) -> Fields:
    """Return tags without the marks."""
    marks = ("heavylift.source.", _DUPLICATE)
    return {key: value for key, value in tags.items() if not key.startswith(marks)}


def _listed(points: Any) -> str:
    """Return points as one text, the same for equal ones in whatever order."""
    # Not every database keeps the sign of a zero.
    return json.dumps(sorted({f"{value + 0.0!r} {time} {step}" for value, time, step in points}))
