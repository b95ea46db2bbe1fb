"""What an MLflow experiment and run is as a SageMaker experiment and component: pure, with what is lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from heavylift.registry.catalogues import marks
from heavylift.registry.catalogues.capabilities import Rule
from heavylift.registry.catalogues.experiments.reading import Shape
from heavylift.registry.catalogues.leaves import Leaves, below
from heavylift.registry.catalogues.trials.limits import trial_limits
from heavylift.registry.catalogues.trials.naming import display_name
from heavylift.registry.interface.names import NOTED, PARENT_RUN, RUN_NAME, tags_of, to_target

NOTE, EXPERIMENT_NAME, ARTIFACTS = "mlflow.note.content", "mlflow.experimentName", "mlflow.artifacts"
LOCATION, MADE = "mlflow.artifactLocation", "mlflow.creationTime"
LAST = "mlflow.metric."
"""Begins the keys of tags that tell a metric's last value where there is no service of metrics."""
TAGS, PARAMS, OUTPUTS = "tags/", "params/", "outputs/"
COMMIT, REPOSITORY = "mlflow.source.git.commit", "mlflow.source.git.repoURL"
_STATUS = {"FINISHED": "Completed", "FAILED": "Failed", "KILLED": "Stopped", "RUNNING": "InProgress"}
_NOT_BEGUN, _STATUS_TAG = "SCHEDULED", "mlflow.status"
END = "end"
_FIRST = (PARENT_RUN, RUN_NAME, EXPERIMENT_NAME)

Lose = Callable[[str, str, str], None]
"""Takes what is lost: the sort of thing, which part of it, and why."""


@dataclass
class Fitting:
    """One thing on its way: what has a place goes into ``leaves``, the rest is lost."""

    what: str
    lose: Lose
    leaves: Leaves = field(default_factory=dict)

    def put(self, path: str, value: str, rule: Rule, item: str) -> bool:
        """Put a text where its place takes it; tell whether it did."""
        wrong = rule.wrong(value)
        if wrong:
            self.lose(self.what, item, wrong)
        else:
            self.leaves[path] = value
        return not wrong

    def tags(self, tags: Mapping[str, str]) -> None:
        """Put tags: what structure needs first, then the user's own, then MLflow's, while there is room."""
        pairs = trial_limits().pairs
        room = pairs.most - marks.COUNT
        for key in sorted(tags, key=_importance):
            value = tags[key]
            reserved = any(key.startswith(each) for each in pairs.reserved)
            wrong = "a key that is reserved there" if reserved else pairs.refused(key, value)
            if not wrong and not room:
                wrong = f"at most {pairs.most} tags there"
            if wrong:
                self.lose(self.what, f"tag {key}", wrong)
                continue
            self.leaves[TAGS + key] = value
            room -= 1


def _importance(key: str) -> tuple[int, str]:
    if key in _FIRST:
        return 0, key
    ranks = (LAST, "heavylift.", "mlflow.")
    return next((4 - number for number, start in enumerate(ranks) if key.startswith(start)), 1), key


def experiment_leaves(thing: Shape, name: str, uri: Callable[[str], str], lose: Lose) -> Leaves:
    """Return an experiment as it must be there.

    :param name: under which it stands there.
    """
    fitting = Fitting("experiment", lose)
    tags = _own_tags(thing.get("tags"))
    note = tags.get(NOTE, "")
    if note and not trial_limits().description.wrong(note):
        fitting.leaves["description"] = tags.pop(NOTE)
    if name != str(thing["name"]):
        tags[EXPERIMENT_NAME] = str(thing["name"])
    if thing.get("artifact_location"):
        tags[LOCATION] = uri(str(thing["artifact_location"]).rstrip("/"))
    if thing.get("creation_time"):
        tags[MADE] = str(thing["creation_time"])
    fitting.tags(tags)
    return fitting.leaves


def trial_leaves(run: Shape, lose: Lose) -> Leaves:
    """Return a trial as it must be there: it bears the name of its run, and nothing else."""
    fitting = Fitting("trial", lose)
    fitting.tags({RUN_NAME: name_of(run)})
    return fitting.leaves


def component_leaves(run: Shape, uri: Callable[[str], str], lose: Lose, *, last_values: bool) -> Leaves:
    """Return a run as its component must be there.

    :param uri: returns what becomes of an artifact's place.
    :param last_values: its metrics become tags, since there is no service that takes points.
    """
    limits, info, data = trial_limits(), run["info"], run.get("data") or {}
    fitting = Fitting("run", lose)
    name = name_of(run)
    fitting.leaves["name"] = display_name(name)
    status = str(info.get("status") or "RUNNING")
    fitting.leaves["status"] = _STATUS.get(status, "InProgress")
    for field_name, path in (("start_time", "start"), ("end_time", END)):
        if info.get(field_name):
            fitting.leaves[path] = str(int(info[field_name]))
    _params(fitting, tags_of(data.get("params")))
    place = str(info.get("artifact_uri") or "").rstrip("/")
    if place:
        fitting.put(OUTPUTS + ARTIFACTS, uri(place), limits.artifact, "place of its artifacts")
    tags = _own_tags(data.get("tags"))
    tags.pop(RUN_NAME, None)
    if fitting.leaves["name"] != name:
        tags[RUN_NAME] = name
    if status == _NOT_BEGUN:
        tags[_STATUS_TAG] = status
    if last_values:
        tags |= {LAST + str(each["key"]): last_value(each) for each in data.get("metrics") or ()}
    fitting.tags(tags)
    return fitting.leaves


def name_of(run: Shape) -> str:
    """Return a run's name; its id where it has none."""
    return str(run["info"].get("run_name") or run["info"]["run_id"])


def last_value(metric: Shape) -> str:
    """Return a metric's last point as a tag tells it."""
    step, time = int(metric.get("step") or 0), int(metric.get("timestamp") or 0)
    return f"{float(metric.get('value') or 0.0)!r} step {step} time {time}"


def _own_tags(listed: Any) -> dict[str, str]:
    """Return tags under the keys that they have there, without the notes of an earlier move."""
    found = {key: value for key, value in tags_of(listed).items() if not key.startswith(NOTED)}
    return {to_target(key): value for key, value in found.items()}


def _params(fitting: Fitting, params: Mapping[str, str]) -> None:
    limits, found = trial_limits(), 0
    for name, value in sorted(params.items()):
        wrong = limits.param.wrong(name)
        if not wrong and found >= limits.params:
            wrong = f"at most {limits.params} parameters there"
        if wrong:
            fitting.lose("run", f"parameter {name[:100]}", wrong)
        elif fitting.put(PARAMS + name, value, limits.text, f"parameter {name[:100]}"):
            found += 1


def parameter(text: str) -> dict[str, Any]:
    """Return a parameter's value: a number only where reading it gives each character of the text again."""
    try:
        number = float(text)
    except ValueError:
        return {"StringValue": text}
    return (
        {"NumberValue": number} if math.isfinite(number) and repr(number) == text else {"StringValue": text}
    )


def leaves_there(described: Shape, tags: Mapping[str, str]) -> Leaves:
    """Return what a component, or an experiment, of the target has: its marks are no part of it."""
    found: Leaves = {TAGS + key: value for key, value in tags.items() if not is_mark(key)}
    if described.get("Description"):
        found["description"] = str(described["Description"])
    if "TrialComponentName" not in described:
        return found
    found["name"] = str(described.get("DisplayName") or described["TrialComponentName"])
    status = described.get("Status") or {}
    told = {"status": status.get("PrimaryStatus"), "message": status.get("Message")}
    found |= {path: str(value) for path, value in told.items() if value}
    for field_name, path in (("StartTime", "start"), ("EndTime", END)):
        if described.get(field_name) is not None:
            found[path] = milliseconds_of(described[field_name])
    for name, each in (described.get("Parameters") or {}).items():
        number = each.get("NumberValue")
        text = str(each.get("StringValue", ""))
        found[PARAMS + str(name)] = text if number is None else repr(float(number))
    for name, each in (described.get("OutputArtifacts") or {}).items():
        found[OUTPUTS + str(name)] = str(each["Value"])
    for name, each in (described.get("InputArtifacts") or {}).items():
        found[f"inputs/{name}"] = str(each["Value"])
    return found


def is_mark(key: str) -> bool:
    """Tell whether a tag is one of the marks by which Heavylift knows its own."""
    return key.startswith(trial_limits().pairs.mark)


def milliseconds_of(moment: datetime) -> str:
    """Return a time as leaves tell it."""
    return str(round(moment.timestamp() * 1000))


def component_fields(leaves: Leaves, *, made: bool = False) -> dict[str, Any]:
    """Return leaves as the fields of a request.

    :param made: with what only a component that is made can be given.
    """
    found: dict[str, Any] = {}
    if "name" in leaves:
        found["DisplayName"] = leaves["name"]
    if "status" in leaves or "message" in leaves:
        told = {"PrimaryStatus": leaves.get("status"), "Message": leaves.get("message")}
        found["Status"] = {name: value for name, value in told.items() if value}
    for path, name in (("start", "StartTime"), (END, "EndTime")):
        if path in leaves:
            found[name] = _moment(leaves[path])
    params = below("params", leaves)
    if params:
        found["Parameters"] = {name: parameter(text) for name, text in params.items()}
    outputs = below("outputs", leaves)
    if outputs:
        found["OutputArtifacts"] = {name: {"Value": uri} for name, uri in outputs.items()}
    if made:
        given = {"CommitId": leaves.get(TAGS + COMMIT), "Repository": leaves.get(TAGS + REPOSITORY)}
        kept = {name: value for name, value in given.items() if value}
        found |= {"MetadataProperties": kept} if kept else {}
    return found


def removals(gone: Iterable[str]) -> dict[str, list[str]]:
    """Return paths that are to go as the fields of a request; only parameters and artifacts can."""
    fields = {
        PARAMS: "ParametersToRemove",
        OUTPUTS: "OutputArtifactsToRemove",
        "inputs/": "InputArtifactsToRemove",
    }
    found: dict[str, list[str]] = {}
    for path in sorted(gone):
        for start, name in fields.items():
            if path.startswith(start):
                found.setdefault(name, []).append(path.removeprefix(start))
    return found


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(int(text) / 1000, UTC)
