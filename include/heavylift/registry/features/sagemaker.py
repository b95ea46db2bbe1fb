"""SageMaker Feature Store: feature groups with their offline and online stores.

Where below a prefix a group's history lies is chosen by SageMaker when the group is made. Files are put there
as its own connector for Spark does; the online store is given its rows one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConflictError, IncompleteError, ServerUnavailableError
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.control import Limits
from heavylift.registry.catalogues.marks import origin_in
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.ports import HeldView, Key, Served
from heavylift.registry.features.sagemaker_rules import CAPABILITIES, TAGS, TYPES
from heavylift.registry.features.sagemaker_writing import RUNTIME, SERVICE, FeatureGroupWriter, pairs_of

_UNITS = {"Seconds": 1, "Minutes": 60, "Hours": 3600, "Days": 86_400, "Weeks": 604_800}
_TIMES = {"String": "iso8601", "Fractional": "seconds"}
_ASKED_AT_ONCE, _TRIES, _PAUSE_SECONDS = 100, 6, 0.2
_USABLE = "Created"

Raw = Mapping[str, Any]


class SageMakerFeatures:
    """The feature groups of one account and region.

    :param connection: extra ``feature_role_arn`` is the role by which SageMaker writes to the offline stores
        of groups that are made.
    """

    def __init__(self, connection: Connection, parallel: int, stop: threading.Event) -> None:
        self._stop = stop
        limits = Limits(parallel=parallel, stop=stop)
        self._plane = AwsControlPlane(connection, limits)
        role = connection.text("feature_role_arn") or ""
        self.capabilities = CAPABILITIES
        if not role:
            lacking = f"connection {connection.conn_id!r} names no role (extra field feature_role_arn)"
            self.capabilities = replace(CAPABILITIES, unwritable=lacking)
        self._writer = FeatureGroupWriter(connection, self._plane, role, limits)
        self._region = region_of(connection)
        self._conn_id = connection.conn_id
        self._odd: dict[str, str] = {}

    @property
    def address(self) -> str:
        """The region and the connection."""
        return f"sagemaker-features://{self._region} ({self._conn_id})"

    def read(self) -> list[HeldView]:
        """Return all feature groups that have an offline store."""
        self._odd, found = {}, []
        for each in self._all("ListFeatureGroups", "FeatureGroupSummaries"):
            group = self._group(str(each["FeatureGroupName"]))
            if group is not None:
                found.append(group)
        return found

    def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return groups that are not moved."""
        return [(f"feature group {name}", reason, 1) for name, reason in sorted(self._odd.items())]

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> str:
        """Make a feature group and wait until it is there, or change what can be changed of it.

        :raises ConflictError: a group of this name, which a listing did not show yet, is not ours.
        """
        if not self._writer.status(view.name):
            return _place(self._writer.make(view, history, marks))
        self._writer.wait(view.name)
        there, ours = self._group(view.name), origin_in(marks, TAGS)
        if there is None or there.origin is None or ours is None or there.origin.registry != ours.registry:
            raise _others(view.name)
        return _place(self._writer.change(view, there, marks))

    def serve(self, view: View, history: History, rows: Path) -> int:
        """Put rows into the online store, one by one; an older row never replaces a newer one there."""
        del history
        return self._writer.put(view, rows)

    def online(self, view: View, keys: Sequence[Key]) -> list[Served]:
        """Ask the online store, a hundred keys at once."""
        found: dict[str, Served] = {}
        names = [str(key[0]) for key in keys]
        for start in range(0, len(names), _ASKED_AT_ONCE):
            found |= self._served(view, names[start : start + _ASKED_AT_ONCE])
        return [found.get(name, Served()) for name in names]

    def joined(self, view: View, frame: Path, answer: Path) -> bool:
        """Tell that it cannot: its joins are the user's own queries."""
        del view, frame, answer
        return False

    def close(self) -> None:
        """Nothing is held open."""

    def _group(self, name: str) -> HeldView | None:
        raw = self._described(name)
        offline: Raw = raw.get("OfflineStoreConfig") or {}
        if raw.get("FeatureGroupStatus") != _USABLE:
            self._odd[name] = f"its status is {raw.get('FeatureGroupStatus')}"
        elif not offline:
            self._odd[name] = "it has no offline store, and what an online store holds cannot be listed whole"
        else:
            return self._held(name, raw, offline)
        return None

    def _held(self, name: str, raw: Raw, offline: Raw) -> HeldView:
        key, event_time = str(raw["RecordIdentifierFeatureName"]), str(raw["EventTimeFeatureName"])
        kinds = {str(each["FeatureName"]): _type_of(each) for each in raw["FeatureDefinitions"]}
        declared = {str(each["FeatureName"]): each["FeatureType"] for each in raw["FeatureDefinitions"]}
        online: Raw = raw.get("OnlineStoreConfig") or {}
        ttl: Raw = online.get("TtlDuration") or {}
        seconds = int(ttl.get("Value") or 0) * _UNITS[str(ttl.get("Unit") or "Seconds")]
        listed = self._all("ListTags", "Tags", ResourceArn=raw["FeatureGroupArn"])
        tags = {str(each["Key"]): str(each["Value"]) for each in listed}
        ours = (TAGS.mark, TAGS.kept)
        view = View(
            name=name,
            keys=(key,),
            key_types={key: kinds[key]},
            event_time=event_time,
            features={
                each: self._feature(name, each, kind)
                for each, kind in kinds.items()
                if each not in {key, event_time}
            },
            online="yes" if online.get("EnableOnlineStore") else "",
            ttl_seconds=str(seconds or ""),
            offline=_place(raw),
            offline_format="iceberg" if offline.get("TableFormat") == "Iceberg" else "parquet",
            description=str(raw.get("Description") or ""),
            metadata={key: value for key, value in tags.items() if not key.startswith(ours)},
        )
        form = replace(CAPABILITIES.history, time_form=_TIMES.get(str(declared[event_time]), "seconds"))
        origin = origin_in(tags, TAGS)
        # Who made it named only a prefix, and that is what must be the same.
        asked = str(offline["S3StorageConfig"].get("S3Uri") or "").rstrip("/") if origin else ""
        return HeldView(view, form, origin, asked)

    def _feature(self, group: str, name: str, kind: str) -> Feature:
        asked = {"FeatureGroupName": group, "FeatureName": name}
        told = self._plane.call(SERVICE, "DescribeFeatureMetadata", self._region, asked)
        return Feature(kind, str(told.get("Description") or ""), pairs_of(told.get("Parameters")))

    def _described(self, name: str) -> Raw:
        """Return a group with all its features, which come in pages."""
        whole: dict[str, Any] = {}
        asked = {"FeatureGroupName": name}
        while True:
            page = self._plane.call(SERVICE, "DescribeFeatureGroup", self._region, asked)
            definitions = [*whole.get("FeatureDefinitions", ()), *page["FeatureDefinitions"]]
            whole = {**page, "FeatureDefinitions": definitions}
            if not page.get("NextToken"):
                return whole
            asked = {"FeatureGroupName": name, "NextToken": str(page["NextToken"])}

    def _served(self, view: View, names: list[str]) -> dict[str, Served]:
        found: dict[str, Served] = {}
        left = names
        for number in range(_TRIES):
            if not left:
                return found
            if number:
                self._stop.wait(_PAUSE_SECONDS * 2**number)
            asked = {"FeatureGroupName": view.name, "RecordIdentifiersValueAsString": left}
            answer = self._plane.call(RUNTIME, "BatchGetRecord", self._region, {"Identifiers": [asked]})
            if answer.get("Errors"):
                raise _refused(view.name, answer["Errors"][0])
            for each in answer.get("Records") or ():
                found[str(each["RecordIdentifierValueAsString"])] = _record(view, each["Record"])
            left = [
                str(name)
                for each in answer.get("UnprocessedIdentifiers") or ()
                for name in each["RecordIdentifiersValueAsString"]
            ]
        if left:
            raise _unprocessed(view.name, len(left))
        return found

    def _all(self, operation: str, field: str, **arguments: Any) -> list[Raw]:
        pages = self._plane.pages(SERVICE, operation, self._region, arguments)
        return [each for page in pages for each in page.get(field) or ()]


def _type_of(definition: Raw) -> str:
    kind = TYPES.get(str(definition["FeatureType"]), str(definition["FeatureType"]))
    collection = str(definition.get("CollectionType") or "")
    return f"{collection.lower()}<{kind}>" if collection else kind


def _record(view: View, record: Sequence[Raw]) -> Served:
    values: dict[str, Any] = {}
    for each in record:
        many = each.get("ValueAsStringList")
        values[str(each["FeatureName"])] = each.get("ValueAsString") if many is None else many
    at = values.get(view.event_time)
    served = {name: values.get(name) for name in view.features}
    return Served(served, None if at is None else _seconds(str(at)))


def _place(raw: Raw) -> str:
    return str(raw["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]).rstrip("/")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _refused(group: str, error: Raw) -> IncompleteError:
    return IncompleteError(
        f"reading feature group {group!r} online",
        got=f"{error.get('ErrorCode')}: {error.get('ErrorMessage')}",
        expected="records",
        state="nothing was concluded, and nothing was changed",
        remedy="allow sagemaker:BatchGetRecord on the group, and look at its status",
        code="7715",
    )


def _others(group: str) -> ConflictError:
    return ConflictError(
        f"making feature group {group!r}",
        got="a group of that name that this migration did not make",
        expected="a free name",
        state="it was not touched",
        remedy="free the name on the target",
        code="9453",
    )


def _unprocessed(group: str, number: int) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"reading feature group {group!r} online",
        got=f"{number} keys that were not processed, again and again",
        expected="records",
        state="nothing was concluded, and nothing was changed",
        remedy="run again with a smaller --sample, or raise the group's read capacity",
        code="7716",
    )
