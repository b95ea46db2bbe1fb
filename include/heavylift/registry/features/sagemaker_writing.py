"""Makes and fills feature groups; every request may be repeated."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConflictError, NotFoundError, PermanentError, TransientError
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.control import Limits, stopped
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.ports import HeldView
from heavylift.registry.features.sagemaker_rules import TYPES

SERVICE, RUNTIME = "sagemaker", "sagemaker-featurestore-runtime"
_WRITES = frozenset(
    {
        "AddTags",
        "CreateFeatureGroup",
        "DeleteTags",
        "PutRecord",
        "UpdateFeatureGroup",
        "UpdateFeatureMetadata",
    }
)
_IN_USE = "ResourceInUse"
_TRIES, _PAUSE_SECONDS = 6, 0.2
_MOST_WAIT_SECONDS, _LOOK_SECONDS = 900.0, 2.0
_ADDED_AT_ONCE, _ROWS_AT_ONCE = 100, 1000
_NAMES = {ours: theirs for theirs, ours in TYPES.items()}
_TIMES = {"seconds": "Fractional", "iso8601": "String"}

Raw = Mapping[str, Any]


class FeatureGroupWriter:
    """Writes to the feature groups of one account and region.

    :param role: by which SageMaker writes to offline stores.
    """

    def __init__(self, connection: Connection, reads: AwsControlPlane, role: str, limits: Limits) -> None:
        self._reads, self._limits, self._role = reads, limits, role
        self._writes = AwsChanges(connection, reads, _WRITES, limits)
        self._region = region_of(connection)

    def status(self, name: str) -> str:
        """Return a group's status; empty where there is none of that name."""
        try:
            return str(self._described(name)["FeatureGroupStatus"])
        except NotFoundError:
            return ""

    def make(self, view: View, history: History, marks: Mapping[str, str]) -> Raw:
        """Make a group, with its marks; of one whose answer was lost the name is found to be taken, by us."""
        try:
            self._change("CreateFeatureGroup", _request(view, history, marks, self._role))
        except PermanentError as error:
            if _IN_USE not in error.got:
                raise
        made = self.wait(view.name)
        self._metadata(view, {})
        return made

    def change(self, view: View, there: HeldView, marks: Mapping[str, str]) -> Raw:
        """Bring a group of ours up to date.

        :raises ConflictError: something differs that no request can change.
        """
        if fixed := _fixed(view, there):
            raise _unchangeable(view.name, fixed)
        new = {name: each for name, each in view.features.items() if name not in there.view.features}
        for part in _parts(new.items(), _ADDED_AT_ONCE):
            added = [_defined(name, each.type) for name, each in part]
            self._change("UpdateFeatureGroup", {"FeatureGroupName": view.name, "FeatureAdditions": added})
            self.wait(view.name)
        if view.online and view.ttl != there.view.ttl:
            ttl = {"TtlDuration": {"Unit": "Seconds", "Value": view.ttl}}
            self._change("UpdateFeatureGroup", {"FeatureGroupName": view.name, "OnlineStoreConfig": ttl})
            self.wait(view.name)
        self._metadata(view, there.view.features)
        self._tags(view, there, marks)
        return self._described(view.name)

    def wait(self, name: str) -> Raw:
        """Wait until a group is as it was asked for, and return it."""
        last, pause = time.monotonic() + _MOST_WAIT_SECONDS, _PAUSE_SECONDS
        while time.monotonic() < last:
            raw = self._described(name)
            status = str(raw.get("FeatureGroupStatus"))
            update: Raw = raw.get("LastUpdateStatus") or {}
            if status == "CreateFailed" or update.get("Status") == "Failed":
                raise _failed(name, str(raw.get("FailureReason") or update.get("FailureReason")))
            if status == "Created" and update.get("Status") != "InProgress":
                return raw
            if self._limits.stop.wait(pause):
                raise stopped()
            pause = min(2 * pause, _LOOK_SECONDS)
        raise _late(name)

    def put(self, view: View, rows: Path) -> int:
        """Put a Parquet file's rows into the online store; return how many."""
        import pyarrow.parquet

        sent = 0
        columns = [*view.keys, view.event_time, *view.features]
        with ThreadPoolExecutor(self._limits.parallel) as pool:
            for batch in pyarrow.parquet.ParquetFile(rows).iter_batches(_ROWS_AT_ONCE, columns=columns):
                # A batch at a time, so that what waits in memory is bounded.
                for _done in pool.map(lambda row: self._put(view, row), batch.to_pylist()):
                    sent += 1
        return sent

    def _put(self, view: View, row: Mapping[str, Any]) -> None:
        record = [_value(name, value) for name, value in row.items() if value is not None]
        self._change(
            "PutRecord",
            # Only there: the history is in the offline store already.
            {"FeatureGroupName": view.name, "Record": record, "TargetStores": ["OnlineStore"]},
            RUNTIME,
        )

    def _metadata(self, view: View, there: Mapping[str, Feature]) -> None:
        for name, wanted in view.features.items():
            held = there.get(name, Feature(wanted.type))
            asked: dict[str, Any] = {}
            if wanted.description != held.description:
                asked["Description"] = wanted.description
            if put := {key: value for key, value in wanted.tags.items() if held.tags.get(key) != value}:
                asked["ParameterAdditions"] = _listed(put)
            if gone := [key for key in held.tags if key not in wanted.tags]:
                asked["ParameterRemovals"] = gone
            if asked:
                named = {"FeatureGroupName": view.name, "FeatureName": name}
                self._change("UpdateFeatureMetadata", named | asked)

    def _tags(self, view: View, there: HeldView, marks: Mapping[str, str]) -> None:
        arn = self._described(view.name)["FeatureGroupArn"]
        if gone := [key for key in there.view.metadata if key not in view.metadata]:
            self._change("DeleteTags", {"ResourceArn": arn, "TagKeys": gone})
        # Marks last: they tell that all of this is done.
        self._change("AddTags", {"ResourceArn": arn, "Tags": _listed({**view.metadata, **marks})})

    def _described(self, name: str) -> Raw:
        return self._reads.call(SERVICE, "DescribeFeatureGroup", self._region, {"FeatureGroupName": name})

    def _change(self, operation: str, asked: Mapping[str, Any], service: str = SERVICE) -> Raw:
        return self._again(lambda: self._writes.change(service, operation, self._region, dict(asked)))

    def _again(self, act: Callable[[], Raw]) -> Raw:
        for number in range(1, _TRIES):
            try:
                return act()
            except TransientError:
                if self._limits.stop.wait(_PAUSE_SECONDS * 2**number):
                    raise
        return act()


def pairs_of(listed: Iterable[Raw] | None) -> dict[str, str]:
    """Return a list of keys and values as a dictionary."""
    return {str(each["Key"]): str(each["Value"]) for each in listed or ()}


def _request(view: View, history: History, marks: Mapping[str, str], role: str) -> dict[str, Any]:
    (key,) = view.keys
    many = any(each.type.startswith("list<") for each in view.features.values())
    request: dict[str, Any] = {
        "FeatureGroupName": view.name,
        "RecordIdentifierFeatureName": key,
        "EventTimeFeatureName": view.event_time,
        "FeatureDefinitions": [
            _defined(key, view.key_types[key]),
            {"FeatureName": view.event_time, "FeatureType": _TIMES[history.time_form]},
            *(_defined(name, each.type) for name, each in view.features.items()),
        ],
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": view.offline}},
        "RoleArn": role,
        "Tags": _listed({**view.metadata, **marks}),
    }
    if view.description:
        request["Description"] = view.description
    if view.online:
        online: dict[str, Any] = {"EnableOnlineStore": True}
        if many:
            # Lists are served only from memory.
            online["StorageType"] = "InMemory"
        if view.ttl:
            online["TtlDuration"] = {"Unit": "Seconds", "Value": view.ttl}
        request["OnlineStoreConfig"] = online
    return request


def _defined(name: str, kind: str) -> dict[str, Any]:
    if kind.startswith("list<"):
        return {"FeatureName": name, "FeatureType": _NAMES[kind[5:-1]], "CollectionType": "List"}
    return {"FeatureName": name, "FeatureType": _NAMES[kind]}


def _listed(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def _value(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, list):
        texts = [_text(each) for each in value if each is not None]
        return {"FeatureName": name, "ValueAsStringList": texts}
    return {"FeatureName": name, "ValueAsString": _text(value)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def _fixed(view: View, there: HeldView) -> list[str]:
    """Return what differs and cannot be changed."""
    held = there.view
    found = [
        name
        for name in ("keys", "key_types", "event_time", "online", "description")
        if getattr(view, name) != getattr(held, name)
    ]
    if view.offline != there.asked:
        found.append("offline")
    found += [f"features/{name}" for name in held.features if name not in view.features]
    found += [
        f"features/{name}/type"
        for name, each in view.features.items()
        if name in held.features and held.features[name].type != each.type
    ]
    if view.online and held.ttl and not view.ttl:
        found.append("ttl_seconds")
    return found


def _parts(things: Iterable[Any], size: int) -> Iterator[list[Any]]:
    left = iter(things)
    while part := list(islice(left, size)):
        yield part


def _unchangeable(name: str, fields: list[str]) -> ConflictError:
    return ConflictError(
        f"changing feature group {name!r}",
        got=f"another {', '.join(fields[:5])} than it was made with",
        expected="what SageMaker can change: more features, a time to live, tags, descriptions of features",
        state="it was not touched",
        remedy="delete the feature group on the target, and run again: it is then made anew",
        code="9450",
    )


def _failed(name: str, reason: str) -> PermanentError:
    return PermanentError(
        f"making or changing feature group {name!r}",
        got=reason[:300],
        expected="the status Created",
        state="its history was not copied",
        remedy="mend what the answer names (the role, the bucket), delete the group, and run again",
        code="9451",
    )


def _late(name: str) -> TransientError:
    return TransientError(
        f"waiting for feature group {name!r}",
        got="no end after fifteen minutes",
        expected="the status Created",
        state="it goes on there",
        remedy="run the same command again: what came of it is then found",
        code="9452",
    )
