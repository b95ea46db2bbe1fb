"""What a SageMaker experiment, trial and trial component is as an MLflow experiment and run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from heavylift.registry.catalogues.experiments.points import Series, by_name, milliseconds
from heavylift.registry.catalogues.experiments.reading import Held, Shape
from heavylift.registry.catalogues.mlflow_rules import PAIRS
from heavylift.registry.interface.names import PARENT_RUN, PREFIX, RUN_NAME, pairs_of

OWN = "sagemaker."
"""Begins the keys of tags that hold what MLflow has no place for."""
_RESERVED = (OWN, "mlflow.")
_CAME = f"{PREFIX}platform"
_EXPERIMENT_NAME, _LAST = "mlflow.experimentName", "mlflow.metric."
_PLACES = frozenset(
    {
        RUN_NAME,
        PARENT_RUN,
        _EXPERIMENT_NAME,
        "mlflow.artifactLocation",
        "mlflow.creationTime",
        "mlflow.status",
    }
)
"""What of an MLflow server's things has another place once they are back on one."""
_STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "InProgress": "RUNNING"}
_KILLED = "KILLED"
_ODD, _LONGEST = re.compile(r"[^\w\- ]"), 200
_BOTH = frozenset(
    {"DisplayName", "Source", "CreationTime", "CreatedBy", "LastModifiedTime", "LastModifiedBy"}
)
_KNOWN = {
    "experiment": _BOTH | {"ExperimentName", "ExperimentArn", "Description"},
    "trial": _BOTH | {"TrialName", "TrialArn", "ExperimentName", "MetadataProperties"},
    "trial component": _BOTH
    | {"TrialComponentName", "TrialComponentArn", "Status", "StartTime", "EndTime", "Parameters"}
    | {"InputArtifacts", "OutputArtifacts", "MetadataProperties", "Metrics", "LineageGroupArn", "Sources"},
}

Lose = Callable[[str, str, str, int], None]
"""Takes what is lost: the sort of thing, which part of it, why, and how many."""


def experiment_id(name: str) -> str:
    """Return under which id an experiment is known."""
    return f"experiment/{name}"


def trial_id(name: str) -> str:
    """Return under which id a trial is known."""
    return f"trial/{name}"


def component_id(trial: str, name: str) -> str:
    """Return under which id a component of a trial is known; in another trial it is another run."""
    return f"trial/{trial}/component/{name}"


@dataclass
class Tags:
    """Tags of one thing; what the target does not take is lost."""

    what: str
    lose: Lose
    found: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, value: Any) -> None:
        """Put what SageMaker tells, if it tells it."""
        if value in (None, ""):
            return
        plain = isinstance(value, str | datetime)
        text = _plain(value) if plain else json.dumps(value, sort_keys=True, default=_plain)
        reason = PAIRS.key.wrong(key)
        if reason:
            self.lose(self.what, f"tag {key}", reason, 1)
        else:
            self.found[key] = text

    def users(self, tags: Mapping[str, str]) -> None:
        """Put the user's own tags; one that would be taken for another thing there is lost.

        Of what came from an MLflow server its own tags are put back, but for those that tell of structure.
        """
        came = tags.get(_CAME) == "mlflow"
        for key, value in tags.items():
            if came and (key in _PLACES or key.startswith(_LAST)):
                continue
            reserved = (OWN,) if came else _RESERVED
            reason = "the key means something else there" if key.startswith(reserved) else ""
            reason = reason or PAIRS.key.wrong(key)
            if reason:
                self.lose(self.what, f"tag {key}", reason, 1)
            else:
                self.found[key] = value


def experiment_of(held: Held, lose: Lose) -> dict[str, Any]:
    """Return an experiment as an MLflow server would tell it."""
    told = held.described
    tags = Tags("experiment", lose)
    tags.users(held.tags)
    tags.put("mlflow.note.content", told.get("Description"))
    _facts(tags, told, "Experiment")
    return {
        "experiment_id": experiment_id(str(told["ExperimentName"])),
        "name": _own_name(held, _EXPERIMENT_NAME) or str(told["ExperimentName"]),
        "creation_time": milliseconds(told["CreationTime"]),
        "lifecycle_stage": "active",
        "tags": pairs_of(tags.found),
    }


def trial_of(held: Held, lose: Lose) -> dict[str, Any]:
    """Return a trial as a run; it has neither a status nor an end of its own."""
    told = held.described
    tags = Tags("trial", lose)
    tags.users(held.tags)
    _facts(tags, told, "Trial")
    _metadata(tags, told)
    info = {"run_id": trial_id(str(told["TrialName"])), "status": "FINISHED"}
    return _run(info, held, tags, {}, [])


def component_of(
    held: Held, trial: str, series: Mapping[str, Series], uri: Callable[[str], str], lose: Lose
) -> dict[str, Any]:
    """Return a trial's component as a child run.

    :param series: its metrics.
    :param uri: returns what becomes of an artifact's URI.
    """
    told = held.described
    tags = Tags("trial component", lose)
    tags.users(held.tags)
    _facts(tags, told, "TrialComponent")
    _metadata(tags, told)
    tags.put(PARENT_RUN, trial_id(trial))
    tags.put(f"{OWN}start_time", told.get("StartTime"))
    tags.put(f"{OWN}lineage_group", told.get("LineageGroupArn"))
    tags.put(f"{OWN}sources", told.get("Sources"))
    status = told.get("Status") or {}
    tags.put(f"{OWN}status", status.get("PrimaryStatus"))
    tags.put(f"{OWN}status_message", status.get("Message"))
    for way in ("Input", "Output"):
        for name, each in (told.get(f"{way}Artifacts") or {}).items():
            tags.put(f"{OWN}{way.lower()}.{name}", uri(str(each["Value"])))
            tags.put(f"{OWN}{way.lower()}_type.{name}", each.get("MediaType"))
    params = _params(told, tags)
    metrics = _metrics(tags, told, series, lose)
    ended = told.get("EndTime")
    info: dict[str, Any] = {
        "run_id": component_id(trial, str(told["TrialComponentName"])),
        "status": _status(str(status.get("PrimaryStatus") or ""), ended=ended is not None),
    }
    if ended is not None:
        info["end_time"] = milliseconds(ended)
    return _run(info, held, tags, params, metrics)


def _run(
    info: dict[str, Any], held: Held, tags: Tags, params: Mapping[str, str], metrics: list[dict[str, Any]]
) -> dict[str, Any]:
    told = held.described
    name = (
        _own_name(held, RUN_NAME)
        or told.get("DisplayName")
        or told.get("TrialComponentName")
        or told["TrialName"]
    )
    whole = {
        **info,
        "run_name": str(name),
        "start_time": milliseconds(told.get("StartTime") or told["CreationTime"]),
        "user_id": tags.found.get("mlflow.user", ""),
        "lifecycle_stage": "active",
    }
    data = {"tags": pairs_of(tags.found), "params": pairs_of(params), "metrics": metrics}
    return {"info": whole, "data": data}


def _own_name(held: Held, key: str) -> str:
    """Return the name that a thing had on the MLflow server that it came from."""
    return held.tags.get(key, "") if held.tags.get(_CAME) == "mlflow" else ""


def _status(status: str, *, ended: bool) -> str:
    if not status:
        return "FINISHED" if ended else "RUNNING"
    return _STATUS.get(status, _KILLED)


def _facts(tags: Tags, told: Shape, sort: str) -> None:
    """Put what all three sorts have."""
    for field_name in told:
        if field_name not in _KNOWN[tags.what]:
            tags.lose(tags.what, str(field_name), "this version does not move it", 1)
    tags.put(f"{OWN}name", told[f"{sort}Name"])
    tags.put(f"{OWN}arn", told[f"{sort}Arn"])
    tags.put(f"{OWN}display_name", told.get("DisplayName"))
    tags.put(f"{OWN}created", told["CreationTime"])
    tags.put(f"{OWN}last_modified", told.get("LastModifiedTime"))
    tags.put(f"{OWN}last_modified_by", who(told.get("LastModifiedBy")))
    source = told.get("Source") or {}
    tags.put(f"{OWN}source_arn", source.get("SourceArn"))
    tags.put(f"{OWN}source_type", source.get("SourceType"))
    creator = who(told.get("CreatedBy"))
    tags.put(f"{OWN}created_by", creator)
    if sort != "Experiment":
        tags.put("mlflow.user", creator)


def _metadata(tags: Tags, told: Shape) -> None:
    given = told.get("MetadataProperties") or {}
    tags.put("mlflow.source.git.commit", given.get("CommitId"))
    tags.put("mlflow.source.git.repoURL", given.get("Repository"))
    tags.put(f"{OWN}generated_by", given.get("GeneratedBy"))
    tags.put(f"{OWN}project_id", given.get("ProjectId"))


def fitted(name: str) -> str:
    """Return under which name a parameter or metric stands there; another one where its own is not taken."""
    if not PAIRS.key.wrong(name):
        return name
    end = hashlib.blake2b(name.encode(), digest_size=3).hexdigest()
    return f"{_ODD.sub('_', name)[:_LONGEST]}-{end}"


def _named(tags: Tags, name: str) -> str:
    key = fitted(name)
    if key != name:
        tags.put(f"{OWN}name.{key}", name)
    return key


def _params(told: Shape, tags: Tags) -> dict[str, str]:
    found = {}
    for name, each in (told.get("Parameters") or {}).items():
        number = "NumberValue" in each
        text = repr(float(each["NumberValue"])) if number else str(each.get("StringValue", ""))
        found[_named(tags, str(name))] = text
    return found


def _metrics(tags: Tags, told: Shape, series: Mapping[str, Series], lose: Lose) -> list[dict[str, Any]]:
    """Return each metric's latest point, as a server shows them, and put its summary."""
    found = []
    for name, summary in by_name(told).items():
        key = _named(tags, name)
        tags.put(
            f"{OWN}metric.{key}", {each: value for each, value in summary.items() if each != "MetricName"}
        )
        points = series[name].points if name in series else ()
        if points:
            value, time, step = max(points, key=lambda point: (point[2], point[1], point[0]))
            found.append({"key": key, "value": value, "timestamp": time, "step": step})
    more = len(told.get("Metrics") or ()) - len(by_name(told))
    if more:
        lose("trial component", "metric of a name that comes twice", "a run has one of a name", more)
    return found


def who(by: Shape | None) -> str:
    """Return who made or changed a thing."""
    told = by or {}
    identity = told.get("IamIdentity") or {}
    return str(told.get("UserProfileName") or identity.get("Arn") or told.get("UserProfileArn") or "")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    return str(value)
