"""SageMaker Feature Store as a source: feature groups with their offline and online stores.

It is read only: where a group's history lies is chosen by SageMaker, and rows come there one by one through
its online store, so that a history cannot be put there as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import IncompleteError, ServerUnavailableError, UnsupportedError
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of
from heavylift.platforms.control import Limits
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import Feature, History, View
from heavylift.registry.features.ports import HeldView, Key, Served

_SERVICE, _RUNTIME = "sagemaker", "sagemaker-featurestore-runtime"
_TYPES = {"String": "string", "Integral": "int64", "Fractional": "float64"}
_UNITS = {"Seconds": 1, "Minutes": 60, "Hours": 3600, "Days": 86_400, "Weeks": 604_800}
_TIMES = {"String": "iso8601", "Fractional": "seconds"}
_ASKED_AT_ONCE, _TRIES, _PAUSE_SECONDS = 100, 6, 0.2
_USABLE = "Created"

CAPABILITIES = FeatureCapabilities(
    platform="sagemaker", tombstones=True, ttl_joins=False, owner=False, writes=False, most_keys=1
)

Raw = Mapping[str, Any]


class SageMakerFeatures:
    """The feature groups of one account and region."""

    capabilities = CAPABILITIES

    def __init__(self, connection: Connection, parallel: int, stop: threading.Event) -> None:
        self._stop = stop
        self._plane = AwsControlPlane(connection, Limits(parallel=parallel, stop=stop))
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

    def apply(self, view: View, history: History, marks: Mapping[str, str]) -> None:
        """Refuse: this version does not write to SageMaker."""
        del history, marks
        raise self._read_only(f"making feature group {view.name!r}")

    def serve(self, view: View, rows: Path) -> int:
        """Refuse: this version does not write to SageMaker."""
        del rows
        raise self._read_only(f"serving feature group {view.name!r}")

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
        tags = self._all("ListTags", "Tags", ResourceArn=raw["FeatureGroupArn"])
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
            offline=str(offline["S3StorageConfig"]["ResolvedOutputS3Uri"]).rstrip("/"),
            offline_format="iceberg" if offline.get("TableFormat") == "Iceberg" else "parquet",
            description=str(raw.get("Description") or ""),
            metadata={str(each["Key"]): str(each["Value"]) for each in tags},
        )
        form = _TIMES.get(str(declared[event_time]), "seconds")
        return HeldView(view, History(form, created="write_time", deleted="is_deleted"))

    def _feature(self, group: str, name: str, kind: str) -> Feature:
        asked = {"FeatureGroupName": group, "FeatureName": name}
        told = self._plane.call(_SERVICE, "DescribeFeatureMetadata", self._region, asked)
        tags = {str(each["Key"]): str(each["Value"]) for each in told.get("Parameters") or ()}
        return Feature(kind, str(told.get("Description") or ""), tags)

    def _described(self, name: str) -> Raw:
        """Return a group with all its features, which come in pages."""
        whole: dict[str, Any] = {}
        asked = {"FeatureGroupName": name}
        while True:
            page = self._plane.call(_SERVICE, "DescribeFeatureGroup", self._region, asked)
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
            answer = self._plane.call(_RUNTIME, "BatchGetRecord", self._region, {"Identifiers": [asked]})
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
        pages = self._plane.pages(_SERVICE, operation, self._region, arguments)
        return [each for page in pages for each in page.get(field) or ()]

    def _read_only(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            what,
            got="SageMaker as a target",
            expected="a target that this version writes to",
            state="nothing was touched",
            remedy="name a Feast repository as the target",
            code="7714",
        )


def _type_of(definition: Raw) -> str:
    kind = _TYPES.get(str(definition["FeatureType"]), str(definition["FeatureType"]))
    collection = str(definition.get("CollectionType") or "")
    return f"{collection.lower()}<{kind}>" if collection else kind


def _record(view: View, record: Sequence[Raw]) -> Served:
    values: dict[str, Any] = {}
    for each in record:
        values[str(each["FeatureName"])] = each.get("ValueAsStringList") or each.get("ValueAsString")
    at = values.get(view.event_time)
    served = {name: values.get(name) for name in view.features}
    return Served(served, None if at is None else _seconds(str(at)))


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


def _unprocessed(group: str, number: int) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"reading feature group {group!r} online",
        got=f"{number} keys that were not processed, again and again",
        expected="records",
        state="nothing was concluded, and nothing was changed",
        remedy="run again with a smaller --sample, or raise the group's read capacity",
        code="7716",
    )
